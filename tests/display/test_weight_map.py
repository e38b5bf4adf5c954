"""The maps show the weights of each pixel."""

import naive
import numpy as np
import pandas as pd
import pytest
from display_cases import COLOR, GREY, MODEL, NAMES, SEARCH, X, Y, predictions
from matplotlib.colors import to_rgba
from noisy_images import images
from sklearn.base import BaseEstimator

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import ZZPMRegressor
from skensir.display import WeightMapDisplay
from skensir.image import ImageEnsemble


def shown(images):
    return np.array([image.get_array() for image in images])


def naive_weight_maps(model, stack):
    """Ask for the weights of one pixel of one channel at a time."""
    n_models, height, width = stack.shape[:3]
    channels = stack.reshape(n_models, height, width, -1)
    maps = np.zeros((n_models, height, width))
    for row in range(height):
        for column in range(width):
            weights = [
                model.predict_weights(channels[:, row, column, channel][None])[0]
                for channel in range(channels.shape[3])
            ]
            maps[:, row, column] = np.mean(weights, axis=0)
    return maps


class Ensemble(BaseEstimator):
    """An ensemble of images, as the display sees it."""

    model_names_ = tuple(NAMES)

    def __init__(self, regressor, channel_axis):
        self.regressors_ = [regressor]
        self.channel_axis = channel_axis

    def fit(self):
        """Make it an estimator."""

    def predict_weights(self, predictions):
        [stack] = predictions
        weights = self.regressors_[0].predict_weights(stack.reshape(len(stack), -1).T)
        return [weights.T.reshape(stack.shape)]


@pytest.mark.parametrize("shape", [COLOR, GREY])
def test_weight_maps_show_the_weights_of_each_pixel(pyplot, shape):
    stack = predictions(shape)
    display = WeightMapDisplay.from_estimator(MODEL, stack, most_trusted=True)
    expected = naive_weight_maps(MODEL, stack)
    np.testing.assert_allclose(shown(display.images_), expected, atol=1e-12)
    np.testing.assert_array_equal(display.most_trusted_.get_array(), expected.argmax(axis=0))
    assert all(image.get_clim() == (0, 1) for image in display.images_)
    titles = [axis.get_title() for axis in display.axes_[:3]]
    assert titles == [f"model {m}\nmean {expected[m].mean():.2f}" for m in range(3)]


@pytest.mark.parametrize("axes", ["auto", "summary", ["deviations", "summary"]])
def test_weight_maps_of_searches_show_what_they_average(pyplot, axes):
    model = EnsIRRegressorCV([32.0], axes=axes, select="average", cv=3).fit(X, Y)
    stack = predictions(GREY)
    display = WeightMapDisplay.from_estimator(model, stack, most_trusted=True)
    np.testing.assert_allclose(display.weights, naive_weight_maps(model, stack), atol=1e-12)


def test_weight_maps_of_a_regressor_whose_weights_are_those_of_a_whole_image(pyplot):
    stack = predictions(COLOR)
    expected = naive.zzpm_weights(stack.reshape(3, -1).T)
    display = WeightMapDisplay.from_estimator(ZZPMRegressor().fit(X, Y), stack)
    for image, weight in zip(display.images_, expected, strict=True):
        np.testing.assert_allclose(image.get_array(), weight)


@pytest.mark.parametrize(("channel_axis", "end"), [(-1, -1), (2, -1), (0, 1), (-3, 1), (1, 2)])
def test_weight_maps_of_an_ensemble_average_over_its_channels(pyplot, channel_axis, end):
    stack = predictions(COLOR)
    moved = np.moveaxis(stack, -1, end)
    display = WeightMapDisplay.from_estimator(Ensemble(MODEL, channel_axis), moved)
    expected = naive_weight_maps(MODEL, stack)
    np.testing.assert_allclose(shown(display.images_), expected, atol=1e-12)
    assert display.model_names == NAMES


def test_colours_of_frames_name_the_most_trusted_model(pyplot):
    weights = np.zeros(GREY)
    weights[1] = 1
    display = WeightMapDisplay(weights, model_names=NAMES).plot(most_trusted=True)
    image = display.most_trusted_
    colors = {tuple(color) for color in image.to_rgba(image.get_array()).reshape(-1, 4)}
    frames = [to_rgba(axis.spines["left"].get_edgecolor()) for axis in display.axes_[:3]]
    assert colors == {frames[1]}
    assert len(set(frames)) == 3


def test_models_of_a_data_frame_keep_their_names_without_a_warning(pyplot):
    model = EnsIRRegressor(64.0).fit(pd.DataFrame(X, columns=NAMES), Y)
    display = WeightMapDisplay.from_estimator(model, predictions(GREY))
    assert [axis.get_title().split("\n")[0] for axis in display.axes_] == NAMES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"predictions": predictions((3, 5))}, r"predictions has shape \(3, 5\)"),
        ({"predictions": predictions((2, 5, 5))}, "2 features"),
        ({"model_names": ["a", "b"]}, "model_names.*3 names"),
        ({"model_names": "abc"}, "model_names.*3 names"),
        ({"estimator": SEARCH.cv_results_}, "predict_weights.*best_estimator_"),
    ],
)
def test_bad_input_of_weight_maps(pyplot, arguments, words):
    arguments = {"estimator": MODEL, "predictions": predictions(GREY), **arguments}
    with pytest.raises(ValueError, match=words):
        WeightMapDisplay.from_estimator(**arguments)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("weights", [np.ones((3, 4)), np.ones((3, 4, 4, 3)), np.ones((0, 4, 4))])
def test_weights_of_another_shape_are_no_maps(pyplot, weights):
    with pytest.raises(ValueError, match="weights has shape"):
        WeightMapDisplay(weights).plot()


def test_the_input_of_an_ensemble_is_the_last_model():
    stack, target = images(sizes=[(24, 30)])
    regressor = EnsIRRegressor(64, objective="squared_error")
    plain = ImageEnsemble(regressor).fit(stack, target)
    ensemble = ImageEnsemble(regressor, include_input=True)
    ensemble.fit([stack[0][:-1]], target, [stack[0][-1]])
    display = WeightMapDisplay.from_estimator(ensemble, stack[0])
    expected = WeightMapDisplay.from_estimator(plain, stack[0])
    np.testing.assert_array_equal(display.weights, expected.weights)
