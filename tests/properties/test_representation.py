"""Equal rows give equal results: whatever dtype and memory hold them, and however work is cut."""

from unittest import mock

import naive
import numpy as np
import pytest
from drawn import (
    DTYPES,
    LAYOUTS,
    PARAMS,
    SEEDS,
    assert_same_fit,
    assert_same_predictions,
    drawn_rows,
    exact,
    fitted,
    laid_out,
    quiet,
    share_of_cases,
)
from hypothesis import given
from hypothesis import strategies as st

from skensir import EnsIRRegressor, _jobs
from skensir._core import combine as combine_module
from skensir._sums import accumulate as accumulate_module
from skensir._sums.statistics import intercept_part


@given(drawn_rows(), PARAMS, st.lists(st.sampled_from(LAYOUTS), min_size=4, max_size=4), SEEDS)
def test_neither_dtype_nor_layout_matters(rows, params, layouts, seed):
    rng = np.random.default_rng(seed)
    expected = fitted(params, rows, data_range=255)  # which the dtype of pixels would tell
    dtypes = [dtype for dtype in DTYPES if exact(rows.X, dtype)]
    X = rows.X.astype(rng.choice(dtypes))
    y = rows.y.astype(rng.choice([dtype for dtype in DTYPES if exact(rows.y, dtype)]))
    laid = [
        laid_out(array, layout, rng)
        for array, layout in zip((X, y, rows.weight), layouts, strict=False)
    ]
    kept = [None if array is None else array.copy() for array in laid]
    model = fitted(params, laid, data_range=255)
    assert_same_fit(model, expected)
    X_new = laid_out(X, layouts[3], rng)
    assert_same_predictions(model, expected, X_new, rows.X)
    for array, before in zip(laid, kept, strict=True):  # nothing is written to
        if array is not None:
            np.testing.assert_array_equal(array, before)


@share_of_cases(0.25)  # of all layouts each
@given(drawn_rows(small=True), PARAMS, st.sampled_from(["u1", "u2", "f4", "f8"]), SEEDS)
def test_byte_order_and_layout_do_not_change_what_is_automatic(rows, params, dtype, seed):
    """8 and 16 bits tell their range, in whatever order their bytes lie."""
    rng = np.random.default_rng(seed)
    X = rows.X.astype(dtype)
    expected = fitted(params, rows._replace(X=X))
    for layout in LAYOUTS:
        laid = laid_out(X, layout, rng)
        model = fitted(params, rows._replace(X=laid))
        assert_same_fit(model, expected)
        predicted = model.predict(laid)
        np.testing.assert_array_equal(predicted, expected.predict(X), strict=True)


@given(drawn_rows(), PARAMS, SEEDS)
def test_neither_order_of_rows_nor_chunks_nor_threads_matter(rows, params, seed):
    rng = np.random.default_rng(seed)
    expected = fitted(params, rows, data_range=255)
    order = rng.permutation(rows.n_rows)
    in_chunks = naive.in_chunks(int(rng.integers(1, 40)))
    with (
        mock.patch.object(accumulate_module, "row_chunks", in_chunks),
        mock.patch.object(accumulate_module, "_MAX_WAITING", int(rng.integers(0, 30))),
        mock.patch.object(combine_module, "row_chunks", in_chunks),
        mock.patch.object(_jobs, "_n_cores", return_value=8),
    ):
        n_jobs = int(rng.integers(1, 5))
        model = fitted(params, rows.take(order), data_range=255, n_jobs=n_jobs)
        assert_same_fit(model, expected)
        assert_same_predictions(model, expected, rows.X)


@given(drawn_rows(), PARAMS)
def test_rows_are_predicted_one_by_one_as_all_at_once(rows, params):
    model = fitted(params, rows)
    predicted, std = model.predict(rows.X, return_std=True)
    for number in {0, rows.n_rows // 2, rows.n_rows - 1}:
        one = model.predict(rows.X[number : number + 1], return_std=True)
        assert (one[0][0], one[1][0]) == (predicted[number], std[number])


@pytest.mark.parametrize("n_models", [1, 3, 40])
@share_of_cases(0.25)
@given(params=PARAMS, dtype=st.sampled_from(DTYPES))
def test_no_row_is_an_error_and_one_row_is_enough(n_models, params, dtype):
    none, one = np.zeros((0, n_models), dtype), np.full((1, n_models), 7, dtype)
    model = EnsIRRegressor(**params)
    with pytest.raises(ValueError, match="0 sample"):
        model.fit(none, none[:, 0])
    with pytest.raises(ValueError, match="0 sample"):
        model.partial_fit(none, none[:, 0])
    assert vars(model) == vars(EnsIRRegressor(**params))
    with quiet():
        model.fit(one, one[:, 0])
        before = model.weights_.copy()
        with pytest.raises(ValueError, match="0 sample"):
            model.predict(none)
        model.partial_fit(none, none[:, 0]).solve()  # a batch may be empty
    np.testing.assert_array_equal(model.weights_, before)
    assert model.predict(one) == pytest.approx([7])
    assert model.n_features_in_ == n_models


@given(drawn_rows(), PARAMS)
def test_nothing_is_printed_unless_asked(rows, params):
    with mock.patch("builtins.print", side_effect=AssertionError("printed")):
        model = fitted(params, rows)
        model.predict(rows.X)


@pytest.mark.parametrize("n_models", [2, 9, 33])
def test_errors_of_intercepts_do_not_follow_from_how_sums_lie_in_memory(n_models):
    """Sums of one pass and merged sums do lie differently, and gave other last digits."""
    rng = np.random.default_rng(n_models)
    weight, errors = rng.integers(1, 9, 50), rng.normal(size=(n_models, 50))
    weights, intercepts = rng.normal(size=(50, n_models)), rng.normal(size=50)
    expected = intercept_part(weight, errors, weights, intercepts)
    for layout in ("F", "strided", "reversed"):
        laid = laid_out(errors, layout, rng)
        np.testing.assert_array_equal(intercept_part(weight, laid, weights, intercepts), expected)
