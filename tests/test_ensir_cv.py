"""EnsIRRegressorCV keeps what it promises: GridSearchCV's results, an honest word on its gain.

The search is mostly that of version 0.1; of nested cells and averages there are tests in files of
their own.
"""

from functools import partial
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from tables import SEARCH_OF_0_1

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._search.gains import describe_gains
from skensir._sums import statistics as statistics_module
from skensir.baselines import ConvexRegressor

SHRINKAGES = (0.0, 10.0, 1000.0)
OBJECTIVES = ("likelihood", "squared_error")
former_search = partial(EnsIRRegressorCV, **SEARCH_OF_0_1)


def stacked(n_samples=400, n_models=3, *, whole=False, seed=0):
    """Predictions whose best weights depend on their value."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(-60, 255, n_samples)
    spread = np.where(y[:, None] < 90, np.arange(1, n_models + 1), np.arange(n_models, 0, -1))
    X = y[:, None] + 6 * spread * rng.normal(size=(n_samples, n_models))
    return (np.rint(X).astype(np.int64), np.rint(y)) if whole else (X, y)


def brute_force(bin_widths, X, y, cv, groups=None, **params):
    grid = {"bin_width": bin_widths, "objective": OBJECTIVES, "shrinkage": SHRINKAGES}
    search = GridSearchCV(
        EnsIRRegressor(**params), grid, cv=cv, scoring="neg_mean_squared_error", refit=False
    )
    return search.fit(X, y, groups=groups)


@pytest.mark.filterwarnings("ignore:EM came to its limit")
@pytest.mark.parametrize(
    ("cv", "bin_widths", "whole"),
    [
        (None, [8.0, 16.0, 32.0, 64.0, 128.0, 256.0], False),
        (KFold(4, shuffle=True, random_state=0), [0.75, 12.0, 20.0, 60.0], False),
        (KFold(4, shuffle=True, random_state=0), [6.0, 12.0, 18.0, 20.0], True),
        (LeaveOneGroupOut(), [32.0, 16.0], True),
        (GroupKFold(3), [20.0, 40.0], False),
        (ShuffleSplit(3, test_size=0.3, random_state=0), [25.0, 50.0], False),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), [25.0, 50.0], False),
        (TimeSeriesSplit(3), [25.0, 50.0], True),
    ],
)
def test_results_equal_brute_force_grid_search(cv, bin_widths, whole):
    X, y = stacked(whole=whole)
    groups = None
    if isinstance(cv, LeaveOneGroupOut | GroupKFold):
        groups = np.random.default_rng(1).integers(0, 5, len(y))
    fixed = {"min_samples_cell": 20, "max_iter": 20, "tol": 0.0}
    searched = brute_force(bin_widths, X, y, cv, groups, **fixed)
    ours = former_search(bin_widths, shrinkages=SHRINKAGES, objectives=OBJECTIVES, cv=cv, **fixed)
    ours.fit(X, y, groups=groups)
    expected, actual = searched.cv_results_, ours.cv_results_
    assert list(actual["params"]) == list(expected["params"])
    assert set(actual) == {*expected, "share"}
    assert actual["share"].tolist() == np.eye(len(actual["share"]))[ours.best_index_].tolist()
    for key in expected:
        if key.endswith("test_score") and not key.startswith(("std", "rank")):
            np.testing.assert_allclose(actual[key], expected[key], rtol=1e-9)
        elif key.startswith("param_"):
            np.testing.assert_array_equal(actual[key], expected[key])
    np.testing.assert_allclose(actual["std_test_score"], expected["std_test_score"], atol=1e-7)


@pytest.mark.parametrize("cv", [KFold(5), ShuffleSplit(3, random_state=0)])
def test_results_do_not_depend_on_how_many_splits_are_worked_on_together(cv):
    X, y = stacked(whole=True)
    search = former_search([8, 16, 32], shrinkages=SHRINKAGES, objectives=OBJECTIVES, cv=cv)
    together = search.fit(X, y).cv_results_["mean_test_score"]
    for size in (1, 2000):
        with mock.patch.object(statistics_module, "_BATCH_SIZE", size):
            alone = search.fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_best_estimator_is_an_ordinary_estimator_fitted_on_all_rows():
    X, y = stacked(2000)
    model = former_search(cv=4).fit(X, y)
    params = model.cv_results_["params"][model.best_index_]
    assert params == model.best_params_
    assert (model.bin_width_, model.shrinkage_, model.objective_) == (
        params["bin_width"],
        params["shrinkage"],
        params["objective"],
    )
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    assert model.cv_results_["rank_test_score"][model.best_index_] == 1
    plain = EnsIRRegressor(**params).fit(X, y)
    assert type(model.best_estimator_) is EnsIRRegressor
    np.testing.assert_array_equal(model.best_estimator_.cells_, plain.cells_)
    np.testing.assert_allclose(model.best_estimator_.weights_, plain.weights_, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=1e-12)
    np.testing.assert_allclose(model.predict_weights(X), plain.predict_weights(X), atol=1e-9)
    np.testing.assert_allclose(
        model.predict(X, return_std=True)[1], plain.predict(X, return_std=True)[1], rtol=1e-9
    )


def test_results_make_a_data_frame():
    X, y = stacked()
    frame = pd.DataFrame(former_search([16, 32], cv=3).fit(X, y).cv_results_)
    assert len(frame) == 2 * 6
    assert frame["mean_test_score"].notna().all()


def test_sample_weight_equals_repetition_within_groups():
    X, y = stacked(300)
    rng = np.random.default_rng(2)
    weight, groups = rng.integers(0, 3, len(y)), rng.integers(0, 4, len(y))
    cv = LeaveOneGroupOut()
    weighted = EnsIRRegressorCV(cv=cv).fit(X, y, sample_weight=weight, groups=groups)
    repeated = EnsIRRegressorCV(cv=cv).fit(
        X.repeat(weight, axis=0), y.repeat(weight), groups=groups.repeat(weight)
    )
    assert weighted.best_params_ == repeated.best_params_
    np.testing.assert_allclose(
        weighted.cv_results_["mean_test_score"],
        repeated.cv_results_["mean_test_score"],
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("low", "high", "dtype", "expected"),
    [
        (0, 255, np.uint8, [256, 128, 64, 32, 16, 8]),
        (0, 65535, np.uint16, [65792, 32896, 16448, 8224, 4112, 2056]),
        (0, 1, np.float64, [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32]),
        (5e4, 4.5e5, np.float64, [2**19, 2**18, 2**17, 2**16, 2**15, 2**14]),
        (7, 7, np.float64, [8, 4, 2, 1, 1 / 2, 1 / 4]),
    ],
)
def test_automatic_bin_widths_cover_the_range_of_the_predictions(low, high, dtype, expected):
    y = np.linspace(low, high, 200)
    X = np.column_stack([y, y[::-1]]).astype(dtype)
    model = former_search(cv=2).fit(X, y)
    assert sorted(set(model.cv_results_["param_bin_width"].data), reverse=True) == expected


def test_gain_is_reported_where_weights_depend_on_the_predictions():
    X, y = stacked(6000)
    model = EnsIRRegressorCV(cv=KFold(5, shuffle=True, random_state=0)).fit(X, y)
    held_out, truth = stacked(6000, seed=1)
    ours = np.mean((model.predict(held_out) - truth) ** 2)
    assert all(gain["is_gain"] for gain in model.gains_.values())
    assert ours < 0.95 * np.mean((held_out.mean(axis=1) - truth) ** 2)
    assert model.held_out_mse_ == pytest.approx(ours, rel=0.1)
    assert "no clear gain" not in model.summary()


@pytest.mark.parametrize("seed", range(10))
def test_no_gain_is_reported_where_there_is_none(seed):
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 25500, 3000)
    # The errors have nothing to do with the value, and the models are equally good: the average
    # is the best combination everywhere. (The range is wide since at its ends the largest or the
    # smallest prediction is known to be wrong, which is a gain.)
    X = y[:, None] + rng.normal(scale=5, size=(3000, 3))
    model = EnsIRRegressorCV(cv=KFold(5, shuffle=True, random_state=seed)).fit(X, y)
    assert not model.gains_["average"]["is_gain"]
    assert not model.gains_["convex"]["is_gain"]
    assert model.gains_["best_model"]["is_gain"]
    not_gained = [name for name, gain in model.gains_.items() if not gain["is_gain"]]
    told = [line.split("  ")[-1] for line in model.summary().splitlines()[-4:]]
    assert sum(word.startswith(("no clear gain (", "loss (")) for word in told) == len(not_gained)


def test_summary_tells_a_clear_loss_from_no_clear_gain():
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    X = 0.5 * y[:, None] + 0.2 * rng.normal(size=(2000, 2))  # weights of sum one cannot scale that
    with pytest.warns(UserWarning, match="ridge regression has a mean squared error"):
        model = EnsIRRegressorCV().fit(X, y)
    lines = model.summary().splitlines()
    assert lines[-1].startswith("  ridge regression")
    assert "  loss (-" in lines[-1]
    assert all("  gain (+" in line for line in lines[-4:-1])


@pytest.mark.parametrize("n_splits", [2, 3])
def test_loss_is_as_far_from_zero_as_a_gain_has_to_be(n_splits):
    quantile = {2: 12.71, 3: 4.303}[n_splits]
    for times, word in ((1.01, "loss"), (0.99, "no clear gain")):
        gain = {"mse": 4.0, "gain": -0.01 * quantile * times, "std_error": 0.01, "is_gain": False}
        _, line = describe_gains(4.0, {"ridge": gain}, n_splits)
        assert line.split("2.0000  ")[1].startswith(f"{word} (-")


@pytest.mark.parametrize("unit", [1e-6, 1e-2, 1.0, 40.0, 1e4, 1e9])
def test_summary_has_errors_in_the_unit_of_y_in_one_format(unit):
    X, y = stacked(900)
    model = EnsIRRegressorCV(cv=3).fit(unit * X, unit * y)
    lines = model.summary().splitlines()
    assert max(map(len, lines)) <= 79
    rows = [line[27:] for line in lines[-5:]]  # behind the names
    expected = [model.held_out_mse_, *(gain["mse"] for gain in model.gains_.values())]
    numbers = [row.split("  gain")[0].split("  no clear")[0].split("  loss")[0] for row in rows]
    assert len({(len(number), number[::-1].find(".")) for number in numbers}) == 1
    np.testing.assert_allclose([float(n) for n in numbers], np.sqrt(expected), rtol=1e-4)


def test_rivals_are_measured_on_held_out_rows():
    X, y = stacked(900)
    model = EnsIRRegressorCV(cv=3).fit(X, y)
    average, best = [], []
    for train, test in KFold(3).split(X):
        model_errors = ((X[train] - y[train, None]) ** 2).mean(axis=0)
        best.append(np.mean((X[test, model_errors.argmin()] - y[test]) ** 2))
        average.append(np.mean((X[test].mean(axis=1) - y[test]) ** 2))
    for name, expected in {"average": average, "best_model": best}.items():
        gain = model.gains_[name]
        assert gain["mse"] == pytest.approx(np.mean(expected), rel=1e-9)
        assert gain["gain"] == pytest.approx(1 - model.held_out_mse_ / gain["mse"], rel=1e-6)


def test_a_single_split_gives_no_standard_error_and_no_gain():
    X, y = stacked(500)
    split = [(np.arange(300), np.arange(300, 500))]
    model = EnsIRRegressorCV(cv=split).fit(X, y)
    assert model.n_splits_ == 1
    assert not any(gain["is_gain"] for gain in model.gains_.values())
    # A single split says too little to average by.
    assert model.held_out_mse_ == pytest.approx(np.exp(-model.best_score_))
    assert model.cv_results_["share"].max() == 1


def test_of_equal_scores_the_plainest_table_is_taken():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 500)
    noisy = np.clip(y + rng.normal(scale=9, size=500), 0, 255)
    X = np.column_stack([y, noisy])  # the first model is perfect
    model = former_search(cv=3).fit(X, y)
    assert model.bin_width_ == 256
    assert model.shrinkage_ == 1e6


@pytest.mark.parametrize("scoring", ["neg_log_mean_squared_error", "neg_mean_squared_error"])
@pytest.mark.parametrize("scale", [1e-9, 0.1, 1.0, 1e9])
def test_so_it_is_where_all_tables_predict_alike(scoring, scale):
    rng = np.random.default_rng(0)
    y = scale * rng.uniform(0, 255, 300)
    X = np.repeat(y[:, None] + scale * rng.normal(size=(300, 1)), 3, axis=1)  # equal models
    grid = {"bin_widths": [32 * scale, 64 * scale], "shrinkages": [10, 90], "fit_intercept": False}
    model = EnsIRRegressorCV(axes="predictions", scoring=scoring, cv=3, **grid).fit(X, y)
    assert (model.bin_width_, model.shrinkage_) == (64 * scale, 90)
    assert model.positive_
    assert set(model.cv_results_["rank_test_score"]) == {1}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda y, noise: np.full((y.size, 3), 7.0), id="constant models"),
        pytest.param(lambda y, noise: y[:, None] + noise * [1, 1e6, 1e6], id="one dominates"),
        pytest.param(lambda y, noise: y[:, None] + noise * [0, 1, 2], id="one is the truth"),
        pytest.param(lambda y, noise: 1e12 + y[:, None] + noise, id="models at 1e12"),
        pytest.param(lambda y, noise: np.stack([y + noise[:, 0]] * 3, 1), id="duplicates"),
    ],
)
@pytest.mark.parametrize("shift", [0.0, 1e12])
@pytest.mark.filterwarnings("ignore:X has columns that are plainly not on the scale of y")
def test_absurd_input_gives_finite_convex_weights(make, objective, shift):
    rng = np.random.default_rng(3)
    y = rng.uniform(0, 255, 600)
    X = make(y, rng.normal(scale=4, size=(600, 3)))
    model = former_search(cv=3, objectives=[objective], max_iter=5, tol=1e9)
    weights = model.fit(X, y + shift).best_estimator_.weights_
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bin_widths": "wide"}, r"bin_widths == 'wide', must be one of 'auto'"),
        ({"bin_widths": []}, r"bin_widths == \[\], must be a list of at least one value"),
        ({"bin_widths": [32, -1]}, r"bin_widths == -1, must be > 0"),
        ({"shrinkages": 5.0}, r"shrinkages == 5\.0, must be a list"),
        ({"shrinkages": [-1]}, r"shrinkage == -1, must be >= 0"),
        ({"objectives": "likelihood"}, r"objectives == 'likelihood', must be a list"),
        ({"objectives": ["hinge"]}, r"objective == 'hinge', must be one of 'likelihood', "),
        ({"default_weights": [1.0]}, r"one weight for each of the 3 models"),
    ],
)
def test_errors_name_the_argument(params, message):
    with pytest.raises(ValueError, match=message):
        EnsIRRegressorCV(**params).fit(*stacked(60))


def test_a_split_without_weight_is_an_error():
    X, y = stacked(60)
    weight = np.ones(60)
    weight[:20] = 0
    with pytest.raises(ValueError, match="cv split 0 has no held-out rows of positive sample_w"):
        EnsIRRegressorCV(cv=3).fit(X, y, sample_weight=weight)


def test_summary_is_printed_if_verbose(capsys):
    X, y = stacked(200)
    EnsIRRegressorCV(cv=2).fit(X, y)
    assert capsys.readouterr().out == ""
    model = EnsIRRegressorCV(cv=2, verbose=1).fit(X, y)
    assert capsys.readouterr().out.strip() == model.summary()


def test_a_split_may_be_given_by_masks_lists_or_numbers_from_the_end():
    X, y = stacked(90)
    mask = np.arange(90) < 60
    expected = EnsIRRegressorCV(cv=[(np.arange(60), np.arange(60, 90))]).fit(X, y).best_score_
    from_end = np.arange(60) - 90, np.arange(-30, 0)
    for split in ((mask, ~mask), (list(range(60)), list(range(60, 90))), from_end):
        assert EnsIRRegressorCV(cv=[split]).fit(X, y).best_score_ == expected


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([], "gives no split"),
        ([(range(30), range(30, 91))], "cv gives row number 90, must be below the 90 rows"),
        ([(range(30), [-91])], "cv gives row number -91"),
        ([(range(30), [])], "at least one row"),
        ([(range(30), [0.5])], "must be row numbers"),
    ],
)
def test_splits_that_are_none_are_an_error(cv, message):
    with pytest.raises(ValueError, match=message):
        EnsIRRegressorCV(cv=cv).fit(*stacked(90))


@pytest.mark.parametrize("missing", [np.nan, None])
def test_missing_groups_are_an_error(missing):
    with pytest.raises(ValueError, match="groups has NaN or None, must have a group"):
        EnsIRRegressorCV().fit(*stacked(90), groups=[missing, *range(89)])


@pytest.mark.parametrize("cv", [None, GroupKFold(2), LeaveOneGroupOut()])
def test_groups_without_an_order_are_an_error(cv):
    groups = np.array([1, "a"] * 45, dtype=object)
    said = "^groups has values of type int and str, must have only numbers or only names.$"
    with pytest.raises(TypeError, match=said):
        EnsIRRegressorCV(cv=cv).fit(*stacked(90), groups=groups)
    with pytest.raises(TypeError, match=said):
        EnsIRRegressorCV(cv=LeaveOneGroupOut()).partial_fit(*stacked(90), groups=groups)


@pytest.mark.parametrize("scale", [1e80, 1e160, 1e300])
def test_squares_that_overflow_are_an_error(scale):
    X, y = stacked(90)
    for model in (EnsIRRegressor(scale, data_range=1.0), EnsIRRegressorCV(), ConvexRegressor()):
        with pytest.raises(ValueError, match=r"overflow\. Values must be below about 1e70"):
            model.fit(X * scale, y * scale)


@pytest.mark.parametrize("scale", [1e-80, 1e-170, 1e-300])
@pytest.mark.parametrize("weight", [1.0, 1e-100])
def test_squares_that_underflow_are_an_error(scale, weight):
    X, y = stacked(90)
    weight = np.full(len(y), weight)
    for model in (EnsIRRegressor(data_range=1.0), EnsIRRegressorCV(), ConvexRegressor()):
        with pytest.raises(ValueError, match=r"underflow\. Errors must be above about 1e-70"):
            model.fit(X * scale, y * scale, sample_weight=weight)
        model.fit(X * 1e-60, y * 1e-60, sample_weight=weight)
        model.fit(y[:, np.newaxis].repeat(3, axis=1) * scale, y * scale)  # nobody errs


@pytest.mark.parametrize("groups", [False, True])
def test_rows_of_weight_zero_are_absent(groups):
    X, y = stacked(300)
    groups = np.arange(300) % 7 if groups else None
    there = np.arange(300) % 5 > 0
    weight = np.where(there, 1.0, 0.0)
    X[~there] *= 1e6
    whole = EnsIRRegressorCV().fit(X, y, weight, groups)
    part = EnsIRRegressorCV().fit(
        X[there], y[there], weight[there], None if groups is None else groups[there]
    )
    np.testing.assert_array_equal(whole.predict(X), part.predict(X))
    np.testing.assert_array_equal(
        whole.cv_results_["mean_test_score"], part.cv_results_["mean_test_score"]
    )


def test_grid_values_may_be_any_collection():
    X, y = stacked(90)
    model = EnsIRRegressorCV(
        {16: "", 32: ""}.keys(),
        shrinkages={5.0},
        objectives={"squared_error"},
        axes=("summary",),
        positive=np.array([True, False]),
        fit_intercept=(True, False),
        cv=2,
    )
    assert len(model.fit(X, y).cv_results_["params"]) == 8


def test_values_of_which_only_the_spread_is_too_large_are_told():
    """No model errs in these rows, and deviations have no sums of the predictions themselves."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 300)
    X = y[:, np.newaxis] + rng.normal(0, 5, (300, 3))
    X[::50] = 1e160
    y[::50] = 1e160
    with pytest.raises(ValueError, match="data_range, bin_width or sample_weight is too large"):
        EnsIRRegressorCV(axes="deviations").fit(X, y)
