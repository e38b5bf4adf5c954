"""Images as tensors of PyTorch, channels first, and values from 0 to 1."""

import numpy as np
import pytest
from noisy_images import images
from numpy.testing import assert_allclose, assert_array_equal

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor
from skensir.image import ImageEnsemble, peak_signal_noise_ratio, structural_similarity
from skensir.persistence import load_table, save_table

PLAIN = EnsIRRegressor(objective="squared_error")


class Tensor:
    """A stand-in for a tensor of PyTorch: NumPy can read it only on the CPU and without gradient.

    It has the methods and the errors of torch 2.13 that matter here.
    """

    def __init__(self, values, *, device="cpu", requires_grad=False, dtype=None):
        self.values, self.device, self.requires_grad = values, device, requires_grad
        self.dtype = f"torch.{dtype or values.dtype}"

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return Tensor(self.values[index], device=self.device, requires_grad=self.requires_grad)

    def detach(self):
        return Tensor(self.values, device=self.device, dtype=self.dtype[6:])

    def cpu(self):
        return Tensor(self.values, requires_grad=self.requires_grad, dtype=self.dtype[6:])

    def float(self):
        return Tensor(self.values.astype(np.float32), device=self.device)

    def __array__(self, dtype=None, copy=None):
        if self.device != "cpu":
            raise TypeError(f"can't convert {self.device} device type tensor to numpy.")
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values if dtype is None else self.values.astype(dtype)


KINDS = {
    "plain": {},
    "with gradient": {"requires_grad": True},
    "on a device": {"device": "cuda:0"},
    "both": {"device": "mps:0", "requires_grad": True},
    "of bfloat16": {"dtype": "bfloat16"},
}


def channels_first(predictions, targets):
    """Return the images as networks give them: float32 from 0 to 1, (channels, height, width)."""
    predictions = [np.moveaxis(p, -1, 1).astype(np.float32) / 255 for p in predictions]
    return predictions, [np.moveaxis(t, -1, 0).astype(np.float32) / 255 for t in targets]


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_give_what_arrays_give(kind):
    predictions, targets = channels_first(*images())
    inputs = [prediction[0] for prediction in predictions]

    def tensors(part):
        return [Tensor(image, **KINDS[kind]) for image in part]

    def use(predictions, targets, inputs):
        ensemble = ImageEnsemble(PLAIN, channel_axis=0, include_input=True)
        ensemble.fit(predictions, targets, inputs).calibrate(predictions, targets, inputs)
        yield from ensemble.predict(predictions, inputs)
        yield from ensemble.predict_weights(predictions, inputs)
        for ends in ensemble.predict_interval(predictions, inputs):
            yield from ends
        yield ensemble.score(predictions, targets, inputs)

    expected = list(use(predictions, targets, inputs))
    found = use(tensors(predictions), tensors(targets), tensors(inputs))
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)
    # One tensor per model, as a loop over networks gives them.
    lists = [tensors(stack) for stack in predictions]
    for one, other in zip(use(lists, targets, inputs), expected, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compare", [peak_signal_noise_ratio, structural_similarity])
def test_measures_read_tensors(compare, kind):
    _, targets = images()
    target = targets[0].astype(np.float32)
    image = target + np.float32(3)
    tensors = [Tensor(part, **KINDS[kind]) for part in (target, image)]
    assert compare(*tensors) == compare(target, image)


def test_one_batch_is_a_sequence_of_images_and_one_image_is_not():
    predictions, targets = channels_first(*images(((60, 50),) * 2))
    ensemble = ImageEnsemble(PLAIN, channel_axis=0).fit(predictions, targets)
    batch = Tensor(np.stack(predictions), requires_grad=True)
    for one, other in zip(ensemble.predict(batch), ensemble.predict(predictions), strict=True):
        assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"one array of shape \(3, 3, 60, 50\), must be a seq"):
        ensemble.predict(Tensor(predictions[0], device="cuda:0"))


def test_what_numpy_cannot_read_is_said_with_its_image():
    class Elsewhere:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    predictions, targets = images()
    message = "Image 1: predictions: a Elsewhere, which NumPy cannot read: Implicit conversion"
    with pytest.raises(ValueError, match=message):
        ImageEnsemble(PLAIN).fit([predictions[0], Elsewhere()], targets[:2])


# ---- the axis of the channels


@pytest.mark.parametrize("axis", [0, -3, -1, 2])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_rows_and_columns_are_not_taken_for_channels(axis, n_channels):
    predictions, targets = images(((40, 50),), n_channels=n_channels)
    if axis in (-1, 2):
        predictions, targets = channels_first(predictions, targets)
    asked, taken, right = (-1, 50, 0) if axis in (-1, 2) else (0, 40, -1)
    message = rf"channel_axis={asked} takes {taken} for .*; it is {n_channels} with .*={right}\.$"
    with pytest.raises(ValueError, match=message):
        ImageEnsemble(PLAIN, channel_axis=axis).fit(predictions, targets)


def test_small_images_with_channels_elsewhere_than_in_fit_are_told_of():
    predictions, targets = images(((20, 24),))
    ensemble = ImageEnsemble(AverageRegressor()).fit(predictions, targets)
    with pytest.raises(ValueError, match=r"channel_axis=-1 takes 24 for .*; it is 3 with .*=0"):
        ensemble.predict(channels_first(predictions, targets)[0])


def test_many_channels_are_fine():
    predictions, targets = images(((6, 5),), n_models=2, n_channels=40)
    assert ImageEnsemble(AverageRegressor()).fit(predictions, targets).n_channels_ == 40


# ---- values from 0 to 1


@pytest.mark.parametrize("data_range", ["auto", 1.0])
@pytest.mark.parametrize("make", [EnsIRRegressor, EnsIRRegressorCV])
def test_values_from_0_to_1_give_what_8_bits_give(tmp_path, make, data_range):
    whole = images()
    small = channels_first(*whole)
    ensemble = ImageEnsemble(make(data_range=data_range), channel_axis=0).fit(*small)
    expected = ImageEnsemble(make()).fit(*whole)
    save_table(ensemble, tmp_path / "table")
    for fitted in (ensemble, load_table(tmp_path / "table")):
        # In 8 bits a bin ends between two values, so that rounding moves a few pixels.
        assert fitted.score(*small) == pytest.approx(expected.score(*whole), abs=0.02)
        assert max(image.max() for image in fitted.predict(small[0])) < 1.5


@pytest.mark.parametrize("regressor", [AverageRegressor(), PLAIN])
def test_the_peak_of_values_from_0_to_1_is_one(regressor):
    whole = images()
    small = channels_first(*whole)
    ensemble = ImageEnsemble(regressor, channel_axis=0).fit(*small)
    combined = ensemble.predict(small[0])
    errors = [np.mean((c.astype(float) - t) ** 2) for c, t in zip(combined, small[1], strict=True)]
    assert_allclose(ensemble.score(*small), np.mean(-10 * np.log10(errors)))


def test_the_peak_of_floats_is_that_which_the_regressor_was_told():
    predictions, targets = ([image * 0.4 for image in part] for part in images())
    ensemble = ImageEnsemble(EnsIRRegressor(data_range=102)).fit(predictions, targets)
    combined = ensemble.predict(predictions)
    errors = [np.mean((c - t) ** 2) / 102**2 for c, t in zip(combined, targets, strict=True)]
    assert_allclose(ensemble.score(predictions, targets), np.mean(-10 * np.log10(errors)))


def test_the_peak_of_float_truth_is_that_of_16_bit_predictions():
    predictions, targets = images(dtype=np.uint16)
    floats = [target.astype(np.float64) for target in targets]
    ensemble = ImageEnsemble(PLAIN).fit(predictions, targets)
    assert ensemble.score(predictions, floats) == ensemble.score(predictions, targets)


@pytest.mark.parametrize("data_range", ["auto", 1.0])
def test_whole_numbers_are_no_values_from_0_to_1(data_range):
    whole = images()
    small = [[image / 255 for image in part] for part in whole]
    ensemble = ImageEnsemble(EnsIRRegressor(data_range=data_range)).fit(*small)
    message = r"Image 0 has values up to 255, but values up to about (1|0\.996094) are expected"
    with pytest.raises(ValueError, match=message):
        ensemble.predict(whole[0])
    if data_range == 1.0:
        with pytest.raises(ValueError, match=message):
            ImageEnsemble(EnsIRRegressor(data_range=1.0)).fit(*whole)


def test_bright_images_are_fine_after_dark_ones():
    dark = [[image / 255 / 50 for image in part] for part in images()]
    bright = [image / 255 for image in images(seed=1)[0]]
    for image in ImageEnsemble(PLAIN).fit(*dark).predict(bright):
        assert 0.9 < image.max() < 1.1
