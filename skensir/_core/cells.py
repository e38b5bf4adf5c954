"""Rows of bin indices to cell numbers, for any number of models.

A dense table over all combinations of bins has T**K entries and is hopeless beyond a handful of
models, while real data occupies few of them. `CellIndex` is a prefix trie whose levels are as fat
as an integer allows: a level packs the bins of as many models as fit into one key, together with
the node reached so far, and maps the keys that occur to the next node. Three 8-bit models need one
level, a small dense table; sixteen need two levels of sorted keys. Memory follows the occupied
cells, and no two cells ever share a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skensir._core._typing import AnyArray, BoolArray, IntArray

# A key is a signed 64-bit integer; the bits to spare leave room for the node "unseen".
_KEY_LIMIT = 2**61
# A level that starts from the root may be a table of all its keys. Up to this size that beats
# searching sorted keys, and it is the most memory that a table takes beyond the occupied cells.
_DENSE_LIMIT = 2**20


class _Level(NamedTuple):
    """One step of the walk: models `first` to `last` - 1, from a node to the next node."""

    first: int
    last: int
    size: int  # number of keys that start from one node
    unseen: int  # the next node of keys that do not occur
    keys: IntArray  # sorted
    nodes: IntArray  # next node of each key
    table: IntArray | None  # next node of every possible key, where that is small

    def next_node(self, key: AnyArray) -> IntArray:
        if self.table is not None:
            # mode="clip" skips the bounds check: every possible key lies inside.
            return self.table.take(key, mode="clip")
        position = self.keys.searchsorted(key)
        node = self.nodes.take(position, mode="clip")
        node[self.keys.take(position, mode="clip") != key] = self.unseen
        return node


def _pack(
    columns: AnyArray,
    models: range,
    node: IntArray | None,
    size: int,
    low: IntArray,
    high: IntArray,
) -> AnyArray:
    """Pack the node and the bins of some models into one key a row, in mixed radix."""
    dtype = np.uint16 if node is None and size < 2**16 else np.int64
    key = None if node is None else node.astype(np.int64)
    for model in models:
        first, last, bins = low[model], high[model], columns[model]
        if bins.dtype.kind == "u" and (first < 0 or last > np.iinfo(bins.dtype).max):
            bins = bins.astype(np.int64)
        # In the bins' own dtype: clipping and shifting narrow integers costs next to nothing.
        digit = np.clip(bins, bins.dtype.type(first), bins.dtype.type(last))
        digit -= bins.dtype.type(first)
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
            raise ValueError(
                f"bin_width is too small: the predictions of model {first} span {spans[first]} "
                f"bins, more than can be numbered in {n_nodes} cells."
            )
        models = range(first, last)
        key = _pack(columns, models, node, size, low, high)
        keys, row, node = np.unique(key, return_index=True, return_inverse=True)
        n_nodes = keys.size + 1
        yield models, size, keys, row, node


def distinct_cells(bins: AnyArray) -> IntArray:
    """Return the distinct cells among rows of bin indices, in lexicographic order.

    Parameters
    ----------
    bins : ndarray of shape (n_models, n_rows)
        As `bin_indices` returns them.

    Returns
    -------
    ndarray of shape (n_cells, n_models)
    """
    if not bins.size:
        return np.empty((0, len(bins)), dtype=np.int64)
    low = bins.min(axis=1).astype(np.int64)
    high = bins.max(axis=1).astype(np.int64)
    *_, (_, _, _, row, _) = _distinct_keys(bins, low, high)
    return np.ascontiguousarray(bins[:, row].T.astype(np.int64))


class CellIndex:
    """Find the number of the cell that a row of bin indices names.

    Parameters
    ----------
    cells : ndarray of shape (n_cells, n_models)
        Distinct rows of bin indices; the number of a cell is its position here.

    Attributes
    ----------
    n_cells : int
        Also the number that `find` gives to rows in no known cell.
    low, high : ndarray of shape (n_models,)
        First and last bin of each model.

    Raises
    ------
    ValueError
        If the bins span so wide a range that the cells cannot be numbered.
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
            table = None
            if models.start == 0 and size <= _DENSE_LIMIT:
                table = np.full(size, keys.size)
                table[keys] = nodes
            self._levels.append(
                _Level(
                    models.start,
                    models.stop,
                    size,
                    unseen=keys.size,
                    # An end mark, so that a key beyond the last finds a place to differ from.
                    keys=np.append(keys.astype(np.int64), np.iinfo(np.int64).max),
                    nodes=np.append(nodes, keys.size),
                    table=table,
                )
            )

    @property
    def table(self) -> IntArray | None:
        """Cell number of every possible key, where one table holds them."""
        level = self._levels[0]
        return level.table if level.last == len(self.low) else None

    def find(self, bins: AnyArray) -> IntArray:
        """Return the cell number of each row, `n_cells` where the row is in no known cell.

        Parameters
        ----------
        bins : ndarray of shape (n_models, n_rows)
            As `bin_indices` returns them. Bins beyond a model's first or last one count to it.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        node = None
        for level in self._levels:
            models = range(level.first, level.last)
            key = _pack(bins, models, node, level.size, self.low, self.high)
            node = level.next_node(key)
        assert node is not None
        return node

    def beyond(self, bins: AnyArray) -> BoolArray:
        """Tell which rows have a bin outside `low` and `high`, which `find` would clip."""
        inside = (bins.min(axis=1) >= self.low) & (bins.max(axis=1) <= self.high)
        if inside.all():
            return np.zeros(bins.shape[1], dtype=np.bool_)
        low, high = self.low[:, None], self.high[:, None]
        return np.asarray(((bins < low) | (bins > high)).any(axis=0))
