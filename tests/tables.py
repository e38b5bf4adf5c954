"""Tables fitted on drawn or made rows, and their comparison."""

import warnings

import naive
import numpy as np
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from skensir import EnsIRRegressor

COUNTED = ["bin_width_", "cells_", "cell_counts_", "cell_origin_", "n_iter_", "converged_"]
COMPUTED = ["weights_", "cell_rmse_", "means_", "variances_", "default_weights_", "default_rmse_"]
# With all else at its default, the search of version 0.1.
SEARCH_OF_0_1 = {
    "axes": "predictions",
    "shrink_to": "pooled",
    "select": "best",
    "scoring": "neg_mean_squared_error",
}
SEEDS = st.integers(0, 2**32 - 1)
# The steps are limited: what holds after any number of them needs no convergence.
OPTIONS = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(["likelihood", "squared_error"]),
        "shrinkage": st.sampled_from([0.0, 7.0]),
        "default_weights": st.sampled_from(["auto", "inverse_deviation", "uniform", "pooled"]),
        "min_samples_cell": st.sampled_from([0, 5, 100]),
        "variance_center": st.sampled_from(["model", "responsibility"]),
        "max_iter": st.integers(1, 20),
    }
)
WHOLE_STACKS = naive.stacks(whole=True, max_models=6, max_rows=150, outliers=False)


def fitted(stack, **params):
    """Fit, without complaint about too few steps."""
    params = {"bin_width": stack.bin_width, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return EnsIRRegressor(**params).fit(stack.X, stack.y, stack.sample_weight)


def images(n_rows=4000, n_models=3, seed=0, bin_width=64.0):
    """Make 8-bit predictions whose best model depends on the value."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    level = np.abs(y[:, None] / 255 - np.linspace(0, 1, n_models)) * 12 + 2
    X = np.rint(y[:, None] + level * rng.standard_normal((n_rows, n_models)))
    return naive.Stack(np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8), None, bin_width)


def assert_same_table(model, other, *, rtol=0.0, atol=0.0, relative_atol=0.0):
    """Compare fitted tables to the last bit, or but for the rounding of sums in another order.

    Cells, counts and numbers of steps are equal in any case. `relative_atol` is a share of the
    largest value of an array. Tables that are still to be solved are solved.
    """
    model.solve()
    other.solve()
    for name in COUNTED:
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name), err_msg=name)
    for name in COMPUTED:
        expected = np.asarray(getattr(other, name))
        largest = np.abs(expected).max() if relative_atol else 0.0
        np.testing.assert_allclose(
            getattr(model, name),
            expected,
            rtol=rtol,
            atol=atol + relative_atol * largest,
            err_msg=name,
        )
