"""Bin indices to cell numbers, as a dict of tuples has it."""

from contextlib import nullcontext
from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skensir._sums import cells as cells_module
from skensir._sums.cells import CellIndex, _DenseTable, _HashTable, distinct_cells


@st.composite
def rows_of_bins(draw):
    """Draw rows of bin indices of 1 to 40 models, close together or far apart."""
    n_models, n_rows = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["u1", "u2", "f8"]))
    low, span = draw(
        st.sampled_from(
            {
                "u1": [(0, 2), (0, 256)],
                "u2": [(0, 9), (300, 60_000)],
                "f8": [(-3, 6), (-(10**6), 2 * 10**6), (10**12, 1000)],
            }[dtype]
        )
    )
    distinct = rng.integers(low, low + span, (draw(st.integers(1, n_rows)), n_models))
    return rng.choice(distinct, n_rows).astype(dtype)


# How large a level that starts from the root may be to become a table; None: limits as they are.
DENSE_LIMITS = st.sampled_from([None, 0, 10, 2**20])


def limited_keys(cells, dense_limit):
    """Give the trie the smallest keys that can work, so that each level holds few models."""
    if dense_limit is None:
        return nullcontext()
    spans = [int(line.max()) - int(line.min()) + 1 for line in cells.T]
    key_limit = (len(cells) + 1) * max(spans) + 1
    return mock.patch.multiple(cells_module, _KEY_LIMIT=key_limit, _DENSE_LIMIT=dense_limit)


@given(rows_of_bins(), DENSE_LIMITS)
def test_distinct_cells_are_the_set_of_rows_in_lexicographic_order(bins, dense_limit):
    expected = sorted({tuple(int(index) for index in row) for row in bins})
    with limited_keys(bins, dense_limit):
        found = distinct_cells(bins.T)
    assert found.dtype == np.int64
    assert [tuple(cell) for cell in found.tolist()] == expected


@given(rows_of_bins(), DENSE_LIMITS, st.integers(0, 2**32 - 1))
def test_find_numbers_cells_as_a_dict_of_tuples_does(bins, dense_limit, seed):
    """Also with levels of few models, in dense and hash tables, and in any order of cells."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(np.unique(bins.astype(np.int64), axis=0))
    # Queries: known cells, cells mixed from known bins, and bins inside and beyond the ends.
    mixed = np.stack([rng.permutation(line) for line in bins.T], axis=1)
    moved = bins.astype(np.int64) + rng.integers(-2, 3, bins.shape)
    if bins.dtype.kind == "u":
        moved = np.clip(moved, 0, np.iinfo(bins.dtype).max)
    queries = np.concatenate([bins, mixed, moved.astype(bins.dtype)])
    with limited_keys(cells, dense_limit):
        index = CellIndex(cells)
        found = index.find(np.ascontiguousarray(queries.T))
        beyond = index.beyond(np.ascontiguousarray(queries.T))
    known = cells.tolist()
    assert found.tolist() == [naive.find_cell(row, known) for row in queries.tolist()]
    low, high = cells.min(axis=0), cells.max(axis=0)
    assert beyond.tolist() == [bool(((row < low) | (row > high)).any()) for row in queries]


@pytest.mark.parametrize(("dense_limit", "n_dense"), [(0, 0), (2**20, 1)])
def test_limited_keys_lead_through_several_levels(dense_limit, n_dense):
    """The comparison above walks the paths that it means to walk."""
    cells = np.random.default_rng(0).integers(0, 9, (50, 12))
    with limited_keys(cells, dense_limit):
        levels = CellIndex(cells)._levels
    assert len(levels) > 3
    assert sum(isinstance(level.table, _DenseTable) for level in levels) == n_dense
    assert [level.models.start for level in levels[1:]] == [
        level.models.stop for level in levels[:-1]
    ]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 300),
    st.sampled_from([0, 1, 2**60, int(cells_module.MULTIPLIER)]),
)
def test_hash_table_finds_keys_that_want_the_same_place(seed, n_keys, multiplier):
    """Also where all keys hash alike, so that each is looked for among all others."""
    rng = np.random.default_rng(seed)
    keys = rng.permutation(rng.choice(1000, n_keys, replace=False))
    numbers = rng.permutation(n_keys)
    expected = dict(zip(keys.tolist(), numbers.tolist(), strict=True))
    with mock.patch.object(cells_module, "MULTIPLIER", np.uint64(multiplier)):
        found = _HashTable(keys, numbers).find(np.arange(1000))
    assert found.tolist() == [expected.get(key, n_keys) for key in range(1000)]


def test_forty_models_of_8_bits_need_several_levels_without_patched_limits():
    rng = np.random.default_rng(0)
    cells = distinct_cells(rng.integers(0, 256, (40, 500)).astype(np.uint8))
    index = CellIndex(cells)
    assert len(index._levels) > 1
    assert index.find(cells.T.astype(np.uint8)).tolist() == list(range(len(cells)))


@given(rows_of_bins(), st.sampled_from(["u1", "u2", "f8"]))
@example(np.array([[-3.0, 400.0], [-2.0, 300.0]]), "u1")
def test_bins_are_found_in_whatever_dtype_they_come(bins, dtype):
    """A table fitted on one dtype serves predictions of another, even where it has no such bin."""
    cells = distinct_cells(bins.T)
    low, high = (0, 255) if dtype == "u1" else (0, 65_535) if dtype == "u2" else (-1e9, 1e9)
    queries = np.clip(bins, low, high).astype(dtype)
    found = CellIndex(cells).find(np.ascontiguousarray(queries.T))
    assert found.tolist() == [naive.find_cell(q, cells.tolist()) for q in queries.tolist()]


def test_no_cells_at_all_means_every_row_is_unseen():
    index = CellIndex(np.empty((0, 3), dtype=np.int64))
    assert index.find(np.zeros((3, 2))).tolist() == [0, 0]
    assert index.n_cells == 0
    assert distinct_cells(np.empty((3, 0))).shape == (0, 3)


@pytest.mark.parametrize("model", [0, 1, 4])
def test_a_range_of_bins_too_wide_to_number_is_an_error_that_names_the_model(model):
    cells = np.zeros((2, 5), dtype=np.int64)
    cells[1, model] = 999
    with (
        mock.patch.object(cells_module, "_KEY_LIMIT", 500),
        pytest.raises(ValueError, match=f"too far apart in column {model}: they span 1000 bins"),
    ):
        CellIndex(cells)


def test_values_as_far_apart_as_doubles_tell_bins_apart_are_numbered():
    cells = np.array([[0, -(2**52)], [3, 2**52]])
    assert CellIndex(cells).find(cells.T.astype(np.float64)).tolist() == [0, 1]


def test_no_two_cells_share_a_key_however_many_bins_the_models_span():
    """Here 16 nodes times the bins of two further models use up all keys of 64 bits."""
    cells = np.zeros((42, 4), dtype=np.int64)
    cells[:, 0] = np.arange(42)
    cells[-1] = 2**30 - 1
    assert distinct_cells(cells.T).tolist() == cells.tolist()
    assert CellIndex(cells).find(cells.T).tolist() == list(range(42))


@pytest.mark.parametrize("step", [1, 1134903170, 2**40, 3 * 2**30 + 1])
def test_keys_that_were_made_to_collide_are_spread_anew(step):
    """1134903170 is a Fibonacci number, which the golden ratio keeps together."""
    keys = np.arange(2**14) * step
    table = _HashTable(keys, np.arange(keys.size))
    np.testing.assert_array_equal(table.find(keys), np.arange(keys.size))
    taken = np.flatnonzero(table.keys >= 0)
    steps = (taken - table._place(table.keys[taken])) % len(table.keys)
    assert steps.max() < 32 + 8 * 15


def test_memory_follows_the_cells_however_far_apart_they_are():
    for n_cells in (2, 100, 3000):
        bins = np.linspace(0, 2**20 - 1, n_cells).astype(np.int64)
        index = CellIndex(bins[:, np.newaxis])
        held = sum(
            a.nbytes
            for level in index._levels
            for a in vars(level.table).values()
            if isinstance(a, np.ndarray)
        )
        assert held <= max(2**15, 2**11 * n_cells)
        assert index.find(bins[np.newaxis]).tolist() == list(range(n_cells))
