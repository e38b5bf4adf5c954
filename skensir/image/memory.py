"""A lack of memory in OpenCV, whose errors are all of one class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NO_MEMORY = -4  # as OpenCV counts its errors


@contextmanager
def lack_of_memory(error_of_opencv: type[Exception]) -> Iterator[None]:
    """Raise a MemoryError where OpenCV has found no memory, and its other errors as they are."""
    try:
        yield
    except error_of_opencv as error:
        if getattr(error, "code", None) == _NO_MEMORY or "bad_alloc" in str(error):
            raise MemoryError from error
        raise
