"""Pipes in the place of files, and values that look like options: one sentence, and no waiting."""

import os
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import make_folder

from skensir import load_table
from skensir.image import read_image
from skensir.interop.released import read_released

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """A pipe with a name that nobody writes to or reads, beside a folder of images."""
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "train")
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("read", [load_table, read_released, read_image])
def test_no_reader_waits_for_a_pipe(pipe, read):
    with pytest.raises(ValueError, match=rf"^{pipe} cannot be read: it is a pipe or a device"):
        read(pipe)


def test_no_module_of_pytorch_waits_for_a_pipe(pipe):
    pytest.importorskip("torch")
    from skensir.interop.torch import EnsembleModule

    with pytest.raises(ValueError, match=rf"^{pipe} cannot be read: it is a pipe or a device"):
        EnsembleModule.from_table(pipe)


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "pipe.png"),
        ("predict", "pipe.png", "train", "-o", "out"),
        ("import-released", "pipe.png", "--bin-width", "32", "-o", "new.table"),
        ("figure", "train", "--ensembles", "pipe.png", "-o", "figure.png"),
    ],
)
def test_no_command_waits_for_who_writes_to_a_pipe(pipe, capfd, command):
    assert run(*command) == 2
    assert_one_sentence(capfd, r"^skensir: pipe\.png cannot be read: it is a pipe or a device")
    assert {path.name for path in Path().iterdir()} == {"train", "pipe.png"}


@pytest.mark.parametrize("command", [("fit",), ("figure",)])
def test_no_command_waits_for_who_reads_a_pipe(pipe, capfd, command):
    assert run(*command, "train", "-o", "pipe.png") == 2
    assert_one_sentence(capfd, r"^skensir: pipe\.png: nobody reads what is written there\.$")
    assert pipe.is_fifo()


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_no_image_of_a_scene_waits_for_who_reads_a_pipe(pipe, capfd, options):
    assert run("fit", "train", "-o", "model") == 0
    Path("out").mkdir()
    pipe.rename("out/9.png")
    capfd.readouterr()
    assert run("predict", "model", "train", "-o", "out", *options) == 2
    assert_one_sentence(capfd, r"^skensir: out/9\.png: nobody reads what is written there\.$")
    assert Path("out/9.png").is_fifo()


def test_folders_in_the_place_of_files_are_told_from_pipes(pipe, capfd):
    assert run("inspect", "train") == 2
    assert_one_sentence(capfd, r"train: Is a directory\.$")


def test_a_pipe_is_no_list_of_scenes(pipe, capfd):
    assert run("fit", "train", "-o", "model", "--scenes", "pipe.png") == 2
    assert_one_sentence(capfd, "No scene is called pipe.png, and there is no such file")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "train", "-o", "model", "--scenes", ""], "No scene is called '', and"),
        (["fit", "train", "-o", "model", "--hold-out", " "], "No scene is called ' ', and"),
        (["fit", "train", "-o", "model", "--models", ""], "--models is ''; must be sub-folders"),
        (["fit", "train", "-o", "model", "--models", "", "x"], "--models is '', x; must be sub-"),
        (["fit", "train", "-o", "model", "--bin-width", "-1e3"], "--bin-width is '-1e3', must be"),
        (["figure", "train", "-o", "f.png", "--box", "-1,0,4,4"], "--box is '-1,0,4,4', must be"),
        (["figure", "train", "-o", "f.png", "--box", "-.5"], "--box is '-.5', must be left"),
        (["figure", "train", "-o", "f.png", "--box", "--errors"], "--box needs a value"),
    ],
)
def test_values_that_are_nothing_or_below_zero_are_named(pipe, capfd, arguments, said):
    assert run(*arguments) == 2
    assert_one_sentence(capfd, f"^skensir: {said}")


def test_arrays_are_still_read_from_where_a_link_leads(pipe):
    np.save("it.npy", np.eye(3, dtype=np.uint8))
    os.symlink("it.npy", "link.npy")
    assert read_image("link.npy").sum() == 3
