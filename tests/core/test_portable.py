"""The look-up in plain steps over whole arrays finds and sums what the fast paths do."""

import deployed
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skensir._core.portable import combine, find_line, portable_tables, weigh
from skensir._sums.axes import Axes


class InNumpy:
    """The operations in NumPy, for arrays of any shape."""

    floor = staticmethod(np.floor)
    where, clip = staticmethod(np.where), staticmethod(np.clip)

    def within(self, sums, columns):
        return np.clip(sums, np.min(columns, axis=0), np.max(columns, axis=0))

    def whole(self, values):
        return values.astype(np.int64)

    def place(self, values, size):
        places = self.whole(values)
        assert places.min() >= 0
        assert places.max() < size
        return places

    def double(self, values):
        return values.astype(np.float64)

    def take(self, table, places):
        assert table.ndim == 1
        return table[places]

    def take_lines(self, table, places, n_columns):
        assert table.shape[1] == n_columns
        return [table[places, column] for column in range(n_columns)]


def steps(model, X):
    """Return predictions and weights of the plain steps."""
    columns, tables = list(X.T.astype(np.float64)), portable_tables(model._lookup())
    lines = [find_line(InNumpy(), table, columns) for table in tables]
    weights = np.stack(weigh(InNumpy(), tables, lines), axis=1)
    return combine(InNumpy(), tables, columns, lines), weights


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 9, 40])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_plain_steps_predict_the_same_to_the_last_bit(kind, n_models, dtype):
    model = deployed.fit(kind, n_models)
    X = deployed.on_edges(model, 4000, dtype)
    combined, weights = steps(model, X)
    np.testing.assert_array_equal(combined.astype(model.predict(X).dtype), model.predict(X))
    np.testing.assert_array_equal(weights, model.predict_weights(X))


def test_models_of_these_tests_have_tables_of_all_kinds():
    levels, wider = set(), set()
    for kind in deployed.KINDS:
        for n_models in (3, 40):
            for table in portable_tables(deployed.fit(kind, n_models)._lookup()):
                levels.add((len(table.own.levels), table.own.levels[0].keys is None))
                wider.add(bool(table.wider))
    assert {(1, True), (1, False)} < levels
    assert max(n_levels for n_levels, _ in levels) > 1
    assert wider == {True, False}


@given(
    unit=st.sampled_from([1.0, 0.3, 1e-6, 7e4]),
    by=st.sampled_from([1 / 8, 1.0, 8.0, 32.0]),
    n_models=st.integers(2, 40),
    first=st.integers(0, 40),
    n_bins=st.integers(0, 30),
)
def test_edges_of_spreads_are_where_the_bin_changes(unit, by, n_models, first, n_bins):
    axes = Axes(unit * by, "summary", unit)
    bins = np.arange(first + 1, first + n_bins + 1)
    largest = axes.bins_of_spread(np.array([np.finfo(np.float64).max]), n_models)[0]
    assume(first + n_bins <= largest)
    edges = axes.spread_edges(bins, n_models)
    assert (axes.bins_of_spread(edges, n_models) >= bins).all()
    below = np.nextafter(edges, 0)[edges > 0]
    assert (axes.bins_of_spread(below, n_models) < bins[edges > 0]).all()
