"""The look-up in plain steps over whole arrays finds and sums what the fast paths do."""

import deployed
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from plain_steps import InNumpy, lookup_of, predict_in_steps

from skensir._core.portable import find_line, portable_tables
from skensir._sums.axes import KINDS, Axes


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 9, 40])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_plain_steps_predict_the_same_to_the_last_bit(kind, n_models, dtype):
    model = deployed.fit(kind, n_models)
    X = deployed.on_edges(model, 4000, dtype)
    combined, weights = predict_in_steps(model._lookup(), X)
    np.testing.assert_array_equal(combined.astype(model.predict(X).dtype), model.predict(X))
    np.testing.assert_array_equal(weights, model.predict_weights(X))


def test_models_of_these_tests_have_tables_of_all_kinds():
    levels, wider = set(), set()
    for kind in deployed.KINDS:
        for n_models in (3, 40):
            tables = portable_tables(deployed.fit(kind, n_models)._lookup())
            assert sum(table.share for table in tables) == pytest.approx(1.0)
            for table in tables:
                levels.add((len(table.own.levels), table.own.levels[0].keys is None))
                wider.add(bool(table.wider))
    assert {(1, True), (1, False)} < levels
    assert max(n_levels for n_levels, _ in levels) > 1
    assert wider == {True, False}


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 40])
def test_rows_whose_cell_is_no_number_get_some_line(kind, n_models):
    """What overflows, as differences and their squares may, does not lead beyond the tables."""
    lookup = deployed.fit(kind, n_models)._lookup()
    X = deployed.on_edges(deployed.fit(kind, n_models), 100, "float64")
    values = np.array([np.nan, np.inf, -np.inf, 1.7e308, -1.7e308, 1e200])
    spoilt = np.random.default_rng(0).random(X.shape) < 0.3
    X[spoilt] = np.resize(values, np.count_nonzero(spoilt))
    with np.errstate(over="ignore", invalid="ignore"):
        predict_in_steps(lookup, X)


def shifted_bins(X, axes, shift):
    """Return the bins of rows whose values on the axes are `shift` larger."""
    mean, spread = X.mean(axis=1), X.std(axis=1)
    if axes.kind == "summary":
        octaves = np.log2(1 + 4 * (spread + shift) / axes.unit)
        return np.floor(np.stack([(mean + shift) / axes.bin_width, 4 / axes.bin_width * octaves]))
    values = X if axes.kind == "predictions" else X - mean[:, np.newaxis]
    return np.floor((values.T + shift) / axes.bin_width)


@pytest.mark.parametrize("kind", KINDS)
def test_values_below_an_edge_by_no_more_than_the_rounding_lie_on_it(kind):
    """Such binary fractions are exact, and so is what follows, but for roots and logarithms."""
    rng = np.random.default_rng(0)
    axes, rounding = Axes(0.5, kind), 3 / 128
    X = np.round(8 * rng.uniform(0, 9, (500, 2))) / 8
    X[:200, 1] = X[:200, 0] + rng.integers(-4, 5, 200) / 8
    X[:, 0] -= 1 / 64
    bins = [shifted_bins(X, axes, shift) for shift in (0.0, rounding)]
    cells = np.unique(np.hstack(bins).T.astype(np.int64), axis=0)
    lookup = lookup_of(cells, axes, 2)
    (table,) = portable_tables(lookup)
    expected = [lookup.cells.find(of_shift) for of_shift in bins]
    assert (expected[0] != expected[1]).mean() > 0.1
    for shift, numbers in zip((0.0, rounding), expected, strict=True):
        lines = find_line(InNumpy(), table, list(X.T), shift)
        np.testing.assert_array_equal(table.rmse[lines], numbers)


def test_a_spread_whose_square_no_float_holds_is_none():
    """The square of the sum of such differences is a float, the sum of their squares is zero."""
    (table,) = portable_tables(lookup_of([[0, n] for n in range(9)], Axes(1.0, "summary"), 3))
    columns = [np.array([0.0]), np.array([1.5e-162]), np.array([1.5e-162])]
    for rounding in (0.0, 3 / 128, 1 / 16):
        number = table.rmse[find_line(InNumpy(), table, columns, rounding)]
        assert number == (rounding > 1 / 21)  # the edge is 0.0473


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
