"""The displays show what they say, on the axes they are given."""

import sys

import matplotlib as mpl
import naive
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from scipy.stats import norm, sem
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import ZZPMRegressor
from skensir.display import BinWidthDisplay, CellDisplay, ErrorMapDisplay, WeightMapDisplay

mpl.use("Agg")

NAMES = ["dark", "middle", "light"]
COLOR = (3, 12, 17, 3)
GREY = (3, 12, 17)


@pytest.fixture
def pyplot():
    """Start and end without figures."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")


def stacked(n_rows=6000, seed=0):
    """Return predictions of three models, each best at other values of the truth."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    level = 2 + 14 * np.abs(y[:, None] / 255 - [0, 0.5, 1])
    X = np.rint(y[:, None] + level * rng.standard_normal((n_rows, 3)))
    return np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8)


X, Y = stacked()
MODEL = EnsIRRegressor(64.0).fit(X, Y)
LEAST_SQUARES = EnsIRRegressor(64.0, objective="squared_error").fit(X, Y)
SEARCH = EnsIRRegressorCV(
    [16, 64, 256], shrinkages=[0, 1000], objectives=["squared_error", "likelihood"], cv=4
).fit(X, Y)


def predictions(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


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


@pytest.mark.parametrize("sample_weight", [None, "random"])
@pytest.mark.parametrize("number", [0, 3, -1])
def test_histogram_holds_the_truth_of_the_rows_in_the_cell(pyplot, number, sample_weight):
    if sample_weight is not None:
        sample_weight = np.random.default_rng(1).integers(0, 3, len(Y)).astype(float)
    cell = tuple(MODEL.cells_[number].tolist())
    display = CellDisplay.from_estimator(MODEL, X, Y, cell=cell, sample_weight=sample_weight)
    rows = naive.rows_of_cells(X, 64.0)[cell]
    shares = None if sample_weight is None else sample_weight[rows]
    counts, edges = np.histogram(Y[rows], display.edges, weights=shares)
    np.testing.assert_array_equal(display.counts, counts)
    assert counts.sum() == (len(rows) if shares is None else shares.sum())  # no row is left out
    values, shown_edges, _ = display.histogram_.get_data()
    np.testing.assert_allclose(values, counts / counts.sum() / np.diff(edges))
    np.testing.assert_array_equal(shown_edges, edges)
    np.testing.assert_array_equal(edges % 1, 0.5)  # whole numbers lie inside of the bars
    title = display.ax_.get_title()
    for part in (str(cell), "width 64", f"{counts.sum():,.10g} rows", display.origin):
        assert part in title


def test_truth_that_is_not_whole_fills_the_histogram(pyplot):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 1, 4000)
    stack = y[:, None] + rng.normal(scale=0.05, size=(4000, 2))
    model = EnsIRRegressor(0.25).fit(stack, y)
    display = CellDisplay.from_estimator(model, stack, y, cell=(1, 1))
    rows = naive.rows_of_cells(stack, 0.25)[(1, 1)]
    assert np.sum(display.counts) == len(rows)
    assert (display.edges[0], display.edges[-1]) == (y[rows].min(), y[rows].max())


def test_mixture_lies_over_the_histogram(pyplot):
    display = CellDisplay.from_estimator(MODEL, X, Y, model_names=NAMES)
    number = np.argmax([len(rows) for rows in naive.rows_of_cells(X, 64.0).values()])
    assert display.cell == tuple(MODEL.cells_[number].tolist())
    total = 0
    for m, line in enumerate(display.lines_):
        values, density = line.get_data()
        expected = MODEL.weights_[number, m] * norm(
            MODEL.means_[number, m], np.sqrt(MODEL.variances_[number, m])
        ).pdf(values)
        np.testing.assert_allclose(density, expected)
        assert f"{NAMES[m]}, weight {MODEL.weights_[number, m]:.2f}" == line.get_label()
        assert MODEL.means_[number, m] in values
        total = total + expected
    np.testing.assert_allclose(display.mixture_.get_ydata(), total)


@pytest.mark.parametrize("model", [LEAST_SQUARES, MODEL])
def test_cells_without_a_mixture_show_the_means(pyplot, model):
    number = 0
    if model is MODEL:
        number = np.flatnonzero(model.cell_origin_ == "thin")[0]
    display = CellDisplay.from_estimator(model, X, Y, cell=model.cells_[number])
    assert display.mixture_ is None
    means = [line.get_xdata() for line in display.lines_]
    np.testing.assert_allclose(means, np.tile(model.means_[number], (2, 1)).T)


def test_a_narrow_component_does_not_flatten_the_histogram(pyplot):
    display = CellDisplay(
        counts=[10, 10],
        edges=[0, 1, 2],
        cell=(0, 0),
        bin_width=2,
        origin="fitted",
        means=[0.3, 1],
        weights=[0.5, 0.5],
        variances=[1e-12, 1],
    ).plot()
    assert 0.5 < display.ax_.get_ylim()[1] < 1
    assert display.lines_[0].get_ydata().max() > 1e5


def test_rows_beyond_the_bins_belong_to_the_end_bins(pyplot):
    y = np.repeat([10.0, 100.0], 200)
    stack = np.column_stack([y, y])
    model = EnsIRRegressor(64.0).fit(stack, y)
    outside = np.array([[-500.0, 20.0], [20.0, 900.0], [700.0, 300.0]])
    display = CellDisplay.from_estimator(model, outside, [1.0, 2.0, 3.0], cell=(0, 0))
    assert display.counts.sum() == 1
    # Its weights are those of the look-up.
    display = CellDisplay.from_estimator(model, outside, [1.0, 2.0, 3.0], cell=(1, 1))
    assert display.counts.sum() == 1


def test_cells_of_a_search_are_those_of_its_best_estimator(pyplot):
    display = CellDisplay.from_estimator(SEARCH, X, Y)
    assert display.bin_width == SEARCH.bin_width_


def best_of(results, **fixed):
    """Return the number of the best candidate that has some parameters."""
    matching = [
        i
        for i, params in enumerate(results["params"])
        if all(params[name] == value for name, value in fixed.items())
    ]
    return max(matching, key=lambda i: results["mean_test_score"][i])


@pytest.mark.parametrize("by", [None, "objective", "shrinkage"])
def test_lines_show_the_best_score_at_each_bin_width(pyplot, by):
    results = SEARCH.cv_results_
    display = BinWidthDisplay.from_estimator(SEARCH, by=by)
    values = {params.get(by) for params in results["params"]}
    assert len(display.lines_) == len(display.bands_) == len(values)
    splits = np.array([results[f"split{j}_test_score"] for j in range(4)])
    shown_at = {line.get_label(): n for n, line in enumerate(display.lines_)}
    for value in values:
        number = 0 if by is None else shown_at[f"{by} = {value}"]
        fixed = {} if by is None else {by: value}
        best = [best_of(results, bin_width=width, **fixed) for width in (16, 64, 256)]
        line = display.lines_[number]
        np.testing.assert_array_equal(line.get_xdata(), [16, 64, 256])
        np.testing.assert_allclose(line.get_ydata(), results["mean_test_score"][best])
        errors = [sem(splits[:, i] - splits[:, SEARCH.best_index_]) for i in best]
        [band] = display.bands_[number].get_paths()
        ends = [band.vertices[band.vertices[:, 0] == width, 1] for width in (16, 64, 256)]
        np.testing.assert_allclose([end.max() for end in ends], line.get_ydata() + errors)
        np.testing.assert_allclose([end.min() for end in ends], line.get_ydata() - errors)
    [[x], [y]] = display.chosen_.get_data()
    assert (x, y) == (SEARCH.bin_width_, SEARCH.best_score_)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["16", "64", "256"]
    assert display.ax_.xaxis.get_transform().base == 2


@pytest.mark.parametrize("as_frame", [False, True])
def test_bin_widths_of_a_pipeline_in_a_grid_search(pyplot, as_frame):
    pipeline = make_pipeline(FunctionTransformer(), EnsIRRegressor())
    search = GridSearchCV(pipeline, {"ensirregressor__bin_width": [128, 32]}, cv=2).fit(X, Y)
    results = pd.DataFrame(search.cv_results_) if as_frame else search.cv_results_
    display = BinWidthDisplay.from_cv_results(results, score_name="R²")
    np.testing.assert_array_equal(display.bin_widths, [32, 128])
    [line] = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), search.cv_results_["mean_test_score"][::-1])
    assert display.chosen == (search.best_params_["ensirregressor__bin_width"], search.best_score_)
    assert display.ax_.get_ylabel() == "R²"


def test_one_of_several_scores_is_shown(pyplot):
    scoring = ["r2", "neg_mean_absolute_error"]
    grid = {"bin_width": [32, 128]}
    search = GridSearchCV(EnsIRRegressor(), grid, scoring=scoring, refit="r2", cv=2).fit(X, Y)
    display = BinWidthDisplay.from_estimator(search, metric="neg_mean_absolute_error")
    expected = search.cv_results_["mean_test_neg_mean_absolute_error"]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), expected)
    with pytest.raises(ValueError, match="'r2', 'neg_mean_absolute_error'"):
        BinWidthDisplay.from_estimator(search)


def test_candidates_without_bin_width_or_score_are_left_out(pyplot):
    results = {
        "params": [{"bin_width": 8}, {"other": 1}, {"bin_width": 16}, {"bin_width": 4}],
        "mean_test_score": np.array([1.0, 9.0, 2.0, np.nan]),
    }
    display = BinWidthDisplay.from_cv_results(results)
    np.testing.assert_array_equal(display.bin_widths, [8, 16])
    assert display.chosen == (16, 2)
    assert display.bands_ == []  # a single split has no standard error


@pytest.mark.parametrize("shape", [(12, 17, 3), (12, 17)])
def test_error_maps_show_absolute_errors(pyplot, shape):
    target = predictions(shape)
    images = {"first": predictions(shape, 1), "second": target + 0.25}
    display = ErrorMapDisplay.from_predictions(target, images)
    for name, image in zip(images, display.images_, strict=True):
        squares, error = 0.0, np.zeros(shape[:2])
        for place in np.ndindex(shape):
            difference = float(images[name][place]) - float(target[place])
            squares += difference**2
            error[place[:2]] += abs(difference) * error.size / target.size
        np.testing.assert_allclose(image.get_array(), error)
        psnr = 10 * np.log10(255**2 / (squares / target.size))
        assert display.axes_[list(images).index(name)].get_title() == f"{name}\n{psnr:.2f} dB"
    assert len({image.get_clim() for image in display.images_}) == 1


def test_psnr_of_other_data_ranges(pyplot):
    target = predictions((12, 17))
    images = {"image": predictions((12, 17), 1)}
    [expected] = ErrorMapDisplay.from_predictions(target, images).psnr.values()
    scaled = {"image": images["image"].astype(np.uint16) * 257}
    of_16_bits = ErrorMapDisplay.from_predictions(target.astype(np.uint16) * 257, scaled)
    assert of_16_bits.psnr["image"] == pytest.approx(expected)
    unit = {"image": images["image"] / 255}
    of_unit = ErrorMapDisplay.from_predictions(target / 255, unit, data_range=1)
    assert of_unit.psnr["image"] == pytest.approx(expected)


def test_images_without_error_are_plotted(pyplot):
    display = ErrorMapDisplay.from_predictions(predictions((12, 17)), {"a": predictions((12, 17))})
    assert display.psnr == {"a": np.inf}
    display.figure_.canvas.draw()


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
def test_panels_make_a_figure_with_a_panel_an_image(pyplot, name):
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
    with pytest.raises(ImportError, match=r'matplotlib.*pip install "skensir\[plot\]"'):
        make(None)


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cell": (3, 0, 3)}, r"cell == \(3, 0, 3\) is not occupied"),
        ({"cell": (0, 0)}, "cell.*3 whole numbers"),
        ({"cell": (0.5, 0, 0)}, "cell.*3 whole numbers"),
        ({"cell": (3, 3, 3), "X": X[Y < 50], "y": Y[Y < 50]}, r"No row.*\(3, 3, 3\)"),
        ({"sample_weight": np.zeros(len(Y))}, "No row|non-zero"),  # the latter by scikit-learn
        ({"y": Y[:-1]}, "inconsistent"),
        ({"X": X[:, :2]}, "2 features"),
        ({"y": np.full(len(Y), np.nan)}, "y contains NaN"),
        ({"model_names": ["a"]}, "model_names.*3 names"),
        ({"estimator": LinearRegression().fit(X, Y)}, "EnsIRRegressor.*regressors_"),
    ],
)
def test_bad_input_of_cells(pyplot, arguments, words):
    with pytest.raises(ValueError, match=words):
        CellDisplay.from_estimator(**{"estimator": MODEL, "X": X, "y": Y, **arguments})
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "psnr"}, "'psnr'.*'score'"),
        ({"by": "tolerance"}, "0 parameters.*'tolerance'.*'bin_width', 'objective', 'shrinkage'"),
        ({"search": MODEL}, "cv_results_"),
    ],
)
def test_bad_input_of_bin_widths(pyplot, arguments, words):
    with pytest.raises(ValueError, match=words):
        BinWidthDisplay.from_estimator(**{"search": SEARCH, **arguments})
    assert pyplot.get_fignums() == []


def test_results_without_bin_width_are_no_bin_widths():
    results = {"params": [{"alpha": 1}], "mean_test_score": [0.5]}
    with pytest.raises(ValueError, match=r"'bin_width'.*'alpha'"):
        BinWidthDisplay.from_cv_results(results)
    results = {"params": [{"bin_width": 1}], "mean_test_score": [np.nan]}
    with pytest.raises(ValueError, match="finite"):
        BinWidthDisplay.from_cv_results(results)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": predictions((5,))}, r"target has shape \(5,\)"),
        ({"target": np.full((5, 5), np.nan)}, "target contains NaN"),
        ({"target": predictions((5, 5)) / 255}, "data_range.*float64"),
        ({"data_range": 0}, "data_range"),
        ({"images": {"short": predictions((4, 5))}}, r"images\['short'\].*\(4, 5\).*\(5, 5\)"),
        ({"images": {"a": np.full((5, 5), np.inf)}}, "images.*infinity"),
        ({"images": [predictions((5, 5))]}, "images is a list"),
        ({"images": {}}, "at least one image"),
    ],
)
def test_bad_input_of_error_maps(pyplot, arguments, words):
    good = {"target": predictions((5, 5)), "images": {"a": predictions((5, 5), 1)}}
    with pytest.raises(ValueError, match=words):
        ErrorMapDisplay.from_predictions(**{**good, **arguments})
    assert pyplot.get_fignums() == []


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
