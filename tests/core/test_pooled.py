"""Weights that follow from one matrix of error moments."""

import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._core.least_squares import SquaredError, signed_weights, simplex_weights
from skensir._core.pooled import (
    Pooled,
    average_weights,
    best_model_weights,
    inverse_deviation_weights,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(
    st.integers(1, 12), st.integers(4, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.5, 5.0])
)
def test_inverse_deviation_follows_from_the_error_moments(n_models, n_rows, seed, noise):
    """The truth cancels: the distance from the average of the models does not depend on it."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + 3 * noise + noise * rng.standard_normal((n_rows, n_models))
    sample_weight = rng.uniform(0.5, 2, n_rows)
    errors = X - y[:, None]
    moments = np.einsum("n,ni,nj->ij", sample_weight, errors, errors) / sample_weight.sum()
    expected = naive.inverse_deviation_weights(X, sample_weight)
    np.testing.assert_allclose(inverse_deviation_weights(moments), expected, atol=1e-9)
    stacked = inverse_deviation_weights(np.stack([moments, np.eye(n_models)]))
    np.testing.assert_allclose(stacked, [expected, np.full(n_models, 1 / n_models)], atol=1e-9)


@given(SEEDS)
def test_models_that_agree_exactly_share_the_weight_even_if_they_err(seed):
    """The rounding of their moments does not decide."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(10, 3, (50, 1)) * np.ones(4)
    moments = errors.T @ errors / 50
    np.testing.assert_array_equal(inverse_deviation_weights(moments), np.full(4, 0.25))
    rounding = rng.integers(-2, 3, (4, 4)) * np.spacing(moments)
    moments += rounding + rounding.T
    np.testing.assert_array_equal(inverse_deviation_weights(moments), np.full(4, 0.25))


def test_the_deviation_to_which_the_floor_of_the_published_program_is_added():
    """Where errors are as small as the floor, a billionth more of them shows in the weights."""
    # From uncorrelated errors: a third of the model's own square, and the square of the average.
    squares = np.array([1e-20, 1.000000001e-20, 1.000000002e-20])
    from_average = [math.sqrt(square / 3 + squares.sum() / 9) for square in squares]
    expected = naive.softmax([1 / (1e-10 + distance) for distance in from_average])
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(inverse_deviation_weights(np.diag(squares)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "find",
    [
        average_weights,
        best_model_weights,
        inverse_deviation_weights,
        simplex_weights,
        signed_weights,
    ],
)
def test_moments_may_stand_in_an_array_of_any_shape(find):
    errors = np.random.default_rng(0).normal(size=(2, 3, 20, 4)) * [1, 2, 3, 4]
    moments = errors.swapaxes(-1, -2) @ errors / 20
    one_by_one = [[find(of_cell) for of_cell in of_row] for of_row in moments]
    np.testing.assert_allclose(find(moments), one_by_one, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_over_all_rows_weights_are_those_of_the_objective(positive, intercept):
    errors = np.random.default_rng(0).multivariate_normal([3, -1, 2], np.eye(3) + 2, 50)
    errors[:, 2] *= 3
    moments, means = errors.T @ errors / 50, errors.mean(axis=0)
    objective = SquaredError(positive=positive, fit_intercept=intercept)
    weights = Pooled(moments, means if intercept else None).solve(objective)
    find = simplex_weights if positive else signed_weights
    left = np.cov(errors.T, bias=True) if intercept else moments
    np.testing.assert_allclose(weights, find(left), atol=1e-7)
    assert (weights >= 0).all() == positive


def test_a_model_that_is_the_average_of_all_is_taken_alone_whatever_they_err():
    """What is left of its distance is rounding of errors that are a million times as large."""
    errors = 1e6 + np.array([[0.0, 1.0, -1.0], [0.0, -2.0, 2.0]])
    weights = inverse_deviation_weights(errors.T @ errors / 2)
    np.testing.assert_array_equal(weights, [1, 0, 0])
