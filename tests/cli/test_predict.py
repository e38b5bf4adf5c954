"""`skensir predict`: images as Python combines them."""

from pathlib import Path

import numpy as np
from commands import assert_one_sentence, run
from image_folders import MODELS, SIZES, make_folder
from numpy.testing import assert_array_equal

from skensir.image import ReferenceSet, read_image, reference_set
from skensir.persistence import load_table


def test_scenes_of_one_folder_do_not_end_up_in_another(folders, capfd):
    """Neither by the names of models nor by the name of the output."""
    train, test = folders
    outside = make_folder(Path("outside").absolute())
    for name in (outside / "alpha", "../outside/alpha", ".."):
        assert run("fit", train, "-o", "model", "--models", "alpha", name) == 2
        assert_one_sentence(capfd, "must be sub-folders of .*train")
    run("fit", train, "-o", "model")
    before = {path: path.read_bytes() for path in test.rglob("*.png")}
    inside = (test, test / "alpha", test / "beta" / ".." / "beta", test / "gt", test / "new")
    for output in inside:
        assert run("predict", "model", test, "-o", output) == 2
        assert_one_sentence(capfd, "(in|of) .*test, which (is|are) read; |test is read, must be")
    (Path("out") / "9.png").mkdir(parents=True)
    assert run("predict", "model", test, "-o", "out") == 2
    assert_one_sentence(capfd, "out/9.png is a folder, where an image is to be written")
    assert sorted(path.name for path in Path("out").iterdir()) == ["9.png"]
    assert not any(Path("out/9.png").iterdir())
    assert {path: path.read_bytes() for path in test.rglob("*.png")} == before


def test_images_of_another_kind_are_named(folders, capfd):
    train, _ = folders
    run("fit", train, "-o", "model")
    deep = make_folder(Path("deep").absolute(), np.uint16)
    assert run("predict", "model", deep, "-o", "out") == 2
    message = r"Scene '9' \(.*deep/alpha/9.png, .*16 bits, must be of 8 bits"
    assert_one_sentence(capfd, message)


def test_grey_images_are_repeated_for_a_fit_on_rgb(folders, capfd):
    train, _ = folders
    run("fit", train, "-o", "model")
    grey = make_folder(Path("grey").absolute(), colour=False)
    capfd.readouterr()
    assert run("predict", "model", grey, "-o", "out") == 0
    notes = [line for line in capfd.readouterr().err.splitlines() if "is grey" in line]
    assert len(notes) == 1
    scenes, ensemble = ReferenceSet(grey, target=None), load_table("model")
    for name, prediction in zip(scenes.names, scenes.predictions, strict=True):
        [expected] = ensemble.predict([np.stack([prediction] * 3, axis=-1)])
        assert_array_equal(read_image(f"out/{name}.png"), np.rint(expected).clip(0, 255))


def test_grey_images_are_fitted_and_predicted(in_tmp_path):
    folder = make_folder(in_tmp_path / "grey", colour=False)
    assert run("fit", folder, "-o", "model") == 0
    assert run("predict", "model", folder, "-o", "out", "--weight-maps") == 0
    assert read_image("out/9.png").shape == SIZES["9"]


def test_weight_maps_are_the_weights_of_the_models(folders):
    train, test = folders
    run("fit", train, "-o", "model")
    assert run("predict", "model", test, "-o", "out", "--weight-maps") == 0
    scenes = ReferenceSet(test, MODELS)
    weights = load_table("model").predict_weights(scenes.predictions)
    for name, of_scene in zip(scenes.names, weights, strict=True):
        for model, weight in zip(MODELS, of_scene, strict=True):
            found = read_image(Path("out", "weight_maps", model, f"{name}.png"))
            np.testing.assert_array_equal(found, np.rint(255 * weight.mean(axis=-1)))


def test_each_file_is_read_once(folders, monkeypatch):
    train, test = folders
    run("fit", train, "-o", "model")
    opened = []

    def read(path):
        opened.append(path)
        return read_image(path)

    monkeypatch.setattr(reference_set, "read_image", read)
    assert run("predict", "model", test, "-o", "out", "--weight-maps") == 0
    assert sorted(opened) == sorted(
        test / model / f"{name}.png" for name in SIZES for model in MODELS
    )


def test_the_models_keep_the_order_of_fit_wherever_they_lie(folders):
    train, test = folders
    run("fit", train, "-o", "model", "--models", "gamma", "alpha", "beta")
    (test / "delta").mkdir()  # not a model of this file
    assert run("predict", "model", test, "-o", "out") == 0
    scenes = ReferenceSet(test, ("gamma", "alpha", "beta"))
    for name, image in zip(
        scenes.names, load_table("model").predict(scenes.predictions), strict=True
    ):
        np.testing.assert_array_equal(read_image(f"out/{name}.png"), np.rint(image))
