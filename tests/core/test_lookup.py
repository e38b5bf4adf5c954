"""Tables made by hand predict what they say, in chunks and in plain steps."""

from functools import partial

import naive
import numpy as np
import pytest
from plain_steps import predict_in_steps

from skensir._core.lookup import AveragedLookups, Lookup
from skensir._core.table import RELEASED, LookupTable
from skensir._sums.axes import Axes

WEIGHTS = {
    "convex": [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]],
    "signed": [[1.25, -0.25], [0.5, 0.5], [-3.0, 4.0], [1.0, 0.0]],
}
# Rows of models that are far apart lie in none of them, and get the last line.
CELLS = np.array([[0, 0], [1, 1], [2, 2]])
NONE = np.zeros(4)


def lookup_of(weights, intercepts=NONE, rmse=(1.0, 2.0, 3.0, 4.0)):
    """Return the lookup of three cells, with a line for each and one for all other rows."""
    weights = np.array(weights)
    table = LookupTable.simple(
        bin_width=10.0,
        cells=CELLS,
        weights=weights[:-1],
        default_weights=weights[-1],
        intercepts=intercepts[:-1],
        default_intercept=intercepts[-1],
        cell_rmse=np.array(rmse[:-1]),
        default_rmse=rmse[-1],
        cell_origin=np.where(np.isnan(rmse[:-1]), RELEASED, "fitted"),
    )
    table.check_arrays(2)
    table.check(convex=False)
    return Lookup.of(table, Axes(10.0))


def rows(n_rows=400):
    return np.random.default_rng(0).uniform(0, 30, (n_rows, 2))


@pytest.mark.parametrize("intercepts", [NONE, np.array([0.0, 5.0, 0.0, -3.0])])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_rows_are_combined_by_the_line_of_their_cell(kind, intercepts):
    lookup, X = lookup_of(WEIGHTS[kind], intercepts), rows()
    cells = [tuple(cell) for cell in CELLS.tolist()]
    numbers = [naive.find_cell(naive.cell_of(row, 10.0), cells) for row in X]
    assert set(numbers) == {0, 1, 2, 3}
    weights = np.array(WEIGHTS[kind])[numbers]
    expected = (X * weights).sum(axis=1) + intercepts[numbers]
    in_steps, weights_in_steps = predict_in_steps(lookup, X)
    np.testing.assert_allclose(lookup.combine(X), expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(in_steps, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(lookup.weigh(X), weights)
    np.testing.assert_array_equal(weights_in_steps, weights)


def test_convex_weights_some_of_which_are_zero_do_not_lead_beyond_a_row():
    """With all weight on one model rounding would, in about every tenth of these rows."""
    lookup, X = lookup_of([[0.0, 1.0]] * 4), rows()
    for combined in (lookup.combine(X), predict_in_steps(lookup, X)[0]):
        assert (combined >= X.min(axis=1)).all()
        assert (combined <= X.max(axis=1)).all()


def test_errors_are_those_of_the_cell_even_where_some_are_unknown():
    lookup = lookup_of(WEIGHTS["convex"], rmse=[1.0, np.nan, np.nan, 4.0])
    X = np.array([[1.0, 2.0], [11.0, 12.0], [21.0, 22.0], [1.0, 22.0]])
    np.testing.assert_array_equal(lookup.errors(X), [1.0, np.nan, np.nan, 4.0])
    known = lookup_of(WEIGHTS["convex"], rmse=[7.0, 2.0, 3.0, 8.0])
    squares = 0.25 * np.array([1.0, np.nan, np.nan, 16.0]) + 0.75 * np.square([7.0, 2.0, 3.0, 8.0])
    averaged = AveragedLookups([lookup, known], [0.25, 0.75])
    np.testing.assert_allclose(averaged.errors(X), np.sqrt(squares))


def test_errors_that_nobody_knows_are_refused():
    released = lookup_of(WEIGHTS["convex"], rmse=[np.nan] * 4)
    averaged = AveragedLookups([lookup_of(WEIGHTS["convex"]), released], [0.5, 0.5])
    for lookup in (released, averaged):
        for asked in (lookup.check_errors, partial(lookup.errors, rows())):
            with pytest.raises(
                ValueError, match=r"^A released table holds no errors for return_std and in"
            ):
                asked()
