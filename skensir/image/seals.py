"""Image files with a seal: what they were made by, and that they are whole.

A file is known to be the one that a run would write without decoding it. The seal is a text that
other programs pass over: a chunk of a PNG, and bytes behind the image of a TIFF.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

from skensir._files import read_whole

_PREFIX = b"Software\0skensir predict "
_PNG_END = b"\0\0\0\0IEND" + crc32(b"IEND").to_bytes(4, "big")


def has_seal(path: Path, seal: str) -> bool:
    """Tell whether there is such a file, written with this seal, of which no byte has changed."""
    if not path.is_file():
        return False
    data = read_whole(path)
    begin = _find_seal(data)
    if begin is None:
        return False
    end = _PNG_END if data.endswith(_PNG_END) else b""
    return data == add_seal(data[:begin] + end, seal)


def is_sealed(path: Path) -> bool:
    """Tell whether a file has a seal, whatever its content."""
    return path.is_file() and _find_seal(read_whole(path)) is not None


def add_seal(data: bytes, seal: str) -> bytes:
    """Return the bytes of an image file with a seal."""
    text = _PREFIX + f"{seal} {crc32(data):08x}".encode()
    if not data.endswith(_PNG_END):
        return data + text
    chunk = b"tEXt" + text
    length, checksum = (number.to_bytes(4, "big") for number in (len(text), crc32(chunk)))
    return data[: -len(_PNG_END)] + length + chunk + checksum + _PNG_END


def _find_seal(data: bytes) -> int | None:
    """Return where the seal begins, None if there is none."""
    found = data.rfind(_PREFIX)
    if found < 0:
        return None
    return found - len(b"sizetEXt") if data.endswith(_PNG_END) else found
