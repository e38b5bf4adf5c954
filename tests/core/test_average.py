"""Averaged tables predict the average of what the tables predict, whatever rows come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir import EnsIRRegressor
from skensir._core.average import average_tables
from skensir._core.table import FIELDS, LookupTable
from skensir._sums.axes import KINDS


def table_of(model):
    return LookupTable(**{name: getattr(model, f"{name}_") for name in FIELDS})


def estimator_of(table, kind, data_range):
    model = EnsIRRegressor(table.bin_width, axes=kind, objective="squared_error")
    model._set_table(table, data_range)
    return model


@pytest.mark.filterwarnings("ignore:.*thin cells")
@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_predictions_are_the_average_of_predictions(kind, seed, data):
    rng = np.random.default_rng(seed)
    n_models = data.draw(st.integers(1, 4))
    y = rng.integers(0, 100, 60).astype(float)
    X = y[:, None] + rng.integers(-25, 26, (60, n_models))
    params = st.fixed_dictionaries(
        {
            "bin_width": st.sampled_from([2.0, 4.0, 16.0, 64.0]),
            "shrinkage": st.sampled_from([1.0, 30.0, 500.0]),
            "shrink_to": st.sampled_from(["parent", "pooled"]),
            "positive": st.booleans(),
            "fit_intercept": st.booleans(),
            "min_samples_cell": st.sampled_from([1, 100]),
        }
    )
    models = [
        EnsIRRegressor(axes=kind, objective="squared_error", **chosen).fit(X, y)
        for chosen in data.draw(st.lists(params, min_size=1, max_size=4))
    ]
    shares = rng.dirichlet(np.ones(len(models)))
    averaged = average_tables([table_of(model) for model in models], shares)
    averaged.check(convex=all(model.positive for model in models))
    one = estimator_of(averaged, kind, models[0].data_range_)
    # Rows that were seen, rows in cells that were not, and rows beyond all known bins.
    asked = np.concatenate([X, rng.permuted(X, axis=0), rng.normal(50, 200, (60, n_models))])
    expected = sum(s * m.predict(asked) for s, m in zip(shares, models, strict=True))
    scale = max(np.abs(m.weights_).sum(axis=1).max() for m in models) * np.abs(asked).max()
    np.testing.assert_allclose(one.predict(asked), expected, rtol=0, atol=1e-12 * scale)
    expected = sum(s * m.predict_weights(asked) for s, m in zip(shares, models, strict=True))
    np.testing.assert_allclose(one.predict_weights(asked), expected, rtol=0, atol=1e-12 * scale)
    squares = [m.predict(asked, return_std=True)[1] ** 2 for m in models]
    expected = np.sqrt(sum(s * square for s, square in zip(shares, squares, strict=True)))
    np.testing.assert_allclose(one.predict(asked, return_std=True)[1], expected, rtol=1e-12)


@pytest.mark.parametrize("shrink_to", ["pooled", "parent"])
def test_a_single_table_stays_as_it_is(shrink_to):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 900)
    X = y[:, None] + rng.normal(size=(900, 3)) * [2, 4, 8]
    params = {"objective": "squared_error", "shrinkage": 30.0, "shrink_to": shrink_to}
    params["min_samples_cell"] = 1
    table = table_of(EnsIRRegressor(8, **params).fit(X, y))
    for mine, given_one in zip(average_tables([table], np.ones(1)), table, strict=True):
        if not isinstance(mine, np.ndarray) or mine.dtype.kind != "f":
            assert np.array_equal(mine, given_one)
        else:
            np.testing.assert_allclose(mine, given_one, rtol=1e-15)
