"""The degraded input as one more base model of ImageEnsemble, from arrays and from folders."""

import weakref

import numpy as np
import pytest
import sklearn
from image_folders import MODELS, make_folder, write_scene
from noisy_images import images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor
from skensir.image import ImageEnsemble, ReferenceSet, read_image, reference_set, write_image

REGRESSORS = [
    EnsIRRegressor(64, objective="squared_error"),
    EnsIRRegressorCV(cv=LeaveOneGroupOut()),
    ConvexRegressor(),
]


def split_off(predictions):
    """Take the last model for the input."""
    return [p[:-1] for p in predictions], [p[-1] for p in predictions]


# ---- arrays


@pytest.mark.parametrize("channel_axis", [-1, 0, None])
@pytest.mark.parametrize("regressor", REGRESSORS)
def test_the_input_is_the_last_model(regressor, channel_axis):
    """What comes out is what the same images give as one more prediction."""
    predictions, targets = images(n_channels=None if channel_axis is None else 3)
    if channel_axis == 0:
        predictions = [np.moveaxis(p, -1, 1) for p in predictions]
        targets = [np.moveaxis(t, -1, 0) for t in targets]
    plain = ImageEnsemble(regressor, channel_axis=channel_axis).fit(predictions, targets)
    others, inputs = split_off(predictions)
    ensemble = clone(plain).set_params(include_input=True).fit(others, targets, inputs)
    assert ensemble.n_models_ == plain.n_models_ == 3
    assert ensemble.n_channels_ == plain.n_channels_
    assert_images_equal(ensemble.predict(others, inputs), plain.predict(predictions))
    if hasattr(plain, "predict_weights"):
        expected = plain.predict_weights(predictions)
        assert_images_equal(ensemble.predict_weights(others, inputs), expected)
    assert ensemble.score(others, targets, inputs) == plain.score(predictions, targets)


def assert_images_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


def test_any_iterable_of_inputs_will_do():
    predictions, targets = images()
    others, inputs = split_off(predictions)
    ensemble = ImageEnsemble(ConvexRegressor(), include_input=True)
    ensemble.fit(iter(others), targets, (image for image in inputs))
    found = ensemble.predict((p for p in others), iter(inputs))
    assert_images_equal(found, ensemble.predict(others, inputs))


def test_floats_fit_to_whole_numbers():
    predictions, targets = images()
    others, inputs = split_off(predictions)
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    ensemble.fit(others, targets, [image + 0.5 for image in inputs])
    assert ensemble.pixel_dtype_ == np.uint8
    for image, p in zip(ensemble.predict(others, inputs), predictions, strict=True):
        assert_allclose(image, p.mean(axis=0))


def test_inputs_are_no_metadata_that_could_be_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        assert not hasattr(ImageEnsemble(include_input=True), "set_fit_request")
        assert not hasattr(ImageEnsemble(include_input=True), "set_predict_request")


def spoil(inputs, what):
    """Make the third of four inputs one that does not fit."""
    changes = {
        "size": lambda image: image[::2, ::2],
        "grey": lambda image: image[..., 0],
        "depth": lambda image: image.astype(np.uint16),
    }
    return [changes[what](image) if i == 2 else image for i, image in enumerate(inputs)]


MISTAKES = {
    "size": r"Image 2: the input is 8 x 8 x 3, but each prediction 16 x 16 x 3; .*"
    "include_input=False",
    "grey": r"Image 2: the input is 16 x 16, but each prediction 16 x 16 x 3",
    "depth": "Image 2: the input is of 16 bits, but the predictions are of 8 bits; .*False",
}


@pytest.mark.parametrize("what", MISTAKES)
def test_inputs_that_are_not_like_the_outputs_are_named(what):
    predictions, targets = images()
    others, inputs = split_off(predictions)
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True).fit(others, targets, inputs)
    bad = spoil(inputs, what)
    for call in (
        lambda: clone(ensemble).fit(others, targets, bad),
        lambda: ensemble.predict(others, bad),
        lambda: ensemble.score(others, targets, bad),
    ):
        with pytest.raises(ValueError, match=MISTAKES[what]):
            call()


def test_inputs_that_are_missing_or_not_wanted_are_said():
    predictions, targets = images()
    others, inputs = split_off(predictions)
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    with pytest.raises(ValueError, match=r"inputs == None, must be .* include_input == True"):
        ensemble.fit(others, targets)
    with pytest.raises(ValueError, match="inputs has 3 images only, predictions has more"):
        ensemble.fit(others, targets, inputs[:3])
    with pytest.raises(ValueError, match="predictions has 3 images only, targets has more"):
        ensemble.fit(others[:3], targets, inputs[:3])
    with pytest.raises(ValueError, match=r"inputs is one array .* into a list"):
        ensemble.fit(others, targets, inputs[0])
    ensemble.fit(others, targets, inputs)
    with pytest.raises(ValueError, match="inputs == None"):
        ensemble.predict(others)
    with pytest.raises(ValueError, match="inputs has 2 images only, predictions has more"):
        ensemble.predict(others, inputs[:2])
    with pytest.raises(
        ValueError, match=r"Image 0: there are 3 models, must be 2, as those of the fit are"
    ):
        ensemble.predict(predictions, inputs)
    with pytest.raises(ValueError, match="inputs are given, but include_input == False"):
        ImageEnsemble(AverageRegressor()).fit(others, targets, inputs)


def test_an_input_on_another_scale_is_an_error():
    predictions, targets = images()
    others, inputs = split_off(predictions)
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True).fit(others, targets, inputs)
    with pytest.raises(ValueError, match="Image 0: the input has floats from 0 to 1"):
        ensemble.predict(others, [image / 255 for image in inputs])


# ---- folders


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "set")


def stacked_with_input(scenes):
    """Return what a reference set holds as arrays with the input as the last model."""
    inputs = [read_image(scenes.folder / "lq" / f"{name}.png") for name in scenes.names]
    pairs = zip(scenes.predictions, inputs, strict=True)
    return [np.concatenate([p, image[np.newaxis]]) for p, image in pairs]


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_inputs_of_a_folder_are_read_by_themselves(folder, regressor):
    scenes = ReferenceSet(folder)
    ensemble = ImageEnsemble(regressor, include_input=True)
    ensemble.fit(scenes.predictions, scenes.targets)
    plain = ImageEnsemble(regressor).fit(stacked_with_input(scenes), list(scenes.targets))
    assert ensemble.model_names_ == (*MODELS, "input")
    expected = plain.predict(stacked_with_input(scenes))
    assert_images_equal(ensemble.predict(scenes.predictions), expected)
    assert_images_equal(ensemble.predict(scenes.predictions, scenes.inputs), expected)
    assert_images_equal(ensemble.predict(scenes.predictions[1:]), expected[1:])
    passed_on = scenes.predictions.through(iter)
    assert_images_equal(ensemble.predict(passed_on), expected)


def test_inputs_are_read_one_scene_at_a_time(folder, monkeypatch):
    read, alive, most = [], [], 0

    def watched(path):
        nonlocal most
        image = read_image(path)
        alive.append(weakref.ref(image))
        most = max(most, sum(ref() is not None for ref in alive))
        read.append(f"{path.parent.name}/{path.stem}")
        return image

    truth = read_image(folder / "gt/9.png")
    for number in range(6):
        write_scene(folder, f"more {number}", dict.fromkeys((*MODELS, "gt", "lq"), truth))
    monkeypatch.setattr(reference_set, "read_image", watched)
    scenes = ReferenceSet(folder)
    ensemble = ImageEnsemble(EnsIRRegressor(64), include_input=True, per_channel=False)
    ensemble.fit(scenes.predictions, scenes.targets)
    assert sorted(read) == sorted(f"{p}/{n}" for p in (*MODELS, "gt", "lq") for n in scenes.names)
    assert most <= 2 * (len(MODELS) + 2)
    read.clear()
    ImageEnsemble(EnsIRRegressor(64)).fit(scenes.predictions, scenes.targets)
    assert not [name for name in read if name.startswith("lq")]


def test_inputs_are_those_of_the_sub_folder_named(folder):
    (folder / "lq").rename(folder / "verregnet")
    scenes = ReferenceSet(folder, input="verregnet")
    assert scenes.models == MODELS
    assert scenes.why_without_input() is None
    [image] = scenes.inputs[:1]
    assert_array_equal(image, read_image(folder / "verregnet/9.png"))
    unnamed = ReferenceSet(folder, MODELS)
    assert "has no sub-folder 'lq'" in unnamed.why_without_input()
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    with pytest.raises(ValueError, match=r"has no sub-folder 'lq' .* input=NAME says"):
        ensemble.fit(unnamed.predictions, unnamed.targets)


def test_a_scene_without_input_is_named(folder):
    (folder / "lq/10.png").unlink()
    scenes = ReferenceSet(folder)
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    message = r"lq has no image of the scene '10', of which there is .*alpha/10.png; add it, or"
    with pytest.raises(ValueError, match=message.replace("/", ".")):
        ensemble.fit(scenes.predictions, scenes.targets)
    assert "no image of the scene '10'" in scenes.why_without_input()
    first = scenes.subset(["9"])  # which needs no more than its own
    assert first.why_without_input() is None
    ensemble.fit(first.predictions, first.targets)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image[::2, ::2], "scene '10' the input is 18 x 22 x 3, but each"),
        (lambda image: image.astype(np.uint16), "scene '10' the input is of 16 bits, but the"),
    ],
)
def test_an_input_that_does_not_fit_is_named_with_its_scene(folder, change, words):
    write_image(folder / "lq/10.png", change(read_image(folder / "lq/10.png")))
    scenes = ReferenceSet(folder)
    assert words in scenes.why_without_input()
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    with pytest.raises(ValueError, match=r"Scene '10' \(.*gt.10.png\): the input .*include_input"):
        ensemble.fit(scenes.predictions, scenes.targets)


def test_inputs_are_cropped_as_the_outputs_are_and_do_not_crop_them(folder):
    image = read_image(folder / "lq/9.png")
    write_image(folder / "lq/9.png", np.pad(image, [(0, 5), (0, 3), (0, 0)]))
    write_image(folder / "beta/9.png", read_image(folder / "beta/9.png")[:-4, :-2])
    scenes = ReferenceSet(folder, crop=True)
    assert_array_equal(scenes.inputs[0], image[:-4, :-2])
    assert scenes.why_without_input() is None
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    [restored, _] = ensemble.fit(scenes.predictions, scenes.targets).predict(scenes.predictions)
    assert restored.shape == (36, 30, 3)
    write_image(folder / "lq/9.png", image[::4, ::4])
    scenes = ReferenceSet(folder, crop=True)
    assert scenes.predictions[0].shape == (3, 36, 30, 3)
    assert "is 10 x 8 x 3" in scenes.why_without_input()


def test_a_base_model_of_the_name_is_an_error(folder):
    (folder / "beta").rename(folder / "input")
    scenes = ReferenceSet(folder, ["alpha", "input", "gamma"])
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    with pytest.raises(ValueError, match=r"has the name 'input'.*rename"):
        ensemble.fit(scenes.predictions, scenes.targets)
    ensemble.set_params(include_input=False).fit(scenes.predictions, scenes.targets)


def test_models_in_another_order_are_an_error(folder):
    scenes, reordered = ReferenceSet(folder), ReferenceSet(folder, MODELS[::-1])
    ensemble = ImageEnsemble(AverageRegressor(), include_input=True)
    ensemble.fit(scenes.predictions, scenes.targets)
    with pytest.raises(
        ValueError, match=r"gamma, beta, alpha; .* fitted on alpha, beta, gamma, in"
    ):
        ensemble.predict(reordered.predictions)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_an_error_that_names_the_image(value):
    predictions, targets = images()
    predictions = [image.astype(np.float32) for image in predictions]
    inputs = [image.mean(axis=0) for image in predictions]
    ensemble = ImageEnsemble(include_input=True).fit(predictions, targets, inputs)
    inputs[1][2, 1, 0] = value
    calls = {
        "fit": (predictions, targets, inputs),
        "score": (predictions, targets, inputs),
        "predict": (predictions, inputs),
        "predict_weights": (predictions, inputs),
    }
    for name, arguments in calls.items():
        with pytest.raises(ValueError, match="Image 1: the input has 1 values that are not finite"):
            getattr(ensemble, name)(*arguments)
