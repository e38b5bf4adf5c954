"""Files that broke a promise once, by the reader they are for and what they are.

Each is made of the few bytes that matter. `run.py` goes on from them.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import table_files
import torch_files
from fuzz import samples

from skensir._files import make_archive


def _jpeg(change: Callable[[bytes], bytes]) -> bytes:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return change(bytes(cv2.imencode(".jpg", np.full((64, 64), 100, np.uint8), options)[1]))


def _behind_a_stuffed_marker(data: bytes) -> bytes:
    """Hide a frame of 65 000 x 16 000 pixels where decoders look and our walk did not."""
    frame = data.find(b"\xff\xc2")
    hidden = bytearray(data[2:])
    hidden[frame + 3 : frame + 7] = struct.pack(">HH", 16_000, 65_000)
    return b"\xff\xd8\xff\x00" + struct.pack(">H", 2 + len(hidden)) + bytes(hidden) + data[2:]


def _with_scans(data: bytes) -> bytes:
    """Repeat the last scan, a few bytes for the time of a whole image each."""
    scan = data.rfind(b"\xff\xda")
    return data[:-2] + data[scan:-2] * 150 + data[-2:]


def _tiff(tags: dict[int, tuple[int, int, int]], *lines: bytes) -> bytes:
    """Return a grey TIFF of 64 x 64 with these tags, and lines behind its one directory."""
    plain = {256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    strip = {273: (4, 1, 300), 277: (3, 1, 1), 278: (4, 1, 64), 279: (4, 1, 4096)}
    tags = {**plain, **strip, **tags}
    entries = b"".join(struct.pack("<HHII", code, *tags[code]) for code in sorted(tags))
    head = struct.pack("<4sIH", b"II*\0", 8, len(tags))
    return (head + entries + bytes(4)).ljust(200, b"\0") + b"".join(lines)


def _overlapping_strips() -> bytes:
    """Let 64 strips be the same four kilobytes, which inflate to four megabytes each."""
    packed = zlib.compress(bytes(2**22), 9)
    places = struct.pack("<64I", *[712] * 64) + struct.pack("<64I", *[len(packed)] * 64)
    tags = {259: (3, 1, 8), 273: (4, 64, 200), 278: (4, 1, 1), 279: (4, 64, 456)}
    return _tiff(tags, places, packed)


def _inflating_strip() -> bytes:
    packed = zlib.compress(bytes(2**26), 9)
    return _tiff({259: (3, 1, 8), 273: (4, 1, 200), 279: (4, 1, len(packed))}, packed)


def _npy(header: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + bytes(96)


def _png_of_texts() -> bytes:
    """Return a PNG with 50 texts that inflate to seven megabytes each."""
    data, text = samples.images()[0], b"zTXtx\0\0" + zlib.compress(bytes(7 * 2**20), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return data[:33] + chunk * 50 + data[33:]


def _header(**fields: object) -> bytes:
    """Return a table file without any array."""
    header = {"format": "skensir lookup table", "format_number": 2, "skensir": "0.1.0"}
    header |= {"class": "EnsIRRegressor", "ensemble": None, "tables": [], "shares": []}
    text = json.dumps({**header, "calibrations": [], **fields}, separators=(",", ":"))
    return make_archive({"header.json": text.encode()})


def _released_nan() -> bytes:
    """Return a published table with a signalling NaN, of which NumPy warns when it is converted."""
    entries = table_files.entries_of(samples.released()[1])
    entries["archive/data/0"] = struct.pack("<I", 0x7FA00000) + entries["archive/data/0"][4:]
    return torch_files.archive(entries)


def _released_channels() -> bytes:
    """Return a table of 2048 channels in 256 cells, which are all the same two numbers."""
    tensors = [torch_files.Tensor(np.array([0.5, 0.5], "f4"))] * 2048
    table = {(32 * a, 32 * b): tensors for a in range(8) for b in range(8)}
    return torch_files.torch_file(*torch_files.pickled(table))


# By the reader: the file, and what the error must say; None where the file is read.
FINDINGS: dict[str, dict[str, tuple[Callable[[], bytes], str | None]]] = {
    "table": {
        "a name in no code": (
            lambda: make_archive({"header.json": b"", "\xe9": b""}).replace(
                b"\xc3\xa9", b"\xb8\xb8"
            ),
            "no zip archive, or a damaged one",
        ),
        "a name for each of many tables": (lambda: _header(tables=[0] * 200_000), "it lacks '0/"),
        "a version of a megabyte": (lambda: _header(format_number=9, skensir="1" * 10**6), "newer"),
        "shares of a megabyte": (lambda: _header(shares=[[0.5] * 10**5]), "shares"),
    },
    "released": {
        "signalling NaN": (_released_nan, "weights are not all at least zero"),
        "escape": (lambda: torch_files.torch_file(b"\x80\x02S'\\Q'\n."), "the opcode STRING"),
        "many channels": (_released_channels, "channels"),
    },
    "image": {
        "frame behind a stuffed marker": (lambda: _jpeg(_behind_a_stuffed_marker), "damaged"),
        "many scans": (lambda: _jpeg(_with_scans), "damaged"),
        "number in a comment": (lambda: b"P6\n20000#20000\n1 255\n" + bytes(5000), "damaged"),
        "numbers with underscores": (lambda: b"P6\n1_0 1_0\n255\n" + bytes(999), "damaged"),
        "chunk beyond the end": (lambda: samples.images()[0][:33] + b"\x45\0\0\2IDAT", "damaged"),
        "lines without end": (lambda: b"P3" + b"\n" * 4000, "damaged"),
        "texts that inflate": (_png_of_texts, None),
    },
    "tiff": {
        "strips that overlap": (_overlapping_strips, "damaged"),
        "strip that inflates": (_inflating_strip, "damaged"),
        "two strips of 64": (
            lambda: _tiff({273: (4, 2, 200), 278: (4, 1, 1), 279: (4, 2, 208)}, bytes(9999)),
            "damaged",
        ),
        "deep tiles": (
            lambda: _tiff({322: (4, 1, 64), 323: (4, 1, 64), 32998: (4, 1, 2**30)}, bytes(9999)),
            "says that it holds",
        ),
        "several heights": (
            lambda: _tiff({257: (4, 2, 200), 273: (4, 1, 8)}, bytes(99)),
            "damaged",
        ),
        "a text for a width": (lambda: _tiff({256: (2, 3, 0x3636)}, bytes(9999)), "damaged"),
        "several numbers of samples": (lambda: _tiff({277: (3, 3, 200)}, bytes(9999)), "damaged"),
    },
    "npy": {
        "signs without end": (lambda: _npy("{'descr': " + "-" * 8000 + "1}"), "no array"),
        "brackets without end": (lambda: _npy("(" * 9000, version=2), "no array"),
        "spaces without end": (lambda: _npy("{" + " " * 10**5, version=2), "no array"),
        "escape": (lambda: _npy("{'descr': '\\d', 'shape': (1, 2)}"), "no array"),
        "old name of a dtype": (
            lambda: _npy("{'descr': '|a8', 'fortran_order': False, 'shape': (4, 3)}"),
            "no array",
        ),
        "written by Python 2": (
            lambda: _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4L, 3L)}"),
            None,
        ),
        "keys in another order": (
            lambda: _npy("{ 'shape':(3,4),'fortran_order':True , 'descr' : '|u1'}", version=3),
            None,
        ),
    },
}
