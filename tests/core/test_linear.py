"""Ridge regression from moments: scikit-learn's, whatever the parts the rows come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from skensir._sums.linear import _PENALTIES, LinearMoments

SEEDS = st.integers(0, 2**32 - 1)


def draw(seed, *, offset=0.0):
    rng = np.random.default_rng(seed)
    n_rows, n_models = rng.integers(20, 90), rng.integers(1, 5)
    y = rng.normal(offset, 30, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * rng.uniform(1, 40, n_models)
    return X, y, rng.uniform(0.5, 2, n_rows)


@given(SEEDS)
def test_it_is_the_ridge_regression_of_least_generalised_error(seed):
    X, y, _ = draw(seed)
    weights, intercept = LinearMoments.of(X, y, None).fit_ridge()
    unit, scores, models = (X - X.mean(axis=0)).var(axis=0).sum() * len(y) / X.shape[1], [], []
    for penalty in _PENALTIES * unit:
        model = Ridge(alpha=penalty).fit(X, y)
        centred = X - X.mean(axis=0)
        hat = centred @ np.linalg.inv(centred.T @ centred + penalty * np.eye(X.shape[1]))
        freedom = 1 + np.trace(hat @ centred.T)
        scores.append(np.sum((model.predict(X) - y) ** 2) / (len(y) - freedom) ** 2)
        models.append(model)
    # Penalties next to each other may be as good but for rounding; both predict alike then.
    near = [m for m, score in zip(models, scores, strict=True) if score <= min(scores) * (1 + 1e-9)]
    found = X @ weights + intercept
    assert min(np.abs(found - model.predict(X)).max() for model in near) < 1e-6 * np.abs(y).max()


@given(SEEDS, st.integers(1, 5))
def test_parts_add_up(seed, n_parts):
    X, y, weight = draw(seed, offset=1e6)
    whole = LinearMoments.of(X, y, weight)
    cut = np.sort(np.random.default_rng(seed).integers(0, len(y) + 1, n_parts))
    parts = zip(*(np.split(values, cut) for values in (X, y, weight)), strict=True)
    merged = LinearMoments.merge([LinearMoments.of(*part) for part in parts])
    for one, other in zip(merged, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


def test_no_rows_have_moments_of_zero():
    X, y, _ = draw(0)
    none = LinearMoments.of(X[:0], y[:0], None)
    for moments in (none, LinearMoments.of(X, y, 0 * y), LinearMoments.merge([none, none])):
        assert moments.weight == 0.0
        assert moments.mean.tolist() == [0.0] * (X.shape[1] + 1)
        assert moments.scatter.tolist() == [[0.0] * (X.shape[1] + 1)] * (X.shape[1] + 1)


@given(SEEDS)
def test_without_a_model_they_are_those_of_the_others(seed):
    X, y, weight = draw(seed)
    for model in range(X.shape[1]):
        found = LinearMoments.of(X, y, weight).without_model(model)
        others = LinearMoments.of(np.delete(X, model, axis=1), y, weight)
        for one, other in zip(found, others, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


@given(SEEDS)
def test_errors_are_those_of_the_rows(seed):
    X, y, weight = draw(seed)
    X, y = X / 256, y / 256
    moments = LinearMoments.of(X, y, weight)
    for weights, intercept in (moments.fit_ridge(), (np.full(X.shape[1], 0.4), 3.0)):
        expected = np.average((X @ weights + intercept - y) ** 2, weights=weight)
        found = moments.mean_squared_error(weights, intercept)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(SEEDS, st.sampled_from([-40, 20]))
def test_weights_have_no_unit(seed, power):
    X, y, weight = draw(seed)
    scale = 2.0**power
    weights, intercept = LinearMoments.of(X, y, weight).fit_ridge()
    scaled, scaled_intercept = LinearMoments.of(scale * X, scale * y, weight).fit_ridge()
    np.testing.assert_allclose(scaled, weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaled_intercept / scale, intercept, rtol=1e-6, atol=1e-6)


def test_a_weight_of_two_is_the_row_twice_and_constant_models_do_no_harm():
    X, y, _ = draw(3)
    twice = LinearMoments.of(np.repeat(X, 2, axis=0), np.repeat(y, 2), None)
    for one, other in zip(LinearMoments.of(X, y, np.full(len(y), 2.0)), twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    weights, intercept = LinearMoments.of(np.full((9, 2), 4.0), np.arange(9.0), None).fit_ridge()
    assert weights.tolist() == [0.0, 0.0]
    assert intercept == 4.0
