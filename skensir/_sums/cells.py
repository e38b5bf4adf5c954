"""Rows of bin indices to cell numbers, for any number of models.

A dense table over all combinations of bins has T**K entries and is hopeless beyond a handful of
models, while real data occupies few of them. `CellIndex` is a prefix trie whose levels are as fat
as an integer allows: a level packs the bins of as many models as fit into one key, together with
the node reached so far, and maps the keys that occur to the next node. Three 8-bit models need one
level, a small dense table; sixteen need two levels, each a hash table of keys. Memory follows the
occupied cells, and no two cells ever share a key.

A worked example, three models of two bins each: the bins (1, 0, 1) of a row are the digits of its
key, 1 * 4 + 0 * 2 + 1 = 5, and place 5 of the table says which cell that is. If a key had room for
two models only, the first level would map 1 * 2 + 0 = 2 to a node, say the first of three that
occur, number 0, and the second level 0 * 2 + 1 = 1 to the cell.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from skensir._typing import AnyArray, BoolArray, IntArray

# A key is a signed 64-bit integer; the bits to spare leave room for the node "unseen".
_KEY_LIMIT = 2**61
# A level that starts from the root may be a table of all its keys, which beats a hash table. Its
# size is bounded by the cells that lie in it, so that two cells in a file, however far apart, do
# not ask for megabytes: 2 kilobytes per cell, and 32 that any table may have.
_DENSE_LIMIT = 2**20
_PLACES_PER_CELL = 2**8
_FEW_PLACES = 2**12

# Multiplying by 2**64 over the golden ratio spreads neighbouring keys over the upper bits.
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
EMPTY = -1


_NO_KEYS = np.empty(0, dtype=np.int64)

# Finds the cell numbers of rows, given their bins with a line per model.
Walk: TypeAlias = Callable[[AnyArray], IntArray]


class Steps(NamedTuple):
    """The levels of an index, one after the other, as a loop walks down them.

    Attributes
    ----------
    stops : ndarray of shape (n_levels,)
        The model after the last one of a level.
    shifts : ndarray of shape (n_levels,)
        By how many bits a hashed key is shifted to be a place; 64 where keys are places.
    multipliers : ndarray of shape (n_levels,)
        By what a key is multiplied to be hashed.
    keys_from, numbers_from : ndarray of shape (n_levels + 1,)
        Where those of a level begin.
    keys, numbers : ndarray
        Of the places of all levels.
    """

    stops: IntArray
    shifts: IntArray
    multipliers: AnyArray
    keys_from: IntArray
    numbers_from: IntArray
    keys: IntArray
    numbers: IntArray


class _DenseTable:
    """Numbers of keys, in a table with a place for every possible key."""

    def __init__(self, keys: IntArray, numbers: IntArray, size: int) -> None:
        self.numbers = np.full(size, keys.size)
        self.numbers[keys] = numbers

    def find(self, key: AnyArray) -> IntArray:
        # mode="clip" skips the bounds check: every possible key lies inside.
        return self.numbers.take(key, mode="clip")


class _HashTable:
    """Numbers of keys, in a table with open addressing: at most every second place is taken."""

    def __init__(self, keys: IntArray, numbers: IntArray) -> None:
        bits = (2 * keys.size).bit_length()
        self.shift = np.uint64(64 - bits)
        self.multiplier = MULTIPLIER
        self._last = 2**bits - 1
        while not self._filled(keys, numbers, most_steps=32 + 8 * bits):
            # Keys that collide may have been made to: nobody can know an odd number drawn now.
            self.multiplier = np.uint64(secrets.randbits(64) | 1)

    def _filled(self, keys: IntArray, numbers: IntArray, most_steps: int) -> bool:
        """Put all keys to their places, and tell whether none is too far from its own."""
        self.keys = np.full(self._last + 1, EMPTY)
        self.numbers = np.full(self._last + 1, keys.size)
        place = self._place(keys)
        for _ in range(most_steps):
            free = self.keys[place] == EMPTY
            self.keys[place[free]] = keys[free]  # of keys with one place the last one gets it
            placed = self.keys[place] == keys
            self.numbers[place[placed]] = numbers[placed]
            keys, numbers = keys[~placed], numbers[~placed]
            if not keys.size:
                return True
            place = (place[~placed] + 1) & self._last
        return False

    def _place(self, key: AnyArray) -> IntArray:
        hashed = key.astype(np.uint64) * self.multiplier
        hashed >>= self.shift
        return hashed.view(np.int64)

    def find(self, key: AnyArray) -> IntArray:
        place = self._place(key)
        found, number = self.keys.take(place), self.numbers.take(place)
        # A key that is not at its place may be at one of the next, up to the first empty one.
        rows = np.flatnonzero((found != key) & (found != EMPTY))
        while rows.size:
            place[rows] = now = (place[rows] + 1) & self._last
            found, number[rows] = self.keys.take(now), self.numbers.take(now)
            rows = rows[(found != key[rows]) & (found != EMPTY)]
        return number


class _Level(NamedTuple):
    """One step of the walk: models `first` to `last` - 1, from a node to the next node.

    `size` is the number of keys that start from one node.
    """

    models: range
    size: int
    table: _DenseTable | _HashTable


def _pack(
    columns: AnyArray,
    models: range,
    node: IntArray | None,
    size: int,
    low: IntArray,
    high: IntArray,
) -> AnyArray:
    """Pack the node and the bins of some models into one key per row, in mixed radix."""
    dtype = np.uint16 if node is None and size < 2**16 else np.int64
    key = None if node is None else node.astype(np.int64)
    for model in models:
        first, last, bins = low[model], high[model], columns[model]
        if bins.dtype.kind != "f":
            limits = np.iinfo(bins.dtype)
            if first < limits.min or last > limits.max or last - first > limits.max:
                bins = bins.astype(np.int64)
        # In the bins' own dtype: clipping and shifting narrow integers costs next to nothing.
        digit = np.clip(bins, bins.dtype.type(first), bins.dtype.type(last))
        if digit.dtype.kind == "f" and last - first > 2**53:  # differences would be rounded
            digit = digit.astype(np.int64)
        digit -= digit.dtype.type(first)
        if digit.dtype.kind != "u":
            digit = digit.astype(dtype)
        if key is None:
            key = digit.astype(dtype)
        else:
            key *= dtype(last - first + 1)
            key += digit
    assert key is not None
    return key


def _distinct_keys(
    columns: AnyArray, low: IntArray, high: IntArray
) -> Iterator[tuple[range, int, AnyArray, IntArray, IntArray]]:
    """Walk down the levels of the trie that holds `columns`.

    Yields models, size, distinct keys, a row that has each key, and the node of every row.
    """
    n_models, last, n_nodes = len(columns), 0, 1
    spans = [int(span) for span in high - low + 1]
    node: IntArray | None = None
    while last < n_models:
        first, size = last, 1
        while last < n_models and n_nodes * size * spans[last] < _KEY_LIMIT:
            size *= spans[last]
            last += 1
        if last == first:
            widest = int(np.argmax(spans))
            raise ValueError(
                f"X has values too far apart in column {widest}: they span {spans[widest]} bins, "
                f"more than can be numbered in {n_nodes} cells; leave out such values, or take "
                "wider bins."
            )
        models = range(first, last)
        key = _pack(columns, models, node, size, low, high)
        keys, row, node = np.unique(key, return_index=True, return_inverse=True)
        n_nodes = keys.size + 1
        yield models, size, keys, row, node


def distinct_cells(bins: AnyArray) -> IntArray:
    """Return the distinct cells, (n_cells, n_models), in lexicographic order.

    `bins` has a line per model, as `bin_indices` returns it.
    """
    if not bins.size:
        return np.empty((0, len(bins)), dtype=np.int64)
    low = bins.min(axis=1).astype(np.int64)
    high = bins.max(axis=1).astype(np.int64)
    *_, (_, _, _, row, _) = _distinct_keys(bins, low, high)
    return np.ascontiguousarray(bins[:, row].T.astype(np.int64))


class CellIndex:
    """Find the number of the cell that a row of bin indices names.

    It is made of distinct cells, (n_cells, n_models), whose numbers are their positions, and has
    `low` and `high`, first and last bin of each model. Bins that span so wide a range that cells
    cannot be numbered are a ValueError.
    """

    def __init__(self, cells: IntArray) -> None:
        self.n_cells, n_models = cells.shape
        if self.n_cells:
            self.low, self.high = cells.min(axis=0), cells.max(axis=0)
        else:
            self.low = self.high = np.zeros(n_models, dtype=np.int64)
        self._levels = []
        for models, size, keys, _, node in _distinct_keys(cells.T, self.low, self.high):
            nodes = np.arange(keys.size)
            if models.stop == n_models:
                nodes[node] = np.arange(self.n_cells)
            most = min(_DENSE_LIMIT, max(_FEW_PLACES, _PLACES_PER_CELL * keys.size))
            dense = models.start == 0 and size <= most
            table = (
                _DenseTable(keys, nodes, size)
                if dense
                else _HashTable(keys.astype(np.int64), nodes)
            )
            self._levels.append(_Level(models, size, table))

    @property
    def table(self) -> IntArray | None:
        """Cell number of every possible key, where one table holds them."""
        table = self._levels[0].table
        whole = len(self._levels) == 1 and isinstance(table, _DenseTable)
        return table.numbers if whole else None

    def find(self, bins: AnyArray, walk: Walk | None = None) -> IntArray:
        """Return the cell number of each row, `n_cells` where the row is in no known cell.

        `bins` has a line per model; bins beyond a model's first or last one count to it. A `walk`
        for these cells does the same in another way.
        """
        if walk is not None:
            return walk(bins)
        node = None
        for level in self._levels:
            key = _pack(bins, level.models, node, level.size, self.low, self.high)
            node = level.table.find(key)
        assert node is not None
        return node

    def steps(self) -> Steps:
        """Return the walk down the levels as arrays."""
        tables = [level.table for level in self._levels]
        hashed = [table if isinstance(table, _HashTable) else None for table in tables]
        keys = [_NO_KEYS if table is None else table.keys for table in hashed]
        return Steps(
            np.array([level.models.stop for level in self._levels]),
            np.array([64 if table is None else table.shift for table in hashed], np.uint64),
            np.array([1 if table is None else table.multiplier for table in hashed], np.uint64),
            np.cumsum([0, *map(len, keys)]),
            np.cumsum([0, *(len(table.numbers) for table in tables)]),
            np.concatenate(keys),
            np.concatenate([table.numbers for table in tables]),
        )

    def keys(self, bins: AnyArray) -> IntArray:
        """Return the place of each row in the table, where one table holds all cells."""
        level = self._levels[0]
        key = _pack(bins, level.models, None, level.size, self.low, self.high)
        return key.astype(np.intp, copy=False)

    def beyond(self, bins: AnyArray) -> BoolArray:
        """Tell which rows have a bin outside `low` and `high`, which `find` would clip."""
        inside = (bins.min(axis=1) >= self.low) & (bins.max(axis=1) <= self.high)
        if inside.all():
            return np.zeros(bins.shape[1], dtype=np.bool_)
        low, high = self.low[:, None], self.high[:, None]
        return np.asarray(((bins < low) | (bins > high)).any(axis=0))


class NestedCellIndex(CellIndex):
    """Find the cell that a row of bin indices names, or the narrowest wider cell around it.

    `levels` says of each of the ancestors, (n_ancestors, n_axes), how often the bins were doubled;
    their numbers follow those of the cells. `n_cells` is the number of both together, which rows
    get that lie in none. `wider` has each level of the ancestors: how often the bins were doubled,
    the number of the first, and the index of these.
    """

    def __init__(self, cells: IntArray, ancestors: IntArray, levels: IntArray) -> None:
        super().__init__(cells)
        self._n_own = self.n_cells
        self.wider: list[tuple[int, int, CellIndex]] = []
        for level in np.unique(levels).tolist():
            first, last = np.searchsorted(levels, [level, level + 1])
            self.wider.append((level, self.n_cells + int(first), CellIndex(ancestors[first:last])))
        self.n_cells += len(ancestors)
        self._filled: IntArray | None = None

    @property
    def table(self) -> IntArray | None:
        """Number of every possible key, where one table holds them: filled with the ancestors."""
        if self._filled is None and (table := super().table) is not None:
            filled = table.copy()
            unseen = np.flatnonzero(table == self._n_own)
            spans = tuple((self.high - self.low + 1).tolist())
            bins = np.stack(np.unravel_index(unseen, spans)) + self.low[:, np.newaxis]
            filled[unseen] = self._find_wider(bins)
            self._filled = filled  # whole: other threads may ask for it meanwhile
        return self._filled

    def find(self, bins: AnyArray, walk: Walk | None = None) -> IntArray:
        """Return the number of each row's cell or of its nearest ancestor."""
        numbers = super().find(bins, walk)
        unseen = np.flatnonzero(numbers == self._n_own)
        if unseen.size:
            low, high = self.low[:, np.newaxis], self.high[:, np.newaxis]
            inside = np.clip(bins[:, unseen], low, high).astype(np.int64)
            numbers[unseen] = self._find_wider(inside)
        return numbers

    def _find_wider(self, bins: IntArray) -> IntArray:
        """Return the numbers of the nearest ancestors of rows in unseen cells."""
        numbers = np.full(bins.shape[1], self.n_cells)
        left = np.arange(bins.shape[1])
        for level, first, index in self.wider:
            found = index.find(bins[:, left] >> level)
            known = found < index.n_cells
            numbers[left[known]] = first + found[known]
            left = left[~known]
        return numbers


def index_of_table(cells: IntArray, ancestors: IntArray, levels: IntArray) -> CellIndex:
    """Return the index of the cells of a table, and of their ancestors where there are any."""
    if not len(ancestors):
        return CellIndex(cells)
    return NestedCellIndex(cells, ancestors, levels)
