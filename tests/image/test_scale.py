"""Images from 0 to 1 beside images in whole numbers are an error, and so is None for an image."""

import numpy as np
import pytest
from noisy_images import images

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble, fit_and_hold_out, peak_signal_noise_ratio

PLAIN = EnsIRRegressor(objective="squared_error")


def in_whole_numbers(dtype):
    """Return predictions, targets and inputs."""
    predictions, targets = images(dtype=dtype)
    return predictions, targets, [prediction[0] for prediction in predictions]


def from_0_to_1(part):
    return [image / np.iinfo(image.dtype).max for image in part]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("place", "named"),
    [(0, "Image 0 has"), (1, "Image 0: the target has"), (2, "Image 0: the input has")],
)
def test_a_part_on_another_scale_than_the_others_is_an_error(place, named, dtype):
    whole = in_whole_numbers(dtype)
    mixed = [from_0_to_1(part) if number == place else part for number, part in enumerate(whole)]
    peak = np.iinfo(dtype).max
    message = rf"^{named} floats from 0 to 1; .* from 0 to {peak}, so multiply them by {peak}\.$"
    fitted = ImageEnsemble(PLAIN, include_input=True).fit(*whole)
    before = fitted.predict(whole[0], whole[2])
    for call in (ImageEnsemble(PLAIN, include_input=True).fit, fitted.calibrate, fitted.score):
        with pytest.raises(ValueError, match=message):
            call(*mixed)
    np.testing.assert_array_equal(fitted.predict(whole[0], whole[2])[0], before[0])


def test_images_from_minus_1_to_1_are_not_said_to_be_from_0_to_1():
    predictions, targets, _ = in_whole_numbers("uint8")
    fitted = ImageEnsemble(PLAIN).fit(predictions, targets)
    with pytest.raises(ValueError, match=r"has floats from -\S+ to \S+; .* to that scale\.$"):
        fitted.predict([image / 127.5 - 1 for image in predictions])


def test_all_on_one_scale_is_fine_whatever_the_scale():
    predictions, targets, inputs = map(from_0_to_1, in_whole_numbers("uint8"))
    fitted = ImageEnsemble(PLAIN, include_input=True).fit(predictions, targets, inputs)
    assert fitted.predict(predictions, inputs)[0].max() < 1.5


def test_none_is_no_image_and_no_images():
    predictions, targets, _ = in_whole_numbers("uint8")
    fitted = ImageEnsemble(PLAIN).fit(predictions, targets)
    for call in (ImageEnsemble(PLAIN).fit, fitted.calibrate, fitted.score):
        with pytest.raises(TypeError, match=r"^targets == None, must be a sequence"):
            call(predictions, None)
        with pytest.raises(TypeError, match=r"^predictions == None, must be a sequence"):
            call(None, targets)
        with pytest.raises(ValueError, match=r"^targets has None at 1, must have an image"):
            call(predictions, [targets[0], None, *targets[2:]])
    with pytest.raises(ValueError, match=r"^predictions has None at 0, must have an image"):
        fitted.predict([None])
    with pytest.raises(TypeError, match=r"^predictions == None"):
        fitted.predict(None)


def flat_images(lowest, seed=0):
    """Make grey floats in a range of four, and what two models give."""
    rng = np.random.default_rng(seed)
    targets = [rng.uniform(lowest, lowest + 4, (40, 30)).astype("f4") for _ in range(3)]
    noise = [np.stack([rng.normal(0, s, (40, 30)).astype("f4") for s in (0.5, 1)]) for _ in targets]
    return [t + n for t, n in zip(targets, noise, strict=True)], targets


@pytest.mark.filterwarnings("ignore:Most rows|Settings are|On held-out")
@pytest.mark.parametrize("lowest", [0, 120, 130, 60000])
@pytest.mark.parametrize("regressor", [PLAIN, EnsIRRegressorCV()], ids=["plain", "search"])
def test_images_of_low_contrast_are_on_the_scale_of_their_values(regressor, lowest):
    predictions, targets = flat_images(lowest)
    ensemble = ImageEnsemble(regressor, channel_axis=None)
    worth = fit_and_hold_out(ensemble, predictions, targets)
    base = [
        [peak_signal_noise_ratio(t, m, data_range=255) for m in p]
        for p, t in zip(predictions, targets, strict=True)
    ]
    np.testing.assert_allclose(
        np.sort(worth.base_models, axis=1), np.sort(base, axis=0).T, rtol=1e-6
    )
    assert len(ensemble.predict(predictions)) == 3
    best = peak_signal_noise_ratio(targets[0], ensemble.predict(predictions[:1])[0], data_range=255)
    assert ensemble.score(predictions[:1], targets[:1]) == pytest.approx(best)


@pytest.mark.filterwarnings("ignore:Most rows")
def test_a_black_image_before_others_does_not_make_these_too_bright():
    predictions, targets = images()
    targets = [target.astype("f4") for target in targets]
    predictions = [prediction.astype("f4") for prediction in predictions]
    targets[0] /= 255
    predictions[0] /= 255
    with pytest.warns(UserWarning, match="range"):
        fitted = ImageEnsemble(PLAIN).fit(predictions, targets)
    assert fitted.score(predictions[1:], targets[1:]) > 20
