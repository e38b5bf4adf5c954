"""`skensir figure`: what it draws of folders and files, what it says, and its mistakes."""

import shutil
import sys

import numpy as np
import pytest
from commands import assert_mistake, assert_one_sentence, run
from image_folders import MODELS, make_folder

from skensir.cli import figure
from skensir.comparison.shown_scenes import Box
from skensir.image import read_image

SIZES = {str(n): (40, 36) for n in range(1, 6)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a reference set, a test set, two ensembles and the results of one."""
    folder = tmp_path_factory.mktemp("made")
    train = make_folder(folder / "train")
    test = make_folder(folder / "test", seed=1, sizes=SIZES)
    assert run("fit", train, "-o", folder / "table.skensir") == 0
    assert run("fit", train, "-o", folder / "with_input.skensir", "--cv") == 0
    assert run("predict", folder / "table.skensir", test, "-o", folder / "out") == 0
    return folder


@pytest.fixture
def sets(made, in_tmp_path, capsys):
    shutil.copytree(made, in_tmp_path, dirs_exist_ok=True)
    capsys.readouterr()


@pytest.fixture
def drawn(monkeypatch):
    """Take the rows instead of drawing them."""
    taken = []

    def draw_figure(rows, **settings):
        taken.append((rows, settings))
        return "a figure"

    monkeypatch.setattr(figure, "draw_figure", draw_figure)
    monkeypatch.setattr(figure, "encode_figure", lambda *_: b"drawn")
    return taken


def test_figure_is_written_in_each_format(sets, capsys):
    arguments = ["test", "-o", "a.png", "-o", "a.pdf", "--errors", "--weights"]
    assert run("figure", *arguments, "--ensembles", "table.skensir", "--show", "2", "4") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.endswith("\nFigure: a.png\nFigure: a.pdf\n")
    assert read_image("a.png").shape[1] == pytest.approx(7 * 300, rel=0.2)
    with open("a.pdf", "rb") as file:
        assert file.read(4) == b"%PDF"


def test_ensembles_stand_in_their_order_under_their_names(sets, drawn, capsys):
    names = ["Averaged=out", "table.skensir", "with_input.skensir"]
    assert run("figure", "test", "-o", "a.png", "--ensembles", *names, "--weights") == 0
    [(rows, settings)] = drawn
    assert settings == {"errors": False, "width": 7}
    assert len(rows) == 3
    for row in rows:
        assert list(row.parts) == ["Input", *MODELS, "Averaged", "table", "with_input", "Truth"]
        assert list(row.weights) == ["table", "with_input"]
        assert list(row.weights["with_input"]) == [*MODELS, "Input"]
        image = read_image(f"out/{row.name}.png")
        np.testing.assert_array_equal(row.parts["Averaged"], row.box.of(image))
        np.testing.assert_array_equal(row.parts["table"], row.box.of(image))
    words = " ".join(capsys.readouterr().out.split())
    assert "in which an ensemble gains most over the best base model" in words
    assert "Boxes are where the ensembles differ most from the best base model" in words
    assert f"{rows[0].name} {rows[0].box}" in words


def test_boxes_and_scenes_are_those_that_are_named(sets, drawn, capsys):
    arguments = ["figure", "test", "-o", "a.png", "--show", "4", "2", "--box"]
    assert run(*arguments, "1,2,10,8") == 0
    assert run(*arguments, "1,2,10,8", "3,4,9,9") == 0
    assert [[(row.name, row.box) for row in rows] for rows, _ in drawn] == [
        [("4", Box(1, 2, 10, 8)), ("2", Box(1, 2, 10, 8))],
        [("4", Box(1, 2, 10, 8)), ("2", Box(3, 4, 9, 9))],
    ]
    words = " ".join(capsys.readouterr().out.split())
    assert "gains most" not in words
    assert "differ most" not in words


def test_base_models_alone_are_enough(sets, drawn, capsys):
    shutil.rmtree("test/lq")
    assert run("figure", "test", "-o", "a.png", "--models", "beta", "alpha") == 0
    [(rows, _)] = drawn
    assert list(rows[0].parts) == ["beta", "alpha", "Truth"]
    assert "scenes in which the base models differ most in PSNR" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.jpg"], "a.jpg must end in .png or .pdf"),
        (["-o", "a.png", "-o", "./a.png"], "a.png would be written twice"),
        (["-o", "nowhere/a.png"], "nowhere is not a folder"),
        ([], "-o/--output is missing"),
        (["-o", "a.png", "--box", "1,2,3"], "--box is '1,2,3', must be left,top,width,height"),
        (["-o", "a.png", "--box", "1,2,0,3"], "--box is '1,2,0,3'"),
        (["-o", "a.png", "--box", "0,0,8,8", "1,1,8,8"], "--box has 2 boxes; give one for all"),
        (
            ["-o", "a.png", "--box", "30,0,8,8"],
            "Scene '.' is RGB, 36 pixels wide and 40 high; the box",
        ),
        (["-o", "a.png", "--show", "7"], "test has no scene '7'"),
        (["-o", "a.png", "--ensembles", "none"], "none is neither a file nor a folder"),
        (["-o", "a.png", "--ensembles", "E=none"], "none is neither a file nor a folder"),
        (["-o", "a.png", "--ensembles", "alpha=out"], "out would be shown as 'alpha', which"),
        (["-o", "a.png", "--ensembles", "out", "out"], "--ensembles has 'out' twice"),
        (["-o", "a.png", "--ensembles", "short"], "short has no image of the scene '2'"),
        (["-o", "a.png", "--ensembles", "test/gt/1.png"], "Cannot read test/gt/1.png"),
        (["-o", "a.png", "--ensembles", "out", "--weights"], "--weights shows the weights"),
        (["-o", "a.png", "--width", "0"], "--width is 0, must be from 2 to 40 inches"),
        (
            ["-o", "a.png", "--ensembles", "table.skensir", "--models", "alpha", "beta"],
            "table.skensir combines alpha, beta, gamma, but test has no images of gamma",
        ),
        (
            [
                *[
                    "-o",
                    "a.png",
                    "--ensembles",
                    "with_input.skensir",
                    "--input",
                    "rainy",
                    "--models",
                ],
                *MODELS,
            ],
            "with_input.skensir needs the images before restoration .* 'rainy'; name it by --input",
        ),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(made, capfd, in_tmp_path, arguments, message):
    shutil.copytree(made, in_tmp_path, dirs_exist_ok=True)
    shutil.copytree("out", "short")
    for name in "2345":
        (in_tmp_path / "short" / f"{name}.png").unlink()
    before = sorted(in_tmp_path.iterdir())
    capfd.readouterr()
    assert run("figure", "test", *arguments) == 2
    assert_one_sentence(capfd, message)
    assert sorted(in_tmp_path.iterdir()) == before


def test_a_figure_needs_matplotlib(sets, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert_mistake(capsys, ["figure", "test", "-o", "a.png"], 'pip install "skensir[plot]"')
