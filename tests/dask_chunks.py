"""Rows in chunks of dask, and the comparison of what is fitted on them.

Where dask is not installed the tests that import this are skipped.
"""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import tables

cloudpickle = pytest.importorskip("cloudpickle", reason="dask is not installed here")
dask = pytest.importorskip("dask", reason="dask is not installed here")
da = pytest.importorskip("dask.array", reason="no dask arrays here")
dd = pytest.importorskip("dask.dataframe", reason="no dask data frames here")

NAMES = ["MPRNet", "MAXIM", "Restormer"]
# But for rounding: the rows of a cell are added up in another order.
assert_same_table = partial(tables.assert_same_table, rtol=1e-7, relative_atol=1e-9)


def stacked(n_rows=3000, *, seed=0):
    """Predictions whose best weights depend on their value, truth and sample weights."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + np.where(y[:, None] < 128, [2, 5, 9], [9, 5, 2]) * rng.normal(size=(n_rows, 3))
    return X, y, rng.integers(0, 3, n_rows).astype(float)


def in_chunks(*arrays, chunks=700):
    return [da.from_array(array, chunks=(chunks, *array.shape[1:])) for array in arrays]


def as_frame(X, y, weight, **others):
    return pd.DataFrame(X, columns=NAMES).assign(y=y, weight=weight, **others)


def replaced(array, value):
    array = array.copy()
    array.flat[2000] = value
    return array


def assert_same_results(model, other):
    assert list(model.cv_results_) == list(other.cv_results_)
    assert model.cv_results_["params"] == other.cv_results_["params"]
    for key, expected in other.cv_results_.items():
        if key.endswith("test_score") and not key.startswith("rank"):  # there rounding decides
            np.testing.assert_allclose(model.cv_results_[key], expected, rtol=1e-9, err_msg=key)
    assert model.best_params_ == other.best_params_
    assert model.n_splits_ == other.n_splits_
    for name, gain in other.gains_.items():
        assert model.gains_[name] == pytest.approx(gain, rel=1e-6)
    np.testing.assert_allclose(model.shares_, other.shares_, rtol=1e-6)
    for part, expected in zip(model.estimators_, other.estimators_, strict=True):
        assert_same_table(part, expected)
