"""`skensir demo`: what it prints and writes, and how it answers mistakes."""

import io
import os
import re
import sys
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from commands import assert_mistake
from matplotlib.figure import Figure

from skensir.cli import common, demo, main
from skensir.demo import FITTING, TASKS, TESTING, results
from skensir.image import load_super_resolution
from skensir.image.sample_set import CREDITS


@pytest.fixture
def quick_demo(monkeypatch):
    """Make the command fast: small photographs, no ensembles of trees."""
    monkeypatch.setattr(results, "LARGEST_SIDE", 32)  # as small as the margins allow
    monkeypatch.setattr(results, "compare_sets", partial(results.compare_sets, trees=False))


@pytest.fixture
def quick_picture(quick_demo, monkeypatch):
    """Draw nothing, for tests of where files go."""
    monkeypatch.setattr(demo, "draw_picture", lambda *arguments: Figure(figsize=(1, 1)))


@pytest.fixture
def no_work(monkeypatch):
    """Fail if the long work begins."""

    def run_task(*arguments):
        raise AssertionError("the work began before the mistake was noticed")

    monkeypatch.setattr(demo, "run_task", run_task)


# ---- what it prints and writes


def test_demo_prints_a_table_a_task_and_writes_the_picture(quick_demo, tmp_path, capsys):
    output = tmp_path / "picture.png"
    assert main(["demo", "--output", str(output)]) == 0
    captured = capsys.readouterr()
    networks = load_super_resolution().test.models
    # Of super-resolution it is smaller than the truth.
    first = {"super-resolution": networks, "deraining": ("Input", *TASKS["deraining"].restorers)}
    assert tuple(first) == results.SHOWN_TASKS
    for name, names in first.items():
        _, found, text = captured.out.partition(f"{name.capitalize()}: photographs")
        assert found
        rows = [re.split(" {2,}", line)[0] for line in text.split("\n\n")[1].splitlines()[1:]]
        assert rows[: len(names)] == list(names)
        assert "Average" in rows
        assert rows[-1] == "Oracle"
    words = " ".join(captured.out.split())
    for name in (*FITTING, *TESTING):
        assert name in words
    for name, credit in CREDITS.items():
        assert f"{name}: {credit}" in words
    assert captured.out.endswith(f"Picture: {output}\n")
    assert captured.err == ""  # no bars of progress where nobody watches
    assert list(tmp_path.iterdir()) == [output]
    image = matplotlib.image.imread(output)
    assert image.shape[0] > 500
    assert image.shape[1] > 1400
    assert len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) > 100


def test_base_models_show_their_seconds(quick_picture, tmp_path, capsys):
    assert main(["demo", "--task", "deraining", "-o", str(tmp_path / "demo.png")]) == 0
    printed = capsys.readouterr().out
    for model in TASKS["deraining"].restorers:
        [line] = [line for line in printed.splitlines() if line.startswith(model)]
        assert re.search(r" - +\d+\.\d\d$", line)


def test_one_task_is_enough(quick_picture, tmp_path, capsys):
    assert main(["demo", "--task", "deraining", "-o", str(tmp_path / "demo.png")]) == 0
    printed = capsys.readouterr().out
    assert "Deraining:" in printed
    assert "Super-resolution:" not in printed
    assert "Networks:" not in printed  # nobody to be named


def test_kept_folder_gives_the_numbers_of_the_demo_again(quick_picture, tmp_path, capsys):
    folder = tmp_path / "sets"
    assert main(["demo", "-o", str(tmp_path / "demo.png"), "--folder", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert str(folder) in printed
    for name, border in {"super-resolution": 4, "deraining": 0}.items():
        argv = ["compare", str(folder / name / "reference"), str(folder / name / "test")]
        argv += ["--no-trees", "--channel", "luma", "--crop-border", str(border)]
        models = TASKS[name].restorers if name == "deraining" else load_super_resolution()[0].models
        assert main([*argv, "--models", *models]) == 0
        # PSNR and SSIM; seconds differ.
        pattern = re.compile(r"^(.+?) {2,}([\d.]+[ *]* +[\d.]+)", re.MULTILINE)
        again = pattern.findall(capsys.readouterr().out.partition("\n\n")[0])
        _, _, text = printed.partition(f"{name.capitalize()}: ")
        assert again == pattern.findall(text.split("\n\n")[1])
        assert len(again) > 8


def test_folder_that_is_there_is_not_written_to(no_work, tmp_path, capsys):
    argv = ["demo", "-o", str(tmp_path / "demo.png"), "--folder"]
    assert_mistake(capsys, [*argv, str(tmp_path)], str(tmp_path), "new folder")
    assert_mistake(capsys, [*argv, str(tmp_path / "no" / "folder")], str(tmp_path / "no"))
    assert list(tmp_path.iterdir()) == []


def test_interrupted_demo_leaves_no_folder(tmp_path, monkeypatch, quick_picture):
    def make_picture_row(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "make_picture_row", make_picture_row)
    argv = ["demo", "-o", str(tmp_path / "demo.png"), "--folder", str(tmp_path / "sets")]
    assert main(argv) == 130
    assert list(tmp_path.iterdir()) == []


def test_picture_goes_to_the_current_folder(quick_picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["demo.png"]


def test_progress_is_shown_on_a_terminal(quick_picture, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main(["demo", "--task", "deraining", "-o", str(tmp_path / "demo.png")]) == 0
    for word in ("Restoring", "Fitting", "Combining"):
        assert word in sys.stderr.getvalue()


# ---- mistakes


def test_failed_writing_leaves_the_old_picture(quick_picture, tmp_path, monkeypatch, capsys):
    output = tmp_path / "demo.png"
    output.write_bytes(b"old")
    replace = os.replace

    def replace_images_only(source, target):
        if Path(target) == output:
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", replace_images_only)
    assert main(["demo", "--task", "deraining", "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert str(output) in error
    assert "No space left on device" in error
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/demo.png", "missing is not a folder, so demo.png cannot go there"),
        ("demo.jpg", "must end in .png"),
        ("demo", "must end in .png"),
        (".", "is a folder"),
    ],
)
def test_impossible_output_is_noticed_first(no_work, tmp_path, capsys, name, words):
    assert_mistake(capsys, ["demo", "-o", str(tmp_path / name)], words)
    assert list(tmp_path.iterdir()) == []


def test_folder_without_permission_is_noticed_first(no_work, tmp_path, monkeypatch, capsys):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    # The administrator, as whom tests may run, may write everywhere.
    monkeypatch.setattr(common.tempfile, "TemporaryFile", refuse)
    output = tmp_path / "demo.png"
    assert_mistake(capsys, ["demo", "-o", str(output)], str(tmp_path), "Permission denied")


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("matplotlib", "matplotlib"),
        ("skimage", "scikit-image"),
        ("cv2", "opencv-python-headless"),
        ("tqdm", "tqdm"),
    ],
)
def test_missing_extra_is_named(no_work, tmp_path, monkeypatch, capsys, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    argv = ["demo", "-o", str(tmp_path / "demo.png")]
    assert_mistake(capsys, argv, package, 'pip install "skensir[demo]"')


def test_interruption_is_quiet(monkeypatch, tmp_path, capsys):
    def run_task(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_task", run_task)
    assert main(["demo", "-o", str(tmp_path / "demo.png")]) == 130
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []
