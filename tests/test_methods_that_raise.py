"""A method that raises leaves the estimator as it was."""

import pickle
import re
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir import _ensir as ensir_module
from skensir import _fitted_table as table_module
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)

ESTIMATORS = [
    EnsIRRegressor(),
    EnsIRRegressor(objective="squared_error"),
    EnsIRRegressorCV(cv=3),
    AverageRegressor(),
    BestModelRegressor(),
    ConvexRegressor(),
    GreedyRegressor(10),
    ZZPMRegressor(),
]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 600)
    return pd.DataFrame({name: y + n * rng.normal(size=600) for n, name in enumerate("abc", 1)}), y


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_a_refused_fit_changes_nothing(estimator, rows):
    X, y = rows
    model = clone(estimator).fit(X, y)
    before, expected = pickle.dumps(model), model.predict(X)
    swapped = X[["c", "b", "a"]]
    bad = [
        (swapped, y, -np.ones(len(y))),
        (swapped[["c", "b"]], y, np.zeros(len(y))),
        (swapped, y[:-1], None),
        (swapped.assign(a=np.nan), y, None),
    ]
    for arguments in bad:
        with pytest.raises(ValueError, match=r"sample_weight|inconsistent|NaN"):
            model.fit(*arguments)
        assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.predict(X), expected)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(swapped)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_a_refused_first_fit_leaves_it_unfitted(estimator, rows):
    X, y = rows
    model = clone(estimator)
    with pytest.raises(ValueError, match="Negative values in sample_weight"):
        model.fit(X, y, -np.ones(len(y)))
    assert vars(model) == vars(clone(estimator))


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_so_does_one_that_is_interrupted_late(rows, error):
    X, y = rows
    model = EnsIRRegressor().fit(X, y)
    before = pickle.dumps(model)
    with mock.patch.object(ensir_module, "solve_table", side_effect=error):
        for change in (
            lambda: model.fit(X[["c", "b", "a"]], y),
            lambda: model.set_params(bin_width=8).fit(X, y),
        ):
            with pytest.raises(error):
                change()
            assert pickle.dumps(model.set_params(bin_width="auto")) == before
    with mock.patch.object(table_module, "accumulate", side_effect=error), pytest.raises(error):
        model.partial_fit(X, y)
    assert pickle.dumps(model) == before


def test_so_do_partial_fit_and_merge(rows):
    X, y = rows
    model = EnsIRRegressor().partial_fit(X, y)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=re.escape("feature_names_in_ of other is ['c' 'b' 'a']")):
        model.merge(EnsIRRegressor().fit(X[["c", "b", "a"]], y))
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(X[["c", "b", "a"]], y)
    fresh = EnsIRRegressor(bin_width=8)
    with pytest.raises(ValueError, match=r"bin_width == 8.0, must be 32.0"):
        fresh.merge(model)
    assert vars(fresh) == vars(EnsIRRegressor(bin_width=8))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("method", ["solve", "predict", "predict_weights", "forget_rows"])
def test_so_does_a_table_that_cannot_be_solved(rows, method):
    X, y = rows
    arguments = (X,) if method.startswith("predict") else ()
    model = EnsIRRegressor(max_iter=1, min_samples_cell=0).partial_fit(X, y)
    before = pickle.dumps(model)
    with mock.patch.object(table_module, "index_of_table", side_effect=MemoryError):
        with pytest.raises(MemoryError):
            getattr(model, method)(*arguments)
        assert pickle.dumps(model) == before
    for _ in range(2):  # here warnings are errors
        with pytest.raises(ConvergenceWarning):
            getattr(model, method)(*arguments)
        assert pickle.dumps(model) == before
    with pytest.warns(ConvergenceWarning):
        getattr(model, method)(*arguments)
    assert model.predict(X).shape == y.shape
