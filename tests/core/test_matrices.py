"""Sums of rows in the order of their cells are those of rows as they come."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums import accumulate_in, assert_same_statistics, small_batches

from skensir._sums import accumulate as accumulate_module
from skensir._sums import matrices as matrices_module
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes


def sum_up(stack, kind, batches, n_threads=1, many=0):
    with mock.patch.object(accumulate_module, "_MANY_MODELS", many):
        batches = {name: value for name, value in batches.items() if name[1] != "_MANY_MODELS"}
        return accumulate_in(
            batches, stack, 1.0, kind=kind, with_errors=True, with_linear=True, n_threads=n_threads
        )


@given(
    naive.stacks(whole=True),
    small_batches(),
    st.sampled_from(["predictions", "deviations", "summary"]),
    st.sampled_from([1, 3]),
)
def test_both_ways_give_the_same_sums_of_whole_numbers(stack, batches, kind, n_threads):
    """They are exact, so that no order matters: with and without a histogram, to the last bit."""
    many, few = sum_up(stack, kind, batches, n_threads), sum_up(stack, kind, {}, many=20)
    assert_same_statistics(many, few)
    np.testing.assert_array_equal(many.errors, few.errors)
    largest = np.abs(few.linear.scatter).max(initial=1.0)
    np.testing.assert_allclose(many.linear.scatter, few.linear.scatter, atol=1e-12 * largest)


@pytest.mark.parametrize("kind", ["predictions", "deviations"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_forty_models(kind, weighted):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 400)
    patterns = rng.choice([-9.0, 9.0], (30, 40))
    X = y[:, None] + patterns[rng.integers(30, size=400)] + rng.normal(0, 0.5, (400, 40))
    weight = rng.integers(0, 3, 400) * 0.7 if weighted else None
    found = accumulate(X, y, weight, axes=Axes(64.0, kind), with_errors=True)
    assert 20 < found.n_cells < 200

    weight = np.ones(400) if weight is None else weight
    origin = 0.0 if kind == "predictions" else X.mean(axis=1, keepdims=True)
    cells = np.floor((X - origin) / 64)
    errors = X - y[:, None]
    upper = np.triu_indices(40)
    for number, cell in enumerate(found.cells):
        own = (cells == cell).all(axis=1) & (weight > 0)
        mine, share = errors[own], weight[own]
        np.testing.assert_allclose(found.weight[number], share.sum())
        products = (mine.T * share) @ mine
        np.testing.assert_allclose(found.error_products[:, number], products[upper], rtol=1e-11)
        np.testing.assert_allclose(found.errors[:, number], share @ mine, rtol=1e-11, atol=1e-11)
        if kind == "predictions":
            offsets = X[own] - cell * 64.0
            np.testing.assert_allclose(found.offsets[:, number], share @ offsets)
            np.testing.assert_allclose(found.squared_offsets[:, number], share @ offsets**2)


def test_rows_of_one_cell_in_many_blocks_and_batches():
    """A cell may begin and end anywhere; its sums are those of all its rows."""
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, 90, 1000)) * 1.0  # cell after cell, of 300 rows and more
    stack = naive.Stack(y[:, None] + rng.integers(-1, 2, (1000, 3)), y, None, 30.0)
    for size in (1, 7, 100, 2000):
        for rows in (1, 350, 2**20):
            batches = {
                (matrices_module, "row_chunks"): naive.in_chunks(size),
                (matrices_module, "_MAX_ROWS"): rows,
            }
            many = sum_up(stack, "predictions", batches, n_threads=2)
            assert_same_statistics(many, sum_up(stack, "predictions", {}, many=20))


@pytest.mark.parametrize("n_rows", [0, 50])
def test_no_rows_of_weight_have_no_cells(n_rows):
    X, nothing = np.ones((n_rows, 30)), np.zeros(n_rows)
    found = accumulate(X, nothing, nothing, axes=Axes(1.0), target_resolution=1.0, with_errors=True)
    assert found.cells.shape == (0, 30)
    assert found.sums.shape == (1 + 2 * 30 + 30 * 31 // 2 + 30, 0)
    assert not found.truth.weight.size


def test_bins_too_narrow_for_predictions_of_many_models_are_told():
    X = np.full((9, 30), 1e12)
    accumulate(X, X[:, 0], axes=Axes(1e-3))
    with pytest.raises(ValueError, match=r"bin_width == 1e-05, must be at least .* 1e\+12"):
        accumulate(X, X[:, 0], axes=Axes(1e-5))


def test_cells_that_come_in_falling_order_are_put_in_order():
    """Each by itself, so that no two of them lie side by side as they should."""
    y = np.arange(5.0)[::-1]
    stack = naive.Stack(y[:, None] + np.zeros((5, 30)), 0 * y, None, 1.0)
    batches = {
        (matrices_module, "row_chunks"): naive.in_chunks(1),
        (matrices_module, "_MAX_ROWS"): 1,
    }
    found = accumulate_in(batches, stack, None)
    np.testing.assert_array_equal(found.cells.T, [range(5)] * 30)
    np.testing.assert_array_equal(found.error_products[0], np.arange(5) ** 2)
