"""Rows that come to a search in parts: it is as if all had come at once, one fold per group."""

import pickle
from unittest import mock

import joblib
import numpy as np
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import LeaveOneGroupOut
from tables import assert_same_table

from skensir import EnsIRRegressor, EnsIRRegressorCV, _ensir_cv
from skensir._search import table_search

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("predictions", "deviations", "summary")
LEAVE_OUT = LeaveOneGroupOut()
GIVEN = {"bin_widths": [32.0, 64.0], "data_range": 255.0, "shrinkages": [5, 50]}
SEARCHES = [
    EnsIRRegressorCV(**GIVEN, cv=LEAVE_OUT),
    EnsIRRegressorCV(**GIVEN, axes=["summary", "predictions"], select="average", cv=LEAVE_OUT),
    EnsIRRegressorCV(**GIVEN, axes="deviations", select="best", positive=True, cv=LEAVE_OUT),
    EnsIRRegressorCV(**GIVEN, shrink_to="pooled", fit_intercept=[False, True], cv=LEAVE_OUT),
    EnsIRRegressorCV(
        **GIVEN,
        axes=["predictions", "summary"],
        positive=True,
        objectives=["likelihood", "squared_error"],
        target_resolution=2.0,
        max_iter=4,
        tol=1e9,
        cv=LEAVE_OUT,
    ),
]
pytestmark = pytest.mark.filterwarnings("ignore:Most rows")


def draw_rows(seed, *, pixels=False, n_rows=240, n_folds=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    X = y[:, None] + 6 * rng.normal(size=(n_rows, 3)) * np.where(y[:, None] < 99, [1, 2, 3], 2)
    X = np.clip(np.rint(X), 0, 255).astype(np.uint8) if pixels else X
    return X, y, rng.permutation(np.arange(n_rows) % n_folds)


def assert_same_search(parts, whole):
    parts.solve()
    assert parts.cv_results_["params"] == whole.cv_results_["params"]
    for key, expected in whole.cv_results_.items():
        if key.endswith("test_score") and not key.startswith("rank"):
            np.testing.assert_allclose(
                parts.cv_results_[key], expected, rtol=1e-7, atol=1e-7, err_msg=key
            )
    np.testing.assert_allclose(parts.cv_results_["share"], whole.cv_results_["share"], atol=1e-5)
    assert parts.best_params_ == whole.best_params_
    assert parts.n_splits_ == whole.n_splits_
    assert parts.data_range_ == whole.data_range_
    assert parts.held_out_mse_ == pytest.approx(whole.held_out_mse_, rel=1e-5)
    for name, gain in whole.gains_.items():
        assert parts.gains_[name] == pytest.approx(gain, rel=1e-4, abs=1e-7)
    for one, other in zip(parts.estimators_, whole.estimators_, strict=True):
        assert_same_table(one, other, rtol=1e-5, relative_atol=1e-6)


@pytest.mark.parametrize("search", SEARCHES, ids=range(len(SEARCHES)))
@share_of_cases(1 / 8)
@given(seed=SEEDS, n_parts=st.integers(1, 6), n_merged=st.integers(0, 3), weighted=st.booleans())
def test_parts_in_any_order_and_merged_make_the_search_of_the_whole(
    search, seed, n_parts, n_merged, weighted
):
    X, y, groups = draw_rows(seed)
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 3, len(y)) * 0.5 if weighted else np.ones(len(y))
    whole = clone(search).fit(X, y, sample_weight=weight, groups=groups)
    order = rng.permutation(len(y))
    cuts = np.sort(rng.integers(0, len(y) + 1, n_parts - 1))
    batches = [batch for batch in np.split(order, cuts) if len(batch)]
    parts = [clone(search)]
    for number, batch in enumerate(batches):
        if 0 < number <= n_merged:
            parts.append(clone(search))
        parts[-1].partial_fit(X[batch], y[batch], groups[batch], weight[batch])
    merged = clone(search)
    for part in parts[::-1]:
        merged.merge(part)
    assert_same_search(merged, whole)
    np.testing.assert_allclose(merged.predict(X), whole.predict(X), rtol=1e-6)
    # A search goes on from a fit by groups, and from what it has solved.
    half = groups < 2
    on = clone(search).fit(X[half], y[half], weight[half], groups[half])
    on.partial_fit(X[~half], y[~half], groups[~half], weight[~half])
    assert_same_search(on, whole)


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), lambda m: m])
def test_with_automatic_widths_pixels_come_in_parts_too(copied):
    X, y, groups = draw_rows(0, pixels=True, n_rows=1200)
    names = np.array(["a", "b", "c", "d"])[groups]
    whole = EnsIRRegressorCV(cv=LEAVE_OUT).fit(X, y, groups=names)
    model = EnsIRRegressorCV()
    for batch in np.split(np.random.default_rng(1).permutation(1200), 5):
        model = copied(model.partial_fit(X[batch], y[batch], names[batch]))
    assert_same_search(model, whole)
    again = copied(model.partial_fit(X[:1], y[:1], names[:1])).solve()
    assert again.n_splits_ == 4
    other = copied(EnsIRRegressorCV().partial_fit(X[:600], y[:600], names[:600]))
    other.merge(EnsIRRegressorCV().partial_fit(X[600:], y[600:], names[600:]))
    assert_same_search(other, whole)


def test_rows_without_groups_are_a_fold_of_their_own():
    X, y, _ = draw_rows(1)
    model = EnsIRRegressorCV(**GIVEN, cv=LEAVE_OUT)
    for start in range(0, 240, 60):
        model.partial_fit(X[start : start + 60], y[start : start + 60])
    whole = clone(model).fit(X, y, groups=np.repeat(range(4), 60))
    assert_same_search(model, whole)


def absent_rows():
    X, y, groups = draw_rows(6)
    nothing = np.zeros(240)
    return {
        "an empty batch": lambda model: model.partial_fit(X[:0], y[:0]),
        "no weight": lambda model: model.partial_fit(X, y, sample_weight=nothing),
        "groups without weight": lambda model: model.partial_fit(X, y, groups + 2, nothing),
        "a part without weight": lambda model: model.merge(
            clone(model).partial_fit(X, y, sample_weight=nothing)
        ),
    }


@pytest.mark.parametrize("estimator", [EnsIRRegressorCV(), EnsIRRegressorCV(**GIVEN)], ids=str)
@pytest.mark.parametrize("add", absent_rows().values(), ids=absent_rows())
def test_rows_without_weight_are_no_fold(add, estimator):
    X, y, groups = draw_rows(6)
    whole = clone(estimator).partial_fit(X, y, groups)
    model = clone(estimator).partial_fit(X, y, groups)
    model = pickle.loads(pickle.dumps(add(model)))
    assert_same_search(model, whole.solve())
    assert_same_search(add(model).solve(), whole)


@pytest.mark.parametrize("merged", [False, True])
def test_rows_without_weight_tell_nothing_of_those_to_come(merged):
    X, y, groups = draw_rows(7)
    X, y = X / 255, y / 255
    model = EnsIRRegressorCV().partial_fit(X, y, groups, np.zeros(len(y)))
    with pytest.raises(NotFittedError):
        model.predict(X)
    whole = EnsIRRegressorCV().partial_fit(X, y, groups)
    model.merge(whole) if merged else model.partial_fit(X, y, groups)
    assert_same_search(model, whole.solve())


def test_folds_outlive_copies_and_not_clones(tmp_path):
    X, y, groups = draw_rows(2)
    half = np.arange(120)
    model = EnsIRRegressorCV(**GIVEN).partial_fit(X[half], y[half], groups[half])
    joblib.dump(model, tmp_path / "model")
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model")):
        copy.partial_fit(X[120:], y[120:], groups[120:])
        assert_same_search(copy, clone(model).set_params(cv=LEAVE_OUT).fit(X, y, groups=groups))
    assert vars(clone(model)).keys() == vars(EnsIRRegressorCV()).keys()


def test_attributes_wait_for_the_solution():
    X, y, groups = draw_rows(3)
    model = EnsIRRegressorCV(**GIVEN).fit(X, y)
    model.set_params(cv=LEAVE_OUT).fit(X, y, groups=groups)
    assert model.partial_fit(X, y, groups) is model
    for name in ("estimators_", "best_params_", "cv_results_", "weights_", "cells_", "gains_"):
        with pytest.raises(AttributeError, match="not solved yet: call solve"):
            getattr(model, name)
    assert model.predict(X).shape == y.shape
    assert model.cv_results_["share"].sum() == pytest.approx(1)
    before = pickle.dumps(model)
    model.solve()
    assert pickle.dumps(model) == before
    assert "averaged" in model.partial_fit(X, y, groups).summary()


def test_rows_are_gone_after_forget_rows():
    X, y, groups = draw_rows(4)
    model = EnsIRRegressorCV(**GIVEN, axes="summary").partial_fit(X, y, groups)
    expected = clone(model).partial_fit(X, y, groups).predict(X)
    assert model.forget_rows() is model
    np.testing.assert_array_equal(model.predict(X), expected)
    other = EnsIRRegressorCV(**GIVEN, axes="summary").partial_fit(X, y, groups)
    for change in (lambda: model.partial_fit(X, y, groups), lambda: model.merge(other)):
        with pytest.raises(ValueError, match="needs the statistics of the rows seen before"):
            change()
    with pytest.raises(ValueError, match="needs the statistics"):
        model.best_estimator_.partial_fit(X, y)


def bad_calls():
    X, y, groups = draw_rows(5)
    return {
        "groups.shape == .* one fold per sample": lambda m: m.partial_fit(X, y, groups[:-1]),
        "groups has NaN or None": lambda m: m.partial_fit(X, y, np.full(len(y), np.nan)),
        "has 2 features, but": lambda m: m.partial_fit(X[:, :2], y, groups),
        "Negative values in sample_weight": lambda m: m.partial_fit(X, y, groups, -np.ones(len(y))),
        "other bin_widths, axes": lambda m: m.merge(
            EnsIRRegressorCV(**{**GIVEN, "bin_widths": [30.0]}).partial_fit(X, y, groups)
        ),
        "other bin_widths, axes,": lambda m: m.merge(
            EnsIRRegressorCV(**GIVEN, axes="summary").partial_fit(X, y, groups)
        ),
        "n_features_in_ of other is 2": lambda m: m.merge(
            EnsIRRegressorCV(**GIVEN).partial_fit(X[:, :2], y, groups)
        ),
        "must be an EnsIRRegressorCV": lambda m: m.merge(EnsIRRegressor().fit(X, y)),
        "is not fitted": lambda m: m.merge(EnsIRRegressorCV()),
        "coverage == 2": lambda m: m.predict_interval(X, 2.0),
        "other bin_widths": lambda m: m.set_params(bin_widths=[30.0]).partial_fit(X, y, groups),
        "other bin_widths, a": lambda m: m.set_params(bin_widths=[30.0]).solve(),
        "other bin_widths, ax": lambda m: m.set_params(axes="summary").solve(),
        "other bin_widths, axe": lambda m: EnsIRRegressorCV([30.0], data_range=255).merge(m),
        "scoring == 'r2', ": lambda m: m.set_params(scoring="r2").partial_fit(X, y, groups),
        "scoring == 'r2'": lambda m: m.set_params(scoring="r2").solve(),
    }


@pytest.mark.parametrize("message", bad_calls())
def test_what_is_refused_changes_nothing(message):
    X, y, groups = draw_rows(6)
    model = EnsIRRegressorCV(**GIVEN).partial_fit(X, y, groups)
    before = pickle.dumps(model)
    kinds = (ValueError, TypeError, RuntimeError)
    with pytest.raises(kinds, match=message):
        bad_calls()[message](model)
    model.set_params(**EnsIRRegressorCV(**GIVEN).get_params())
    assert pickle.dumps(model) == before or (
        message.startswith("coverage")  # the rows are solved before it is looked at
    )
    np.testing.assert_allclose(model.predict(X), pickle.loads(before).predict(X), rtol=1e-12)


def test_rows_counted_at_another_target_resolution_are_refused():
    """They would be put on a grid that nobody asked for."""
    X, y, groups = draw_rows(6)
    options = {**GIVEN, "shrink_to": "pooled", "axes": "predictions", "objectives": ["likelihood"]}
    fine, coarse = (
        EnsIRRegressorCV(**options, target_resolution=step).partial_fit(X, y, groups)
        for step in (1.0, 4.0)
    )
    before = pickle.dumps(fine)
    with pytest.raises(ValueError, match=r"have other .* target_resolution"):
        fine.merge(coarse)
    assert pickle.dumps(fine) == before
    with pytest.raises(ValueError, match=r"have other .* target_resolution"):
        fine.set_params(target_resolution=2.0).solve()
    # Where no objective needs the truth, its grid is nothing to differ in.
    for model in (fine, coarse):
        model.set_params(objectives=["squared_error"])
    assert fine.merge(coarse).predict(X).shape == y.shape


def test_one_fold_is_not_enough_but_is_kept():
    X, y, _ = draw_rows(7)
    model = EnsIRRegressorCV(**GIVEN).partial_fit(X, y, np.full(len(y), "left"))
    before = pickle.dumps(model)
    for method in (model.solve, model.summary, model.forget_rows, lambda: model.predict(X)):
        with pytest.raises(ValueError, match="All rows lie in fold 'left'; at least two folds"):
            method()
        assert pickle.dumps(model) == before
    unnamed = EnsIRRegressorCV(**GIVEN).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"All rows lie in one fold; .* groups of rows"):
        unnamed.predict(X)
    model.partial_fit(X, y, np.full(len(y), "right"))
    assert model.predict(X).shape == y.shape
    assert model.n_splits_ == 2


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("what", ["fit_tables", "measure_candidates", "find_gains", "sum_up_folds"])
def test_a_search_that_is_interrupted_changes_nothing(error, what):
    X, y, groups = draw_rows(8)
    model = EnsIRRegressorCV(**GIVEN, cv=LEAVE_OUT).fit(X, y, groups=groups)
    parts = clone(model).partial_fit(X, y, groups)
    before = pickle.dumps(model), pickle.dumps(parts)
    module = _ensir_cv if what == "sum_up_folds" else table_search
    with mock.patch.object(module, what, side_effect=error):
        with pytest.raises(error):
            model.fit(X[::2], y[::2], groups=groups[::2])
        with pytest.raises(error):
            parts.partial_fit(X, y, groups).solve() if what == "sum_up_folds" else parts.solve()
    assert (pickle.dumps(model), pickle.dumps(parts)) == before
