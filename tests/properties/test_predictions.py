"""What holds of weights and predictions, on all axes and scales, for one model and for forty."""

import math

import numpy as np
import pytest
from drawn import (
    PARAMS,
    SEEDS,
    SQUARED_ERROR,
    Rows,
    assert_same_fit,
    drawn_rows,
    fitted,
    make,
    quiet,
)
from hypothesis import assume, given
from hypothesis import strategies as st


@st.composite
def real_rows(draw, *, max_models=40, exponents=(-60, 60)):
    """Draw real predictions on any scale, some of them far from all others."""
    rng = np.random.default_rng(draw(SEEDS))
    n_rows = draw(st.integers(1, 120))
    n_models = draw(st.one_of(st.integers(1, min(4, max_models)), st.integers(1, max_models)))
    scale = 10.0 ** draw(st.integers(*exponents))
    shift = draw(st.sampled_from([0.0, 0.0, 1e3, -1e9]))
    y = shift + rng.uniform(0, 1, n_rows)
    spread = draw(st.sampled_from([0.0, 1e-7, 0.02, 1.0])) * rng.uniform(0, 1, n_models)
    X = y[:, None] + spread * rng.standard_normal((n_rows, n_models))
    if draw(st.booleans()):
        X[rng.integers(n_rows), rng.integers(n_models)] *= -1e3
    weight = rng.choice([0.0, 1e-3, 1.0, 7.0], n_rows) if draw(st.booleans()) else None
    if weight is not None:
        weight[0] = 1.0
    return Rows(scale * X, scale * y, weight)


def automatic(params, rows, **others):
    """Fit with all lengths found in the rows, which may be of any scale."""
    return fitted(params, rows, bin_width="auto", **others)


@given(real_rows(), PARAMS, SEEDS)
def test_weights_sum_to_one_and_convex_predictions_stay_within_the_row(rows, params, seed):
    model = automatic(params, rows)
    rng = np.random.default_rng(seed)
    unseen = rows.X * rng.choice([1.0, -1.0, 3.0, 1e4], rows.X.shape)
    for X in (rows.X, unseen):
        weights = model.predict_weights(X)
        largest = np.abs(weights).max()
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12 * max(1.0, largest))
        predicted, std = model.predict(X, return_std=True)
        assert np.isfinite(predicted).all()
        assert ((std >= 0) & np.isfinite(std)).all()
        if params.get("positive", True):
            assert (weights >= 0).all()
        if params.get("positive", True) and not params.get("fit_intercept"):
            assert (predicted >= X.min(axis=1)).all()
            assert (predicted <= X.max(axis=1)).all()
        if not params.get("fit_intercept"):
            scale = np.abs(X).max() * max(1.0, largest) * X.shape[1]
            np.testing.assert_allclose(predicted, (weights * X).sum(axis=1), atol=1e-12 * scale)


@given(real_rows(), PARAMS, st.integers(-1100, 1100))
def test_rows_on_another_scale_are_answered_on_it_or_refused(rows, params, power):
    """Powers of two scale without rounding: what comes out is exactly that of the other scale."""
    with np.errstate(over="ignore", under="ignore"):
        scaled = Rows(np.ldexp(rows.X, power), np.ldexp(rows.y, power), rows.weight)
        assume(np.isfinite(scaled.X).all() and np.isfinite(scaled.y).all())
        same = np.array_equal(np.ldexp(scaled.X, -power), rows.X)
        same &= np.array_equal(np.ldexp(scaled.y, -power), rows.y)
    assume(same)  # no digits lost below the smallest of all numbers
    model = automatic(params, rows)
    present = slice(None) if rows.weight is None else rows.weight > 0
    largest_error = np.abs(scaled.X - scaled.y[:, None])[present].max()
    largest = max(np.abs(scaled.X[present]).max(), np.abs(scaled.y[present]).max())
    try:
        other = automatic(params, scaled)
    except ValueError as refused:
        # Squares of predictions are needed on some axes only.
        limit = {"too large": largest > 1e65, "too close to zero": largest_error < 1e-65}
        assert [known for word, known in limit.items() if word in str(refused)] == [True]  # noqa: PT017
        return
    predicted, std = model.predict(rows.X, return_std=True)
    found, found_std = other.predict(scaled.X, return_std=True)
    if other.data_range_ != np.ldexp(model.data_range_, power):
        assert largest_error == 0  # near the smallest of all numbers, units scale no further
        np.testing.assert_array_equal(found[present], np.ldexp(predicted, power)[present])
        return
    np.testing.assert_array_equal(found, np.ldexp(predicted, power))
    np.testing.assert_array_equal(found_std, np.ldexp(std, power))
    np.testing.assert_array_equal(other.predict_weights(scaled.X), model.predict_weights(rows.X))


@given(real_rows(), PARAMS, SEEDS)
def test_one_model_has_all_the_weight(rows, params, seed):
    column = np.random.default_rng(seed).integers(rows.X.shape[1])
    alone = rows._replace(X=rows.X[:, [column]])
    model = automatic(params, alone)
    np.testing.assert_array_equal(model.weights_, np.ones((len(model.cells_), 1)))
    if not params.get("fit_intercept"):
        np.testing.assert_array_equal(model.predict(alone.X), alone.X[:, 0])


@given(real_rows(), PARAMS)
def test_models_that_agree_are_predicted_exactly(rows, params):
    if params["objective"] == "squared_error":
        params = {**params, "positive": True, "fit_intercept": False}
    alike = rows._replace(X=np.broadcast_to(rows.X[:, :1], rows.X.shape))  # one value in memory
    np.testing.assert_array_equal(automatic(params, alike).predict(alike.X), alike.X[:, 0])


@given(drawn_rows(max_rows=300), PARAMS, SEEDS)
def test_relabelled_models_are_combined_to_the_same(rows, params, seed):
    """Weights are permuted where the rows tell them; the error in the cells is the same anyway."""
    order = np.random.default_rng(seed).permutation(rows.X.shape[1])
    if params["objective"] == "likelihood" and params["default_weights"] == "pooled":
        # EM would start from one of the many best combinations of few rows.
        params = {**params, "default_weights": "uniform"}
    model = fitted(params, rows, data_range=255)
    other = fitted(params, rows._replace(X=rows.X[:, order]), data_range=255)
    if params.get("axes") == "summary":
        np.testing.assert_array_equal(other.cells_, model.cells_)
        numbers = np.arange(len(model.cells_))
    else:
        numbers = np.lexsort(model.cells_[:, order].T[::-1])
        np.testing.assert_array_equal(other.cells_, model.cells_[numbers][:, order])
    for name in ("cell_counts_", "cell_origin_"):
        np.testing.assert_array_equal(getattr(other, name), getattr(model, name)[numbers])
    # Where rows are fewer than models many combinations are equally good on them; which is found
    # is a matter of rounding, and on the pseudo-rows of a cell they differ a little.
    scale = np.abs(rows.X - rows.y[:, None]).max()
    np.testing.assert_allclose(other.cell_rmse_, model.cell_rmse_[numbers], 1e-2, 1e-2 * scale)
    np.testing.assert_allclose(
        other.default_rmse_, model.default_rmse_, rtol=1e-6, atol=1e-6 * scale
    )
    if params["objective"] == "likelihood":
        np.testing.assert_allclose(other.weights_, model.weights_[numbers][:, order], atol=1e-6)


@given(drawn_rows(), PARAMS, st.integers(-(2**30), 2**30))
def test_a_shift_of_all_values_shifts_predictions(rows, params, n_bins):
    """By whole bins, as wide as the widest of parents; on deviations by whatever it is."""
    params = {**params, "data_range": 255.0}
    if "variance_center" in params:
        params["variance_center"] = "model"  # the published floor depends on where zero is
    if params["bin_width"] == 300:  # which the steps of the truth cut with rounding
        params["bin_width"] = 256.0
    on_deviations = params.get("axes") == "deviations"
    widest = 2.0**20 if params.get("shrink_to") == "parent" else 1.0
    width = 32.0 if params["bin_width"] == "auto" else params["bin_width"]
    shift = float(n_bins) if on_deviations else n_bins % 64 * widest * width
    model = fitted(params, rows)
    moved = Rows(rows.X + shift, rows.y + shift, rows.weight)
    other = fitted(params, moved)
    np.testing.assert_array_equal(other.weights_, model.weights_)
    np.testing.assert_array_equal(other.cell_rmse_, model.cell_rmse_)
    np.testing.assert_array_equal(other.predict_weights(moved.X), model.predict_weights(rows.X))
    expected = model.predict(rows.X) + shift
    size = max(1.0, np.abs(model.weights_).max()) * (abs(shift) + 3000.0)
    np.testing.assert_allclose(other.predict(moved.X), expected, rtol=0, atol=1e-12 * size)


@given(drawn_rows(), SQUARED_ERROR)
def test_much_shrinkage_to_parents_is_plain_averaging(rows, params):
    model = fitted(params, rows, shrink_to="parent", shrinkage=1e18)
    known = rows.X if rows.weight is None else rows.X[rows.weight > 0]
    np.testing.assert_allclose(model.predict_weights(known), 1 / known.shape[1], atol=1e-6)
    np.testing.assert_allclose(model.predict(known), known.mean(axis=1), atol=1e-3)


@given(drawn_rows(max_models=6), SQUARED_ERROR)
def test_intercepts_take_out_the_mean_error_of_a_cell(rows, params):
    plain = {"shrinkage": 0.0, "shrink_to": "pooled", "min_samples_cell": 0}
    model = fitted(params, rows, **plain, fit_intercept=True)
    errors = model.predict(rows.X) - rows.y
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    lines = model.predict_weights(rows.X)
    scale = max(1.0, np.abs(lines).max()) * np.abs(rows.X).max()
    # Rows of a cell have its weights and its intercept; the likes of them err by nothing together.
    stds = model.predict(rows.X, return_std=True)[1]
    keys = np.column_stack([lines, stds, model.predict(rows.X) - (lines * rows.X).sum(axis=1)])
    _, cells = np.unique(keys.round(6), axis=0, return_inverse=True)
    means = np.bincount(cells.ravel(), errors * weight) / np.maximum(
        np.bincount(cells.ravel(), weight), 1e-300
    )
    np.testing.assert_allclose(means, 0, atol=1e-7 * scale)


@given(drawn_rows(max_models=8), PARAMS)
def test_the_standard_deviation_is_the_error_of_the_cell(rows, params):
    """Without pseudo-rows and thin cells it is the root mean squared error of the rows in it."""
    model = fitted(params, rows, shrinkage=0.0, shrink_to="pooled", min_samples_cell=0)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    predicted, std = model.predict(rows.X, return_std=True)
    known = weight > 0
    total = (weight * (predicted - rows.y) ** 2)[known].sum()
    expected = (weight * std**2)[known].sum()
    scale = weight.sum() * (max(1.0, np.abs(model.weights_).max()) * 2300) ** 2
    assert math.isclose(total, expected, rel_tol=1e-8, abs_tol=1e-13 * scale)


@pytest.mark.parametrize("n_rows", [1, 2, 40])
@given(params=PARAMS, n_models=st.integers(1, 40), value=st.sampled_from([0.0, -7.0, 1e12]))
def test_models_without_any_error_predict_exactly(n_rows, params, n_models, value):
    X = np.full((n_rows, n_models), value)
    model = automatic(params, Rows(X, X[:, 0], None))
    np.testing.assert_array_equal(model.predict(X), X[:, 0])
    np.testing.assert_array_equal(model.predict(X, return_std=True)[1], 0)
    again = make(params, bin_width="auto")
    with quiet():
        assert_same_fit(again.fit(X, X[:, 0], np.full(n_rows, 1.0)), model)
