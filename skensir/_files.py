"""Files that are written whole or not at all, read, and zip archives that cannot inflate."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from skensir._checks import shown
from skensir._text import printable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Files and folders that are not whole yet; whoever writes one holds a lock on it.
_PARTIAL, _DIGITS = ".skensir-", 16


@contextmanager
def whole_file(path: str | os.PathLike[str], *, flushed: bool = True) -> Iterator[BinaryIO]:
    """Open a file under another name in the same folder; rename it when it is whole.

    Whatever goes wrong, the path holds what it held before, and nothing lies beside it. What killed
    programs left there is removed, unless files come so fast that `flushed` is False: then that is
    for `remove_leftovers`. A file that is replaced hands on its mode. Errors of the system that
    name no other file name the path, which must not end as a folder's may. Links are followed, and
    what is no file, such as /dev/null, is written to directly: a file must not take its place. With
    `flushed` it is on the disk before it is renamed, which takes milliseconds; otherwise it may be
    cut short after a power failure.
    """
    if os.fspath(path).endswith(os.sep):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    target = Path(os.path.realpath(path))
    partial_file = _partial(target.parent)
    try:
        if target.exists() and not target.is_file():
            with open(target, "wb", opener=_open_no_file) as file:
                yield file
            return
        if flushed:
            remove_leftovers(target.parent)
        with ExitStack() as lock:
            with _open_locked(partial_file) as file:
                if fcntl is not None:  # the lock outlives the closing, which may fail
                    lock.callback(os.close, os.dup(file.fileno()))
                yield file
                file.flush()
                if flushed:
                    os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                os.chmod(partial_file, stat.S_IMODE(os.stat(target).st_mode))
            os.replace(partial_file, target)
    except OSError as error:
        if error.filename not in (None, os.fspath(partial_file), os.fspath(target)):
            raise  # about a file that was read meanwhile
        raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error
    finally:
        # What goes wrong here, such as on a disk that cannot be written to, was told above.
        with suppress(OSError):
            partial_file.unlink()


@contextmanager
def partial_folder(parent: Path) -> Iterator[Path]:
    """Make a folder to write to; it is removed in the end unless it has got another name.

    As with `whole_file`, what killed programs left in the parent is removed.
    """
    remove_leftovers(parent)
    folder = _partial(parent)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        while True:
            folder.mkdir()
            if fcntl is None:
                break
            opened = stack.enter_context(_open_at_once(folder))
            if not _lock(opened) or os.fstat(opened).st_nlink:
                break  # else it was taken for a leftover before it was locked
        yield folder


def _partial(folder: Path) -> Path:
    """Return a name in a folder for something that is not whole yet."""
    return folder / f"{_PARTIAL}{token_hex(_DIGITS // 2)}"


def _open_locked(path: Path) -> BinaryIO:
    """Make a file to write to, which `remove_leftovers` leaves alone until it is closed."""
    while True:
        file = open(path, "xb")  # noqa: SIM115 - closed by whoever asked for it
        if not _lock(file) or os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # taken for a leftover before it was locked


def _lock(file: BinaryIO | int, *, wait: bool = True) -> bool:
    """Lock an open file or folder, and tell whether that was possible: it is not everywhere."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return True
    return False


def remove_leftovers(folder: Path) -> None:
    """Remove what killed programs left unfinished in a folder.

    What some program is writing at this moment stays: it holds a lock on it, and Windows removes no
    open file anyway.
    """
    for path in folder.glob(_PARTIAL + "[0-9a-f]" * _DIGITS):
        with suppress(OSError), ExitStack() as stack:  # such as one that is gone, or a link
            if fcntl is not None:
                opened = stack.enter_context(_open_at_once(path))
                if not _lock(opened, wait=False):
                    continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


@contextmanager
def _open_at_once(path: Path) -> Iterator[int]:
    """Open a file or folder to look at, no link, without waiting for whoever writes to a pipe."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        yield opened
    finally:
        os.close(opened)


def _open_no_file(path: str, flags: int) -> int:
    """Open a pipe or a device to write to, without waiting for somebody to read it one day."""
    try:
        opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "nobody reads what is written there", path) from error
        raise
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(opened, True)  # but for who reads it now
    return opened


def write_whole(path: str | os.PathLike[str], data: bytes, *, flushed: bool = True) -> None:
    """Write a file whole or not at all."""
    with whole_file(path, flushed=flushed) as file:
        file.write(data)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to read; whatever goes wrong, the error names the path.

    It must be a file: pipes and devices may have no end.
    """
    try:
        with open(path, "rb", opener=_open_file) as file:
            yield file
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file, as `opened` opens it."""
    with opened(path) as file:
        return file.read()


def _open_file(path: str, flags: int) -> int:
    """Open a file, and refuse what is none without waiting for whoever writes to a pipe."""
    opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(opened).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # of which Python says itself what it is
        return opened
    os.close(opened)
    raise ValueError(f"{os.fspath(path)} cannot be read: it is a pipe or a device and no file.")


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the path before what a ValueError says about the content of a file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Cannot read {printable(str(path))}: {error}") from error


def make_archive(entries: dict[str, bytes]) -> bytes:
    """Return a zip archive without compression; equal entries give equal bytes."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(ZipInfo(name), data)  # which knows no date
    return buffer.getvalue()


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the entries of a zip archive without compression.

    What is not compressed cannot inflate: the entries together take no more memory than the
    archive, which is checked before the first is read, and every checksum is.
    """
    with _as_damaged():
        archive = ZipFile(BytesIO(data))
        entries = archive.infolist()
    for entry in entries:
        if entry.compress_type != ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"its entry {shown(entry.filename)} is compressed.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("two of its entries have the same name.")
    if sum(entry.file_size for entry in entries) > len(data):
        raise ValueError("its entries claim to be larger than the file.")
    with _as_damaged():
        return {entry.filename: archive.read(entry) for entry in entries}


@contextmanager
def _as_damaged() -> Iterator[None]:
    """Tell that an archive is damaged: zipfile has no list of what its bytes make it raise."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError("it is no zip archive, or a damaged one.") from error
