"""What a reader must not do with the bytes of strangers, whatever else comes of them."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Beyond what is allowed per byte: imports, threads' stacks and arenas, small images.
MEMORY = 300 * 2**20
MEMORY_PER_BYTE = 400
LONGEST_SENTENCE = 9000  # letters; an argument, a path or two, and names that are cut

# Events of Python's audit hooks that no reader has a reason for.
_NEVER = re.compile(
    r"os\.(system|exec|posix_spawn|spawn|fork|forkpty|kill|putenv|unsetenv|startfile)|subprocess\.|"
    r"socket\.(connect|bind|getaddrinfo|gethostbyname)|pickle\.find_class|"
    r"code\.|urllib\.|ftplib\.|smtplib\.|webbrowser\."
)
_CHANGES = re.compile(r"os\.(remove|rename|mkdir|rmdir|link|symlink|truncate|chmod|chown|utime)")


class Finding(AssertionError):  # noqa: N818 - what the word is
    """A promise that was not held."""


def scratch() -> Path:
    """Return the one folder that may be written to; it is made at the first call."""
    if not _FOLDER:
        holder = tempfile.TemporaryDirectory(prefix="skensir-fuzz-")
        _FOLDER.append((holder, Path(holder.name).resolve()))
    return _FOLDER[0][1]


_FOLDER: list[tuple[tempfile.TemporaryDirectory[str], Path]] = []
_watching = False
_seen: list[str] = []


@contextmanager
def guarded(data: bytes, memory: int = MEMORY) -> Iterator[None]:
    """Raise a `Finding` for warnings of decoders and of NumPy, much memory, and what is never done.

    Memory is what is asked of the system, touched or not.
    """
    global _watching
    del _seen[:]
    before, size = _memory()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _watching = True
        try:
            yield
        finally:
            _watching = False
    after, _ = _memory()
    allowed = memory + MEMORY_PER_BYTE * len(data)
    if after > before and after - size > allowed:
        raise Finding(f"{after - size:,} bytes of memory for a file of {len(data):,} bytes")
    if _seen:
        raise Finding(f"it did {_seen[0]}")
    for warning in told:
        inside = "/skensir/" in warning.filename.replace(os.sep, "/")
        if warning.category is not UserWarning or inside:  # ours point at who called
            at = f"{warning.filename}:{warning.lineno}"
            raise Finding(f"{warning.category.__name__} at {at}: {warning.message}")


def _memory() -> tuple[int, int]:
    """Return the largest address space that the process ever had, and what it has; bytes."""
    with suppress(OSError):
        said = Path("/proc/self/status").read_text()
        peak, now = (re.search(rf"{name}:\s+(\d+) kB", said) for name in ("VmPeak", "VmSize"))
        if peak and now:
            return int(peak[1]) * 1024, int(now[1]) * 1024
    return 0, 0


def watch() -> None:
    """From now on let guards see what is done; Python has no way back from this."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple) -> None:
    if not _watching:
        return
    if _NEVER.match(event):
        _seen.append(f"{event}{arguments!r:.200}")
    elif event == "open" or _CHANGES.match(event):
        path, *others = arguments
        if event == "open" and not (others and isinstance(others[-1], int) and others[-1] & 3):
            return
        if isinstance(path, str | bytes | os.PathLike) and not _may_be_written(os.fsdecode(path)):
            _seen.append(f"{event}{arguments!r:.200}")


def _may_be_written(path: str) -> bool:
    inside = Path(os.path.realpath(path)).is_relative_to(scratch())
    return inside or path.startswith("/dev/")  # devices, which are no files


@contextmanager
def refusals(*more: type[Exception]) -> Iterator[list[Exception]]:
    """Take a ValueError, and errors of further kinds, if they are one sentence.

    Subclasses that Python or a library raised, such as UnicodeDecodeError, are findings.
    """
    kinds = (ValueError, *more)
    refused: list[Exception] = []
    try:
        yield refused
    except kinds as error:
        ours = type(error) in kinds or (OSError in more and isinstance(error, OSError))
        if not ours and "skensir" not in type(error).__module__:
            raise
        check_sentence(str(error))
        refused.append(error)


def check_sentence(text: str) -> None:
    """Raise a `Finding` unless this is one line that is worth reading."""
    if not re.fullmatch(r"[^\n\r]{10,}", text) or len(text) > LONGEST_SENTENCE:
        raise Finding(f"no sentence, of {len(text)} letters: {text[:300]!r}")
    if re.search(r"Traceback|<class |object at 0x|Errno|codec|set_int_max|invalid literal", text):
        raise Finding(f"a sentence for programmers: {text[:300]!r}")
