"""What a table says it errs, where cells have intercepts or few rows, row by row."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir import EnsIRRegressor

SEEDS = st.integers(0, 2**32 - 1)
OPTIONS = {
    "shrinkage": st.sampled_from([0.0, 3.0, 40.0]),
    "min_samples_cell": st.sampled_from([0, 5, 60]),
    "default_weights": st.sampled_from(["auto", "uniform"]),
}


def fit(seed, **params):
    """Fit weighted rows of models that err to one side, each to its own."""
    rng = np.random.default_rng(seed)
    n_rows, n_models = rng.integers(4, 60), rng.integers(1, 4)
    y = rng.uniform(0, 200, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * 9 + rng.normal(size=n_models) * 9
    weight = rng.integers(1, 4, n_rows) * 0.5
    model = EnsIRRegressor(32.0, objective="squared_error", data_range=255, **params)
    return X, y, weight, model.fit(X, y, weight)


def lines_of(model):
    """Return weights and intercept of each cell, and of rows in none."""
    lines = np.column_stack([model.weights_, model.intercepts_])
    return lines, np.append(model.default_weights_, model.default_intercept_)


@given(SEEDS, st.fixed_dictionaries(OPTIONS))
def test_errors_of_cells_with_intercepts_are_filled_up_with_those_of_all_rows(seed, options):
    X, y, weight, model = fit(seed, fit_intercept=True, **options)
    lines, default = lines_of(model)
    for cell, line, rmse in zip(model.cells_, lines, model.cell_rmse_, strict=True):
        squares = (X @ line[:-1] + line[-1] - y) ** 2
        mine = (np.floor(X / 32) == cell).all(axis=1)
        n_rows = weight[mine].sum()
        n_pooled = max(options["shrinkage"], options["min_samples_cell"] - n_rows)
        total = weight[mine] @ squares[mine] + n_pooled * np.average(squares, weights=weight)
        np.testing.assert_allclose(rmse**2, total / (n_rows + n_pooled), rtol=1e-7, atol=1e-7)
    squares = (X @ default[:-1] + default[-1] - y) ** 2
    np.testing.assert_allclose(model.default_rmse_**2, np.average(squares, weights=weight))


@pytest.mark.parametrize("intercept", [False, True])
@given(seed=SEEDS, options=st.fixed_dictionaries(OPTIONS))
def test_errors_of_nested_cells_are_filled_up_with_those_around_them(intercept, seed, options):
    """By as many rows as weights are drawn by, or as a cell is to have at least."""
    X, y, weight, model = fit(seed, shrink_to="parent", fit_intercept=intercept, **options)
    cells = [tuple(cell) for cell in np.floor(X / 32).astype(int).tolist()]
    pseudo = max(options["shrinkage"], options["min_samples_cell"])
    nested = naive.Nested(cells, X - y[:, None], weight, pseudo)
    lines, default = lines_of(model)
    for cell, line, rmse in zip(model.cells_.tolist(), lines, model.cell_rmse_, strict=True):
        expected = line @ nested.moments(0, tuple(cell)) @ line
        np.testing.assert_allclose(rmse**2, expected, rtol=1e-7, atol=1e-7)
    expected = default @ nested.pooled() @ default
    np.testing.assert_allclose(model.default_rmse_**2, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("shrink_to", ["pooled", "parent"])
@given(seed=SEEDS)
def test_signed_weights_combine_beyond_the_predictions(shrink_to, seed):
    """They are not clipped to what the models predict, as convex ones are."""
    X, _, _, model = fit(seed, positive=False, shrinkage=3.0, shrink_to=shrink_to)
    expected = (model.predict_weights(X) * X).sum(axis=1)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9, atol=1e-9)
