"""Sums in each cell, as plain loops over the rows have them."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums import (
    RESOLUTIONS,
    SUMS,
    accumulate_in,
    assert_same_statistics,
    assert_same_truth,
    small_batches,
)

from skensir._sums import accumulate as accumulate_module
from skensir._sums.accumulate import accumulate, first_rows_alone, pooled_error_moments
from skensir._sums.axes import Axes


@given(naive.stacks(), RESOLUTIONS, st.one_of(st.just({}), small_batches()))
def test_sums_are_those_of_loops_over_the_rows(stack, resolution, batches):
    expected = naive.statistics(*stack, resolution)
    found = accumulate_in(batches, stack, resolution)
    assert found.errors is None
    assert found.linear is None

    assert [tuple(cell) for cell in found.cells.tolist()] == list(expected)
    upper = np.triu_indices(stack.X.shape[1])
    for number, sums in enumerate(expected.values()):
        np.testing.assert_allclose(found.weight[number], sums.weight, rtol=1e-13)
        # Rounding is measured by the largest summands: a bin's width, the models' own errors.
        largest = stack.bin_width * sums.weight
        np.testing.assert_allclose(found.offsets[:, number], sums.offsets, atol=1e-13 * largest)
        np.testing.assert_allclose(
            found.squared_offsets[:, number],
            sums.squared_offsets,
            atol=1e-13 * largest * stack.bin_width,
        )
        own = np.sqrt(np.diag(sums.error_products))
        np.testing.assert_allclose(
            found.error_products[:, number],
            sums.error_products[upper],
            atol=1e-13 * np.outer(own, own)[upper].max(),
        )
        assert_same_truth(found.truth, number, sums.truth)


@given(naive.stacks(whole=True), small_batches())
def test_errors_and_linear_moments_are_summed_where_they_are_asked_for(stack, batches):
    found = accumulate_in(batches, stack, None, with_errors=True, with_linear=True)
    weight = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    weighted = weight[:, np.newaxis] * (stack.X.astype(np.float64) - stack.y[:, np.newaxis])
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    expected = np.array([weighted[rows].sum(axis=0) for rows in cells.values()])
    np.testing.assert_array_equal(found.errors.T, expected)
    np.testing.assert_allclose(found.mean_errors(), expected / found.weight[:, np.newaxis])
    np.testing.assert_allclose(found.pooled_mean_errors(), weighted.sum(axis=0) / weight.sum())
    without = accumulate_in({}, stack, None)
    np.testing.assert_array_equal(found.without_errors().sums, without.sums)

    lines = np.column_stack([stack.X.astype(np.float64), stack.y])
    mean = np.average(lines, axis=0, weights=weight)
    scatter = (weight * (lines - mean).T) @ (lines - mean)
    largest = np.abs(lines).max()
    assert found.linear.weight == weight.sum()
    np.testing.assert_allclose(found.linear.mean, mean, atol=1e-13 * largest)
    np.testing.assert_allclose(
        found.linear.scatter, scatter, atol=1e-12 * max(scatter.max(), largest)
    )


@given(naive.stacks(whole=True), small_batches(), small_batches(), st.integers(0, 2**32 - 1))
def test_neither_order_nor_chunks_of_the_rows_matter(stack, batches, others, seed):
    """Sums of whole numbers are exact, so the statistics agree to the last bit."""
    order = np.random.default_rng(seed).permutation(len(stack.X))
    shuffled = stack._replace(
        X=stack.X[order],
        y=stack.y[order],
        sample_weight=None if stack.sample_weight is None else stack.sample_weight[order],
    )
    one, other = accumulate_in(batches, stack, 1.0), accumulate_in(others, shuffled, 1.0)
    assert_same_statistics(one, other)


def test_more_cells_than_rows_in_a_chunk():
    """There the sums go into the cells of the chunk only, and the table of sums grows."""
    rng = np.random.default_rng(0)
    n_rows = 3000
    stack = naive.Stack(
        rng.integers(0, 500, (n_rows, 2)).astype(np.uint16), rng.uniform(0, 500, n_rows), None, 8.0
    )
    batches = {
        (accumulate_module, "row_chunks"): naive.in_chunks(100),
        (accumulate_module, "_MAX_WAITING"): 50,
    }
    found = accumulate_in(batches, stack, 1.0)
    expected = naive.statistics(*stack, 1.0)
    assert found.n_cells > 1000
    assert [tuple(cell) for cell in found.cells.tolist()] == list(expected)
    np.testing.assert_array_equal(found.weight, [sums.weight for sums in expected.values()])
    np.testing.assert_allclose(
        found.error_products.T,
        [sums.error_products[np.triu_indices(2)] for sums in expected.values()],
        rtol=1e-12,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_far_from_zero_keep_their_digits(dtype):
    """Sums are of small differences: 1e12 away from zero they are as exact as near it."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 64, 500) * 1.0
    X = y[:, None] + rng.integers(-3, 4, (500, 3))
    shift = 2.0**40 if dtype == np.float64 else 2.0**20
    near = accumulate(X.astype(dtype), y, axes=Axes(16.0), target_resolution=1.0)
    far = accumulate((X + shift).astype(dtype), y + shift, axes=Axes(16.0), target_resolution=1.0)
    np.testing.assert_array_equal(far.cells, near.cells + int(shift) // 16)
    for name in SUMS[1:]:
        np.testing.assert_array_equal(getattr(far, name), getattr(near, name), err_msg=name)
    np.testing.assert_array_equal(far.truth.step, near.truth.step + int(shift))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_cells_may_have_become_known_since_rows_were_looked_up(n_threads):
    """Chunks are looked up together: an earlier one brings the cells of all or some of the rows."""
    cell = np.repeat([0, 1, 1, 1, 1, 2], 5) * 1.0
    stack = naive.Stack(np.column_stack([cell, cell]), 0 * cell, None, 1.0)
    batches = {
        (accumulate_module, "row_chunks"): naive.in_chunks(10),
        (accumulate_module, "_FIRST_ROWS"): 5,
        (accumulate_module, "_MAX_WAITING"): 0,
    }
    found = accumulate_in(batches, stack, None, n_threads=n_threads)
    assert found.weight.tolist() == [5, 20, 5]
    assert found.error_products.tolist() == [[0, 20, 20]] * 3


def test_first_rows_may_have_no_weight():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 99, (30, 3)) * 1.0, rng.integers(0, 99, 30) * 1.0
    weight = (np.arange(30) >= 9) * 2.0
    batches = {(accumulate_module, "row_chunks"): naive.in_chunks(4)}
    found = accumulate_in(batches, naive.Stack(X, y, weight, 32.0), 1.0)
    assert_same_statistics(
        found, accumulate_in({}, naive.Stack(X[9:], y[9:], weight[9:], 32.0), 1.0)
    )


def sum_up(X, y, weight=None):
    axes = Axes(np.abs(X).max())
    return accumulate(X, y, weight, axes=axes).pooled_error_moments()


def sum_up_as_many(X, y, weight=None):
    with mock.patch.object(accumulate_module, "_MANY_MODELS", 0):
        return sum_up(X, y, weight)


@pytest.mark.parametrize("moments", [sum_up, sum_up_as_many, pooled_error_moments])
def test_squares_that_leave_the_numbers_are_told(moments):
    """Whichever model makes them; where no row of positive weight has any, there are none."""
    y = np.linspace(0.0, 1.0, 50)
    one_errs = np.column_stack([y, y + 1e-3, y])
    np.testing.assert_allclose(moments(one_errs, y), np.diag([0, 1e-6, 0]), atol=1e-15)
    for scale in (1e-80, 1e-200):
        with pytest.raises(ValueError, match="underflow"):
            moments(one_errs * scale, y * scale)
        weight = (np.arange(50) > 0) * 1.0
        one_row = np.column_stack([y, y, y]) * scale
        one_row[0, 1] = scale
        with pytest.raises(ValueError, match="underflow"):
            moments(one_row, y * scale, 1.0 - weight)
        assert not moments(one_row, y * scale, weight).any()
    for scale in (1e80, 1e200):
        for sign in (1, -1):
            with pytest.raises(ValueError, match="overflow"):
                moments(one_errs * scale * sign, y)


@pytest.mark.parametrize("n_rows", [0, 1, 7, 8, 40])
@pytest.mark.parametrize("size", [5, 8, 100])
def test_the_first_rows_are_a_chunk_of_their_own(n_rows, size, monkeypatch):
    monkeypatch.setattr(accumulate_module, "_FIRST_ROWS", 7)
    chunks = first_rows_alone(naive.in_chunks(size)(n_rows, 1))
    assert [row for chunk in chunks for row in range(n_rows)[chunk]] == list(range(n_rows))
    assert all(chunk.start < chunk.stop for chunk in chunks)
    assert n_rows == 0 or chunks[0].stop == min(7, n_rows, size)
