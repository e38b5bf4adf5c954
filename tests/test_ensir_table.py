"""The table of EnsIRRegressor: each objective, and cells of which little is known."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import OPTIONS, WHOLE_STACKS, assert_same_table, fitted, images

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._core import least_squares
from skensir._core.least_squares import simplex_weights


@pytest.mark.parametrize(
    "params", [{}, REFERENCE_PARAMS, {"shrinkage": 30.0, "default_weights": "uniform"}]
)
def test_em_of_the_estimator_equals_em_row_by_row(params):
    stack = images(1500)
    model = EnsIRRegressor(stack.bin_width, **params).fit(stack.X, stack.y)
    cells = naive.rows_of_cells(stack.X, stack.bin_width)
    assert np.count_nonzero(model.cell_origin_ == "fitted") >= 3
    for number, (cell, rows) in enumerate(cells.items()):
        if model.cell_origin_[number] != "fitted":
            continue
        X = stack.X[rows].astype(np.float64)
        uniform = params.get("default_weights") == "uniform"
        expected = naive.mixture(
            stack.y[rows].astype(np.float64),
            np.ones(len(rows)),
            X.mean(axis=0),
            X.var(axis=0),
            np.full(3, 1 / 3) if uniform else naive.inverse_deviation_weights(X),
            variance_center=params.get("variance_center", "model"),
            shrinkage=params.get("shrinkage", 0.0),
            prior_weights=model.default_weights_,
        )
        np.testing.assert_allclose(model.weights_[number], expected.weights, atol=1e-9)
        np.testing.assert_allclose(model.variances_[number], expected.variances, rtol=1e-7)
        assert model.n_iter_[number] == len(expected.log_likelihoods), cell


@pytest.mark.parametrize("shrinkage", [0.0, 40.0, 1e12])
def test_squared_error_is_least_over_the_cell_and_its_pseudo_rows(shrinkage):
    stack = images(1500)
    model = fitted(stack, objective="squared_error", shrinkage=shrinkage, min_samples_cell=20)
    errors = stack.X.astype(np.float64) - stack.y[:, None]
    for number, rows in enumerate(naive.rows_of_cells(stack.X, stack.bin_width).values()):
        if model.cell_origin_[number] == "thin":
            continue
        # Pseudo-rows: every row of the data, so that they weigh `shrinkage` rows together.
        total = errors[rows].T @ errors[rows] + shrinkage * (errors.T @ errors) / len(errors)
        expected = simplex_weights(total[None])[0]
        np.testing.assert_allclose(model.weights_[number], expected, atol=1e-6)
        assert model.weights_[number] @ total @ model.weights_[number] <= np.diag(total).min()
    if shrinkage == 1e12:
        everywhere = np.broadcast_to(model.default_weights_, model.weights_.shape)
        np.testing.assert_allclose(model.weights_, everywhere, atol=1e-6)


def test_reference_params_follow_the_published_program():
    """With fitted, thin and degenerate cells, each in its own way."""
    stack = images(2500, bin_width=32.0)
    dead = np.full((150, 3), [200, 131, 70], dtype=np.uint8)
    dead[:, 0] += np.arange(150, dtype=np.uint8) % 5
    X, y = np.vstack([stack.X, dead]), np.append(stack.y, np.arange(150, dtype=np.uint8) + 60)
    model = EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS).fit(X, y)
    expected = naive.published_table(X, y, 32)
    assert [tuple(cell) for cell in model.cells_.tolist()] == list(expected)
    assert set(model.cell_origin_) == {"fitted", "thin", "degenerate"}
    for number, (weights, origin) in enumerate(expected.values()):
        assert model.cell_origin_[number] == origin
        np.testing.assert_allclose(model.weights_[number], weights, atol=1e-8)


@pytest.mark.parametrize("default_weights", ["inverse_deviation", "uniform", "pooled", "array"])
def test_thin_degenerate_and_unseen_cells_get_the_default_weights(default_weights):
    X, y, _, _ = images(600, bin_width=32.0)
    X[-150:], y[-150:] = [200, 131, 70], np.arange(150) + 60  # models without variance
    given_weights = [0.2, 0.5, 0.3]
    model = EnsIRRegressor(
        default_weights=given_weights if default_weights == "array" else default_weights,
        variance_center="responsibility",
    ).fit(X, y)
    errors = X - y[:, None].astype(np.float64)
    pooled = {
        "inverse_deviation": naive.inverse_deviation_weights(X),
        "uniform": np.full(3, 1 / 3),
        "pooled": simplex_weights(errors.T[None] @ errors / len(y))[0],
        "array": given_weights,
    }[default_weights]
    np.testing.assert_allclose(model.default_weights_, pooled, rtol=1e-9)
    assert {"thin", "degenerate"} <= set(model.cell_origin_)
    for number, rows in enumerate(naive.rows_of_cells(X, 32).values()):
        assert (model.cell_origin_[number] == "thin") == (len(rows) < 100)
        if model.cell_origin_[number] != "fitted":
            own = naive.inverse_deviation_weights(X[rows])
            expected = own if default_weights == "inverse_deviation" else pooled
            np.testing.assert_allclose(model.weights_[number], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "default_weights", ["auto", "pooled", "uniform", "inverse_deviation", [0.2, 0.5, 0.3]], ids=str
)
def test_default_weights_of_nested_tables_are_named_or_what_all_cells_are_drawn_to(default_weights):
    X, y, _, _ = images(600)
    model = EnsIRRegressor(
        objective="squared_error",
        shrink_to="parent",
        shrinkage=300.0,
        default_weights=default_weights,
    ).fit(X, y)
    nested = naive.Nested([(0, 0, 0)], X - y[:, None].astype(np.float64), np.ones(600), 300.0)
    expected = {
        "uniform": np.full(3, 1 / 3),
        "inverse_deviation": naive.inverse_deviation_weights(X),
        "[0.2, 0.5, 0.3]": [0.2, 0.5, 0.3],
    }.get(str(default_weights), simplex_weights(nested.pooled()[:-1, :-1]))
    np.testing.assert_allclose(model.default_weights_, expected, rtol=1e-9)


def test_auto_default_weights_depend_on_the_objective():
    X, y, _, _ = images()
    options = {"likelihood": "inverse_deviation", "squared_error": "pooled"}
    for objective, default_weights in options.items():
        auto = EnsIRRegressor(objective=objective).fit(X, y)
        same = EnsIRRegressor(objective=objective, default_weights=default_weights).fit(X, y)
        assert_same_table(auto, same)


def test_a_cell_is_thin_below_the_threshold_and_not_at_it():
    y = np.repeat([10.0, 50.0, 90.0], [99, 100, 101])
    X = y[:, None] + np.random.default_rng(0).uniform(-3, 3, (300, 2))
    assert EnsIRRegressor(32).fit(X, y).cell_origin_.tolist() == ["thin", "fitted", "fitted"]
    shrunk = EnsIRRegressor(32, shrinkage=1).fit(X, y)  # pseudo-rows count
    assert shrunk.cell_origin_.tolist() == ["fitted"] * 3


@pytest.mark.parametrize(
    ("params", "n_iter"),
    [
        ({}, [0, 3, 3]),  # the variance is 0.25 from the second step on
        ({"objective": "squared_error"}, [0, 1, 1]),
        ({"objective": "squared_error", "shrink_to": "parent"}, [1, 1, 1]),
        ({"min_samples_cell": 200}, [1, 1, 1]),
        ({"objective": "squared_error", "min_samples_cell": 200}, [1, 1, 1]),
    ],
)
def test_thin_cells_take_no_step_unless_there_are_no_others(params, n_iter):
    y = np.repeat([10.0, 50.0, 90.0], [99, 100, 101])
    model = EnsIRRegressor(32, **params).fit(np.stack([y, y], axis=1) + 0.5, y)
    assert model.n_iter_.tolist() == n_iter
    assert model.converged_.all()


@given(WHOLE_STACKS, OPTIONS, st.integers(1, 300))
def test_cells_may_be_solved_in_blocks_of_any_size(stack, options, size):
    with mock.patch.object(least_squares, "_BLOCK_SIZE", size):
        in_blocks = fitted(stack, **options)
    whole = fitted(stack, **options)
    for name in ("cells_", "cell_origin_", "n_iter_", "default_weights_"):
        np.testing.assert_array_equal(getattr(in_blocks, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(in_blocks.weights_, whole.weights_, atol=1e-9)


def test_thresholds_count_weight_not_rows():
    X, y, _, _ = images()
    halves = EnsIRRegressor(min_samples_cell=50).fit(X, y, np.full(len(y), 0.5))
    ones = EnsIRRegressor(min_samples_cell=100).fit(X, y)
    np.testing.assert_array_equal(halves.cell_origin_, ones.cell_origin_)
    assert set(ones.cell_origin_) == {"fitted", "thin"}


def test_target_resolution_is_exact_for_whole_numbers_and_fine_for_others():
    X, y, _, _ = images()
    auto = EnsIRRegressor().fit(X, y)
    assert_same_table(auto, EnsIRRegressor().fit(X, y.astype(np.float32)))
    assert_same_table(auto, EnsIRRegressor(target_resolution=1).fit(X, y))
    coarse = EnsIRRegressor(target_resolution=16).fit(X, y)
    assert np.abs(coarse.weights_ - auto.weights_).max() > 1e-3

    options = {"max_iter": 30, "tol": 0.0}
    real = images()._replace(y=y + np.random.default_rng(0).uniform(-0.5, 0.5, len(y)))
    exact = fitted(real, target_resolution=1e-7, **options)
    difference = np.abs(fitted(real, **options).weights_ - exact.weights_).max()
    assert 0 < difference < 2e-3


@pytest.mark.parametrize("axes", ["predictions", "deviations"])
def test_rows_in_no_cell_err_by_nothing_on_average_with_an_intercept(axes):
    X, y, weight, _ = images()
    y = y + 7.0  # all models err to the same side
    options = {"objective": "squared_error", "fit_intercept": True, "axes": axes}
    model = EnsIRRegressor(**options).fit(X, y, weight)
    errors = X @ model.default_weights_ + model.default_intercept_ - y
    assert abs(np.average(errors, weights=weight)) < 1e-9
    assert abs(model.default_intercept_) > 1
