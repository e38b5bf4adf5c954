"""Changes of a file that get past its first checks: checksums, lengths and archives stay right."""

from __future__ import annotations

import ast
import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from random import Random
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 4096, 65535, 65536),
    *(2**24 - 1, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**47, 2**48, 2**53, 2**62, 2**63 - 1),
    *(-1, -2, -128, -(2**31), -(2**63), 10**20, 10**400),
)
FLOATS = (
    *(0.0, -0.0, 5e-324, 2.3e-308, 1e-170, 1e-16, 0.25, 0.5, 1.0, 2.0, 255.0, 1e13, 2.0**53),
    *(1e170, 1e308, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), -1.0),
)
TEXTS = (
    *("", " ", "\0", "\n", "\x1b[2J", "a" * 300, "é" * 40, "\udc80", "\U0001f600", "../..", "None"),
    *("nan", "inf", "1e999", "1_0", "0x10", "-0", "%s%n", "*", "[", "{}", "=", "--", "auto", "O"),
)
# What arrays of NumPy's format may say of themselves.
_DTYPES = (
    *("|O", "<f8", ">f8", "<f2", "|u1", "<u2", "<i8", "<c16", "<U3", "|V8", "|b1", "<M8[s]", "|S0"),
    *([("a", "<f8"), ("b", "|O")], [("a", "<u1", (3,))], ("<f8", (3,)), "f8,f8", "<f16", "\\d", 3),
)
_SHAPES = ((), (0,), (-1, 3), (2**40, 2**40), (0, 2**62), (4, 3, 1), (True, 3), (3, 4), 5, (1.0,))


def mutate(data: bytes, rng: Random, other: bytes = b"") -> bytes:
    """Return the bytes of a file with one to four changes; some may come from another file."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        kinds = [_mutate_raw]
        if rng.random() < 0.8:
            kinds = [
                change for begin, change in _FORMATS.items() if data.startswith(begin)
            ] or kinds
        try:
            data = kinds[0](data, rng, other)
        except Exception:
            data = _mutate_raw(data, rng, other)  # damaged by an earlier change
    return data[: 2**20]


def _mutate_raw(data: bytes, rng: Random, other: bytes) -> bytes:
    """Flip, replace, repeat, cut or splice bytes."""
    changed = bytearray(data)
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 2, 4, 8, 30, 300)))
    kind = rng.randrange(8)
    if kind == 0 and data:
        changed[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        changed[at : at + 1] = bytes([rng.randrange(256)])
    elif kind == 2:
        size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
        number = rng.choice(NUMBERS) % 256**size
        changed[at : at + size] = number.to_bytes(size, order)
    elif kind == 3:
        del changed[at:end]
    elif kind == 4:
        changed[at:at] = data[at:end] * rng.choice((1, 2, 50))
    elif kind == 5 and other:
        start = rng.randrange(len(other))
        changed[at:end] = other[start : start + rng.choice((4, 30, 300))]
    elif kind == 6:
        del changed[at:]
    else:
        found = list(re.finditer(rb"-?[0-9]+(?:\.[0-9]+)?", data[:4096]))
        if found:
            match = rng.choice(found)
            text = str(rng.choice((*NUMBERS, *FLOATS)) if rng.random() < 0.8 else rng.choice(TEXTS))
            changed[match.start() : match.end()] = text.encode("utf-8", "surrogateescape")
    return bytes(changed)


def _mutate_zip(data: bytes, rng: Random, other: bytes) -> bytes:
    """Change an entry, or which entries there are, and make the archive anew."""
    with ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    place = rng.randrange(len(entries))
    name, content = entries[place]
    kind = rng.randrange(12)
    if kind == 0:
        del entries[place]
    elif kind == 1:
        entries.append((rng.choice((name, *TEXTS, "0/evil_.npy", f"../{name}")), content))
    elif kind == 2:
        entries[place] = (name, rng.choice(entries)[1])
    elif kind == 3:
        rng.shuffle(entries)
    else:
        heads = [place for place, entry in enumerate(entries) if not entry[0].endswith(".npy")]
        if kind < 8 and heads:  # what says most
            place = rng.choice(heads)
        name, content = entries[place]
        entries[place] = (name, _mutate_entry(content, rng, other))
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in entries:
            info = ZipInfo(name.encode("utf-8", "replace").decode())
            compression = ZIP_DEFLATED if rng.random() < 0.01 else ZIP_STORED
            archive.writestr(info, content, compression)
    return buffer.getvalue()


def _mutate_entry(content: bytes, rng: Random, other: bytes) -> bytes:
    if content[:1] in (b"{", b"["):
        return json.dumps(_mutate_tree(json.loads(content), rng)).encode()
    if content.startswith(b"\x93NUMPY"):
        return _mutate_npy(content, rng, other)
    return _mutate_raw(content, rng, other)


def _mutate_tree(value: object, rng: Random) -> object:
    """Change one place in what JSON holds, the deeper the likelier."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        changed: dict | list = value.copy()
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        kind = rng.randrange(12)
        if kind == 0:
            del changed[key]
        elif kind == 1 and isinstance(changed, list):
            changed.extend([changed[key]] * rng.choice((1, 2, 1000)))
        elif kind == 1:
            changed[rng.choice(TEXTS)] = changed[key]
        elif kind == 2:
            changed[key] = changed[rng.choice(list(value)) if isinstance(value, dict) else 0]
        else:
            changed[key] = _mutate_tree(changed[key], rng)
        return changed
    if isinstance(value, float) and rng.random() < 0.5:
        return value * rng.choice((2, 0.5, -1, 1e-300, 1e300))
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice((-1, 1))
    choices = (None, True, False, [], {}, [0], [[1.0]], rng.choice(TEXTS), rng.choice(TEXTS))
    return rng.choice((*choices, *[rng.choice(NUMBERS)] * 4, *[rng.choice(FLOATS)] * 4))


def _mutate_npy(content: bytes, rng: Random, other: bytes) -> bytes:
    """Change numbers, or what the header says of them."""
    n_length = 2 if content[6] == 1 else 4
    end = 8 + n_length + int.from_bytes(content[8 : 8 + n_length], "little")
    head, numbers = content[8 + n_length : end], bytearray(content[end:])
    if rng.random() < 0.6 and numbers:
        size = rng.choice((8, 8, 8, 4, 2, 1))
        at = rng.randrange(len(numbers)) // size * size
        if size == 8 and rng.random() < 0.7:
            numbers[at : at + 8] = struct.pack("<d", rng.choice(FLOATS))
        elif rng.random() < 0.5:
            numbers[at : at + size] = (rng.choice(NUMBERS) % 256**size).to_bytes(size, "little")
        else:
            numbers = bytearray(_mutate_raw(bytes(numbers), rng, other))
        return content[:end] + bytes(numbers)
    said = ast.literal_eval(head.decode("latin1").strip())
    field = rng.choice(list(said))
    said[field] = rng.choice({"descr": _DTYPES, "shape": _SHAPES}.get(field, (True, 0, "", None)))
    head = repr(said).encode("latin1", "replace")
    if rng.random() < 0.2:
        head = _mutate_raw(head, rng, b"[](){}'L#\\-" * 50)
    version = rng.choice((1, 1, 2, 3, 9))
    length = len(head).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + head + bytes(numbers)


def _mutate_png(data: bytes, rng: Random, other: bytes) -> bytes:
    """Change, repeat, drop, exchange or add a chunk; checksums stay right."""
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    place, kind = rng.randrange(len(chunks)), rng.randrange(8)
    name, content = chunks[place]
    if kind == 0:
        del chunks[place]
    elif kind == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), (name, content))
    elif kind == 2:
        names = (b"acTL", b"fcTL", b"fdAT", b"iCCP", b"zTXt", b"tRNS", b"PLTE", b"eXIf", b"gAMA")
        added = rng.choice(names), rng.choice((bytes(30), b"x\0\0" + zlib.compress(bytes(10**6))))
        chunks.insert(rng.randrange(len(chunks) + 1), added)
    elif name == b"IDAT" and kind < 6:
        pixels = _mutate_raw(zlib.decompress(content), rng, other)
        chunks[place] = (name, zlib.compress(pixels))
    elif name == b"IHDR" and kind < 6:
        fields = list(struct.unpack(">IIBBBBB", content))
        field = rng.randrange(7)
        fields[field] = rng.choice(NUMBERS) % (2**32 if field < 2 else 20)
        chunks[place] = (name, struct.pack(">IIBBBBB", *fields))
    else:
        chunks[place] = (name, _mutate_raw(content, rng, other))
    return data[:8] + b"".join(
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    )


def _mutate_tiff(data: bytes, rng: Random, other: bytes) -> bytes:
    """Change a tag of the first directory, repeat it, or lead back to the directory."""
    order = "<" if data.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", data, first)
    changed = bytearray(data)
    tag = first + 2 + 12 * rng.randrange(n_tags)
    kind = rng.randrange(8)
    codes = (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 338)
    codes = (*codes, 339, 32997, 32998, 347, 330, 34665, 330, 254, 65000)
    if kind == 0:
        struct.pack_into(f"{order}H", changed, tag, rng.choice(codes))
    elif kind == 1:
        struct.pack_into(f"{order}H", changed, tag + 2, rng.randrange(20))
    elif kind == 2:
        struct.pack_into(f"{order}I", changed, tag + 4, rng.choice(NUMBERS) % 2**32)
    elif kind == 3:  # the next directory: this one, or one that is somewhere
        link = rng.choice((first, rng.randrange(len(data))))
        struct.pack_into(f"{order}I", changed, first + 2 + 12 * n_tags, link)
    elif kind == 4:  # moved to the end, with one more tag
        tags = changed[first + 2 : first + 2 + 12 * n_tags]
        code, number = rng.choice(codes), rng.choice(NUMBERS) % 2**32
        tags += struct.pack(f"{order}HHII", code, rng.choice((3, 4, 16)), 1, number)
        struct.pack_into(f"{order}I", changed, 4, len(changed))
        changed += struct.pack(f"{order}H", n_tags + 1) + tags + bytes(4)
    else:
        numbers = (*range(9), *NUMBERS, 32773, 32946, 50000, 34925, rng.randrange(len(data)))
        struct.pack_into(f"{order}I", changed, tag + 8, rng.choice(numbers) % 2**32)
    return bytes(changed)


_FORMATS: dict[bytes, Callable[[bytes, Random, bytes], bytes]] = {
    b"PK\3\4": _mutate_zip,
    b"\x89PNG": _mutate_png,
    b"II*\0": _mutate_tiff,
    b"MM\0*": _mutate_tiff,
    b"\x93NUMPY": _mutate_npy,
}


class Draws:
    """Choices that bytes make, one byte each, so that a change of a byte changes one choice."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def __bool__(self) -> bool:
        return bool(self._left)

    def number(self, below: int) -> int:
        """Return a number; zero where no byte is left."""
        byte, self._left = self._left[:1], self._left[1:]
        return (byte[0] if byte else 0) % below

    def choice(self, choices: tuple | list) -> object:
        """Return one of some things."""
        return choices[self.number(len(choices))]
