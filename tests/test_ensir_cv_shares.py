"""What the search makes of its candidates: shares, the tables that are averaged, gains."""

import numpy as np
import pandas as pd
import pytest
from drawn import share_of_cases
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.cross_validation import RIVALS
from skensir._core.selection import find_shares
from skensir._search import table_search
from skensir._search.candidates import SCORINGS, Results
from skensir._search.gains import _held_out_errors
from skensir._sums.linear import _PENALTIES
from skensir.baselines import AverageRegressor, BestModelRegressor, ConvexRegressor

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("predictions", "deviations", "summary")
BASELINES = {
    "average": AverageRegressor,
    "best_model": BestModelRegressor,
    "convex": ConvexRegressor,
}


def draw_rows(seed, n_rows=240, n_models=3):
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    spread = np.where(y[:, None] < 100, np.arange(1, n_models + 1), np.arange(n_models, 0, -1))
    return y[:, None] + 5 * spread * rng.normal(size=(n_rows, n_models)), y


def expected_shares(scores, best, select):
    """Return the shares in the words of the design, from log scores (n_candidates, n_splits)."""
    n_candidates, n_splits = scores.shape
    if select == "best" or n_splits == 1:
        return np.eye(n_candidates)[best]
    shares = []
    for line in scores:
        excess = [above - own for own, above in zip(line, scores[best], strict=True)]
        d = sum(excess) / n_splits
        d = d if d > 1e-9 else 0.0  # but for rounding
        exponent = d / (0.03 if select == "auto" else 0.02)
        if select == "average":
            variance = sum((value - d) ** 2 for value in excess) / (n_splits - 1)
            z = d / np.sqrt(variance / n_splits) if variance else 0.0
            exponent = max(exponent, z**2 / 2)
        share = np.exp(-exponent)
        shares.append(share if share >= 1e-3 else 0.0)
    return np.array(shares) / sum(shares)


@given(SEEDS, st.integers(1, 9), st.integers(2, 7), st.sampled_from(["auto", "average", "best"]))
def test_shares_follow_the_formula(seed, n_candidates, n_splits, select):
    rng = np.random.default_rng(seed)
    # Tables differ on all splits alike, or as much from split to split.
    errors = 0.04 * rng.normal(size=(n_candidates, 1)) + rng.normal(3, 0.5, n_splits)
    errors = np.exp(errors + rng.choice([0.005, 0.05]) * rng.normal(size=(n_candidates, n_splits)))
    best = int(np.log(errors).mean(axis=1).argmin())
    shares = find_shares(errors, best, select)
    np.testing.assert_allclose(shares, expected_shares(-np.log(errors), best, select), atol=1e-12)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert shares.argmax() == best
    # The unit of the errors is none of their business, nor is the order of the splits.
    np.testing.assert_array_equal(find_shares(4 * errors, best, select), shares)
    np.testing.assert_allclose(find_shares(errors[:, ::-1], best, select), shares, atol=1e-12)


def test_equal_tables_have_equal_shares_and_perfect_ones_are_no_trouble():
    for select in ("auto", "average"):
        assert find_shares(np.full((4, 3), 2.0), 1, select).tolist() == [0.25] * 4
        shares = find_shares(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 0, select)
        assert shares.tolist() == [1, 0, 0]


GRIDS = st.fixed_dictionaries(
    {
        "bin_widths": st.sampled_from([[32.0], [16.0, 32.0, 128.0], [20.0, 30.0], [96.0, 24.0]]),
        "axes": st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True),
        "shrinkages": st.sampled_from([[0.0, 30.0], [5.0, 300.0]]),
        "positive": st.sampled_from([True, [False, True]]),
        "fit_intercept": st.sampled_from([False, [False, True]]),
        "shrink_to": st.sampled_from(["parent", "parent", "pooled"]),
        "default_weights": st.sampled_from(["auto", "uniform"]),
        "select": st.sampled_from(["auto", "average", "best"]),
        "scoring": st.sampled_from(["neg_log_mean_squared_error", "neg_mean_squared_error"]),
    }
)

# Tables of few rows in many cells, which one convex vector is better than.
NO_BETTER_THAN_PLAIN = {
    "bin_widths": [32.0],
    "axes": ["predictions"],
    "shrinkages": [0.0],
    "positive": True,
    "fit_intercept": False,
    "shrink_to": "pooled",
    "default_weights": "auto",
    "select": "auto",
    "scoring": "neg_log_mean_squared_error",
}


@pytest.mark.filterwarnings("ignore:Most rows")
@share_of_cases(1 / 4)
@given(seed=SEEDS, grid=GRIDS, n_models=st.integers(1, 4), weighted=st.booleans())
@example(seed=1, grid=NO_BETTER_THAN_PLAIN, n_models=4, weighted=False)
def test_prediction_is_the_average_of_candidates_fitted_on_all_rows(seed, grid, n_models, weighted):
    X, y = draw_rows(seed, n_models=n_models)
    weight = np.random.default_rng(seed).integers(1, 4, len(y)) / 2 if weighted else None
    fixed = {"data_range": 255.0, "min_samples_cell": 12, "default_weights": "auto"}
    fixed["default_weights"] = grid["default_weights"]
    model = EnsIRRegressorCV(cv=KFold(3), **{**fixed, **grid}).fit(X, y, sample_weight=weight)
    results = model.cv_results_
    shares, plain_shares = results["share"], model.plain_shares_
    assert shares.sum() + sum(plain_shares.values()) == pytest.approx(1, abs=1e-12)
    assert model.shares_.sum() == pytest.approx(1, abs=1e-12)
    scores = np.array([results[f"split{i}_test_score"] for i in range(3)]).T
    logs = scores if "log" in grid["scoring"] else -np.log(-scores)
    if not any(plain_shares.values()):  # as they mostly are; tests of rivals show what they do
        np.testing.assert_allclose(
            shares, expected_shares(logs, model.best_index_, grid["select"]), atol=1e-6
        )
    names = ("axes", "positive", "fit_intercept", "shrink_to")
    plain = {name: grid[name] for name in names if isinstance(grid[name], (str, bool))}
    rows = np.vstack([X, draw_rows(seed + 1, n_models=n_models)[0] * 1.5 - 60])
    expected, expected_weights = np.zeros(len(rows)), np.zeros(rows.shape)
    for share, params in zip(shares, results["params"], strict=True):
        if share:
            candidate = EnsIRRegressor(**{**fixed, **plain, **params}).fit(X, y, weight)
            expected += share * candidate.predict(rows)
            expected_weights += share * candidate.predict_weights(rows)
    for name, share in plain_shares.items():
        baseline = BASELINES[name]().fit(X, y, weight)
        expected += share * baseline.predict(rows)
        expected_weights += share * baseline.weights_
    scale = np.abs(rows).max() * max(1.0, np.abs(expected_weights).max())
    np.testing.assert_allclose(model.predict(rows), expected, atol=1e-10 * scale)
    np.testing.assert_allclose(
        model.predict_weights(rows), expected_weights, atol=1e-10 * np.abs(expected_weights).max()
    )
    assert (np.diff(model.shares_) <= 0).all()


def test_standard_deviations_are_the_root_of_the_average_square():
    X, y = draw_rows(0)
    grid = {"axes": KINDS, "shrinkages": [9, 90], "data_range": 255, "select": "average"}
    model = EnsIRRegressorCV([32.0, 64.0], **grid, cv=3).fit(X, y)
    fixed = {"data_range": 255, "shrink_to": "parent"}
    squares = np.zeros(len(y))
    for share, params in zip(model.cv_results_["share"], model.cv_results_["params"], strict=True):
        candidate = EnsIRRegressor(**fixed, **params).fit(X, y)
        squares += share * candidate.predict(X, return_std=True)[1] ** 2
    prediction, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(std, np.sqrt(squares), rtol=1e-9)
    np.testing.assert_array_equal(prediction, model.predict(X))


def test_one_table_is_the_best_estimator_and_several_say_where_they_are():
    X, y = draw_rows(1)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    one = EnsIRRegressorCV([32.0, 64.0], axes="deviations", cv=3).fit(frame, y)
    assert np.count_nonzero(one.cv_results_["share"]) > 1
    assert one.estimators_ == [one.best_estimator_]
    assert one.shares_.tolist() == [1.0]
    for name in ("weights_", "cells_", "default_weights_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(one.best_estimator_, name))
    assert len(one.bin_edges_) == 3
    several = EnsIRRegressorCV([32.0], axes=KINDS, select="average", shrinkages=[9e9], cv=3)
    several.fit(frame, y)
    assert {model.axes_ for model in several.estimators_} == set(KINDS)
    assert [len(weights) for weights in several.weights_] == [len(c) for c in several.cells_]
    assert len(several.default_weights_) == len(several.bin_edges_) == 3
    assert not hasattr(several, "best_estimator_")
    with pytest.raises(AttributeError, match="see estimators_ and shares_"):
        several.best_estimator_  # noqa: B018
    for model in (one, several):
        for part in (model, *model.estimators_):
            assert part.feature_names_in_.tolist() == ["a", "b", "c"]
            assert part.n_features_in_ == 3
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame[["b", "a", "c"]])
    # A fit that finds one table leaves nothing of several, and the other way round.
    assert len(several.set_params(select="best").fit(X, y).estimators_) == 1
    assert several.best_estimator_ is several.estimators_[0]
    assert not hasattr(several.set_params(select="average").fit(X, y), "best_estimator_")


@pytest.mark.parametrize("n_models", [1, 4])
def test_rivals_are_what_is_fitted_without_tables_on_the_training_rows(n_models):
    X, y = draw_rows(2, n_models=n_models)
    errors = {"average": [], "ridge": []}
    splits = list(KFold(4, shuffle=True, random_state=3).split(X))
    for train, test in splits:
        errors["average"].append(mean_squared_error(y[test], X[test].mean(axis=1)))
        unit = X[train].var(axis=0).mean() * len(train)
        found = []
        for penalty in _PENALTIES * unit:
            ridge = Ridge(alpha=penalty).fit(X[train], y[train])
            centred = X[train] - X[train].mean(axis=0)
            hat = centred @ np.linalg.solve(
                centred.T @ centred + penalty * np.eye(n_models), centred.T
            )
            left = len(train) - 1 - np.trace(hat)
            gcv = np.sum((ridge.predict(X[train]) - y[train]) ** 2) / left**2
            found.append((gcv, mean_squared_error(y[test], ridge.predict(X[test]))))
        errors["ridge"].append(min(found)[1])
    for scoring in ("neg_log_mean_squared_error", "neg_mean_squared_error"):
        model = EnsIRRegressorCV(data_range=255, scoring=scoring, cv=splits).fit(X, y)
        assert set(model.gains_) == {"average", "best_model", "convex", "ridge"}
        for name, expected in errors.items():
            gain = model.gains_[name]
            assert gain["mse"] == pytest.approx(np.mean(expected), rel=1e-6)
            assert gain["gain"] == pytest.approx(1 - model.held_out_mse_ / gain["mse"], abs=1e-9)
        assert "ridge regression" in model.summary()


@pytest.mark.parametrize("select", ["auto", "average", "best"])
def test_held_out_error_is_that_of_what_the_other_splits_select(select):
    X, y = draw_rows(3)
    model = EnsIRRegressorCV([16.0, 64.0], data_range=255, select=select, cv=KFold(4)).fit(X, y)
    results = model.cv_results_
    scores = np.array([results[f"split{i}_test_score"] for i in range(4)]).T
    errors = []
    for split in range(4):
        others = np.delete(scores, split, axis=1)
        best = others.mean(axis=1).argmax()
        shares = expected_shares(others, best, select)
        errors.append(shares @ np.exp(-scores[:, split]))
    assert model.held_out_mse_ == pytest.approx(np.mean(errors), rel=1e-6)


def held_out(errors, scoring):
    """Return the errors on each split of the best table on the others, wider bins first."""
    points = [{"bin_width": 2.0**-i, "shrinkage": 0.0} for i in range(len(errors))]
    candidates = [EnsIRRegressor(**point) for point in points]
    results = Results(candidates, points, errors, np.zeros((2, *errors.shape)), scoring)
    rivals = {name: np.ones(errors.shape[1]) for name in RIVALS}
    return _held_out_errors(results, rivals, "best", 1 / errors.shape[1])


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("factor", [1.0, 1e20])
def test_without_a_split_the_others_alone_choose(scoring, factor):
    """However large its errors are, of which a sum over all splits would know nothing else."""
    errors = np.random.default_rng(0).uniform(1, 2, (20, 4)) * [1, 1, 1, factor]
    found = held_out(errors, scoring)
    log = np.log if "log" in scoring else np.asarray
    for split in range(4):
        best = log(np.delete(errors, split, axis=1)).mean(axis=1).argmin()
        assert found[split] == errors[best, split]


@pytest.mark.parametrize("scoring", SCORINGS)
def test_of_a_tie_on_the_other_splits_the_plainest_table_is_held_out(scoring):
    """As the search chooses, and not by rounding, which a change of the unit changes."""
    errors = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [1.0, 2.0, 5.0]])
    errors[1:, :2] *= 1 - 1e-15
    np.testing.assert_array_equal(held_out(errors, scoring)[2], 3.0)


def test_an_average_is_no_worse_than_the_best_on_tables_of_few_rows():
    ratios = []
    for seed in range(6):
        X, y = draw_rows(seed, n_rows=1500)
        errors = []
        for select in ("auto", "best"):
            model = EnsIRRegressorCV(select=select).fit(X[:300], y[:300])
            errors.append(mean_squared_error(y[300:], model.predict(X[300:])))
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 1


def test_rivals_with_a_share_are_calibrated_as_their_tables_would_be(monkeypatch):
    """They need none: what is counted is what tables give that are fitted split by split."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 3000)
    X = y[:, None] + rng.normal(size=(3000, 3)) * [2, 2.1, 2.2]
    model = EnsIRRegressorCV(cv=5).fit(X, y)
    assert sum(model.plain_shares_.values()) > 0
    monkeypatch.setattr(table_search, "is_constant", lambda candidate: False)
    by_tables = EnsIRRegressorCV(cv=5).fit(X, y)
    np.testing.assert_allclose(model.calibration_, by_tables.calibration_, atol=1)
    np.testing.assert_allclose(model.calibration_.sum(), by_tables.calibration_.sum())


def test_axes_on_which_each_row_has_a_cell_of_its_own_are_left_out():
    """The signs of many models' deviations do so, in bins of any width."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 40_000)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (len(y), 24)), 0, 255).astype(np.uint8)
    model = EnsIRRegressorCV(cv=2).fit(X, y)
    assert {point["axes"] for point in model.cv_results_["params"]} <= {"predictions", "summary"}
    parts = EnsIRRegressorCV()
    for half in (slice(None, None, 2), slice(1, None, 2)):
        parts = parts.partial_fit(X[half], y[half])
    assert parts.solve().axes_ in ("predictions", "summary")
