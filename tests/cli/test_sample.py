"""`skensir sample`: a folder that the other commands take, all of it or nothing."""

import re
import shlex
import stat
import sys
from pathlib import Path

import pytest
from commands import assert_mistake, run

from skensir.image import load_super_resolution, sample_set


def contents(folder):
    """Return what the files in a folder hold, by their path in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_the_whole_sample_set_is_copied(in_tmp_path, capsys):
    assert run("sample", "OUT") == 0
    assert contents(Path("OUT")) == contents(load_super_resolution().folder)
    assert [path.name for path in Path().iterdir()] == ["OUT"]
    printed = capsys.readouterr()
    assert "3 photographs to fit on and 2 others to test on" in " ".join(printed.out.split())
    assert "README.txt" in printed.out
    assert printed.err == ""


def test_the_command_that_it_names_runs(in_tmp_path, capsys):
    assert run("sample", "a folder") == 0
    [line] = re.findall(r"^skensir (.+)$", capsys.readouterr().out, re.MULTILINE)
    assert run(*shlex.split(line), "--no-trees") == 0
    assert re.search(r"^EnsIR, cross-validated .*\*", capsys.readouterr().out, re.MULTILINE)


def test_a_copy_of_an_installation_that_is_for_reading_alone_can_be_changed(
    in_tmp_path, monkeypatch
):
    source = in_tmp_path / "source"
    assert run("sample", source) == 0
    for path in (source, *source.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(sample_set, "SUPER_RESOLUTION", source)
    assert run("sample", "OUT") == 0
    for path in Path("OUT").rglob("*"):
        assert path.stat().st_mode & stat.S_IWUSR
    for path in (source, *source.rglob("*")):
        path.chmod(0o755)


def test_it_needs_no_other_package(in_tmp_path, monkeypatch):
    for module in ("cv2", "matplotlib", "skimage", "tqdm"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run("sample", "OUT") == 0


def test_what_is_there_is_not_written_to(in_tmp_path, capsys):
    Path("OUT").mkdir()
    assert_mistake(capsys, ["sample", "OUT"], "OUT is there already; name a new folder")
    assert_mistake(capsys, ["sample", "no/OUT"], "no is not a folder, so OUT cannot go there")
    assert_mistake(capsys, ["sample"], "OUT is missing")
    assert contents(Path()) == {}


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "Full"), 2)])
def test_half_a_copy_is_taken_away(in_tmp_path, monkeypatch, capsys, error, code):
    copied = []

    def copy_some(target, data, *, flushed):
        if len(copied) == 5:
            raise error
        copied.append(target)
        target.write_bytes(b"")

    monkeypatch.setattr(sample_set, "write_whole", copy_some)
    assert run("sample", "OUT") == code
    assert len(copied) == 5
    assert list(Path().iterdir()) == []
