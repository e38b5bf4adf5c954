"""The look-up and the weighted sum: as a loop over rows and models has them."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._core import combine as combine_module
from skensir._core.combine import combine_fixed, combine_rows, combiner, find_cells
from skensir._sums.axes import Axes
from skensir._sums.cells import CellIndex

SEEDS = st.integers(0, 2**32 - 1)
CHUNKS = st.integers(1, 50)


def combine_all(X, index, axes, weights):
    return combine_rows(X, combiner(X, index, axes, weights), n_threads=1)


def table_of(stack, seed):
    """Make up a table for the cells of half of the rows, so that the others may be unseen."""
    rng = np.random.default_rng(seed)
    cells = list(naive.rows_of_cells(stack.X[: len(stack.X) // 2 + 1], stack.bin_width))
    rng.shuffle(cells)
    weights = rng.dirichlet(np.full(stack.X.shape[1], 0.4), len(cells) + 1)
    return CellIndex(np.array(cells, dtype=np.int64)), [tuple(cell) for cell in cells], weights


def in_chunks(size):
    return mock.patch.object(combine_module, "row_chunks", naive.in_chunks(size))


def spread_of(X):
    """Return what rounding is measured by: the largest difference of a row, and its value."""
    columns = X.astype(np.float64)
    return 1e-13 * np.abs(columns - columns[:, :1]).max() + 4 * np.spacing(np.abs(columns).max())


def tolerance(combined, X):
    """Return what a combination may be away from exact ones: it has the precision of the rows."""
    assert combined.dtype == (np.float32 if X.dtype == np.float32 else np.float64)
    single = np.finfo(np.float32).eps if combined.dtype == np.float32 else 0.0
    return {"rtol": 1e-14 * X.shape[1] + single, "atol": spread_of(X)}


@given(naive.stacks(), SEEDS, CHUNKS)
def test_each_row_gets_the_weights_of_its_cell_and_unseen_rows_the_last(stack, seed, size):
    index, cells, weights = table_of(stack, seed)
    with in_chunks(size):
        combined = combine_all(stack.X, index, Axes(stack.bin_width), weights)
        numbers = find_cells(stack.X, index, Axes(stack.bin_width))
    expected = [naive.find_cell(naive.cell_of(row, stack.bin_width), cells) for row in stack.X]
    assert numbers.tolist() == expected
    np.testing.assert_allclose(
        combined,
        naive.combine(stack.X, stack.bin_width, cells, weights[:-1], weights[-1]),
        **tolerance(combined, stack.X),
    )


@given(naive.stacks(), SEEDS)
def test_combination_lies_between_the_models_to_the_last_bit(stack, seed):
    index, _, weights = table_of(stack, seed)
    low, high = stack.X.min(axis=1), stack.X.max(axis=1)
    for combined in (
        combine_all(stack.X, index, Axes(stack.bin_width), weights),
        combine_fixed(stack.X, weights[0]),
    ):
        assert (combined >= low).all()
        assert (combined <= high).all()


def test_rounding_does_not_carry_the_combination_beyond_the_models():
    """With all weight on one model it would, in about every tenth of these rows."""
    X = np.random.default_rng(0).uniform(-60, 160, (1000, 2))
    index, weights = CellIndex(np.array([[0, 0]])), np.array([[0.0, 1.0], [0.0, 1.0]])
    for combined in (combine_all(X, index, Axes(32.0), weights), combine_fixed(X, weights[0])):
        assert (combined >= X.min(axis=1)).all()
        assert (combined <= X.max(axis=1)).all()


@given(naive.stacks(), SEEDS)
def test_models_that_agree_are_combined_exactly(stack, seed):
    stack = stack._replace(X=np.repeat(stack.X[:, :1], stack.X.shape[1], axis=1))
    index, _, weights = table_of(stack, seed)
    combined = combine_all(stack.X, index, Axes(stack.bin_width), weights)
    np.testing.assert_array_equal(combined, stack.X[:, 0])
    np.testing.assert_array_equal(combine_fixed(stack.X, weights[0]), stack.X[:, 0])


@given(naive.stacks(), SEEDS, st.integers(0, 39))
def test_all_weight_on_one_model_gives_its_prediction(stack, seed, model):
    index, _, weights = table_of(stack, seed)
    model %= stack.X.shape[1]
    weights[:] = np.eye(stack.X.shape[1])[model]
    combined = combine_all(stack.X, index, Axes(stack.bin_width), weights)
    np.testing.assert_allclose(combined, stack.X[:, model], rtol=1e-15, atol=spread_of(stack.X))


@given(naive.stacks(), SEEDS, CHUNKS, CHUNKS)
def test_neither_chunks_nor_order_nor_layout_of_the_rows_matter(stack, seed, size, other):
    index, _, weights = table_of(stack, seed)
    order = np.random.default_rng(seed).permutation(len(stack.X))
    with in_chunks(size):
        one = combine_all(stack.X, index, Axes(stack.bin_width), weights)
    with in_chunks(other):
        shuffled = combine_all(
            np.asfortranarray(stack.X[order]), index, Axes(stack.bin_width), weights
        )
    np.testing.assert_array_equal(shuffled, one[order])


@given(naive.stacks(), SEEDS, CHUNKS)
def test_fixed_weights_serve_every_row(stack, seed, size):
    weights = np.random.default_rng(seed).dirichlet(np.ones(stack.X.shape[1]))
    with in_chunks(size):
        combined = combine_fixed(stack.X, weights)
    np.testing.assert_allclose(
        combined,
        naive.combine(stack.X, stack.bin_width, [], [], weights),
        **tolerance(combined, stack.X),
    )


def test_rows_beyond_the_bins_seen_count_to_the_nearest_end_bin():
    index = CellIndex(np.array([[0, 2], [1, 3], [1, 2]]))
    X = np.array([[-500.0, 20.0], [1e9, 1e9], [12.0, -1e9], [5.0, 31.0]])
    assert find_cells(X, index, Axes(10.0)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n_rows", [0, 1, 200_001])
def test_any_number_of_rows_is_combined(n_rows):
    X = (np.arange(2 * n_rows).reshape(n_rows, 2) % 256).astype(np.uint8)
    index = CellIndex(np.array([[0, 0]]))
    combined = combine_all(X, index, Axes(512.0), np.array([[0.25, 0.75], [0.5, 0.5]]))
    np.testing.assert_array_equal(combined, X @ [0.25, 0.75])
