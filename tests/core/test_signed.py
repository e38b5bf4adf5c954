"""Signed weights where a model makes no error, or none but a constant one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._core.least_squares import SquaredError, signed_weights

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("perfect", [[0], [2], [0, 3]])
def test_models_without_any_error_need_no_other(perfect):
    errors = np.random.default_rng(0).normal(size=(50, 4))
    errors[:, perfect] = 0.0
    weights = signed_weights(errors.T @ errors / 50)
    expected = np.zeros(4)
    expected[perfect] = 1 / len(perfect)
    np.testing.assert_array_equal(weights, expected)


@given(SEEDS, st.integers(1, 6), st.sampled_from([1e-3, 1.0, 1e6]))
def test_errors_that_are_constant_but_for_rounding_are_no_models_that_cancel(seed, n_models, size):
    """What is left of their moments about the mean is noise of either sign."""
    rng = np.random.default_rng(seed)
    means = size * rng.uniform(1, 2, n_models)
    moments = np.outer(means, means)
    rounding = rng.integers(-2, 3, moments.shape) * np.spacing(moments)
    moments += rounding + rounding.T
    objective = SquaredError(positive=False, fit_intercept=True)
    [weights], [intercept] = objective.solve_moments(moments[None], means[None])
    assert np.abs(weights).max() < 2
    np.testing.assert_allclose(weights @ means + intercept, 0, atol=1e-12 * size)
