"""The search over nested tables has the results of GridSearchCV, whatever the splits and axes."""

import numpy as np
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    TimeSeriesSplit,
)

from skensir import EnsIRRegressor, EnsIRRegressorCV

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("predictions", "deviations", "summary")
SPLITTERS = [
    KFold(3),
    KFold(4, shuffle=True, random_state=1),
    LeaveOneGroupOut(),
    GroupKFold(2),
    ShuffleSplit(3, test_size=0.3, random_state=0),
    TimeSeriesSplit(2),
]


def draw_rows(rng, dtype):
    """Return predictions and truth; held-out rows often lie beyond the bins of the others."""
    n_rows, n_models = int(rng.integers(30, 160)), int(rng.integers(1, 5))
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * rng.uniform(2, 40, n_models)
    if dtype is np.uint8:
        X = np.clip(X, 0, 255)
    return (X if dtype is np.float64 else np.rint(X)).astype(dtype), y


def negative_log_error(truth, prediction, sample_weight=None):
    return -np.log(mean_squared_error(truth, prediction, sample_weight=sample_weight))


SCORERS = {
    "neg_log_mean_squared_error": make_scorer(negative_log_error),
    "neg_mean_squared_error": "neg_mean_squared_error",
}
# Some rows pull every cell: else the programmes of cells of a row or two have many solutions.
GRIDS = st.fixed_dictionaries(
    {
        "bin_width": st.sampled_from([[8.0], [16.0, 32.0], [64.0, 32.0], [20.0, 33.0, 40.0]]),
        "axes": st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True),
        "shrinkage": st.sampled_from([[2.0], [1.0, 30.0]]),
        "positive": st.sampled_from([[True], [False], [True, False]]),
        "fit_intercept": st.sampled_from([[True], [False], [True, False]]),
    }
)
PLURALS = {"bin_width": "bin_widths", "shrinkage": "shrinkages"}


def fixed_order(point):
    return sorted((name, str(value)) for name, value in point.items())


@share_of_cases(1 / 4)
@given(
    seed=SEEDS,
    dtype=st.sampled_from([np.float64, np.float32, np.uint8, np.int32]),
    grid=GRIDS,
    cv=st.sampled_from(SPLITTERS),
    scoring=st.sampled_from(sorted(SCORERS)),
    default_weights=st.sampled_from(["auto", "auto", "uniform", "inverse_deviation", "pooled"]),
)
def test_results_equal_brute_force_grid_search(seed, dtype, grid, cv, scoring, default_weights):
    rng = np.random.default_rng(seed)
    X, y = draw_rows(rng, dtype)
    groups = None
    if isinstance(cv, LeaveOneGroupOut | GroupKFold):
        groups = np.append(np.arange(3), rng.integers(0, 3, len(y) - 3))
    fixed = {"data_range": 255.0, "default_weights": default_weights}
    regressor = EnsIRRegressor(shrink_to="parent", objective="squared_error", **fixed)
    brute = GridSearchCV(regressor, grid, cv=cv, scoring=SCORERS[scoring], refit=False)
    # Predictions in single precision would be rounded to it, and so would be their scores.
    rows = X.astype(np.float64) if X.dtype == np.float32 else X
    expected = brute.fit(rows, y, groups=groups).cv_results_
    tried = {PLURALS.get(name, name): values for name, values in grid.items()}
    ours = EnsIRRegressorCV(**tried, cv=cv, scoring=scoring, **fixed)
    actual = ours.fit(X, y, groups=groups).cv_results_
    assert set(actual) == set(expected) | {"share", "param_objective"}
    places = {}
    for place, point in enumerate(expected["params"]):
        places[str(fixed_order(point | {"objective": "squared_error"}))] = place
    order = [places[str(fixed_order(point))] for point in actual["params"]]
    assert sorted(order) == list(range(len(order)))
    for key in expected:
        if key.endswith("test_score") and not key.startswith(("std", "rank")):
            scale = np.abs(expected[key][order])
            if "log" in scoring:
                scale = np.maximum(scale, 1.0)
            np.testing.assert_array_less(
                np.abs(actual[key] - expected[key][order]), 1e-9 * scale, err_msg=key
            )
        elif key.startswith("param_"):
            assert [*map(str, actual[key])] == [*map(str, expected[key][order])]
    assert actual["mean_test_score"].max() == pytest.approx(ours.best_score_)


@share_of_cases(3 / 8)
@given(
    seed=SEEDS,
    axes=st.sampled_from(KINDS),
    positive=st.booleans(),
    fit_intercept=st.booleans(),
)
def test_scores_of_weighted_rows_are_those_of_tables_fitted_on_the_others(
    seed, axes, positive, fit_intercept
):
    """As GridSearchCV weighs no held-out rows, the splits are made by hand."""
    rng = np.random.default_rng(seed)
    X, y = draw_rows(rng, np.float64)
    weight = rng.integers(0, 4, len(y)) / 2
    weight[:4] = 1
    groups = np.append([0, 0, 1, 1], rng.integers(0, 2, len(y) - 4))
    params = {"axes": axes, "positive": positive, "fit_intercept": fit_intercept}
    model = EnsIRRegressorCV([16.0], shrinkages=[5.0], data_range=255, **params, cv=2)
    model.set_params(cv=LeaveOneGroupOut()).fit(X, y, sample_weight=weight, groups=groups)
    plain = EnsIRRegressor(
        16.0, shrinkage=5.0, data_range=255, shrink_to="parent", objective="squared_error", **params
    )
    for number in range(2):
        test = groups == number
        plain.fit(X[~test], y[~test], weight[~test])
        error = mean_squared_error(y[test], plain.predict(X[test]), sample_weight=weight[test])
        found = model.cv_results_[f"split{number}_test_score"]
        np.testing.assert_allclose(found, -np.log(error), rtol=1e-9, atol=1e-9)


@share_of_cases(1 / 8)
@given(seed=SEEDS)
def test_sample_weight_equals_repetition_within_groups(seed):
    rng = np.random.default_rng(seed)
    X, y = draw_rows(rng, np.float64)
    weight = rng.integers(0, 3, len(y))
    weight[:2] = 1
    groups = np.append([0, 1], rng.integers(0, 2, len(y) - 2))
    search = EnsIRRegressorCV([16, 64], data_range=255, shrinkages=[3, 30], cv=LeaveOneGroupOut())
    weighted = search.fit(X, y, sample_weight=weight, groups=groups).cv_results_
    repeated = search.fit(
        X.repeat(weight, axis=0), y.repeat(weight), groups=groups.repeat(weight)
    ).cv_results_
    for key in ("mean_test_score", "share"):
        np.testing.assert_allclose(weighted[key], repeated[key], rtol=1e-7, atol=1e-9)


def test_folds_that_are_summed_up_one_by_one_have_the_scores_of_all_at_once(monkeypatch):
    from skensir._core import nested_splits

    X, y = draw_rows(np.random.default_rng(5), np.float64)
    search = EnsIRRegressorCV([16.0, 8.0], data_range=255, cv=KFold(5))
    at_once = search.fit(X, y).cv_results_
    monkeypatch.setattr(nested_splits, "_MAX_CELLS", 1)
    one_by_one = search.fit(X, y).cv_results_
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(one_by_one[name], at_once[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("objectives", [["likelihood"], ["likelihood", "squared_error"]])
def test_the_likelihood_is_tried_on_predictions_without_parents(objectives):
    X, y = draw_rows(np.random.default_rng(2), np.float64)
    fixed = {"data_range": 255, "max_iter": 5, "tol": 1.0, "min_samples_cell": 10}
    model = EnsIRRegressorCV([32.0, 64.0], objectives=objectives, cv=KFold(3), **fixed).fit(X, y)
    points = [p for p in model.cv_results_["params"] if p["objective"] == "likelihood"]
    assert len(points) == 2 * 2
    assert {(p["axes"], p["positive"], p["fit_intercept"]) for p in points} == {
        ("predictions", True, False)
    }
    grid = {"bin_width": [32.0, 64.0], "shrinkage": [30, 300]}
    scorer = SCORERS["neg_log_mean_squared_error"]
    brute = GridSearchCV(EnsIRRegressor(**fixed), grid, cv=KFold(3), scoring=scorer).fit(X, y)
    found = {(p["bin_width"], p["shrinkage"]): i for i, p in enumerate(brute.cv_results_["params"])}
    for point, score in zip(
        model.cv_results_["params"], model.cv_results_["mean_test_score"], strict=True
    ):
        if point in points:
            expected = brute.cv_results_["mean_test_score"]
            expected = expected[found[point["bin_width"], point["shrinkage"]]]
            assert score == pytest.approx(expected, rel=1e-9)


def test_automatic_widths_halve_the_range_as_far_as_there_are_rows_for_the_cells():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 3000)
    X = y[:, None] + rng.normal(size=(3000, 2)) * [2, 5]
    model = EnsIRRegressorCV(data_range=255, cv=3, select="average").fit(X, y)
    for kind in KINDS:
        of_kind = [p["bin_width"] for p in model.cv_results_["params"] if p["axes"] == kind]
        [width] = set(of_kind)
        assert np.log2(256 / width) % 1 == 0

        def n_cells(bin_width, kind=kind):
            plain = EnsIRRegressor(
                bin_width, data_range=255, axes=kind, objective="squared_error", shrinkage=9.0
            )
            return len(plain.set_params(shrink_to="parent").fit(X, y).cells_)

        assert n_cells(width) <= len(y) / 10
        most = {"predictions": 6, "deviations": 10, "summary": 5}[kind]
        assert width == 256 / 2**most or n_cells(width / 2) > len(y) / 10


def test_without_a_splitter_rows_are_dealt_out_by_chance_or_by_groups():
    rng = np.random.default_rng(0)
    X, y = draw_rows(rng, np.float64)
    groups = rng.integers(0, 4, len(y))
    grid = {"bin_widths": [32.0], "data_range": 255, "shrinkages": [9]}
    scores = {}
    by_chance = KFold(10, shuffle=True, random_state=0)
    for cv, of_rows in ((None, None), (by_chance, None), (None, groups), (GroupKFold(4), groups)):
        model = EnsIRRegressorCV(cv=cv, **grid).fit(X, y, groups=of_rows)
        scores[cv, of_rows is None] = model.best_score_
    chance, again, grouped, grouped_again = scores.values()
    assert chance == again
    assert grouped == grouped_again
    assert EnsIRRegressorCV(**grid).fit(X, y, groups=np.zeros(len(y))).n_splits_ == 10
    assert EnsIRRegressorCV(**grid).fit(X[:4], y[:4]).n_splits_ == 4
