"""What holds of EnsIRRegressorCV: equal rows, weights, parts, scales, and what it averages."""

from unittest import mock

import naive
import numpy as np
import pytest
from drawn import (
    LAYOUTS,
    SEEDS,
    Rows,
    drawn_rows,
    laid_out,
    quiet,
    share_of_cases,
)
from hypothesis import given
from hypothesis import strategies as st
from search_results import assert_same_search
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressorCV, _jobs
from skensir._core import combine as combine_module
from skensir._sums import accumulate as accumulate_module

GRIDS = st.fixed_dictionaries(
    {},
    optional={
        "axes": st.sampled_from(["predictions", "deviations", "summary"]),
        "bin_widths": st.sampled_from([[32.0], [8.0, 64.0], [300.0]]),
        "shrinkages": st.sampled_from([[30.0], [0.0, 512.0]]),
        "positive": st.sampled_from([True, [True, False]]),
        "fit_intercept": st.sampled_from([True, False]),
        "select": st.sampled_from(["auto", "average", "best"]),
        "scoring": st.sampled_from(["neg_mean_squared_error"]),
    },
)
OF_0_1 = st.just({"shrink_to": "pooled", "axes": "predictions", "shrinkages": [0.0, 64.0]})
LIKELIHOOD = st.just({"objectives": ("likelihood",), "bin_widths": [32.0], "max_iter": 3, "tol": 0})
SEARCHES = st.one_of(GRIDS, GRIDS, OF_0_1, LIKELIHOOD)
few = share_of_cases(0.2)


@st.composite
def grouped_rows(draw, **limits):
    """Draw whole numbers in three groups, each of which has rows with weight."""
    rows = draw(drawn_rows(min_rows=12, max_models=8, **limits))
    groups = np.random.default_rng(draw(SEEDS)).permutation(rows.n_rows) % 3
    if rows.weight is not None:
        rows.weight[[np.flatnonzero(groups == group)[0] for group in range(3)]] = 1.0
    return rows, groups


def search(params, **others):
    return EnsIRRegressorCV(cv=LeaveOneGroupOut(), **{"data_range": 255.0, **params, **others})


def searched(params, rows, groups, **others):
    with quiet():
        return search(params, **others).fit(*rows, groups=groups)


def assert_same_predictions(model, other, X, X_other):
    for one, expected in zip(
        model.predict(X, return_std=True), other.predict(X_other, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(one, expected.astype(one.dtype))
    np.testing.assert_array_equal(model.predict_weights(X), other.predict_weights(X_other))


@few
@given(grouped_rows(small=True), SEARCHES, SEEDS)
def test_neither_dtype_nor_layout_nor_threads_nor_order_matter(rows_and_groups, params, seed):
    rows, groups = rows_and_groups
    rng = np.random.default_rng(seed)
    pixels = rng.random() < 0.5  # whose candidates are others
    X = rows.X.astype("u1" if pixels else "f8")
    expected = searched(params, rows._replace(X=X), groups)
    order = rng.permutation(rows.n_rows)
    dtype = rng.choice(["u1", "u2"] if pixels else ["i2", "i8", "f4", "f2"])
    in_order = Rows(X[order].astype(dtype), *rows.take(order)[1:])
    laid = [laid_out(array, rng.choice(LAYOUTS), rng) for array in in_order]
    in_chunks = naive.in_chunks(int(rng.integers(3, 40)))
    with (
        mock.patch.object(accumulate_module, "row_chunks", in_chunks),
        mock.patch.object(combine_module, "row_chunks", in_chunks),
        mock.patch.object(_jobs, "_n_cores", return_value=8),
    ):
        model = searched(params, laid, groups[order], n_jobs=int(rng.integers(1, 4)))
        assert_same_search(model, expected)
        assert_same_predictions(model, expected, laid[0], X[order])


@few
@given(grouped_rows(weights=False), SEARCHES, SEEDS)
def test_whole_weights_are_repetition_and_zero_is_absence(rows_and_groups, params, seed):
    rows, groups = rows_and_groups
    times = np.random.default_rng(seed).integers(0, 4, rows.n_rows)
    times[[np.flatnonzero(groups == group)[0] for group in range(3)]] = 2
    weighted = searched(params, rows._replace(weight=times), groups)
    numbers = np.repeat(np.arange(rows.n_rows), times)
    repeated = searched(params, rows.take(numbers), groups[numbers])
    assert_same_search(weighted, repeated)
    assert_same_predictions(weighted, repeated, rows.X, rows.X)


@few
@given(drawn_rows(min_rows=30, max_models=5, weights=False), SEARCHES, SEEDS)
def test_rows_of_weight_zero_are_dealt_out_to_no_fold(rows, params, seed):
    rng = np.random.default_rng(seed)
    n_rows, n_models = rows.X.shape
    numbers = np.sort(rng.permutation(2 * n_rows)[:n_rows])  # in the same order
    X, y = np.full((2 * n_rows, n_models), 1e60), np.full(2 * n_rows, -3.0)
    weight = np.zeros(2 * n_rows)
    X[numbers], y[numbers], weight[numbers] = rows.X, rows.y, 1.0
    with quiet():
        expected = search(params).set_params(cv=None).fit(rows.X, rows.y)
        model = search(params).set_params(cv=None).fit(X, y, weight)
    assert_same_search(model, expected)


@few
@given(grouped_rows(), SEARCHES, SEEDS)
def test_parts_and_mergers_are_the_search_of_all_rows(rows_and_groups, params, seed):
    rows, groups = rows_and_groups
    rng = np.random.default_rng(seed)
    params = {"bin_widths": [32.0], **params}  # else all rows tell the widths
    whole = searched(params, rows, groups)
    made = [search(params), search(params)]
    order, cuts = rng.permutation(rows.n_rows), np.sort(rng.integers(0, rows.n_rows + 1, 4))
    with quiet():
        for numbers in np.split(order, cuts):
            if len(numbers):
                _, y, weight = rows.take(numbers)
                made[rng.integers(2)].partial_fit(rows.X[numbers], y, groups[numbers], weight)
        if vars(made[1]).get("_statistics"):
            made[0].merge(made[1])
    assert_same_search(made[0], whole, calibrated=False)
    assert_same_predictions(made[0], whole, rows.X, rows.X)


@few
@given(grouped_rows(), SEARCHES, st.integers(-180, 180))
def test_powers_of_two_scale_exactly(rows_and_groups, params, power):
    rows, groups = rows_and_groups
    scale = 2.0**power
    scaled = Rows(scale * rows.X, scale * rows.y, rows.weight)
    lengths = {"data_range": 255.0 * scale}
    if "bin_widths" in params:
        lengths["bin_widths"] = [scale * width for width in params["bin_widths"]]
    model = searched(params, rows, groups)
    # Logarithms are no lengths: scores are rounded otherwise, and ties may be broken by that.
    other = searched(params, scaled, groups, **lengths)
    assert other.held_out_mse_ == pytest.approx(scale**2 * model.held_out_mse_, rel=1e-6)
    largest = scale * max(1.0, *(np.abs(table.weights_).max() for table in model.estimators_))
    expected = scale * model.predict(rows.X)
    np.testing.assert_allclose(other.predict(scaled.X), expected, atol=1e-6 * largest * 2300)


@few
@given(grouped_rows(), SEARCHES)
def test_shares_and_weights_sum_to_one_and_predictions_are_the_average(rows_and_groups, params):
    rows, groups = rows_and_groups
    model = searched(params, rows, groups)
    shares = model.cv_results_["share"]
    assert (shares >= 0).all()
    assert shares.sum() + sum(model.plain_shares_.values()) == pytest.approx(1, abs=1e-12)
    assert model.shares_.sum() == pytest.approx(1, abs=1e-12)
    weights = model.predict_weights(rows.X)
    largest = max(1.0, np.abs(weights).max())
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-11 * largest)
    parts = [table.predict(rows.X) for table in model.estimators_]
    atol = 1e-10 * largest * 2300
    np.testing.assert_allclose(model.predict(rows.X), model.shares_ @ parts, atol=atol)
    squares = [table.predict(rows.X, return_std=True)[1] ** 2 for table in model.estimators_]
    std = model.predict(rows.X, return_std=True)[1]
    np.testing.assert_allclose(std**2, model.shares_ @ squares, rtol=1e-9, atol=1e-300)
    if params.get("positive") is True and params.get("fit_intercept") is False:
        assert (weights >= 0).all()
        assert (model.predict(rows.X) >= rows.X.min(axis=1)).all()
        assert (model.predict(rows.X) <= rows.X.max(axis=1)).all()


@few
@given(grouped_rows(), SEARCHES)
def test_fitting_again_or_on_a_clone_is_the_same(rows_and_groups, params):
    rows, groups = rows_and_groups
    model = searched(params, rows, groups)
    with quiet():
        again = clone(model).fit(rows.X[::-1], rows.y[::-1], groups=groups[::-1])
        again.fit(*rows, groups=groups)
    assert_same_search(again, model)
