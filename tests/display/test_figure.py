"""What all displays do alike: the axes they are given, panels, titles, errors in use."""

import sys

import numpy as np
import pytest
from display_cases import GREY, MODEL, SEARCH, X, Y, predictions
from sklearn.exceptions import NotFittedError

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.display import BinWidthDisplay, CellDisplay, ErrorMapDisplay, WeightMapDisplay

# How many axes each display needs, and how it is made from an estimator or data.
SINGLE = {
    "cell": lambda ax: CellDisplay.from_estimator(MODEL, X, Y, ax=ax),
    "bin width": lambda ax: BinWidthDisplay.from_estimator(SEARCH, ax=ax),
    "cv_results": lambda ax: BinWidthDisplay.from_cv_results(SEARCH.cv_results_, ax=ax),
}
PANELS = {
    "weights": (3, lambda ax: WeightMapDisplay.from_estimator(MODEL, predictions(GREY), ax=ax)),
    "most trusted": (
        4,
        lambda ax: WeightMapDisplay.from_estimator(
            MODEL, predictions(GREY), most_trusted=True, ax=ax
        ),
    ),
    "errors": (
        2,
        lambda ax: ErrorMapDisplay.from_predictions(
            predictions((9, 9)), {n: predictions((9, 9), n) for n in (1, 2)}, ax=ax
        ),
    ),
}


@pytest.mark.parametrize("name", SINGLE)
def test_plot_uses_the_axes_it_is_given(pyplot, name):
    figure, ax = pyplot.subplots()
    display = SINGLE[name](ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert display.plot(ax) is display
    assert pyplot.get_fignums() == [figure.number]
    own = display.plot()
    assert own is display
    assert own.figure_ is not figure
    own.figure_.canvas.draw()


@pytest.mark.parametrize("name", PANELS)
def test_panels_stand_in_the_place_of_one_axes(pyplot, name):
    n_panels, make = PANELS[name]
    figure, (left, right) = pyplot.subplots(1, 2)
    display = make(right)
    assert (display.bounding_ax_, display.figure_) == (right, figure)
    assert not right.axison
    assert pyplot.get_fignums() == [figure.number]
    assert display.axes_.shape == (n_panels,)
    edge = left.get_position().x1
    assert all(axis.get_position().x0 > edge for axis in display.axes_)
    with pytest.raises(ValueError, match="axes_"):
        display.plot(right)
    figure.canvas.draw()


@pytest.mark.parametrize("name", PANELS)
def test_panels_use_the_axes_they_are_given(pyplot, name):
    n_panels, make = PANELS[name]
    figure, axes = pyplot.subplots(1, n_panels)
    display = make(axes)
    assert list(display.axes_) == list(axes)
    assert display.bounding_ax_ is None
    assert pyplot.get_fignums() == [figure.number]
    assert all(axis.images for axis in axes)
    with pytest.raises(ValueError, match=f"5 axes, must be one or {n_panels}"):
        make(pyplot.subplots(5)[1])
    with pytest.raises(ValueError, match=f"no place in a grid.*{n_panels} axes"):
        make(figure.add_axes((0, 0, 0.1, 0.1)))


@pytest.mark.parametrize("name", PANELS)
def test_panels_make_a_figure_with_a_panel_per_image(pyplot, name):
    n_panels, make = PANELS[name]
    display = make(None)
    assert len(display.axes_) == n_panels
    assert len(display.figure_.axes) == n_panels + 1  # and the colour bar
    assert pyplot.get_fignums() == [display.figure_.number]


@pytest.mark.parametrize("shape", [(40, 60), (20, 90), (90, 20), (40, 40)])
@pytest.mark.parametrize("n_models", [2, 3, 6])
def test_titles_do_not_overlap(pyplot, n_models, shape):
    weights = np.full((n_models, *shape), 1 / n_models)
    names = ["Restormer_deraining_finetuned", "non-local means, Richardson-Lucy"] * 3
    display = WeightMapDisplay(weights, model_names=names[:n_models]).plot(most_trusted=True)
    display.figure_.canvas.draw()
    boxes = [axis.title.get_window_extent() for axis in display.axes_]
    boxes += [axis.get_window_extent() for axis in display.axes_]
    width, height = display.figure_.canvas.get_width_height()
    for i, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("name", [*SINGLE, *PANELS])
def test_missing_matplotlib_is_an_error_that_says_what_to_install(monkeypatch, name):
    make = SINGLE[name] if name in SINGLE else PANELS[name][1]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    words = r'^\w+Display\.from_\w+ needs matplotlib, .* pip install "skensir\[plot\]"\.$'
    with pytest.raises(ImportError, match=words):
        make(None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: WeightMapDisplay.from_estimator(EnsIRRegressor(), predictions(GREY)),
        lambda: CellDisplay.from_estimator(EnsIRRegressor(), X, Y),
        lambda: BinWidthDisplay.from_estimator(EnsIRRegressorCV()),
    ],
)
def test_estimators_must_be_fitted(make):
    with pytest.raises(NotFittedError):
        make()
