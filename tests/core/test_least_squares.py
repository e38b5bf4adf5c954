"""Convex weights of least squared error: optimal, unique, and fair to equal models."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from skensir import EnsIRRegressor
from skensir._core import least_squares
from skensir._core.least_squares import signed_weights, simplex_weights

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def moments_of_errors(draw, *, max_models=40):
    """Draw error moments: singular with few rows or duplicate models, and of any scale."""
    n_cells, n_models = draw(st.integers(1, 4)), draw(st.integers(2, max_models))
    rng = np.random.default_rng(draw(SEEDS))
    n_rows = draw(st.sampled_from([1, 2, n_models - 1 or 1, 3 * n_models, 200]))
    common = draw(st.sampled_from([0.0, 1.0, 30.0])) * rng.standard_normal((n_cells, n_rows, 1))
    errors = common + rng.standard_normal((n_cells, n_rows, n_models))
    decades = draw(st.sampled_from([0.0, 1.0, 6.0]))
    errors *= 10 ** rng.uniform(-decades, decades, n_models)
    if draw(st.booleans()):  # duplicate models
        errors = errors[:, :, rng.integers(0, n_models, n_models)]
    errors *= 10.0 ** draw(st.integers(-6, 6))
    return np.einsum("cri,crj->cij", errors, errors) / n_rows


def assert_optimal(moments, weights):
    """Check the conditions of Karush, Kuhn and Tucker, by which convex weights are optimal.

    The error of each model correlates with that of the combination no less than the combination
    with itself, and not more either where the model has weight. Rounding is measured by the
    model's own error and that of the best model.
    """
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    correlation = np.einsum("cij,cj->ci", moments, weights)
    excess = correlation - np.einsum("ci,ci->c", weights, correlation)[:, None]
    deviation = np.sqrt(np.einsum("cii->ci", moments))
    unit = deviation * deviation.min(axis=1, keepdims=True)
    assert (excess >= -1e-8 * unit).all()
    assert (weights * excess <= 1e-8 * unit).all()


@given(moments_of_errors())
def test_weights_are_convex_and_optimal(moments):
    assert_optimal(moments, simplex_weights(moments))


@given(moments_of_errors(max_models=6), st.integers(0, 3))
def test_general_solver_finds_nothing_better(moments, start):
    moments = moments[:1] / np.trace(moments[0])
    n_models = moments.shape[1]
    guess = np.random.default_rng(start).dirichlet(np.ones(n_models))
    solution = minimize(
        lambda w: w @ moments[0] @ w,
        guess,
        jac=lambda w: 2 * moments[0] @ w,
        method="SLSQP",
        bounds=[(0, 1)] * n_models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    theirs = np.clip(solution.x, 0, None) / np.clip(solution.x, 0, None).sum()
    ours = simplex_weights(moments)[0]
    assert ours @ moments[0] @ ours <= theirs @ moments[0] @ theirs + 1e-10


@given(st.integers(2, 8), SEEDS)
def test_well_conditioned_weights_equal_those_of_a_general_solver(n_models, seed):
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal((200, n_models)) * rng.uniform(1, 2, n_models)
    moments = errors.T @ errors / 200
    solution = minimize(
        lambda w: w @ moments @ w,
        np.full(n_models, 1 / n_models),
        jac=lambda w: 2 * moments @ w,
        method="SLSQP",
        bounds=[(0, 1)] * n_models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    np.testing.assert_allclose(simplex_weights(moments[None])[0], solution.x, atol=1e-5)


def test_known_solutions():
    independent = np.diag([1.0, 4.0, 4.0])
    np.testing.assert_allclose(simplex_weights(independent[None])[0], [4 / 6, 1 / 6, 1 / 6])
    # A model that errs as the better one does, only more, gets nothing.
    nested = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(simplex_weights(nested[None])[0], [1.0, 0.0], atol=1e-9)
    # Opposite errors cancel.
    opposite = np.array([[1.0, -3.0], [-3.0, 9.0]])
    np.testing.assert_allclose(simplex_weights(opposite[None])[0], [0.75, 0.25], rtol=1e-6)


def test_models_push_each_other_out_and_come_back():
    """They do where large errors have few common causes."""
    rng = np.random.default_rng(0)
    common = 100 * rng.normal(size=(2000, 8, 4)) @ rng.normal(size=(2000, 4, 8))
    errors = common + rng.normal(size=(2000, 8, 8))
    moments = errors.swapaxes(1, 2) @ errors / 8
    assert_optimal(moments, simplex_weights(moments))


@pytest.mark.parametrize("gain", [1e-2, 1e-4, 1e-6, 1e-7])
@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_a_model_that_helps_ever_so_little_gets_its_little_weight(gain, unit):
    moments = np.array([[[1.0, 1 - gain], [1 - gain, 4.0]]]) * unit
    weights = simplex_weights(moments)
    assert_optimal(moments, weights)
    assert weights[0, 1] == pytest.approx(gain / (3 + 2 * gain), rel=1e-3)


@given(moments_of_errors(max_models=12), st.integers(0, 11), st.integers(1, 3))
def test_duplicates_of_a_model_change_nothing(moments, model, n_more):
    model %= moments.shape[1]
    order = [*range(moments.shape[1]), *[model] * n_more]
    duplicated = moments[:, order][:, :, order]
    weights = simplex_weights(duplicated)
    assert_optimal(duplicated, weights)
    # The weights of the copies, summed up, are weights of the models as they were.
    summed = weights[:, : moments.shape[1]].copy()
    summed[:, model] += weights[:, moments.shape[1] :].sum(axis=1)
    assert_optimal(moments, summed)


@given(st.integers(2, 20), SEEDS)
def test_relabelling_models_permutes_weights(n_models, seed):
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal((100, n_models)) + 2 * rng.standard_normal((100, 1))
    moments, order = errors.T @ errors / 100, rng.permutation(n_models)
    relabelled = simplex_weights(moments[order][:, order][None])[0]
    np.testing.assert_allclose(relabelled, simplex_weights(moments[None])[0][order], atol=1e-9)


@given(moments_of_errors(max_models=12), st.integers(-20, 20), st.floats(-12, 12))
def test_the_unit_of_the_errors_does_not_matter(moments, power, decades):
    doubled = simplex_weights(moments * 4.0**power)  # without any rounding
    np.testing.assert_array_equal(doubled, simplex_weights(moments))
    scaled = moments * 10**decades
    assert_optimal(scaled, simplex_weights(scaled))


@given(moments_of_errors(), SEEDS)
def test_perfect_models_share_all_the_weight(moments, seed):
    n_cells, n_models = moments.shape[:2]
    perfect = np.random.default_rng(seed).random((n_cells, n_models)) < 0.4
    perfect[:, 0] = True
    moments[perfect] = 0
    moments.transpose(0, 2, 1)[perfect] = 0
    expected = perfect / perfect.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(simplex_weights(moments), expected)


@given(moments_of_errors())
def test_programmes_do_not_influence_each_other(moments):
    together = simplex_weights(moments)
    for cell, alone in enumerate(moments):
        np.testing.assert_allclose(simplex_weights(alone[None])[0], together[cell], atol=1e-12)


@pytest.mark.parametrize("n_models", [1, 2, 5])
def test_no_programme_gives_no_weights(n_models):
    assert simplex_weights(np.empty((0, n_models, n_models))).shape == (0, n_models)


def test_one_model_gets_all_the_weight():
    np.testing.assert_array_equal(simplex_weights(np.array([[[2.0]], [[0.0]]])), [[1.0], [1.0]])


@pytest.mark.parametrize("size", [2**22, 40, 1])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_cells_are_drawn_to_all_rows_as_by_so_many_rows_of_the_average(
    size, positive, intercept, monkeypatch
):
    """However many programmes are solved at once."""
    monkeypatch.setattr(least_squares, "_BLOCK_SIZE", size)
    rng, shrinkage = np.random.default_rng(0), 30.0
    y = rng.uniform(0, 255, 400)
    X = y[:, None] + rng.normal(size=(400, 3)) * [3, 9, 20] + [5, -3, 0] * np.cos(y / 40)[:, None]
    table = EnsIRRegressor(
        64.0,
        data_range=255,
        axes="summary",
        objective="squared_error",
        shrinkage=shrinkage,
        shrink_to="pooled",
        min_samples_cell=0,
        positive=positive,
        fit_intercept=intercept,
    ).fit(X, y)
    find = simplex_weights if positive else signed_weights
    names = [naive.bins_on_axes(row, 64.0, "summary", 8.0) for row in X]
    assert len(table.cells_) > 5
    for cell, weights, constant in zip(
        table.cells_.tolist(), table.weights_, table.intercepts_, strict=True
    ):
        share = np.array([name == tuple(cell) for name in names]) + shrinkage / len(y)
        mean = np.average(X - y[:, None], axis=0, weights=share) * intercept
        errors = X - y[:, None] - mean
        moments = (errors.T * share) @ errors / share.sum()
        np.testing.assert_allclose(weights, find(moments), atol=1e-6)
        assert constant == pytest.approx(-weights @ mean, abs=1e-9)
