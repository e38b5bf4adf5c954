"""A file is written whole or not at all, wherever the path leads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import skensir
from skensir._files import remove_leftovers, whole_file, write_whole


def test_links_are_followed_and_devices_are_not_replaced(tmp_path):
    """A rename onto /dev/null would put a file into its place, for those who may."""
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "target")
    write_whole(link, b"data")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "target").read_bytes() == b"data"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=f"nobody reads what is written there: '{pipe}'"):
        write_whole(pipe, b"data")
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write_whole, pipe, bytes(200_000))  # more than a pipe holds
        n_bytes = 0
        while n_bytes < 200_000 and not (writing.done() and writing.exception()):
            with suppress(BlockingIOError):
                n_bytes += len(os.read(reading, 1 << 16))
        writing.result()
    os.close(reading)
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError, match="folder"):
        write_whole(tmp_path / "folder", b"data")


def test_leftovers_go_but_for_those_that_are_being_written(tmp_path):
    """Of a process that was killed while it wrote, and of one that writes on."""
    script = (
        "import os, signal, sys\n"
        "from skensir._files import whole_file\n"
        "with whole_file(sys.argv[1], flushed=False) as file:\n"
        "    file.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, tmp_path / "killed"], env=environment)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".skensir-folder").mkdir()
    (tmp_path / "skensir-file").write_bytes(b"")
    with whole_file(tmp_path / "file") as file:
        file.write(b"whole")
        remove_leftovers(tmp_path)
    remove_leftovers(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".skensir-folder", "skensir-file", "file"}
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_many_write_while_others_clear_up(tmp_path):
    """Nobody takes a file that is begun for one that was left."""

    def write(number):
        for _ in range(50):
            write_whole(tmp_path / str(number), b"data", flushed=False)

    with ThreadPoolExecutor(6) as pool:
        tasks = [pool.submit(write, number) for number in range(4)]
        while not all(task.done() for task in tasks):
            remove_leftovers(tmp_path)
        for task in tasks:
            task.result()
    assert sorted(path.name for path in tmp_path.iterdir()) == list("0123")


@pytest.mark.parametrize("flushed", [True, False])
def test_a_file_that_may_be_lost_is_not_waited_for(tmp_path, monkeypatch, flushed):
    flushes = []
    monkeypatch.setattr(os, "fsync", flushes.append)
    write_whole(tmp_path / "file", b"data", flushed=flushed)
    assert len(flushes) == flushed


def test_what_was_killed_is_cleared_up_by_the_next_file(tmp_path):
    (tmp_path / ".skensir-0123456789abcdef").write_bytes(b"half")
    write_whole(tmp_path / "quick", b"data", flushed=False)
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(tmp_path / "table", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick", "table"]


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_hands_on_its_mode(tmp_path, mode):
    path = tmp_path / "table"
    path.write_bytes(b"former")
    path.chmod(mode)
    write_whole(path, b"data")
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_bytes() == b"data"
