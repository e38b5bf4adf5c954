"""The console command and its demo: what they print and write, and how they answer mistakes."""

import io
import os
import re
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import skensir
from skensir.cli import demo, main, picture
from skensir.cli.tasks import FITTING, TASKS, TESTING
from skensir.image import ReferenceSet, read_image

quick_compare = partial(demo.compare_sets, trees=False)
SIDE = 32  # photographs as small as the tasks' margins allow


@pytest.fixture
def quick_demo(monkeypatch):
    """Make the command fast: small photographs, no ensembles of trees."""
    monkeypatch.setattr(demo, "SIDE", SIDE)
    monkeypatch.setattr(demo, "compare_sets", quick_compare)


@pytest.fixture
def quick_picture(quick_demo, monkeypatch):
    """Draw nothing, for tests of where files go."""
    monkeypatch.setattr(demo, "draw_picture", lambda *arguments: b"picture")


@pytest.fixture
def no_work(monkeypatch):
    """Fail if the long work begins."""

    def run_task(*arguments):
        raise AssertionError("the work began before the mistake was noticed")

    monkeypatch.setattr(demo, "run_task", run_task)


def assert_mistake(capsys, argv, *words):
    """Check that a mistake costs exit code 2 and one sentence that contains the words."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"skensir: .+\.\n", captured.err)
    for word in words:
        assert word in captured.err


# ---- what the demo prints and writes


def test_demo_prints_a_table_a_task_and_writes_the_picture(quick_demo, tmp_path, capsys):
    output = tmp_path / "picture.png"
    assert main(["demo", "--output", str(output)]) == 0
    captured = capsys.readouterr()
    for name, task in TASKS.items():
        _, found, text = captured.out.partition(f"{name.capitalize()}: photographs")
        assert found
        rows = [re.split(" {2,}", line)[0] for line in text.split("\n\n")[1].splitlines()[1:]]
        inputs = [] if name == "super-resolution" else ["Input"]  # smaller than the truth
        assert rows[: len(inputs) + 3] == [*inputs, *task.restorers]
        assert "Average" in rows
        assert rows[-1] == "Oracle"
    words = " ".join(captured.out.split())
    for name in (*FITTING, *TESTING):
        assert name in words
    assert captured.out.endswith(f"Picture: {output}\n")
    assert captured.err == ""  # no bars of progress where nobody watches
    assert list(tmp_path.iterdir()) == [output]
    image = matplotlib.image.imread(output)
    assert image.shape[0] > 700
    assert image.shape[1] > 1400
    assert len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) > 100


def test_base_models_show_their_seconds(quick_picture, tmp_path, capsys):
    assert main(["demo", "--task", "deblurring", "-o", str(tmp_path / "demo.png")]) == 0
    printed = capsys.readouterr().out
    for model in TASKS["deblurring"].restorers:
        [line] = [line for line in printed.splitlines() if line.startswith(model)]
        assert re.search(r" - +\d+\.\d\d$", line)


def test_one_task_is_enough(quick_picture, tmp_path, capsys):
    assert main(["demo", "--task", "deraining", "-o", str(tmp_path / "demo.png")]) == 0
    printed = capsys.readouterr().out
    assert "Deraining:" in printed
    assert "Deblurring:" not in printed


def test_kept_folder_gives_the_numbers_of_the_demo_again(quick_picture, tmp_path, capsys):
    folder = tmp_path / "sets"
    assert main(["demo", "-o", str(tmp_path / "demo.png"), "--folder", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert str(folder) in printed
    for name, task in TASKS.items():
        argv = ["compare", str(folder / name / "reference"), str(folder / name / "test")]
        argv += ["--no-trees", "--channel", task.channel, "--crop-border", str(task.crop_border)]
        assert main([*argv, "--models", *task.restorers]) == 0
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
    def make_line(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "make_line", make_line)
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
    assert main(["demo", "--task", "deblurring", "-o", str(tmp_path / "demo.png")]) == 0
    for word in ("Restoring", "Fitting", "Combining"):
        assert word in sys.stderr.getvalue()


# ---- the images of the tasks


@pytest.mark.parametrize("name", TASKS)
def test_base_models_help_and_are_kept_as_8_bit_images(quick_demo, tmp_path, name):
    comparison = demo.run_task(name, tmp_path)
    for part, photographs in (("reference", FITTING), ("test", TESTING)):
        scenes = ReferenceSet(tmp_path / part)
        assert set(scenes.names) == set(photographs)
        assert set(scenes.models) == set(TASKS[name].restorers)
        for scene in scenes:
            assert scene.predictions.dtype == scene.target.dtype == np.uint8
            assert scene.predictions.shape == (3, SIDE, SIDE, 3)
            degraded = read_image(tmp_path / part / "lq" / f"{scene.name}.png")
            assert degraded.dtype == np.uint8
    psnr = {row.name: row.psnr for row in comparison.rows}
    for model in TASKS[name].restorers:
        assert psnr[model] > psnr.get("Input", 0)


def test_photographs_for_testing_are_not_fitted_on():
    assert not set(FITTING) & set(TESTING)


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
    assert main(["demo", "--task", "deblurring", "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert str(output) in error
    assert "No space left on device" in error
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/demo.png", "missing of the output does not exist"),
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
    monkeypatch.setattr(picture.tempfile, "TemporaryFile", refuse)
    output = tmp_path / "demo.png"
    assert_mistake(capsys, ["demo", "-o", str(output)], str(tmp_path), "Permission denied")


@pytest.mark.parametrize("package", ["matplotlib", "skimage", "cv2", "tqdm"])
def test_missing_extra_is_named(no_work, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    argv = ["demo", "-o", str(tmp_path / "demo.png")]
    assert_mistake(capsys, argv, package, 'pip install "skensir[demo]"')


@pytest.mark.parametrize(
    ("argv", "word"),
    [(["dmeo"], "dmeo"), ([], "command"), (["demo", "--colour"], "--colour")],
)
def test_mistakes_in_the_command_line(no_work, capsys, argv, word):
    assert_mistake(capsys, argv, word, "--help")


def test_interruption_is_quiet(monkeypatch, tmp_path, capsys):
    def run_task(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_task", run_task)
    assert main(["demo", "-o", str(tmp_path / "demo.png")]) == 130
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in ("compare", "demo"):
        assert command in printed


def test_console_script_starts():
    script = Path(sysconfig.get_path("scripts")) / "skensir"
    run = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"skensir {skensir.__version__}\n"
    assert run.stderr == ""


def test_commands_load_without_the_extra_and_photographs_without_download():
    program = (
        "import sys\n"
        "from skensir.cli import compare, demo\n"
        "from skensir.cli.tasks import FITTING, TESTING, load_photograph\n"
        "print(sorted({'cv2', 'matplotlib', 'skimage', 'tqdm'} & set(sys.modules)))\n"
        "sys.modules['pooch'] = None\n"
        "for name in (*FITTING, *TESTING):\n"
        "    print(load_photograph(name).shape[2])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["[]", *"33333"]
