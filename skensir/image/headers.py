"""How large the image in a file is, read from its header before anything is decoded.

A few kilobytes may decode to gigabytes. What a header says is what the decoder will make, so a
file that says too much is refused unread.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from skensir._checks import shown

MAX_PIXELS = 2**28
"""Height times width of an image that may be read, unless the environment says otherwise."""

_VARIABLE = "SKENSIR_MAX_PIXELS"

_ANIMATION = "is an animation, must be one image"

# A progressive JPEG has about ten, which can be a few bytes each. libtiff has the same limit.
_MOST_SCANS = 100


class _UnfitError(Exception):
    """Says what is wrong with a file that is sound, and that decoders read one way or another."""


_Size: TypeAlias = tuple[int, int]  # height and width, pixels


def check_pixels(height: int, width: int, path: Path) -> None:
    """Raise an error that names the file if its image is larger than may be read."""
    most = _most_pixels()
    if height * width > most:
        raise ValueError(
            f"{path} says that it holds {height} x {width} pixels, more than {most} in all; set "
            f"the environment variable {_VARIABLE} to a larger number if that is so."
        )


def _most_pixels() -> int:
    given = os.environ.get(_VARIABLE, "")
    if not given:
        return MAX_PIXELS
    if not re.fullmatch(r"[0-9]{1,18}", given) or not int(given):
        raise ValueError(f"{_VARIABLE} == {shown(given)}, must be a whole number above zero.")
    return int(given)


def check_header(data: bytes, path: Path) -> None:
    """Raise an error that names the file unless it begins as an image that may be decoded.

    Raises
    ------
    ValueError
        If it begins as none of PNG, JPEG, BMP, WebP, PGM, PPM, PBM and PFM, or is too large.
    """
    for begins, read_size in _READERS:
        if begins.match(data):
            try:
                height, width = read_size(data)
            except _UnfitError as error:
                raise ValueError(f"{path} {error}.") from None
            except (struct.error, ValueError, IndexError):
                break
            return check_pixels(abs(height), abs(width), path)
    raise ValueError(f"{path} cannot be read: it is damaged, cut short or not an image.")


def _png(data: bytes) -> _Size:
    """Read the first chunk; for any that says to be longer than the file decoders make room."""
    chunks = list(_png_chunks(data))
    if any(end > len(data) for _, _, end in chunks):
        raise ValueError("a chunk is cut short")
    if any(kind == b"acTL" for kind, _, _ in chunks):
        raise _UnfitError(_ANIMATION)
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and end of each chunk of a PNG."""
    kind, end = b"", 8
    while kind != b"IEND" and end + 8 <= len(data):
        begin = end
        length, kind = struct.unpack_from(">I4s", data, begin)
        end += 12 + length
        yield kind, begin, end


def without_texts(data: bytes) -> bytes:
    """Return a PNG without texts and profiles, which its decoder inflates: a thousandfold."""
    kept, place = [], 0
    for kind, begin, end in _png_chunks(data):
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            kept.append(data[place:begin])
            place = end
    return b"".join((*kept, data[place:])) if kept else data


def transparent_grey(data: bytes) -> int | None:
    """Return which value of a grey PNG stands for transparency, as it is read; None for none."""
    depth, colour = data[24:26]
    for kind, begin, _ in _png_chunks(data):
        if kind == b"tRNS" and colour == 0:
            white = 2**depth - 1
            (value,) = struct.unpack_from(">H", data, begin + 8)
            return int(value & white) * (255 // white if depth < 8 else 1)
    return None


def _bmp(data: bytes) -> _Size:
    (length,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", data, 18)
    return height, width  # a height below zero says that lines go down


def _jpeg(data: bytes) -> _Size:
    """Walk from marker to marker to the frame, which is said before any pixel."""
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise ValueError("each scan takes the time of the whole image")
    place = 2
    while True:
        marker, kind = struct.unpack_from("BB", data, place)
        if marker != 0xFF or kind == 0x00:  # of the latter decoders pass over two bytes
            raise ValueError("no marker")
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8:  # has no content
            place += 1 if kind == 0xFF else 2
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return height, width
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + max(length, 2)


def _webp(data: bytes) -> _Size:
    """Read the size of the canvas, or of the one image."""
    if data[12:16] == b"VP8X":
        if data[20] & 2:
            raise _UnfitError(_ANIMATION)
        height, width = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (27, 24))
        return height, width
    if data[12:16] == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return height & 0x3FFF, width & 0x3FFF


def _netpbm(data: bytes) -> _Size:
    """Read two numbers behind the first word, between which comments may stand.

    A comment right behind a digit is one to some, and the next number to others.
    """
    match = _NETPBM.match(data, 2, 4096)
    if match is None:
        raise ValueError("no size")
    # What is written in digits decoders scale to their range, and what is a float they divide.
    if data[:2] in (b"P2", b"P3") and int(match[3] or 0) not in (255, 65535):
        raise _UnfitError("cannot be read: its largest value is not that of 8 or 16 bits")
    if data[:2] in (b"PF", b"Pf") and abs(float(match[3] or 0)) != 1:
        raise _UnfitError("cannot be read: it has a scale, which must be 1 or -1")
    height, width = int(match[2]), int(match[1])
    if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
        most = int(match[3] or b"")
        n_values = height * width * (3 if data[:2] in (b"P3", b"P6") else 1)
        if not _are_within(data[match.end() :], most, n_values, written=data[:2] < b"P4"):
            raise _UnfitError(f"cannot be read: its values must be whole numbers from 0 to {most}")
    return height, width


def _are_within(values: bytes, most: int, n_values: int, *, written: bool) -> bool:
    """Tell whether no value of a PGM or PPM is above the largest that it names.

    Decoders cut such values off or leave them, and take a point between digits for a space.
    """
    if written:
        values = re.sub(rb"#[^\n\r]*", b"", values).strip()
        if not values or values.translate(None, b"0123456789 \t\n\v\f\r"):
            return False
        return bool((np.fromstring(values, np.int64, sep=" ") <= most).all())
    dtype = np.dtype(">u2" if most > 255 else "u1")
    n_values = min(n_values, len(values) // dtype.itemsize)
    return most in (255, 65535) or bool((np.frombuffer(values, dtype, n_values) <= most).all())


_NETPBM = re.compile(
    rb"(?:\s|#[^\n\r]*[\n\r])++(\d++)\s(?:\s|#[^\n\r]*[\n\r])*+(\d++)\s"
    rb"(?:(?:\s|#[^\n\r]*[\n\r])*+([-+.\d]++)\s)?"
)
_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], _Size]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"P[1-6Ff][\s#]"), _netpbm),
)
