"""A file is written whole or not at all, wherever the path leads."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from skensir._files import write_whole


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
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write_whole(pipe, b"data")
        assert read.result(timeout=10) == b"data"
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError, match="folder"):
        write_whole(tmp_path / "folder", b"data")
