"""The search is no worse than what needs no table: it takes part where it does better."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.cross_validation import RIVALS
from skensir._core.selection import find_shares, share_with_rivals
from skensir._search.candidates import SCORINGS, Results
from skensir._search.gains import find_gains
from skensir.baselines import AverageRegressor, BestModelRegressor, ConvexRegressor

PLAIN = {
    "average": AverageRegressor(),
    "best_model": BestModelRegressor(),
    "convex": ConvexRegressor(),
}


def draw_rows(deviations, n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 50, n_rows)
    return y[:, None] + rng.normal(size=(n_rows, len(deviations))) * deviations, y


def rmse(model, X, y):
    return np.sqrt(np.mean((model.predict(X) - y) ** 2))


@given(seed=st.integers(0, 2**32 - 1), select=st.sampled_from(["auto", "average", "best"]))
def test_rivals_have_a_share_only_where_they_beat_the_best_table(seed, select):
    rng = np.random.default_rng(seed)
    errors, rivals = rng.uniform(0.9, 1.1, (5, 6)), rng.uniform(0.8, 1.2, (3, 6))
    means = np.log(errors).mean(axis=1)
    best = int(means.argmin())
    shares, of_rivals = share_with_rivals(errors, rivals, best, select, 0.2)
    assert_allclose(shares.sum() + of_rivals.sum(), 1)
    worse = np.log(rivals).mean(axis=1) >= means[best]
    assert not of_rivals[worse].any()
    alone = find_shares(errors, best, select)
    if worse.all() or select != "auto":
        assert_allclose(shares, alone)
    elif shares.any():  # what tables have they share as they would without rivals
        assert_allclose(shares / shares.sum(), alone, atol=0.01)
        assert of_rivals.max() >= shares.max()


@pytest.mark.parametrize("seed", range(3))
def test_one_good_model_among_poor_ones_is_taken_alone(seed):
    """All tables are drawn to averaging, which is a hundred times worse here."""
    X, y = draw_rows([0.1, 30, 30, 30], 600, seed)
    model = EnsIRRegressorCV().fit(X[:300], y[:300])
    best = BestModelRegressor().fit(X[:300], y[:300])
    assert rmse(model, X[300:], y[300:]) < 1.05 * rmse(best, X[300:], y[300:])
    assert model.plain_shares_["average"] == 0
    assert "for what needs no table" in model.summary()


def test_the_prediction_is_the_average_by_the_shares_of_tables_and_rivals():
    X, y = draw_rows([3, 9, 9], 240, seed=5)
    model = EnsIRRegressorCV(axes="deviations", positive=True, fit_intercept=False, cv=4)
    model.fit(X, y)
    shares, plain = model.cv_results_["share"], model.plain_shares_
    assert_allclose(shares.sum() + sum(plain.values()), 1)
    assert sum(plain.values()) > 0  # nothing is to be gained by cells
    expected = sum(share * PLAIN[name].fit(X, y).predict(X) for name, share in plain.items()) + sum(
        share
        * EnsIRRegressorCV(
            [params["bin_width"]],
            data_range=model.data_range_,
            axes="deviations",
            positive=True,
            fit_intercept=False,
            shrinkages=[params["shrinkage"]],
            select="best",
            cv=4,
        )
        .fit(X, y)
        .predict(X)
        for share, params in zip(shares, model.cv_results_["params"], strict=True)
        if share
    )
    assert_allclose(model.predict(X), expected, rtol=1e-9)


@pytest.mark.parametrize(("n_rows", "cv"), [(200, 10), (1200, 3)])
@pytest.mark.parametrize("select", ["auto", "average", "best"])
def test_a_search_that_ridge_regression_beats_says_so_once(n_rows, cv, select):
    X, y = draw_rows([5, 5, 5], n_rows, seed=1)
    with pytest.warns(UserWarning, match="ridge regression has a mean squared error") as caught:
        EnsIRRegressorCV(cv=cv, select=select).fit(0.5 * X, y)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EnsIRRegressorCV(cv=cv, select=select).fit(X, y)


def test_nothing_is_as_good_as_a_rival_without_error():
    X, _ = draw_rows([5, 9, 30], 400, seed=3)
    y = np.full(400, 20.0)
    with pytest.warns(UserWarning, match="regression has a mean squared error of 0, 100% less"):
        model = EnsIRRegressorCV(cv=3).fit(X, y)
    assert model.gains_["ridge"]["mse"] == 0
    assert model.gains_["ridge"]["gain"] == -np.inf
    assert not model.gains_["ridge"]["is_gain"]
    assert model.held_out_mse_ > 0


@pytest.mark.parametrize("shape", [(), (5,), (601,), (600, 1)])
def test_groups_of_another_shape_are_refused(shape):
    X, y = draw_rows([5, 5, 5], 600)
    with pytest.raises(ValueError, match=r"groups\.shape == .* one group per sample"):
        EnsIRRegressorCV().fit(X, y, groups=np.ones(shape, dtype=int))


def test_weights_that_are_far_below_one_are_told():
    X, y = draw_rows([5, 5, 5], 600, seed=2)
    with pytest.warns(UserWarning, match="sample_weight sums to 1 over 600 rows"):
        EnsIRRegressorCV(cv=3).fit(X, y, sample_weight=np.full(600, 1 / 600))


@pytest.mark.parametrize("ratio", [1.0, 0.25])
def test_splits_that_share_rows_make_a_gain_less_sure(ratio):
    """The correction of Nadeau and Bengio adds held-out / training rows to 1 / n_splits."""
    of_rows = [SimpleNamespace(weight=np.array([share, share])) for share in (ratio, 1.0)]
    splits = 2 * [SimpleNamespace(test=of_rows[0], train=of_rows[1])]
    errors = np.array([[1.0, 3.0]])
    point = {"bin_width": 32.0, "shrinkage": 0.0}
    seconds = np.zeros((2, 1, 2))
    one = Results([EnsIRRegressor(**point)], [point], errors, seconds, SCORINGS[0])
    rivals = {name: np.array([2.0, 5.0]) for name in RIVALS}
    _, gains = find_gains(one, rivals, "best", splits)
    saved = np.array([1.0, 2.0]) / 3.5
    for gain in gains.values():
        assert gain["std_error"] == pytest.approx(saved.std(ddof=1) * np.sqrt(1 / 2 + ratio))
