"""Rows, parameters and layouts in memory that hypothesis draws, for the tests of invariants.

Values, truth and weights of `drawn_rows` are small whole numbers times powers of two. Then every
sum over rows is exact in double precision, whatever its order, and what must be the same is so to
the last bit: no tolerance hides a defect.
"""

import contextlib
import math
import tempfile
import warnings
from typing import NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from skensir import EnsIRRegressor
from skensir._sums.axes import KINDS

SEEDS = st.integers(0, 2**32 - 1)
DTYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
LAYOUTS = (
    "C",
    "F",
    "strided",
    "reversed",
    "read-only",
    "memory-mapped",
    "swapped",
    "unaligned",
)
FITTED = (
    "bin_width_",
    "cells_",
    "weights_",
    "intercepts_",
    "cell_counts_",
    "cell_origin_",
    "cell_rmse_",
    "means_",
    "variances_",
    "n_iter_",
    "converged_",
    "default_weights_",
    "default_intercept_",
    "default_rmse_",
    "ancestor_levels_",
    "ancestor_cells_",
    "ancestor_weights_",
    "ancestor_intercepts_",
    "ancestor_rmse_",
    "data_range_",
)


def share_of_cases(share):
    """Draw fewer cases than other tests do: the same share of them with every profile."""
    return settings(max_examples=max(1, math.ceil(share * settings().max_examples)))


class Rows(NamedTuple):
    """Stacked predictions, truth, and sample weights or None."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, numbers):
        weight = None if self.weight is None else self.weight[numbers]
        return Rows(self.X[numbers], self.y[numbers], weight)

    @property
    def n_rows(self):
        return len(self.y)

    def has_weight(self):
        return bool(self.n_rows) and (self.weight is None or bool(self.weight.any()))


@st.composite
def drawn_rows(draw, *, min_rows=1, max_rows=150, max_models=40, weights=True, small=False):
    """Draw whole numbers: models that agree roughly, so that they share cells.

    With `small`, all lie from 0 to 127, which every dtype holds.
    """
    rng = np.random.default_rng(draw(SEEDS))
    n_rows = draw(st.integers(min_rows, max_rows))
    n_models = draw(st.one_of(st.integers(1, min(4, max_models)), st.integers(1, max_models)))
    high = 128 if small else draw(st.sampled_from([128, 256, 2000]))
    low = 0 if small else draw(st.sampled_from([0, -300]))
    y = rng.choice(rng.integers(low, high, draw(st.integers(1, 40))), n_rows).astype(np.float64)
    spread = draw(st.sampled_from([0, 3, 40]))
    X = y[:, None] + rng.integers(-spread, spread + 1, (n_rows, n_models))
    X = np.clip(X, low, high - 1)
    weight = None
    if weights and draw(st.booleans()):
        weight = rng.integers(0, 4, n_rows) * draw(st.sampled_from([0.5, 1.0, 4.0]))
        weight[: n_rows // max(n_rows, 1)] = 1.0
    return Rows(X, y, weight)


def exact(X, dtype):
    """Tell whether a dtype holds these numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.array_equal(X.astype(dtype).astype(np.float64), X)


_LIKELIHOOD = st.fixed_dictionaries(
    {
        "objective": st.just("likelihood"),
        "shrinkage": st.sampled_from([0.0, 8.0]),
        "variance_center": st.sampled_from(["model", "responsibility"]),
        "max_iter": st.sampled_from([1, 5]),
        "tol": st.just(0.0),  # where EM stops by itself, rounding may move it by a step
    }
)
_SQUARED_ERROR = st.fixed_dictionaries(
    {
        "objective": st.just("squared_error"),
        "axes": st.sampled_from(KINDS),
        "shrinkage": st.sampled_from([0.0, 8.0, 512.0]),
        "shrink_to": st.sampled_from(["pooled", "parent"]),
        "positive": st.booleans(),
        "fit_intercept": st.booleans(),
    }
)
_ANY = st.fixed_dictionaries(
    {
        "bin_width": st.sampled_from(["auto", 8.0, 32.0, 300.0]),
        "min_samples_cell": st.sampled_from([0, 12, 100]),
        "default_weights": st.sampled_from(["auto", "inverse_deviation", "uniform", "pooled"]),
    }
)
OBJECTIVES = st.one_of(_LIKELIHOOD, _SQUARED_ERROR)
PARAMS = st.builds(lambda one, other: {**one, **other}, _ANY, OBJECTIVES)
SQUARED_ERROR = st.builds(lambda one, other: {**one, **other}, _ANY, _SQUARED_ERROR)


def make(params, **others):
    return EnsIRRegressor(**{**params, **others})


@contextlib.contextmanager
def quiet():
    """Leave out the advice that small and strange rows give reason for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def fitted(params, rows, **others):
    with quiet():
        return make(params, **others).fit(*rows)


def laid_out(array, layout, rng):
    """Return an array of equal values that lies in memory in another way."""
    if array is None or layout == "C":
        return array
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "strided":  # every second line and column of what holds other things between
        wide = rng.integers(0, 100, [2 * n for n in array.shape]).astype(array.dtype)
        view = wide[tuple(slice(1, None, 2) for _ in array.shape)]
        view[...] = array
        return view
    if layout == "reversed":
        backwards = tuple(slice(None, None, -1) for _ in array.shape)
        return array[backwards].copy()[backwards]
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
        return array
    if layout == "memory-mapped":
        if not array.size:
            return array
        with tempfile.TemporaryFile() as file:  # which lives as long as the map does
            mapped = np.memmap(file, array.dtype, "w+", shape=array.shape)
        mapped[...] = array
        return mapped
    if layout == "swapped":
        return array.astype(array.dtype.newbyteorder())
    assert layout == "unaligned"
    packed = np.zeros(array.shape, np.dtype([("before", "u1"), ("value", array.dtype)]))
    packed["value"] = array
    return packed["value"]


def assert_same_fit(model, other, names=FITTED):
    """Compare all that is fitted, to the last bit; tables that are to be solved are solved."""
    with quiet():
        model.solve()
        other.solve()
    for name in names:
        one, expected = getattr(model, name), getattr(other, name)
        np.testing.assert_array_equal(one, expected, err_msg=name, strict=True)


def assert_same_predictions(model, other, X, X_other=None):
    """Compare all that is predicted, to the last bit."""
    X_other = X if X_other is None else X_other
    one, std = model.predict(X, return_std=True)
    expected, expected_std = other.predict(X_other, return_std=True)
    # Single precision gives the rounded doubles.
    np.testing.assert_array_equal(one, expected.astype(one.dtype))
    np.testing.assert_array_equal(std, expected_std)
    np.testing.assert_array_equal(model.predict_weights(X), other.predict_weights(X_other))
