"""A cell shows the truth of its rows, and what was fitted to it."""

import naive
import numpy as np
import pytest
from display_cases import MODEL, NAMES, SEARCH, X, Y
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.display import CellDisplay

LEAST_SQUARES = EnsIRRegressor(64.0, objective="squared_error").fit(X, Y)


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


@pytest.mark.parametrize("axes", ["deviations", "summary"])
def test_cells_on_other_axes_are_named_after_them(pyplot, axes):
    model = EnsIRRegressor(objective="squared_error", axes=axes, shrinkage=9.0).fit(X, Y)
    display = CellDisplay.from_estimator(model, X, Y)
    assert display.cell == tuple(model.cells_[model.cell_counts_.argmax()])
    assert f"of {axes}, bins of width" in display.ax_.get_title()
    display.figure_.canvas.draw()
    n_axes = model.cells_.shape[1]
    with pytest.raises(ValueError, match=f"must be {n_axes} whole numbers, the bin index on each"):
        CellDisplay.from_estimator(model, X, Y, cell=(0,) * 7)


def test_of_tables_that_are_averaged_one_is_to_be_passed(pyplot):
    search = EnsIRRegressorCV(axes=["predictions", "summary"], shrinkages=[9e9], select="average")
    search.set_params(cv=3, positive=True, fit_intercept=False).fit(X[:, :1].astype(float), Y)
    assert len(search.estimators_) == 2  # a single model: all tables are the same
    with pytest.raises(ValueError, match="averaged tables on several axes; pass one of its est"):
        CellDisplay.from_estimator(search, X[:, :1], Y)
    CellDisplay.from_estimator(search.estimators_[1], X[:, :1], Y)


def test_cells_of_a_search_are_those_of_its_best_estimator(pyplot):
    display = CellDisplay.from_estimator(SEARCH, X, Y)
    assert display.bin_width == SEARCH.best_estimator_.bin_width_


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
