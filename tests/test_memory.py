"""Memory follows the occupied cells, whatever the number of models, bins and rows."""

import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest

from skensir import EnsIRRegressor, _jobs

DOUBLE = 8  # bytes
# At work at any time, however much data there is: a chunk of rows (2**18 predictions) in a handful
# of copies; and in fit rows (2**18) that wait for the histogram of the truth.
CHUNK = 5 * 2**18 * DOUBLE
WAITING = 8 * 2**18 * DOUBLE


class Case(NamedTuple):
    n_models: int
    bin_width: float
    n_rows: int = 150_000


CASES = [Case(16, 8.0), Case(40, 64.0)]


def agreeing_models(case):
    """Make 8-bit predictions of models that share most of their errors, as real models do."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, case.n_rows)
    own = 0.3 * rng.standard_normal((case.n_rows, case.n_models))
    X = np.rint(y[:, None] + rng.standard_normal((case.n_rows, 1)) + own)
    return np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8)


def size_of_statistics(n_cells, n_models):
    """Bytes of a weight, two sums per model and one per pair of models, for each cell."""
    n_sums = 1 + 2 * n_models + n_models * (n_models + 1) // 2
    return n_cells * n_sums * DOUBLE


def peak_of(function):
    """Call, and return the result and the most memory that was in use beyond what was before."""
    tracemalloc.start()
    try:
        result = function()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return result, peak


@pytest.mark.parametrize("case", CASES, ids="{0.n_models} models".format)
@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_fit_needs_a_few_times_the_statistics_of_the_occupied_cells(case, objective):
    X, y = agreeing_models(case)
    estimator = EnsIRRegressor(case.bin_width, objective=objective)
    estimator.fit(X[:70_000], y[:70_000])  # to compile loops takes memory as well
    model, peak = peak_of(lambda: estimator.fit(X, y))
    n_cells = len(model.cells_)
    assert n_cells > 2000
    assert peak < 3 * size_of_statistics(n_cells, case.n_models) + CHUNK + WAITING


def test_fit_needs_no_more_memory_for_more_rows_in_the_same_cells():
    case = CASES[0]
    X, y = agreeing_models(case)
    peaks, cells = [], []
    for times in (8, 16):  # both more rows than ever wait
        rows, truth = np.tile(X, (times, 1)), np.tile(y, times)
        model = EnsIRRegressor(case.bin_width, min_samples_cell=25 * times)
        _, peak = peak_of(lambda model=model, rows=rows, truth=truth: model.fit(rows, truth))
        peaks.append(peak)
        cells.append(model.cells_)
    np.testing.assert_array_equal(*cells)
    assert peaks[1] < 1.05 * peaks[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_predict_needs_its_output_and_a_chunk(dtype):
    """No converted copy of the predictions, in particular."""
    X, y = agreeing_models(Case(3, 32.0, 2_000_000))
    model = EnsIRRegressor().fit(X, y)
    X = X.astype(dtype)
    predicted, peak = peak_of(lambda: model.predict(X))
    assert peak < predicted.nbytes + CHUNK
    assert predicted.nbytes + CHUNK < y.size * 3 * DOUBLE  # what a copy would need


def test_showing_a_model_in_a_notebook_does_not_lay_out_the_empty_bins_up_to_an_outlier():
    X = np.array([[1.0, 2.0], [3e6, 3e6]]).repeat(100, axis=0)
    model = EnsIRRegressor(0.5).fit(X, X.mean(axis=1))
    _, peak = peak_of(model._repr_html_)
    assert peak < 10 * 2**20


@pytest.mark.parametrize("no_numba", ["", "1"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_rows_of_a_large_image_need_little_beyond_themselves(n_jobs, no_numba, monkeypatch):
    monkeypatch.setenv("SKENSIR_NO_NUMBA", no_numba)
    monkeypatch.setattr(_jobs, "_n_cores", lambda: 2)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 1280 * 720 * 3).astype(np.uint8)
    noise = rng.integers(-6, 7, (len(y), 3), dtype=np.int16)
    X = np.clip(y[:, np.newaxis] + noise, 0, 255).astype(np.uint8)
    EnsIRRegressor().fit(X, y)  # to compile loops takes memory as well
    model, peak = peak_of(lambda: EnsIRRegressor(n_jobs=n_jobs).fit(X, y))
    assert peak < 64e6
    for rows in (X, X.astype(np.float32)):
        model.predict(rows)
        predicted, peak = peak_of(lambda rows=rows: model.predict(rows))
        assert peak < predicted.nbytes + 64e6
