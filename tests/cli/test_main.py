"""What all commands have in common: how they start, and how they answer mistakes."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from commands import assert_mistake, assert_one_sentence, run
from image_folders import make_folder

import skensir
from skensir._files import whole_file
from skensir.cli import evaluate, main
from skensir.cli.arguments import Command
from skensir.image import read_image


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
        "from skensir.demo.photographs import FITTING, TESTING, load_photograph\n"
        "print(sorted({'cv2', 'matplotlib', 'skimage', 'tqdm'} & set(sys.modules)))\n"
        "sys.modules['pooch'] = None\n"
        "for name in (*FITTING, *TESTING):\n"
        "    print(load_photograph(name).shape[2])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["[]", *"33333"]


def test_nothing_but_the_result_is_printed_in_a_pipe(folders, capfd):
    train, test = folders
    for arguments in (["fit", train, "-o", "m"], ["predict", "m", test, "-o", "out"]):
        assert run(*arguments) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "\r" not in printed.out


def test_a_reader_who_has_had_enough_is_no_mistake(folders):
    _, test = folders
    command = f"{sys.executable} -m skensir.cli evaluate {test}/alpha {test}/gt | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert done.stderr == b""


# ---- mistakes


@pytest.mark.parametrize(
    ("argv", "word"),
    [(["dmeo"], "dmeo"), ([], "command"), (["demo", "--colour"], "--colour")],
)
def test_mistakes_in_the_command_line(capsys, argv, word):
    assert_mistake(capsys, argv, word, "--help")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "nowhere", "-o", "model"], "nowhere is not a folder"),
        (["fit", "train", "-o", "nowhere/model"], "nowhere is not a folder, so model cannot"),
        (["fit", "train", "-o", "test"], "test is a folder; give the name of a file"),
        (["fit", "train", "-o", "train"], "train is read, must be another path"),
        (["fit", "train", "-o", "m", "--models", "alpha", "eta"], "no sub-folder 'eta'.*has alpha"),
        (["fit", "train", "-o", "m", "--cv", "--bin-width", "8"], "--bin-width does not fit"),
        (["fit", "train", "-o", "m", "--published", "--shrinkage", "8"], "--shrinkage does not"),
        (
            ["fit", "train", "-o", "m", "--bin-width", "-3"],
            "--bin-width is '-3', must be a number above zero",
        ),
        (["predict", "train/gt/9.png", "test", "-o", "out"], "Cannot read train/gt/9.png"),
        (["predict", "nowhere", "test", "-o", "out"], "nowhere: No such file"),
        (["predict", "model", "test/gt", "-o", "out"], "test/gt has no sub-folder 'alpha'"),
        (["predict", "model", "test", "-o", "nowhere/out"], "nowhere is not a folder, so out"),
        (["predict", "model", "test", "-o", "model"], "model is read, must be another path"),
        (["predict", "model", "test", "-o", "train/gt/9.png"], "9.png is a file; give the name"),
        (["evaluate", "nowhere", "test/gt"], "nowhere is not a folder"),
        (
            ["evaluate", "test/alpha", "test"],
            "names like 10, and names like alpha/10 in test",
        ),
        (
            ["evaluate", "test/alpha", "test/gt", "--crop-border", "30"],
            "Scene '9': A --crop-border of 30 leaves",
        ),
        (["inspect", "nowhere"], "nowhere: No such file"),
        (["inspect", "model", "--plot", "nowhere/p.png"], "nowhere is not a folder, so p.png"),
        (["import-released", "model", "-o", "other"], "Cannot read model"),
        (["predict", "model"], "FOLDER, -o/--output are missing"),
    ],
)
def test_wrong_arguments_are_one_sentence(folders, capfd, arguments, message):
    run("fit", "train", "-o", "model")
    capfd.readouterr()
    before = set(Path().rglob("*"))
    assert run(*arguments) == 2
    assert_one_sentence(capfd, f"(?i){message}")
    assert set(Path().rglob("*")) == before


def test_floats_from_0_to_1_are_refused(folders, capfd):
    train, test = folders
    run("fit", train, "-o", "model")
    for path in test.rglob("*.png"):
        # The first scene is on the right scale: each of them is checked.
        scale = 1 if path.stem == "9" else 255
        np.save(path.with_suffix(".npy"), read_image(path) / scale)
        path.unlink()
    for command in (
        ["fit", test, "-o", "other"],
        ["predict", "model", test, "-o", "out"],
        ["evaluate", test / "alpha", test / "gt"],
        ["compare", test, test, "--no-trees"],
    ):
        assert run(*command) == 2
        assert_one_sentence(capfd, "has floats from 0 to 1; .* multiply them by 255")


def test_a_command_that_is_terminated_leaves_nothing_half_done(in_tmp_path, monkeypatch):
    def evaluate_nothing():
        with whole_file("report.html") as file:
            file.write(b"<html>")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    command = Command(evaluate_nothing, "End in the middle.", {})
    monkeypatch.setattr(evaluate, "COMMAND", command)
    handler = signal.getsignal(signal.SIGTERM)
    assert main(["evaluate-nothing"]) == 143
    assert list(Path().iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is handler


def test_names_cannot_steer_the_terminal(tmp_path):
    folder = make_folder(tmp_path / "set")
    (folder / "alpha").rename(folder / "\x1b[31mred")
    command = [sys.executable, "-m", "skensir.cli", "fit", folder, "-o", tmp_path / "model"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "\\x1b[31mred" in printed
    assert "\x1b" not in printed
