"""Weights that follow from one matrix of error moments."""

import naive
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skensir._core.pooled import inverse_deviation_weights

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
