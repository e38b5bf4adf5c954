"""Nested tables and averages of them on dask collections are those in memory."""

import pickle

import numpy as np
import pytest
from dask_chunks import (
    NAMES,
    as_frame,
    assert_same_results,
    assert_same_table,
    da,
    dd,
    in_chunks,
    stacked,
)
from sklearn.model_selection import KFold, LeaveOneGroupOut

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV
from skensir.persistence import load_table, save_table

pytestmark = [
    pytest.mark.usefixtures("in_this_thread"),
    pytest.mark.filterwarnings("ignore:Most rows"),
]
KINDS = ("predictions", "deviations", "summary")


def pixels(X):
    return np.clip(np.rint(X), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("axes", KINDS)
@pytest.mark.parametrize("shrink_to", ["pooled", "parent"])
@pytest.mark.parametrize("signed", [False, True])
def test_one_table_is_that_of_the_plain_estimator(axes, shrink_to, signed):
    X, y, weight = stacked(1500)
    params = {"axes": axes, "shrink_to": shrink_to, "shrinkage": 20.0}
    params |= {"positive": not signed, "fit_intercept": signed, "objective": "squared_error"}
    plain = EnsIRRegressor(**params).fit(X, y, weight)
    lazy = in_chunks(X, y, weight)
    model = DaskEnsIRRegressor(**params).fit(*lazy)
    assert_same_table(model, plain)
    np.testing.assert_allclose(model.ancestor_weights_, plain.ancestor_weights_, atol=1e-6)
    np.testing.assert_allclose(model.predict(lazy[0]).compute(), plain.predict(X), rtol=1e-6)
    assert_same_table(
        model.partial_fit(*in_chunks(X[:200], y[:200])), plain.partial_fit(X[:200], y[:200])
    )
    model.calibrate(*lazy)
    plain.calibrate(X, y, weight)
    lower, upper = model.predict_interval(lazy[0], 0.8)
    assert isinstance(lower, da.Array)
    expected = plain.predict_interval(X, 0.8)
    np.testing.assert_allclose([lower.compute(), upper.compute()], expected, rtol=1e-2, atol=0.1)


@pytest.mark.parametrize("select", ["auto", "average", "best"])
@pytest.mark.parametrize("kind", ["reals", "pixels", "frame"])
@pytest.mark.parametrize("params", [{}, {"bin_widths": [16.0, 64.0], "axes": ["summary"]}])
def test_a_search_is_that_of_the_plain_estimator(kind, select, params, tmp_path):
    X, y, weight = stacked(1500)
    X = pixels(X) if kind == "pixels" else X
    data, lazy = [X, y, weight], in_chunks(X, y, weight)
    if kind == "frame":
        frame = as_frame(X, y, weight)
        parts = dd.from_pandas(frame, npartitions=3)
        data, lazy = ([f[NAMES], f.y, f.weight] for f in (frame, parts))
    plain = EnsIRRegressorCV(**params, select=select, cv=KFold(4)).fit(*data)
    model = DaskEnsIRRegressorCV(**params, select=select, cv=KFold(4)).fit(*lazy)
    assert_same_results(model, plain)
    assert all(type(part) is DaskEnsIRRegressor for part in model.estimators_)
    predicted, std = model.predict(lazy[0], return_std=True)
    assert isinstance(predicted, da.Array)
    expected = plain.predict(data[0], return_std=True)
    np.testing.assert_allclose([predicted.compute(), std.compute()], expected, rtol=1e-6)
    weights = model.predict_weights(lazy[0])
    assert isinstance(weights, da.Array)
    np.testing.assert_allclose(weights.compute(), plain.predict_weights(data[0]), atol=1e-6)
    assert model.score(*lazy) == pytest.approx(plain.score(*data), rel=1e-9)
    local = model.calibrate(*lazy).to_local()
    assert type(local) is EnsIRRegressorCV
    assert all(type(part) is EnsIRRegressor for part in local.estimators_)
    np.testing.assert_array_equal(local.predict(data[0]), predicted.compute())
    np.testing.assert_array_equal(local.calibration_, model.calibration_)
    assert local.calibration_.sum() == weight.sum()
    save_table(local, tmp_path / "table")
    np.testing.assert_array_equal(
        load_table(tmp_path / "table").predict(data[0]), predicted.compute()
    )


def test_rows_are_added_after_a_lazy_fit():
    X, y, _ = stacked(1200)
    groups = np.arange(1200) % 3
    params = {"bin_widths": [32.0, 64.0], "data_range": 255, "cv": LeaveOneGroupOut()}
    plain = EnsIRRegressorCV(**params).fit(X, y, groups=groups)
    lazy_X, lazy_y, lazy_groups = in_chunks(X[:800], y[:800], groups[:800])
    model = DaskEnsIRRegressorCV(**params).fit(lazy_X, lazy_y, groups=lazy_groups)
    model.partial_fit(X[800:], y[800:], groups[800:])
    assert_same_results(model.solve(), plain)
    # What lazy parts were fitted on merges with what others were.
    parts = [
        DaskEnsIRRegressorCV(**params).fit(*in_chunks(X[part], y[part]), groups=da.from_array(g))
        for part, g in ((groups < 2, groups[groups < 2]), (np.s_[:], groups))
    ]
    assert parts[0].merge(parts[1]).solve().n_splits_ == 3
    copied = pickle.loads(pickle.dumps(parts[0]))
    np.testing.assert_array_equal(copied.predict(X), parts[0].predict(X))


def test_calibration_adds_up_and_refuses_what_does_not_fit():
    X, y, weight = stacked(1000)
    lazy = in_chunks(X, y, weight)
    model = DaskEnsIRRegressorCV([64.0], data_range=255, cv=2).fit(*lazy)
    with pytest.raises(ValueError, match="is not calibrated"):
        model.predict_interval(lazy[0])
    once = model.calibrate(*lazy).calibration_
    np.testing.assert_array_equal(model.calibrate(*lazy, add=True).calibration_, 2 * once)
    with pytest.raises(ValueError, match="zero for every sample"):
        model.calibrate(lazy[0], lazy[1], 0 * lazy[2])
    with pytest.raises(ValueError, match="y has 999 rows, must have 1000"):
        model.calibrate(lazy[0], lazy[1][1:])
    np.testing.assert_array_equal(model.calibration_, 2 * once)
