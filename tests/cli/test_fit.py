"""`skensir fit`: tables of a folder of images, and mistakes in the folder."""

from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import MODELS, SIZES, fit_in_python, make_folder
from sklearn.model_selection import KFold

from skensir import EnsIRRegressorCV
from skensir.image import ReferenceSet, read_image, write_image
from skensir.persistence import load_table


def test_16_bits_have_bins_of_16_bits(in_tmp_path):
    deep = make_folder(in_tmp_path / "deep", np.uint16)
    assert run("fit", deep, "-o", "model") == 0
    [*tables] = load_table("model").regressors_
    assert [table.bin_width_ for table in tables] == [32 * 257] * 3


def test_names_that_begin_alike_are_sorted(in_tmp_path):
    folder = make_folder(in_tmp_path / "set", sizes={"img": (20, 16), "img2": (20, 16)})
    (folder / "alpha").rename(folder / "beta2")
    assert run("fit", folder, "-o", "model") == 0
    assert ReferenceSet(folder).names == ("img", "img2")
    assert ReferenceSet(folder).models == ("beta", "beta2", "gamma")


def test_a_single_scene_is_cross_validated_by_areas(folders):
    """Held out are neighbouring pixels, as single ones would be told by those around them."""
    train, test = folders
    for path in train.glob("*/10.png"):
        path.unlink()
    with pytest.warns(UserWarning, match="on parts of a single image"):
        assert run("fit", train, "-o", "model", "--cv", "--no-input") == 0
    with pytest.warns(UserWarning, match="on parts of a single image"):
        expected = fit_in_python(train, EnsIRRegressorCV(cv=KFold(5)))
    scenes = ReferenceSet(test, MODELS)
    for image, other in zip(
        load_table("model").predict(scenes.predictions),
        expected.predict(scenes.predictions),
        strict=True,
    ):
        np.testing.assert_array_equal(image, other)


def test_padded_images_are_cropped_where_it_is_asked_for(folders, capsys):
    train, test = folders
    for folder in folders:
        padded = np.pad(read_image(folder / "beta/9.png"), [(0, 3), (0, 5), (0, 0)])
        write_image(folder / "beta/9.png", padded)
    assert run("fit", train, "-o", "model") == 2
    message = capsys.readouterr().err
    assert "beta/9.png has 43 x 37 pixels" in message
    assert "--crop" in message
    assert run("fit", train, "-o", "model", "--crop") == 0
    assert run("predict", "model", test, "-o", "out", "--crop") == 0
    assert read_image("out/9.png").shape == (*SIZES["9"], 3)


MISTAKES = {
    "a missing scene": (
        lambda folder: (folder / "beta/9.png").unlink(),
        r"train/beta has no image of the scene '9', of which there is .*train/.*/9.png",
    ),
    "sizes that differ": (
        lambda folder: write_image(folder / "gt/10.png", np.zeros((36, 40, 3), np.uint8)),
        r"alpha/10.png, ..., .*gt/10.png\): each prediction has .*36, 44, 3.*target .*36, 40, 3",
    ),
    "an unreadable file": (
        lambda folder: (folder / "gamma/9.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense"),
        r"gamma/9.png cannot be read",
    ),
    "16 bits among 8": (
        lambda folder: write_image(folder / "beta/9.png", np.zeros((40, 32, 3), np.uint16)),
        r"beta/9.png is uint16, but .*alpha/9.png is uint8",
    ),
    "no truth": (
        lambda folder: (folder / "gt").rename(folder / "wahrheit"),
        r"train has no sub-folder .*with the truth.*; it has alpha, beta, .*wahrheit",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file(folders, capfd, mistake):
    train, _ = folders
    make, message = MISTAKES[mistake]
    make(train)
    before = set(Path().rglob("*"))
    assert run("fit", train, "-o", "model") == 2
    assert_one_sentence(capfd, message)
    assert set(Path().rglob("*")) == before
