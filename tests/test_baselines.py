"""The plain ensembles do what their names say."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from skensir import baselines
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)


def stacked(n_samples=300, n_models=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(scale=50, size=n_samples)
    X = y[:, None] + rng.normal(size=(n_samples, n_models)) * (3 + np.arange(n_models))
    return X, y


def greedy_by_prediction(X, y, n_selections):
    """Caruana's selection with the predictions themselves; the best ensemble on the way."""
    selected, best, best_error = [], None, np.inf
    for _ in range(n_selections):
        errors = [
            np.mean((X[:, [*selected, model]].mean(axis=1) - y) ** 2) for model in range(X.shape[1])
        ]
        selected.append(int(np.argmin(errors)))
        if min(errors) < best_error:
            best, best_error = list(selected), min(errors)
    return np.bincount(best, minlength=X.shape[1]) / len(best)


def test_average_is_the_mean():
    X, y = stacked()
    model = AverageRegressor().fit(X, y)
    np.testing.assert_allclose(model.predict(X), X.mean(axis=1), rtol=1e-12, atol=1e-12)


def test_best_model_has_the_least_squared_error():
    X, y = stacked()
    model = BestModelRegressor().fit(X, y)
    assert model.best_model_ == ((X - y[:, None]) ** 2).mean(axis=0).argmin()
    np.testing.assert_allclose(model.predict(X), X[:, model.best_model_], rtol=1e-12)


def test_best_model_heeds_sample_weight():
    X = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert BestModelRegressor().fit(X, [0, 0], sample_weight=[3, 1]).best_model_ == 0
    assert BestModelRegressor().fit(X, [0, 0], sample_weight=[1, 3]).best_model_ == 1


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_convex_weights_are_those_of_a_general_solver(seed, n_models):
    X, y = stacked(60, n_models, seed)
    rng = np.random.default_rng(seed)
    sample_weight = rng.uniform(0, 2, len(y))
    weights = ConvexRegressor().fit(X, y, sample_weight=sample_weight).weights_

    def loss(w):
        return np.average((X @ w - y) ** 2, weights=sample_weight)

    found = minimize(
        loss,
        np.full(n_models, 1 / n_models),
        bounds=[(0, 1)] * n_models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert loss(weights) <= found.fun * (1 + 1e-9)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 15))
def test_greedy_selection_equals_selection_by_prediction(seed, n_models, n_selections):
    X, y = stacked(40, n_models, seed)
    weights = GreedyRegressor(n_selections).fit(X, y).weights_
    np.testing.assert_allclose(weights, greedy_by_prediction(X, y, n_selections), atol=1e-12)


def test_greedy_comes_close_to_the_convex_optimum():
    X, y = stacked(2000)
    greedy = GreedyRegressor(500).fit(X, y).weights_
    np.testing.assert_allclose(greedy, ConvexRegressor().fit(X, y).weights_, atol=5e-3)


def test_bags_select_from_part_of_the_models_and_are_averaged():
    X, y = stacked(300, 6)
    params = {"n_selections": 20, "n_bags": 40, "bag_fraction": 0.5}
    bagged = GreedyRegressor(**params, random_state=0).fit(X, y)
    again = GreedyRegressor(**params, random_state=0).fit(X, y)
    other = GreedyRegressor(**params, random_state=1).fit(X, y)
    np.testing.assert_array_equal(bagged.weights_, again.weights_)
    assert (bagged.weights_ != other.weights_).any()
    assert bagged.weights_.sum() == pytest.approx(1)
    # A bag without the best models must take others.
    plain = GreedyRegressor(20).fit(X, y)
    assert np.count_nonzero(bagged.weights_) >= np.count_nonzero(plain.weights_)
    one_model = GreedyRegressor(5, n_bags=3, bag_fraction=0.01, random_state=0).fit(X, y)
    np.testing.assert_allclose(one_model.weights_ * 3, np.rint(one_model.weights_ * 3))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_selections": 0}, "n_selections == 0, must be >= 1"),
        ({"n_bags": 0}, "n_bags == 0, must be >= 1"),
        ({"bag_fraction": 0.0}, "bag_fraction == 0.0, must be > 0"),
        ({"bag_fraction": 1.5}, "bag_fraction == 1.5, must be <= 1"),
    ],
)
def test_greedy_errors_name_the_argument(params, message):
    with pytest.raises(ValueError, match=message):
        GreedyRegressor(**params).fit(*stacked(20))


def test_zzpm_weights_are_the_softmax_of_the_inverse_distance_from_the_average():
    X, y = stacked(500, 3)
    distance = ((X - X.mean(axis=1, keepdims=True)) ** 2).mean(axis=0)
    exponential = np.exp(1 / (1e-3 + distance))
    expected = exponential / exponential.sum()
    model = ZZPMRegressor(data_range=255).fit(X[:2], y[:2])  # what it was fitted on does not count
    np.testing.assert_allclose(model.predict_weights(X), np.tile(expected, (500, 1)), rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), X @ expected, rtol=1e-9)


@pytest.mark.parametrize("regressor", [AverageRegressor, ConvexRegressor, GreedyRegressor])
def test_identical_models_are_predicted_exactly(regressor):
    column = np.random.default_rng(0).normal(size=50) * 1e6
    X = np.column_stack([column] * 3)
    model = regressor().fit(X, np.zeros(50))
    np.testing.assert_array_equal(model.predict(X), column)


@pytest.mark.parametrize(
    "regressor", [AverageRegressor, BestModelRegressor, ConvexRegressor, GreedyRegressor]
)
def test_narrow_integers_do_not_wrap(regressor):
    X, y = np.array([[0, 255], [255, 0], [3, 1]], dtype=np.uint8), np.array([255, 0, 2], np.uint8)
    wide = regressor().fit(X.astype(float), y.astype(float))
    narrow = regressor().fit(X, y)
    np.testing.assert_array_equal(narrow.weights_, wide.weights_)
    np.testing.assert_array_equal(narrow.predict(X), wide.predict(X.astype(float)))


@given(naive.stacks(dtypes=("u1", "u2", "i2", "f4"), outliers=False), st.integers(1, 50))
def test_zzpm_weights_follow_from_the_distances_from_the_average_of_the_batch(stack, size):
    model = ZZPMRegressor(data_range=255).fit(stack.X, stack.y)
    with mock.patch.object(baselines, "row_chunks", naive.in_chunks(size)):
        weights = model.predict_weights(stack.X)
    expected = np.tile(naive.zzpm_weights(stack.X), (len(stack.X), 1))
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-12)
