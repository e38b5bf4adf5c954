"""The degraded input as one more model, which `fit --cv` takes and `predict` needs then."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import MODELS, make_folder
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressorCV
from skensir.cli.prediction import Prediction
from skensir.image import ImageEnsemble, ReferenceSet, read_image, write_image
from skensir.persistence import load_table


def lines_of(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", ["lq", "rainy"])
def test_fit_and_predict_with_the_input_do_what_python_does(folders, capsys, name):
    train, test = folders
    options = [] if name == "lq" else ["--input", name]
    for folder in folders:
        if name != "lq":
            (folder / "lq").rename(folder / name)
    assert run("fit", train, "-o", "model", "--cv", *options) == 0
    first, second, *others = lines_of(capsys)
    assert first.startswith("Fitted alpha, beta, gamma, input on 2 scenes")
    assert second == f"The input, {train / name}, is one more model."
    assert others[3] == "Model: model"
    assert run("predict", "model", test, "-o", "out", "--weight-maps", *options) == 0
    assert lines_of(capsys) == ["Combined alpha, beta, gamma, input in 2 scenes: out"]

    scenes, of_test = (ReferenceSet(folder, MODELS, input=name) for folder in folders)
    search = EnsIRRegressorCV(cv=LeaveOneGroupOut())
    expected = ImageEnsemble(search, include_input=True).fit(scenes.predictions, scenes.targets)
    weights = expected.predict_weights(of_test.predictions)
    for number, image in enumerate(expected.predict(of_test.predictions)):
        path = f"{of_test.names[number]}.png"
        np.testing.assert_array_equal(read_image(f"out/{path}"), np.rint(image).clip(0, 255))
        of_input = np.rint(255 * weights[number][-1].mean(axis=-1))
        np.testing.assert_array_equal(read_image(f"out/weight_maps/input/{path}"), of_input)


def test_what_was_chosen_is_said_in_a_line_per_channel(folders, capsys):
    train, _ = folders
    assert run("fit", train, "-o", "model", "--cv") == 0
    printed = [line for line in lines_of(capsys) if re.match("  (red|green|blue): ", line)]
    for line, regressor in zip(printed, load_table("model").regressors_, strict=True):
        tables = getattr(regressor, "estimators_", [regressor])
        shares = getattr(regressor, "shares_", [1.0])
        for share, table in zip(shares, tables, strict=True):
            words = f"{table.axes_} in bins of {table.bin_width_:g}, {len(table.cells_)} cells"
            assert (f"{share:.0%} {words}" if len(tables) > 1 else f": {words}") in line
        assert "the average of" in line


@pytest.mark.parametrize("options", [["--cv", "--no-input"], [], ["--published"]])
def test_without_cv_or_with_no_input_it_is_not_used(folders, capsys, options):
    train, test = folders
    assert run("fit", train, "-o", "model", *options) == 0
    assert "input" not in capsys.readouterr().out
    assert load_table("model").include_input is False
    shutil.rmtree(test / "lq")
    assert run("predict", "model", test, "-o", "out") == 0


def _taken(path):
    """Return an image whose file is deleted."""
    image = read_image(path)
    path.unlink()
    return image


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda path: write_image(path, read_image(path)[::2, ::2]),
            "in scene '10' the input is 18 x 22 x 3, but each prediction 36 x 44 x 3.",
        ),
        (
            lambda path: write_image(path, np.zeros((36, 44, 3), np.uint16)),
            "in scene '10' the input is of 16 bits, but the predictions are of 8 bits.",
        ),
        (lambda path: path.unlink(), "lq has no image of the scene '10', of which there is "),
        (
            lambda path: np.save(path.with_suffix(".npy"), np.float32(_taken(path)) / 255),
            "in scene '10' the input has floats from 0 to 1.",
        ),
    ],
)
def test_an_input_that_does_not_fit_is_left_out_and_why(folders, capsys, spoil, words):
    train, _ = folders
    spoil(train / "lq/10.png")
    assert run("fit", train, "-o", "model", "--cv") == 0
    [line] = [line for line in lines_of(capsys) if line.startswith("The input")]
    assert line.startswith("The input is not used, as ")
    assert words in line
    assert load_table("model").include_input is False


def test_nothing_is_said_where_there_is_no_input(folders, capsys):
    shutil.rmtree(folders[0] / "lq")
    assert run("fit", folders[0], "-o", "model", "--cv") == 0
    assert "input" not in capsys.readouterr().out


def test_predict_says_what_is_missing(folders, capfd):
    train, test = folders
    assert run("fit", train, "-o", "model", "--cv") == 0
    (test / "lq").rename(test / "nass")
    assert run("predict", "model", test, "-o", "out") == 2
    message = "model needs the images before restoration .* test has no sub-folder 'lq'; .*--input"
    assert_one_sentence(capfd, message.replace(" test", ".*test"))
    image = read_image(test / "nass/10.png")
    (test / "nass/10.png").unlink()
    assert run("predict", "model", test, "-o", "out", "--input", "nass") == 2
    assert_one_sentence(capfd, "nass has no image of the scene '10', .*fit with --no-input")
    write_image(test / "nass/10.png", image[::2])
    assert run("predict", "model", test, "-o", "out", "--input", "nass") == 2
    assert_one_sentence(capfd, r"Scene '10' .*the input is .*, or fit with --no-input")
    # What is done before the mistake shows is kept.
    assert {path.name for path in Path("out").iterdir()} <= {"9.png"}
    write_image(test / "nass/10.png", image)
    assert run("predict", "model", test, "-o", "out", "--input", "nass") == 0


def test_a_missing_scene_is_noticed_before_the_work(folders, capfd, monkeypatch):
    def work(*arguments, **options):
        raise AssertionError("the work began before the mistake was noticed")

    train, test = folders
    assert run("fit", train, "-o", "model", "--cv") == 0
    (test / "lq/10.png").unlink()
    monkeypatch.setattr(Prediction, "combine", work)
    assert run("predict", "model", test, "-o", "out") == 2
    assert_one_sentence(capfd, "lq has no image of the scene '10'")


def test_a_base_model_named_input_is_a_mistake(folders, capfd):
    train, _ = folders
    (train / "beta").rename(train / "input")
    models = "--models", "alpha", "input", "gamma"
    assert run("fit", train, "-o", "model", "--cv", *models) == 2
    assert_one_sentence(capfd, "has the name 'input'")
    assert run("fit", train, "-o", "model", "--cv", "--no-input", *models) == 0
    capfd.readouterr()
    assert run("fit", train, "-o", "model") == 0
    note = "input is left out, as it has a name of truth or of .*, which are in gt and lq"
    assert re.search(note, capfd.readouterr().err)


def test_grey_images_and_16_bits_have_inputs_too(in_tmp_path):
    for name, settings in (("grey", {"colour": False}), ("deep", {"dtype": np.uint16})):
        folder = make_folder(in_tmp_path / name, **settings)
        assert run("fit", folder, "-o", f"{name}.model", "--cv") == 0
        assert load_table(f"{name}.model").include_input is True
        assert run("predict", f"{name}.model", folder, "-o", f"{name}-out") == 0
