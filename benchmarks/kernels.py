"""One benchmark a kernel, and fit and predict from end to end.

usage: pytest benchmarks/kernels.py

Each first asserts on a few rows that it agrees with the naive version of the tests, then measures
on one million rows of three 8-bit models. `--benchmark-disable` asserts only.
"""

import naive
import numpy as np
import pytest

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.combine import combine_rows, combiner
from skensir._core.least_squares import simplex_weights
from skensir._core.likelihood import Likelihood, fit_mixtures
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes
from skensir._sums.binning import bin_indices, model_columns
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._sums.histogram import TruthCounter

N_ROWS, N_FEW, BIN_WIDTH = 1_000_000, 400, 32.0


def draw(n_rows, n_models=3, seed=0):
    """Return 8-bit predictions and truth."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (n_rows, n_models)), 0, 255)
    return X.astype(np.uint8), y.astype(np.uint8)


X, Y = draw(N_ROWS)
FEW, FEW_TRUTH = X[:N_FEW], Y[:N_FEW]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_bin_indices(benchmark, dtype):
    found = bin_indices(FEW.astype(dtype), BIN_WIDTH)
    assert [tuple(row) for row in found] == [naive.cell_of(row, BIN_WIDTH) for row in FEW]
    columns = model_columns(X.astype(dtype), slice(2**15))
    benchmark(bin_indices, columns, BIN_WIDTH)


@pytest.mark.parametrize(
    ("n_models", "bin_width"), [(3, 32), (3, 4), (8, 8)], ids=["dense", "fine", "hashed"]
)
def test_find_cells(benchmark, n_models, bin_width):
    rows, _ = draw(2**15, n_models)
    bins = bin_indices(model_columns(rows, slice(None)), bin_width)
    cells = distinct_cells(bins[:, : len(rows) // 2])
    index = CellIndex(cells)
    few = distinct_cells(bins[:, :100])
    expected = [naive.find_cell(row, few.tolist()) for row in bins[:, :N_FEW].T.tolist()]
    assert CellIndex(few).find(bins[:, :N_FEW]).tolist() == expected
    benchmark(index.find, bins)


@pytest.mark.parametrize("resolution", [None, 1.0], ids=["squared_error", "likelihood"])
def test_accumulate(benchmark, resolution):
    found = accumulate(FEW, FEW_TRUTH, axes=Axes(BIN_WIDTH), target_resolution=resolution)
    expected = naive.statistics(FEW, FEW_TRUTH, None, BIN_WIDTH, 1.0)
    assert [tuple(cell) for cell in found.cells.tolist()] == list(expected)
    upper = np.triu_indices(FEW.shape[1])
    for number, sums in enumerate(expected.values()):
        np.testing.assert_array_equal(found.error_products[:, number], sums.error_products[upper])
    benchmark(accumulate, X, Y, axes=Axes(BIN_WIDTH), target_resolution=resolution)


@pytest.mark.parametrize("spread", [1, 0.01], ids=["whole", "real"])
def test_count_truth(benchmark, spread):
    rng = np.random.default_rng(0)
    cell, truth = rng.integers(0, 100, N_ROWS), rng.integers(0, 256, N_ROWS) * spread

    def count(n_rows):
        counter = TruthCounter(spread)
        counter.add(cell[:n_rows], truth[:n_rows], None)
        return counter.finish()

    places = {}
    for number, target in zip(cell[:N_FEW].tolist(), truth, strict=False):
        naive.count_truth(places.setdefault(number, {}), target, spread, 1.0)
    found = count(N_FEW)
    assert set(found.cell.tolist()) == set(places)
    assert found.weight.sum() == N_FEW
    benchmark(count, N_ROWS)


def test_em(benchmark):
    def of_cells(n_rows, chosen):
        """Return the arguments of EM for some cells of the first rows."""
        sums = accumulate(X[:n_rows], Y[:n_rows], axes=Axes(BIN_WIDTH), target_resolution=1.0)
        cells = chosen(sums)
        means = (sums.mean_offsets() + sums.corners)[cells]
        uniform = np.full(means.shape, 1 / 3)
        variances = sums.prediction_variances()[cells]
        return sums.truth.select(cells), np.zeros(len(means)), means, variances, uniform

    first = of_cells(N_FEW, lambda sums: np.arange(sums.n_cells) == 0)
    rows = next(iter(naive.rows_of_cells(FEW, BIN_WIDTH).values()))
    parameters = (values[0] for values in first[2:])
    expected = naive.mixture(
        FEW_TRUTH[rows].astype(float), np.ones(len(rows)), *parameters, max_iter=5, tol=0
    )
    found = fit_mixtures(*first, Likelihood(max_iter=5, tol=0))
    np.testing.assert_allclose(found.weights[0], expected.weights, rtol=1e-10)
    benchmark(fit_mixtures, *of_cells(N_ROWS, lambda sums: sums.weight >= 100), Likelihood())


def test_simplex_weights(benchmark):
    moments = accumulate(X, Y, axes=Axes(BIN_WIDTH)).error_moments()
    weights = simplex_weights(moments)
    # Optimal if no model's slope is below that of the models in use.
    slopes = (moments @ weights[..., None])[..., 0]
    used = np.where(weights > 0, slopes, -np.inf).max(axis=1)
    assert (slopes.min(axis=1) >= used - 1e-8 * np.abs(used)).all()
    benchmark(simplex_weights, moments)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_combine(benchmark, dtype):
    statistics = accumulate(X, Y, axes=Axes(BIN_WIDTH))
    weights = np.random.default_rng(0).dirichlet(np.ones(3), statistics.n_cells + 1)
    index = CellIndex(statistics.cells)
    cells = index, Axes(BIN_WIDTH), weights
    few = FEW.astype(dtype)
    combined = combine_rows(few, combiner(few, *cells), n_threads=1)
    expected = naive.combine(FEW, BIN_WIDTH, statistics.cells.tolist(), weights, weights[-1])
    np.testing.assert_allclose(combined, expected, rtol=1e-13)
    rows = X.astype(dtype)
    benchmark(combine_rows, rows, combiner(rows, *cells), n_threads=1)


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_fit(benchmark, objective):
    model = EnsIRRegressor(objective=objective).fit(FEW, FEW_TRUTH)
    assert [tuple(cell) for cell in model.cells_.tolist()] == list(
        naive.rows_of_cells(FEW, BIN_WIDTH)
    )
    benchmark(EnsIRRegressor(objective=objective).fit, X, Y)


def test_fit_cross_validated(benchmark):
    model = EnsIRRegressorCV([32]).fit(FEW, FEW_TRUTH)
    assert [table.cell_counts_.sum() for table in model.estimators_] == [N_FEW] * len(model.shares_)
    benchmark.pedantic(EnsIRRegressorCV().fit, (X, Y), rounds=3)


def test_predict(benchmark):
    model = EnsIRRegressor().fit(X, Y)
    cells, weights = model.cells_.tolist(), model.weights_
    expected = naive.combine(FEW, BIN_WIDTH, cells, weights, model.default_weights_)
    np.testing.assert_allclose(model.predict(FEW), expected, rtol=1e-13)
    benchmark(model.predict, X)
