"""Sums of cells that a data frame library or a database has made are those of fit."""

import pickle
import warnings
from unittest import mock

import naive
import numpy as np
import pytest
from frames import (
    LIBRARIES,
    MAKERS,
    assert_same_histogram,
    assert_same_sums,
    columns_of,
    nw,
    pa,
    pixels,
    pl,
    stacked,
)
from hypothesis import given
from hypothesis import strategies as st
from tables import assert_same_table

from skensir import EnsIRRegressor
from skensir._sums.axes import KINDS
from skensir.interop import _frame_rows
from skensir.interop.frames import cell_sums

RANGE = 255


def fitted(X, y, sample_weight=None, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EnsIRRegressor(**params).fit(X, y, sample_weight)


def from_frame(make, X, y, sample_weight=None, *, fit_intercept=False, **params):
    """Return the estimator that is made of the sums of a frame."""
    columns, names = columns_of(X, y, sample_weight)
    asked = {name: params[name] for name in ("bin_width", "axes", "data_range", "objective")}
    sums = cell_sums(make(columns), **names, **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EnsIRRegressor.from_cell_sums(sums, fit_intercept=fit_intercept, **params).solve()


@LIBRARIES
@pytest.mark.parametrize("axes", KINDS)
def test_no_library_warns_of_many_models(make, axes):
    X, y, sample_weight, _ = stacked(100, 25)
    columns, names = columns_of(X, y, sample_weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sums = cell_sums(make(columns), **names, bin_width=64.0, axes=axes, data_range=RANGE)
    assert list(sums.models) == names["models"]


@LIBRARIES
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("objective", "axes", "bin_width", "fit_intercept"),
    [
        ("likelihood", "predictions", 20.0, False),
        ("squared_error", "predictions", 20.0, True),
        ("squared_error", "deviations", 3.3, False),
        ("squared_error", "summary", 16.0, True),
    ],
)
def test_weights_are_those_of_fit(make, weighted, objective, axes, bin_width, fit_intercept):
    X, y, weight, _ = stacked()
    rows = X, y, weight if weighted else None
    params = {
        "objective": objective,
        "axes": axes,
        "bin_width": bin_width,
        "data_range": RANGE,
        "fit_intercept": fit_intercept,
        "min_samples_cell": 30,
    }
    model, expected = from_frame(make, *rows, **params), fitted(*rows, **params)
    np.testing.assert_allclose(model.weights_, expected.weights_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.intercepts_, expected.intercepts_, rtol=0, atol=1e-11)
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-11)
    assert {"fitted", "thin"} == set(expected.cell_origin_)
    assert model.feature_names_in_.tolist() == columns_of(*rows)[1]["models"]


@LIBRARIES
@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_pixels_have_the_table_of_fit_to_the_last_bit(make, objective):
    X, y = pixels(*stacked(9000)[:2])
    columns, names = columns_of(X, y)
    sums = cell_sums(make(columns), **names, bin_width="auto")
    assert sums.pixels
    assert sums.data_range == RANGE
    model = EnsIRRegressor.from_cell_sums(sums, objective=objective)
    assert model.bin_width == 32
    assert_same_table(model, fitted(X, y, objective=objective))


@LIBRARIES
@given(
    stack=naive.stacks(max_models=5, max_rows=40, outliers=False),
    axes=st.sampled_from(KINDS),
    n_rows=st.sampled_from([7, 2**18]),
)
def test_sums_of_drawn_rows_are_those_of_fit(make, stack, axes, n_rows):
    params = {"bin_width": stack.bin_width, "axes": axes, "objective": "squared_error"}
    params |= {"data_range": RANGE, "fit_intercept": True}
    columns, names = columns_of(stack.X, stack.y, stack.sample_weight)
    with mock.patch.object(_frame_rows, "_ROWS_OF_SLICE", n_rows):
        asked = {"bin_width": stack.bin_width, "axes": axes, "data_range": RANGE}
        [[sums]] = cell_sums(make(columns), **names, **asked).statistics
    [expected] = fitted(stack.X, stack.y, stack.sample_weight, **params)._statistics
    assert_same_sums(sums, expected)


@LIBRARIES
@given(
    stack=naive.stacks(max_models=4, max_rows=40),
    resolution=st.sampled_from(["auto", 1.0, 0.7, 40.0]),
)
def test_histograms_of_drawn_truth_are_those_of_fit(make, stack, resolution):
    columns, names = columns_of(stack.X, stack.y, stack.sample_weight)
    params = {"bin_width": stack.bin_width, "data_range": RANGE, "target_resolution": resolution}
    sums = cell_sums(make(columns), **names, **params)
    expected = fitted(stack.X, stack.y, stack.sample_weight, max_iter=1, **params)
    [expected] = expected._statistics
    assert_same_histogram(sums.statistics[0][0].truth, expected.truth)


@LIBRARIES
@given(stack=naive.stacks(max_models=3, max_rows=30, whole=True, outliers=False))
def test_sums_agree_with_their_definition(make, stack):
    columns, names = columns_of(stack.X, stack.y, stack.sample_weight)
    sums = cell_sums(
        make(columns), **names, bin_width=stack.bin_width, data_range=RANGE, target_resolution=1.0
    )
    [[found]] = sums.statistics
    expected = naive.statistics(stack.X, stack.y, stack.sample_weight, stack.bin_width, 1.0)
    assert list(map(tuple, found.cells.tolist())) == list(expected)
    for number, cell in enumerate(expected.values()):
        assert found.weight[number] == cell.weight
        np.testing.assert_array_equal(found.offsets[:, number], cell.offsets)
        np.testing.assert_array_equal(found.squared_offsets[:, number], cell.squared_offsets)
        upper = np.triu_indices(len(cell.offsets))
        np.testing.assert_array_equal(found.error_products[:, number], cell.error_products[upper])
        mine = found.truth.cell == number
        assert found.truth.step[mine].tolist() == sorted(cell.truth)
        assert found.truth.weight[mine].tolist() == [cell.truth[s][0] for s in sorted(cell.truth)]


@LIBRARIES
@pytest.mark.parametrize("bin_width", [49.0, 0.1, 32.0, 0.7, 3.0])
@pytest.mark.parametrize("axes", ["predictions", "deviations"])
def test_rows_on_edges_and_a_step_beside_are_in_the_cells_of_numpy(make, bin_width, axes):
    edges = np.concatenate([np.arange(-300, 300) * bin_width, np.arange(-300, 300) / 10])
    values = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    X = np.column_stack([values, np.zeros(len(values)), -values])
    params = {"bin_width": bin_width, "axes": axes, "objective": "squared_error", "data_range": 1}
    model, expected = from_frame(make, X, values, **params), fitted(X, values, **params)
    np.testing.assert_array_equal(model.cells_, expected.cells_)
    np.testing.assert_array_equal(model.cell_counts_, expected.cell_counts_)


@LIBRARIES
def test_spreads_on_edges_and_a_step_beside_are_in_the_cells_of_numpy(make):
    """Where models agree, and where the logarithm is a whole number."""
    octaves = np.arange(0, 40) / 4
    spreads = (2.0**octaves - 1) * 8 / 4
    spreads = np.concatenate([spreads, np.nextafter(spreads, 0), np.nextafter(spreads, np.inf)])
    X = np.column_stack([100 - spreads, 100 + spreads])
    params = {"bin_width": 8, "axes": "summary", "objective": "squared_error", "data_range": RANGE}
    y = X[:, 0] + 1
    model, expected = from_frame(make, X, y, **params), fitted(X, y, **params)
    np.testing.assert_array_equal(model.cells_, expected.cells_)
    np.testing.assert_array_equal(model.cell_counts_, expected.cell_counts_)
    assert len(expected.cells_) >= 38


@LIBRARIES
@pytest.mark.parametrize("dtype", ["u1", "u2", "i1", "i8", "u8", "f4", "?"])
def test_types_of_columns_do_not_matter(make, dtype):
    rng = np.random.default_rng(0)
    highest = 2 if dtype == "?" else 120
    X, y = rng.integers(0, highest, (500, 3)).astype(dtype), rng.integers(0, highest, 500)
    params = {"bin_width": 5.0, "objective": "squared_error", "data_range": RANGE}
    for axes in ("predictions", "deviations"):
        model = from_frame(make, X, y.astype(dtype), axes=axes, **params)
        wide = from_frame(make, X.astype(float), y.astype(float), axes=axes, **params)
        assert_same_table(model, wide)
        assert_same_table(model, fitted(X.astype(float), y, axes=axes, **params))


@pytest.mark.parametrize("make", [MAKERS["polars"], MAKERS["duckdb"], MAKERS["pyarrow"]])
def test_decimal_numbers_are_taken(make):
    X, y, *_ = stacked(500)
    X, y = np.rint(X * 4) / 4, np.rint(y)
    columns, names = columns_of(X, y)
    decimals = {
        name: pa.array(np.asarray(column)).cast(pa.decimal128(20, 2))
        for name, column in columns.items()
    }
    table = pa.table(decimals)
    frame = pl.from_arrow(table) if make is pl.DataFrame else make(decimals)
    sums = cell_sums(frame, **names, bin_width=32.0, data_range=RANGE)
    assert_same_table(
        EnsIRRegressor.from_cell_sums(sums), fitted(X, y, bin_width=32.0, data_range=RANGE)
    )


@LIBRARIES
@pytest.mark.parametrize("bin_width", [20.0, 300.0])
def test_whole_truth_is_kept_exactly_as_in_fit(make, bin_width):
    X, y, weight, _ = stacked(2000)
    whole = np.rint(y)
    asked = {"bin_width": bin_width, "data_range": RANGE}
    for truth in (whole, whole.astype(np.int32), np.append(whole[:-1], 7.5), y):
        columns, names = columns_of(X, truth, weight)
        [[sums]] = cell_sums(make(columns), **names, **asked).statistics
        [expected] = fitted(X, truth, weight, **asked)._statistics
        assert_same_histogram(sums.truth, expected.truth)


@LIBRARIES
def test_rows_without_weight_are_absent_whatever_they_hold(make):
    X, y, weight, _ = stacked(2000)
    weight[0] = 0.0
    columns, names = columns_of(X, y, weight)
    asked = {"bin_width": 20.0, "data_range": RANGE}
    [[expected]] = cell_sums(make(columns), **names, **asked).statistics
    columns["truth"] = np.append(np.nan, y[1:])
    [[found]] = cell_sums(make(columns), **names, **asked).statistics
    np.testing.assert_array_equal(found.cells, expected.cells)
    np.testing.assert_array_equal(found.weight, expected.weight)


@LIBRARIES
def test_columns_of_any_name_and_order_are_found(make):
    X, y, weight, _ = stacked(500)
    columns = {"y": X[:, 0], "w": X[:, 1], "x0": X[:, 2], "zero": y, "bin0": weight, "weight": y}
    sums = cell_sums(
        make(columns),
        models=["w", "y", "x0"],
        target="zero",
        sample_weight="bin0",
        bin_width=20,
        data_range=RANGE,
    )
    model = EnsIRRegressor.from_cell_sums(sums)
    expected = fitted(X[:, [1, 0, 2]], y, weight, bin_width=20.0, data_range=RANGE)
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-11)


def test_frames_of_narwhals_are_taken_as_they_are():
    X, y, *_ = stacked(500)
    columns, names = columns_of(X, y)
    asked = {"bin_width": 20.0, "data_range": RANGE}
    [[expected]] = cell_sums(pl.DataFrame(columns), **names, **asked).statistics
    [[found]] = cell_sums(nw.from_native(pl.DataFrame(columns)), **names, **asked).statistics
    assert_same_sums(found, expected)


def test_sums_can_be_pickled():
    X, y, _, folds = stacked(500)
    columns, names = columns_of(X, y, folds=folds)
    sums = cell_sums(pl.DataFrame(columns), **names, bin_width="auto", data_range=RANGE)
    again = pickle.loads(pickle.dumps(sums))
    assert repr(again) == repr(sums)
    assert again.folds == [0, 1, 2, 3]
