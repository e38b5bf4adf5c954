"""Every estimator is one of scikit-learn's: its checks, and what people do with estimators."""

import inspect
import subprocess
import sys
from datetime import datetime, timedelta

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor, StackingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
    train_test_split,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import skensir
from skensir import EnsIRRegressor, baselines


def public_estimators():
    """Return one of every estimator that the public modules name."""
    return [
        value()
        for module in (skensir, baselines)
        for value in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(value) and issubclass(value, BaseEstimator)
    ]


EXPECTED_FAILURES = {
    "ZZPMRegressor": {
        "check_methods_subset_invariance": "its weights are those of the whole batch, so what it "
        "predicts for a row depends on the other rows",
    },
}


def expected_failures(estimator):
    return EXPECTED_FAILURES.get(type(estimator).__name__, {})


# Each of these must fail: xfail_strict is set for the whole suite.
@parametrize_with_checks(public_estimators(), expected_failed_checks=expected_failures)
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_every_expected_failure_is_that_of_a_public_estimator():
    names = {type(estimator).__name__ for estimator in public_estimators()}
    assert names >= set(EXPECTED_FAILURES)
    assert names >= {"EnsIRRegressor", "AverageRegressor", "ZZPMRegressor"}


@pytest.fixture(scope="module")
def stacked():
    """Make predictions of three models, 300 rows for each of ten scenes."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 3000)
    level = np.where(y[:, None] < 128, [2, 5, 9], [9, 5, 2])
    X = y[:, None] + level * rng.standard_normal((y.size, 3))
    return X, y, np.repeat(np.arange(10), 300)


def test_grid_search_chooses_the_bin_width(stacked):
    X, y, _ = stacked
    search = GridSearchCV(EnsIRRegressor(), {"bin_width": [32, 64, 512]})
    search.fit(X, y)
    # One bin for all values cannot tell where which model is good.
    assert search.best_params_["bin_width"] in (32, 64)
    scores = search.cv_results_["mean_test_score"]
    assert scores[:2].min() > scores[2]
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_grid_search_inside_a_pipeline(stacked):
    X, y, _ = stacked
    clip = FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 255})
    pipeline = make_pipeline(clip, EnsIRRegressor())
    search = GridSearchCV(pipeline, {"ensirregressor__bin_width": [32, 64, 128]}, cv=3).fit(X, y)
    model = search.best_estimator_.named_steps["ensirregressor"]
    assert model.bin_width_ == search.best_params_["ensirregressor__bin_width"]
    assert search.score(X, y) > 0.99


@pytest.fixture(scope="module")
def base_models():
    return [
        ("ridge", RidgeCV()),
        ("neighbours", KNeighborsRegressor(20)),
        ("forest", RandomForestRegressor(30, min_samples_leaf=5, random_state=0)),
    ]


def test_final_estimator_of_a_stack(base_models):
    """The stack is better than its models are on average, and never outside of them."""
    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    stack = StackingRegressor(base_models, final_estimator=EnsIRRegressor(bin_width=64))
    stack.fit(X_train, y_train)
    single = [model.score(X_test, y_test) for model in stack.estimators_]
    assert stack.score(X_test, y_test) > np.mean(single)
    predictions = stack.transform(X_test)
    assert (stack.predict(X_test) >= predictions.min(axis=1)).all()
    assert (stack.predict(X_test) <= predictions.max(axis=1)).all()
    weights = stack.final_estimator_.predict_weights(predictions)
    np.testing.assert_allclose((weights * predictions).sum(axis=1), stack.predict(X_test))


def test_final_estimator_of_fitted_models(base_models):
    X, y = load_diabetes(return_X_y=True)
    fitted = [(name, clone(model).fit(X[:200], y[:200])) for name, model in base_models]
    stack = StackingRegressor(fitted, final_estimator=EnsIRRegressor(bin_width=64), cv="prefit")
    stack.fit(X[200:], y[200:])
    direct = np.column_stack([model.predict(X) for _, model in fitted])
    expected = EnsIRRegressor(bin_width=64).fit(direct[200:], y[200:]).predict(direct)
    np.testing.assert_array_equal(stack.predict(X), expected)


def test_saved_in_one_process_and_loaded_in_another(stacked, tmp_path):
    X, y, _ = stacked
    model = EnsIRRegressor().fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import joblib, numpy as np, sys\n"
        "model = joblib.load(sys.argv[1] + '/model.joblib')\n"
        "predicted, std = model.predict(np.load(sys.argv[1] + '/X.npy'), return_std=True)\n"
        "np.save(sys.argv[1] + '/predicted.npy', [predicted, std])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
    loaded = np.load(tmp_path / "predicted.npy")
    np.testing.assert_array_equal(loaded, model.predict(X, return_std=True))


def test_saved_model_holds_no_training_rows(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 100_000)
    X = y[:, None] + rng.normal(0, 3, (y.size, 3))
    joblib.dump(EnsIRRegressor().fit(X, y), tmp_path / "model.joblib")
    size = (tmp_path / "model.joblib").stat().st_size
    assert size < X.nbytes / 10
    few = EnsIRRegressor().fit(X[:20_000], y[:20_000])
    joblib.dump(few, tmp_path / "few.joblib")
    # It follows the cells, so five times the rows make it no larger than more cells do.
    assert size < 2 * (tmp_path / "few.joblib").stat().st_size


def test_clone_has_the_parameters_and_nothing_of_the_fit(stacked):
    X, y, _ = stacked
    model = EnsIRRegressor(32, default_weights=[0.2, 0.3, 0.5], shrinkage=3).fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    np.testing.assert_array_equal(copy.fit(X, y).predict(X), model.predict(X))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_give_the_models_their_names(stacked, frame):
    X, y, _ = stacked
    names = ["MPRNet", "MAXIM", "Restormer"]
    data = frame(dict(zip(names, X.T, strict=True)))
    model = EnsIRRegressor().fit(data, y)
    # Old versions of scikit-learn do not read the names of every polars.
    readable = hasattr(LinearRegression().fit(data, y), "feature_names_in_")
    assert readable or frame is pl.DataFrame
    if readable:
        assert model.feature_names_in_.tolist() == names
    expected = EnsIRRegressor().fit(X, y).predict(X)
    np.testing.assert_array_equal(model.predict(data), expected)
    target = (pd.Series if frame is pd.DataFrame else pl.Series)(y)
    np.testing.assert_array_equal(clone(model).fit(data, target).predict(data), expected)


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def narwhals_frame(columns):
    return pytest.importorskip("narwhals").from_native(pl.DataFrame(columns))


DAY = datetime(2020, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, arrow_table, narwhals_frame])
@pytest.mark.parametrize(
    ("value", "what"),
    [(DAY.date(), "dates"), (DAY, "dates"), (DAY.time(), "times"), (timedelta(hours=1), "times")],
)
@pytest.mark.parametrize("number", [1, 1.5, True])
def test_dates_and_times_beside_numbers_are_an_error(frame, value, what, number):
    truth = [3.0, 5.0]
    dated, numbers = {"A": [value] * 2, "B": [number] * 2}, {"A": [1.0, 2.0], "B": [number] * 2}
    model = EnsIRRegressor(data_range=255).fit(frame(numbers), truth)
    said = f"holds {what}, must hold numbers"
    with pytest.raises(ValueError, match=f"^X {said}"):
        EnsIRRegressor(data_range=255).fit(frame(dated), truth)
    with pytest.raises(ValueError, match=f"^X {said}"):
        model.predict(frame(dated))
    with pytest.raises(ValueError, match=f"^y {said}"):
        model.fit(frame(numbers), frame({"y": [value] * 2}))


@pytest.mark.parametrize("dtype", ["datetime64[ns, UTC]", "period[D]", "date32[day][pyarrow]"])
def test_dates_of_types_of_pandas_beside_numbers_are_an_error(dtype):
    pytest.importorskip("pyarrow")
    dates = pd.Series(["2020-01-02"] * 2).astype("datetime64[ns]")
    dates = dates.dt.tz_localize("UTC") if "UTC" in dtype else dates.astype(dtype)
    with pytest.raises(ValueError, match=r"^X holds dates, must hold numbers"):
        EnsIRRegressor().fit(pd.DataFrame({"A": dates, "B": [1.0, 2.0]}), [3.0, 5.0])


def test_cross_validation_by_groups(stacked):
    X, y, scenes = stacked
    scores = cross_val_score(EnsIRRegressor(), X, y, groups=scenes, cv=GroupKFold(5))
    assert scores.shape == (5,)
    one_by_one = cross_val_score(EnsIRRegressor(), X, y, groups=scenes, cv=LeaveOneGroupOut())
    held_out = scenes == 3
    model = EnsIRRegressor().fit(X[~held_out], y[~held_out])
    assert one_by_one[3] == model.score(X[held_out], y[held_out])


def test_the_number_of_jobs_does_not_matter(stacked):
    X, y, _ = stacked
    one, two = (
        GridSearchCV(EnsIRRegressor(), {"bin_width": [32, 64]}, n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    for fold in range(5):
        key = f"split{fold}_test_score"
        np.testing.assert_array_equal(one.cv_results_[key], two.cv_results_[key])
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


def test_lists_and_integers_are_taken_as_arrays_are():
    X, y = [[0, 2], [10, 14], [20, 28]] * 50, [1, 12, 24] * 50
    model = EnsIRRegressor().fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict(np.array(X, dtype=float)))
    assert model.score(X, y) > 0.99
