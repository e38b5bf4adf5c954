"""Intervals of images: those of the regressors, channel by channel and image by image."""

import numpy as np
import pytest
from noisy_images import images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble

PLAIN = EnsIRRegressor(64, objective="squared_error")
SEARCH = EnsIRRegressorCV(cv=LeaveOneGroupOut())
OTHERS = ((20, 33), (28, 25))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("regressor", [PLAIN, SEARCH])
def test_intervals_are_those_of_regressors_calibrated_on_all_rows(regressor, per_channel):
    ensemble = ImageEnsemble(regressor, per_channel=per_channel).fit(*images())
    predictions, targets = images(OTHERS, seed=1)
    found = ensemble.calibrate(predictions, targets).predict_interval(predictions, coverage=0.8)
    by_hand = ImageEnsemble(regressor, per_channel=per_channel).fit(*images())
    for c, model in enumerate(by_hand.regressors_):
        own = slice(c, c + 1) if per_channel else slice(None)
        X = np.concatenate([p[..., own].reshape(3, -1).T for p in predictions])
        y = np.concatenate([t[..., own].ravel() for t in targets])
        expected = model.calibrate(X, y).predict_interval(X, 0.8)
        for ends, by_model in zip(found, expected, strict=True):
            flat = np.concatenate([image[..., own].ravel() for image in ends])
            assert_allclose(flat, by_model, rtol=1e-12)


@pytest.mark.parametrize("channel_axis", [-1, 0, None])
def test_intervals_have_the_shape_of_the_images_and_lie_about_the_prediction(channel_axis):
    predictions, targets = images(n_channels=None if channel_axis is None else 3)
    if channel_axis == 0:
        predictions = [np.moveaxis(p, -1, 1) for p in predictions]
        targets = [np.moveaxis(t, -1, 0) for t in targets]
    ensemble = ImageEnsemble(PLAIN, channel_axis=channel_axis).fit(predictions, targets)
    lower, upper = ensemble.calibrate(predictions, targets).predict_interval(predictions)
    middle = ensemble.predict(predictions)
    for low, high, image, target in zip(lower, upper, middle, targets, strict=True):
        assert low.shape == high.shape == target.shape
        assert_allclose((low + high) / 2, image)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(coverage):
    """On images of the same kind, that were neither fitted on nor calibrated with."""
    sizes = ((70, 60),) * 3
    ensemble = ImageEnsemble(PLAIN).fit(*images(sizes))
    ensemble.calibrate(*images(sizes, seed=1))
    searched = ImageEnsemble(SEARCH).fit(*images(sizes))  # which fit has calibrated
    predictions, targets = images(sizes, seed=2)
    for calibrated in (ensemble, searched):
        ends = zip(
            targets, *calibrated.predict_interval(predictions, coverage=coverage), strict=True
        )
        inside = [((low <= t) & (t <= high)).mean() for t, low, high in ends]
        assert np.mean(inside) == pytest.approx(coverage, abs=0.02)


def test_calibrating_anew_forgets_what_was_before():
    ensemble = ImageEnsemble(SEARCH).fit(*images())
    others = images(OTHERS, seed=1)
    ensemble.calibrate(*images(seed=3)).calibrate(*others)
    again = ImageEnsemble(SEARCH).fit(*images()).calibrate(*others)
    for one, other in zip(ensemble.regressors_, again.regressors_, strict=True):
        assert_array_equal(one.calibration_, other.calibration_)


def test_images_that_do_not_fit_leave_the_calibration_as_it_was():
    ensemble = ImageEnsemble(PLAIN).fit(*images()).calibrate(*images(seed=1))
    before = [model.calibration_ for model in ensemble.regressors_]
    predictions, targets = images(OTHERS, seed=2)
    with pytest.raises(ValueError, match="Image 1: each prediction is"):
        ensemble.calibrate(predictions, [targets[0], targets[1][:-1]])
    for model, calibration in zip(ensemble.regressors_, before, strict=True):
        assert_array_equal(model.calibration_, calibration)
    with pytest.raises(ValueError, match="at least one"):
        ensemble.calibrate([], [])


def test_the_input_is_one_more_model_here_too():
    predictions, targets = images()
    plain = ImageEnsemble(PLAIN).fit(predictions, targets).calibrate(predictions, targets)
    others, inputs = [p[:-1] for p in predictions], [p[-1] for p in predictions]
    ensemble = clone(plain).set_params(include_input=True).fit(others, targets, inputs)
    ensemble.calibrate(others, targets, inputs)
    expected = plain.predict_interval(predictions)
    for ends, of_plain in zip(
        ensemble.predict_interval(others, inputs=inputs), expected, strict=True
    ):
        for one, other in zip(ends, of_plain, strict=True):
            assert_array_equal(one, other)


def test_intervals_are_there_where_the_regressor_has_them():
    for method in ("calibrate", "predict_interval"):
        assert hasattr(ImageEnsemble(), method)
        assert not hasattr(ImageEnsemble(LinearRegression()), method)


def test_intervals_need_a_calibration():
    predictions, targets = images()
    with pytest.raises(ValueError, match="not calibrated"):
        ImageEnsemble(PLAIN).fit(predictions, targets).predict_interval(predictions)
