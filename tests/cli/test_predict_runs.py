"""`skensir predict` over many scenes: each is written whole, and what is done is done."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from disks import room_for
from image_folders import MODELS, make_folder

import skensir
from skensir.image import ImageEnsemble, ReferenceSet, read_image, write_image
from skensir.persistence import load_table, save_table

SCENES = {str(number): (40, 32 + number) for number in range(1, 9)}


@pytest.fixture
def model_and_scenes(in_tmp_path):
    """A model beside a folder of eight scenes."""
    assert run("fit", make_folder(Path("train").absolute()), "-o", "model") == 0
    return Path("model"), make_folder(Path("test").absolute(), seed=1, sizes=SCENES)


def content(folder):
    """Return the bytes of all files in a folder by their paths, hidden ones too."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob("*.png")}


def start(*arguments):
    """Start the command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])}
    command = [sys.executable, "-m", "skensir.cli", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


# ---- whatever the number of scenes at a time


@pytest.mark.parametrize("options", [[], ["--weight-maps", "--bits", "16"]])
def test_the_files_are_the_same_whatever_works_at_a_time(model_and_scenes, options):
    for jobs in (1, 3, 20):
        assert run("predict", "model", "test", "-o", f"out{jobs}", "--jobs", jobs, *options) == 0
    assert content("out1") == content("out3") == content("out20")
    assert len(content("out1")) == len(SCENES) * (4 if options else 1)


def test_no_jobs_are_too_few(model_and_scenes, capfd):
    for jobs in ("0", "-2"):
        assert run("predict", "model", "test", "-o", "out", "--jobs", jobs) == 2
        assert_one_sentence(capfd, f"--jobs is .{jobs}., must be a whole number above zero")


# ---- what is there


def test_what_is_there_and_whole_is_not_made_again(model_and_scenes, capfd):
    run("predict", "model", "test", "-o", "out", "--weight-maps")
    whole, before = content("out"), times("out")
    Path("out/3.png").unlink()
    Path("out/weight_maps/beta/4.png").unlink()
    for name in ("5.png", "weight_maps/alpha/6.png"):  # a full disk, or no power
        path = Path("out", name)
        path.write_bytes(path.read_bytes()[:-20])
    zeros = bytearray(Path("out/7.png").read_bytes())
    zeros[100:200] = bytes(100)
    Path("out/7.png").write_bytes(zeros)
    shutil.copy("out/1.png", "out/8.png")  # of another scene
    capfd.readouterr()
    assert run("predict", "model", "test", "-o", "out", "--weight-maps", "--resume") == 0
    assert "8 scenes: out; 2 already there" in capfd.readouterr().out
    assert content("out") == whole
    kept = {name for name, since in times("out").items() if since == before[name]}
    assert kept == {"1.png", "2.png"}


@pytest.mark.parametrize("bits", [[], ["--bits", "16"]])
def test_a_resumed_run_is_one_run(model_and_scenes, bits):
    """Also where the first part had no maps of the weights, which all scenes have then."""
    run("predict", "model", "test", "-o", "whole", "--weight-maps", *bits)
    run("predict", "model", "test", "-o", "out", *bits)
    assert run("predict", "model", "test", "-o", "out", "--resume", "--weight-maps", *bits) == 0
    assert content("out") == content("whole")


def test_results_of_something_else_are_made_again(model_and_scenes, capfd):
    run("fit", "train", "-o", "other", "--bin-width", "64")
    make_folder(Path("other_test").absolute(), seed=2, sizes=SCENES)
    base = ["predict", "model", "test"]
    for first in (
        ["predict", "other", "test"],
        ["predict", "model", "other_test"],
        [*base, "--bits", "16"],
    ):
        run(*first, "-o", "out")
        assert run(*base, "-o", "out", "--resume") == 0
        assert run(*base, "-o", "fresh") == 0
        assert content("out") == content("fresh")
    image = Path("test/beta/2.png")
    write_image(image, 255 - read_image(image))
    capfd.readouterr()
    assert run(*base, "-o", "out", "--resume") == 0
    assert "; 7 already there" in capfd.readouterr().out
    run(*base, "-o", "fresh")
    assert content("out") == content("fresh")


def test_images_of_other_runs_are_told_of(model_and_scenes, capfd):
    for path in Path("test").rglob("[78].png"):
        path.unlink()
    run("predict", "model", "test", "-o", "out")
    assert "other" not in capfd.readouterr().out
    for name in ("weight_maps/alpha/1.png", "old/1.png"):
        Path("out", name).parent.mkdir(parents=True)
        shutil.copy("out/1.png", Path("out", name))
    run("predict", "model", "test", "-o", "out")
    expected = "out has 2 other images, such as old/1.png, which are not of this run."
    assert expected in capfd.readouterr().out


def test_no_scene_is_there_twice_in_two_formats(model_and_scenes, capfd):
    """The depth of the models has changed, from floats to whole numbers and back."""
    _, test = model_and_scenes
    results = {".tif": as_floats(test), ".png": test}
    for suffix, folder in (*results.items(), *results.items()):
        assert run("predict", "model", folder, "-o", "out") == 0
        assert sorted(path.name for path in Path("out").iterdir()) == sorted(
            f"{name}{suffix}" for name in SCENES
        )
    write_image("foreign.tif", np.zeros((4, 4)))
    shutil.copy("foreign.tif", "out/1.tif")
    capfd.readouterr()
    assert run("predict", "model", "test", "-o", "out") == 0
    assert "such as 1.tif, which is not of this run" in capfd.readouterr().out
    assert Path("out/1.tif").exists()  # whose it is nobody knows


def as_floats(folder):
    """Return a folder beside one of images, with the same values as floats."""
    for path in folder.rglob("*.png"):
        copy = Path("floats", path.parent.name, path.stem)
        copy.parent.mkdir(parents=True, exist_ok=True)
        np.save(copy, read_image(path).astype(np.float32))
    return Path("floats")


def test_floats_are_resumed_too(model_and_scenes, capfd):
    floats = as_floats(Path("test"))
    run("predict", "model", floats, "-o", "out")
    whole = content("out")
    combined = load_table("model").predict(ReferenceSet(floats, MODELS, None).predictions)
    np.testing.assert_array_equal(read_image("out/1.tif"), combined[0].astype(np.float32))
    cut = Path("out/2.tif").read_bytes()[:-10]
    Path("out/2.tif").write_bytes(cut)
    capfd.readouterr()
    assert run("predict", "model", floats, "-o", "out", "--resume") == 0
    assert "; 7 already there" in capfd.readouterr().out
    assert content("out") == whole


# ---- damaged scenes


def damage(*names):
    for name in names:
        Path("test", "gamma", f"{name}.png").write_bytes(b"")


def test_the_first_damaged_scene_ends_the_run_and_what_is_done_stays(model_and_scenes, capfd):
    damage("4", "6")
    assert run("predict", "model", "test", "-o", "out", "--jobs", "1") == 2
    printed = capfd.readouterr()
    assert "3 of 8 scenes done: out; --resume goes on from there" in printed.err
    assert "gamma/4.png cannot be read" in printed.err.splitlines()[-1]
    assert sorted(content("out")) == [Path(f"{name}.png") for name in "123"]
    assert run("predict", "model", "test", "-o", "fresh") == 2
    assert_one_sentence(capfd, "gamma/4.png cannot be read")


def test_where_nothing_could_be_done_nothing_is_made(model_and_scenes, capfd):
    damage("1")
    before = set(Path().rglob("*"))
    assert run("predict", "model", "test", "-o", "out", "--jobs", "1") == 2
    assert set(Path().rglob("*")) == before


def test_damaged_scenes_are_left_out_and_named(model_and_scenes, capfd):
    run("predict", "model", "test", "-o", "whole")
    whole = content("whole")
    damage("4", "6")
    Path("test/alpha/7.png").chmod(0)
    readable = os.access("test/alpha/7.png", os.R_OK)  # to those who may do anything
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        run("predict", "model", "test", "-o", "out", "--keep-going")
    assert end.value.code == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == f"skensir: {3 - readable} of 8 scenes could not be combined:"
    assert [line.split(":")[0] for line in lines[1:]] == ["  4", "  6", "  7"][: 3 - readable]
    assert all("cannot be read" in line for line in lines[1:3])
    left_out = {Path(f"{name}.png") for name in ("46" if readable else "467")}
    assert content("out") == {path: whole[path] for path in whole if path not in left_out}


@pytest.mark.parametrize("options", [[], ["--keep-going"], ["--weight-maps"]])
def test_a_full_disk_ends_the_run_and_leaves_no_half_of_a_file(model_and_scenes, capfd, options):
    before = set(Path().rglob("*"))
    with room_for(1000):
        code = run("predict", "model", "test", "-o", "out", *options)
    assert code == 2
    assert_one_sentence(capfd, r"/\d\.png: File too large")
    assert set(Path().rglob("*")) == before


# ---- ends that come from outside


def test_leftovers_of_killed_runs_go_and_files_that_are_being_written_stay(model_and_scenes):
    run("predict", "model", "test", "-o", "whole", "--weight-maps")
    for folder in ("out", "out/weight_maps/alpha"):
        Path(folder).mkdir(parents=True)
        Path(folder, ".skensir-0123456789abcdef").write_bytes(b"half")
    Path("out/.other").write_bytes(b"")
    script = (
        "from skensir._files import whole_file\n"
        "with whole_file('out/new.txt') as file:\n"
        "    file.write(b'whole')\n"
        "    print(flush=True)\n"
        "    input()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as writer:
        writer.stdout.readline()
        assert run("predict", "model", "test", "-o", "out", "--weight-maps") == 0
        writer.communicate(b"\n")
    found = content("out")
    assert found.pop(Path("new.txt")) == b"whole"
    assert found.pop(Path(".other")) == b""
    assert found == content("whole")


@pytest.fixture
def many_scenes(in_tmp_path):
    """Enough of them for a signal to come between the first and the last."""
    make_folder(Path("train").absolute())
    scenes = ReferenceSet("train", MODELS)
    save_table(ImageEnsemble().fit(scenes.predictions, scenes.targets), "model")
    make_folder(Path("test").absolute(), seed=1, sizes={"1": (150, 200)})
    for model in MODELS:
        for number in range(2, 120):
            os.link(f"test/{model}/1.png", f"test/{model}/{number}.png")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_run_that_is_ended_leaves_whole_scenes_and_goes_on(many_scenes, number, code):
    with start("predict", "model", "test", "-o", "out", "--weight-maps") as process:
        while process.poll() is None and not any(Path("out").glob("*.png")):
            time.sleep(0.002)
        process.send_signal(number)
        _, printed = process.communicate()
    assert process.returncode == code
    assert "Traceback" not in printed
    done = {path.stem for path in Path("out").glob("*.png")}
    if number != signal.SIGKILL:
        assert f"{len(done)} of 119 scenes done: out; --resume goes on from there." in printed
        assert not any(path.name.startswith(".skensir") for path in Path("out").rglob("*"))
    assert 0 < len(done) < 119
    before = times("out")
    assert run("predict", "model", "test", "-o", "out", "--weight-maps", "--resume") == 0
    assert {name: since for name, since in times("out").items() if name in before} == before
    run("predict", "model", "test", "-o", "whole", "--weight-maps")
    assert content("out") == content("whole")
