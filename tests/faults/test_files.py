"""Files and folders that are odd, change while they are read, or cannot be written to."""

import errno
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from disks import room_for
from image_folders import make_folder

import skensir
from skensir import EnsIRRegressor, load_table, save_table
from skensir._files import partial_folder, remove_leftovers, write_whole
from skensir.image import ReferenceSet, read_image, write_image

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths and devices of POSIX")
FIT = ("fit", "train", "-o", "model")


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_folder(Path("train").absolute())


def content(folder="."):
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def console(*arguments, **options):
    """Run a command as the console does, and return its exit code and what it says of errors."""
    environment = os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])}
    command = [sys.executable, "-m", "skensir.cli", *arguments]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | options
    done = subprocess.run(command, env=environment, text=True, **options)
    return done.returncode, done.stderr


# ---- what is read


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("place", ["alpha", "alpha/clip"])
def test_a_folder_that_cannot_be_listed_is_no_empty_folder(
    train, monkeypatch, capfd, number, place
):
    """Else a base model, or scenes of all models, would be left out with a word at most."""
    for model in train.iterdir():
        shutil.copytree(model, model / "clip")
    usual = os.scandir

    def scandir(path="."):
        if str(path).endswith(place):
            raise OSError(number, os.strerror(number), str(path))
        return usual(path)

    before = content()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError, match=os.strerror(number)):
        ReferenceSet(train)
    assert run(*FIT) == 2
    assert_one_sentence(capfd, f"{place}: {os.strerror(number)}")
    monkeypatch.undo()
    assert content(train.parent) == {str(train.parent / name): before[name] for name in before}


@pytest.mark.parametrize("command", [FIT, ("evaluate", "train/alpha", "train/gt")])
@pytest.mark.parametrize("kind", ["pipe", "device", "broken", "gone"])
def test_what_is_no_file_is_told_at_once(train, capfd, command, kind):
    path = train / "alpha/9.png"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        target = {"device": "/dev/zero", "broken": "/proc/self/mem", "gone": "nowhere"}[kind]
        path.symlink_to(target)
    assert run(*command) == 2
    said = {"broken": "Input/output error", "gone": "No such file"}
    assert_one_sentence(capfd, f"alpha/9.png.*{said.get(kind, 'is a pipe or a device')}")
    assert not Path("model").exists()


@pytest.mark.parametrize("fate", ["removed", "cut", "replaced", "larger"])
@pytest.mark.parametrize("options", [[], ["--cv"]])
def test_a_file_that_changes_between_two_looks_at_it_is_told(
    train, monkeypatch, capfd, fate, options
):
    """The first look is where folders are listed, or the first scene is read."""
    last, n_reads = train / "beta/10.png", []

    def read(path):
        n_reads.append(path)
        if len(n_reads) == 2:
            if fate == "removed":
                last.unlink()
            elif fate == "cut":
                last.write_bytes(last.read_bytes()[:500])
            elif fate == "replaced":
                last.write_bytes(b"another")
            else:
                write_image(last, np.zeros((50, 60, 3), np.uint8))
        return read_image(path)

    monkeypatch.setattr("skensir.image.reference_set.read_image", read)
    assert run(*FIT, *options) == 2
    assert_one_sentence(capfd, "beta/10.png")
    assert not Path("model").exists()


def test_no_array_lies_in_a_file_that_others_can_cut(tmp_path):
    """Memory that maps a file ends the program where the file does."""
    path = tmp_path / "image.npy"
    np.save(path, np.full((40, 50), 7.0))
    image = read_image(path)
    save_table(EnsIRRegressor().fit(np.ones((60, 2)), np.ones(60)), tmp_path / "table")
    table = load_table(tmp_path / "table")
    os.truncate(path, 0)
    os.truncate(tmp_path / "table", 0)
    assert image.sum() == 40 * 50 * 7
    assert table.predict([[1, 1]]) == 1
    for array in (image, *(value for value in vars(table).values() if hasattr(value, "base"))):
        while isinstance(array, np.ndarray):
            assert not isinstance(array, np.memmap)
            array = array.base


# ---- what is written


def test_results_of_before_stay_where_a_later_file_of_the_scene_finds_no_room(train, capfd):
    """All of a scene is on the disk before the first of its files is replaced."""
    assert run(*FIT) == 0
    predict = ("predict", "model", "train", "-o", "out", "--weight-maps")
    assert run(*predict, "--jobs", "1") == 0
    before = content("out")
    sizes = sorted(len(data) for data in before.values())
    for size in {1000, *(size for size in sizes if size > 1000), sizes[-1] - 1}:
        with room_for(size):
            code = run(*predict, "--bits", "16", "--jobs", "1")
        assert code == 2 or size == sizes[-1]
        found = content("out")
        assert found.keys() == before.keys()
        if code:
            assert_one_sentence(capfd, r"out/.*\.png: File too large")
        by_scene = {
            name: [p for p in found if Path(p).name == name] for name in ("9.png", "10.png")
        }
        for paths in by_scene.values():
            assert len({found[path] == before[path] for path in paths if "maps" not in path}) == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may mount a disk")
@pytest.mark.parametrize("command", [FIT, ("sample", "disk/sample")])
def test_a_disk_that_is_full_holds_what_it_held(train, capfd, command):
    Path("disk").mkdir()
    command = [part.replace("model", "disk/model") for part in command]
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", "disk"]).returncode:
        pytest.skip("this root may not mount a disk")
    try:
        Path("disk/model").write_bytes(b"former")
        Path("disk/full").write_bytes(bytes(36_000))
        assert run(*command) == 2
        assert_one_sentence(capfd, "disk.*: No space left on device")
        assert content("disk").keys() == {"disk/model", "disk/full"}
        assert Path("disk/model").read_bytes() == b"former"
        subprocess.run(["mount", "-o", "remount,ro", "disk"], check=True)
        assert run(*command) == 2
        assert_one_sentence(capfd, "disk.*: Read-only file system")
    finally:
        subprocess.run(["umount", "disk"], check=True)


def test_folders_are_made_whole_and_those_of_killed_programs_go(tmp_path):
    left = tmp_path / ".skensir-0123456789abcdef"
    (left / "below").mkdir(parents=True)
    (left / "below/file").write_bytes(b"half")
    (tmp_path / ".skensir-fedcba9876543210").symlink_to(tmp_path)
    os.mkfifo(tmp_path / ".skensir-aaaaaaaaaaaaaaaa")
    with partial_folder(tmp_path) as folder:
        assert not left.exists()
        (folder / "file").write_bytes(b"whole")
        remove_leftovers(tmp_path)
        folder.rename(tmp_path / "done")
    with suppress(KeyError), partial_folder(tmp_path) as folder:
        (folder / "file").write_bytes(b"half")
        raise KeyError
    assert (tmp_path / "done/file").read_bytes() == b"whole"
    assert {path.name for path in tmp_path.iterdir()} == {"done", ".skensir-fedcba9876543210"}


@pytest.mark.parametrize("name", ["/dev/full", "loop", "file/below", "folder/", "file/"])
def test_paths_that_lead_nowhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_bytes(b"")
    with pytest.raises(OSError, match=name):
        write_whole(name, b"data")
    assert {path.name for path in tmp_path.iterdir()} == {"loop", "file"}


def test_a_current_folder_that_was_removed_is_told(train):
    """Python names no file here; the standard output would be a wrong guess."""
    gone = train.parent / "gone"
    gone.mkdir()
    options = {"cwd": gone, "preexec_fn": gone.rmdir}
    assert console("fit", train, "-o", "model", **options) == (
        2,
        "skensir: The current folder is not there any more: change to another one.\n",
    )


# ---- terminals


def test_output_that_cannot_be_written_is_told(train):
    with open("/dev/full", "w") as full:
        assert console(*FIT, stdout=full) == (
            2,
            "skensir: standard output: No space left on device.\n",
        )
        for told in ("--help", "--version"):
            assert console(told, stdout=full) == (
                2,
                "skensir: standard output: No space left on device.\n",
            )
        assert console("fit", "nowhere", "-o", "model", stderr=full)[0] == 2


def test_files_that_are_closed_are_not_mixed_up_with_those_that_are_written(train):
    """The first file that is opened would get the number of a closed one."""
    assert run(*FIT) == 0
    assert run("predict", "model", "train", "-o", "out") == 0

    def close():
        os.closerange(0, 3)

    options = {"stdin": None, "stdout": None, "stderr": None, "preexec_fn": close}
    assert console("predict", "model", "train", "-o", "closed", **options)[0] == 0
    assert list(content("closed").values()) == list(content("out").values())
    assert console("fit", "nowhere", "-o", "other", **options)[0] == 2
