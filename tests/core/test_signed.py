"""Signed weights where a model makes no error, or none but a constant one."""

import numpy as np
import pytest

from skensir._core.least_squares import SquaredError, _centred, signed_weights


@pytest.mark.parametrize("perfect", [[0], [2], [0, 3]])
def test_models_without_any_error_need_no_other(perfect):
    errors = np.random.default_rng(0).normal(size=(50, 4))
    errors[:, perfect] = 0.0
    weights = signed_weights(errors.T @ errors / 50)
    expected = np.zeros(4)
    expected[perfect] = 1 / len(perfect)
    np.testing.assert_array_equal(weights, expected)


def constant_errors(n_models, size):
    """Return moments and means of errors that are constant, but for the rounding of their sums."""
    rng = np.random.default_rng(n_models)
    means = size * rng.uniform(1, 2, (1000, n_models))
    moments = means[:, :, None] * means[:, None, :]
    rounding = rng.integers(-2, 3, moments.shape) * np.spacing(moments)
    return moments + rounding + rounding.swapaxes(1, 2), means


@pytest.mark.parametrize("n_models", [1, 2, 3, 6])
def test_rounding_makes_no_variance_negative(n_models):
    moments, means = constant_errors(n_models, size=1e3)
    assert (np.linalg.eigvalsh(_centred(moments, means)) > 0).all()


@pytest.mark.parametrize("n_models", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_errors_that_are_constant_but_for_rounding_are_no_models_that_cancel(n_models, size):
    """What is left of their moments about the mean is noise of either sign."""
    moments, means = constant_errors(n_models, size)
    objective = SquaredError(positive=False, fit_intercept=True)
    weights, intercepts = objective.solve_moments(moments, means)
    assert np.abs(weights).max() < 2
    left = (weights * means).sum(axis=1) + intercepts
    np.testing.assert_allclose(left, 0, atol=1e-12 * size)
