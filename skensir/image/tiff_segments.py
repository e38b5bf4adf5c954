"""Whether the strips or tiles of a TIFF are all there, and decode to as much as they should.

Decoders leave what is missing as the memory was, or zero, and print at most a line. LZW and
PackBits have no checksum, but what they pack must come to the size of the strip: that is found
from the codes alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from zlib import decompressobj

import numpy as np
from numpy.typing import NDArray

# Bits of the codes of LZW that follow a Clear. Each but the first adds an entry to the table, of
# which the next code is one: where it could have number 2**n - 1, it has n + 1 bits already, up to
# 12. An encoder clears the table before libtiff has no room for it.
_CLEAR, _END, _FIRST_ENTRY, _MOST_ENTRIES = 256, 257, 258, 5119
_BITS = np.clip(np.floor(np.log2(np.arange(_FIRST_ENTRY, _MOST_ENTRIES))).astype(int) + 1, 9, 12)
_ENDS = np.cumsum(_BITS)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_segments(page: Any, data: bytes, compression: str) -> None:
    """Raise an error unless the strips or tiles of a TIFF are all there, apart, and of their size.

    What is not there, tifffile leaves as the memory was, and it inflates all that is.
    """
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(segments) != math.prod(page.chunked):
        raise ValueError("strips are missing")
    if any(not 0 < begin < begin + length <= len(data) for begin, length in segments):
        raise ValueError("a strip is not in the file")
    if sum(page.databytecounts) > len(data):
        raise ValueError("strips overlap")
    size_of = _SIZES.get(compression)
    if size_of is None:
        return
    most = math.prod(page.chunks) * page.dtype.itemsize
    # The last strip may have fewer rows, and some programs fill it up.
    rest = math.prod(page.shape) * page.dtype.itemsize - most * (len(segments) - 1)
    for n_behind, (begin, length) in zip(range(len(segments))[::-1], segments, strict=True):
        packed = data[begin : begin + length]
        size = size_of(packed.translate(_REVERSED) if page.fillorder == 2 else packed, most)
        if not (most if n_behind or page.is_tiled else rest) <= size <= most:
            raise ValueError("a strip is smaller or larger than it says")


def _size_of_deflated(packed: bytes, most: int) -> int:
    """Return how many bytes are packed by Deflate, or one more than the most."""
    return len(decompressobj().decompress(packed, most + 1))


def _size_of_packbits(packed: bytes, _: int) -> int:
    """Return how many bytes are packed by PackBits."""
    place = size = 0
    while place < len(packed):
        head = packed[place]
        if head < 128:  # so many bytes follow, and one
            size += head + 1
            place += head + 2
        else:  # one byte, so many times; 128 says nothing
            size += 257 - head if head > 128 else 0
            place += 2 if head > 128 else 1
    if place > len(packed):
        raise ValueError("a strip ends early")
    return size


def _size_of_lzw(packed: bytes, _: int) -> int:
    """Return how many bytes are packed by LZW."""
    n_bits, place, size = 8 * len(packed), 0, 0
    numbers = np.frombuffer(packed + b"\0\0", np.uint8)
    code, run = _run_of_codes(numbers, 0, n_bits)
    if code != _CLEAR or run.size:
        raise ValueError("a strip does not begin with an empty table")
    while code == _CLEAR:
        place += int(_ENDS[run.size])
        code, run = _run_of_codes(numbers, place, n_bits)
        size += _size_of_run(run)
    return size


def _run_of_codes(
    numbers: NDArray[np.uint8], place: int, n_bits: int
) -> tuple[int, NDArray[np.int64]]:
    """Return the codes from a bit on up to a Clear or the end, and which of them it is."""
    bits = _BITS[: np.searchsorted(_ENDS, n_bits - place, side="right")]
    begins = place + _ENDS[: bits.size] - bits
    first, shift = begins >> 3, 24 - (begins & 7) - bits
    high, middle, low = (numbers[first + n].astype(np.int64) for n in range(3))
    codes = (high << 16 | middle << 8 | low) >> shift & (1 << bits) - 1
    stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
    if stops.size:
        return int(codes[stops[0]]), codes[: stops[0]]
    if codes.size == _BITS.size:
        raise ValueError("a table of a strip is never cleared")
    return _END, codes


def _size_of_run(codes: NDArray[np.int64]) -> int:
    """Return how many bytes the codes behind a Clear stand for.

    Each code adds an entry that is one byte longer than what itself stands for, so that the chain
    of entries behind a code has as many links as it has bytes, but one.
    """
    places = np.arange(codes.size)
    is_entry = codes >= _FIRST_ENTRY
    before = np.where(is_entry, codes - _FIRST_ENTRY, places)
    if (before >= places)[is_entry].any():
        raise ValueError("a code stands for nothing yet")
    links = is_entry.astype(np.int64)
    while (further := links[before]).any():  # twice as far each time
        links += further
        before = before[before]
    return int(links.sum()) + codes.size


_SIZES: dict[str, Callable[[bytes, int], int]] = {
    "DEFLATE": _size_of_deflated,
    "ADOBE_DEFLATE": _size_of_deflated,
    "PACKBITS": _size_of_packbits,
    "LZW": _size_of_lzw,
}
