"""Sums of rows of many models: the errors in a cell are a matrix, which is multiplied by itself.

A cell of 40 models has 901 sums, and no cache holds those of many cells. So rows are put in the
order of their cells first, as many as may be, and each line of sums is visited once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import check_bin_indices, model_columns, row_chunks
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._sums.compiled import compiled_walk
from skensir._sums.histogram import TruthCounter
from skensir._sums.pairs import model_pairs, n_pairs
from skensir._sums.statistics import CellStatistics, n_offsets
from skensir._threads import in_threads
from skensir._track import Track
from skensir._typing import AnyArray, FloatArray, IntArray

# Rows that are put in order at a time, at 40 bytes each.
_MAX_ROWS = 2**20

# Rows of new cells wait until they are so many, or half as many as cells that are known.
_MAX_WAITING = 2**15

# So many chunks are looked up by one index, however many threads do so.
_BATCH = 8

# Values in the products of some cells at a time: 8 megabytes.
_MAX_PRODUCTS = 2**20

# Multiplications in a product: more of them BLAS shares out among threads of its own.
_MAX_PRODUCT = 2**18


def sum_matrices(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None,
    axes: Axes,
    target_resolution: float | None,
    *,
    with_errors: bool,
    track: Track,
    n_threads: int,
) -> CellStatistics:
    """Sum up the rows of each cell, as `accumulate` does: see there."""
    sums = _MatrixSums(X, y, sample_weight, axes, with_errors=with_errors, n_threads=n_threads)
    if target_resolution is not None:
        sums.truth = TruthCounter(target_resolution)
    chunks = row_chunks(*X.shape)
    left = iter(track(chunks, "sums of the rows"))
    while chunks:
        last = chunks[0].start + _MAX_ROWS
        n_chunks = max(1, sum(chunk.stop <= last for chunk in chunks))
        own, chunks = chunks[:n_chunks], chunks[n_chunks:]
        # As many blocks as there are chunks, which are told of.
        halves = (np.array_split(half, n_chunks) for half in sums.put_in_order(own))
        blocks = zip(*halves, islice(left, n_chunks), strict=True)
        while batch := [(rows, numbers) for rows, numbers, _ in islice(blocks, _BATCH)]:
            sums.add(batch)
    return sums.finish()


class _MatrixSums:
    """Sums of cells, those of new ones behind those that are known."""

    def __init__(
        self,
        X: AnyArray,
        y: AnyArray,
        sample_weight: FloatArray | None,
        axes: Axes,
        *,
        with_errors: bool,
        n_threads: int,
    ) -> None:
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.axes = axes
        self.with_errors = with_errors
        self.n_threads = n_threads
        self.n_models = X.shape[1]
        self.truth: TruthCounter | None = None
        self.at_products = 1 + n_offsets(axes, self.n_models)
        self.at_errors = self.at_products + n_pairs(self.n_models)
        self.sums = np.empty((0, self.at_errors + with_errors * self.n_models))
        self._know(np.empty((0, axes.n_axes(self.n_models)), dtype=np.int64))

    def _know(self, cells: IntArray) -> None:
        self.cells, self.index = cells, CellIndex(cells)
        self.walk = compiled_walk(self.X, self.index)

    def put_in_order(self, chunks: list[slice]) -> tuple[IntArray, IntArray]:
        """Return the rows that have a weight, in the order of their cells, and the cell numbers."""
        rows = [with_weight for chunk in chunks if (with_weight := self._with_weight(chunk)).size]
        if not rows:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        n_known = len(self.cells)
        numbers = np.concatenate(self._find_or_take_in(rows))
        if len(self.cells) > n_known:  # those of the first rows in the order that all are to have
            new = n_known + np.lexsort(self.cells[n_known:].T[::-1])
            order = np.concatenate([np.arange(n_known), new])
            numbers = np.argsort(order)[numbers]
            self._know(self.cells[order])
            sums = np.zeros((len(self.cells), self.sums.shape[1]))
            sums[:n_known] = self.sums
            self.sums = sums
        order = np.argsort(numbers, kind="stable")
        return np.concatenate(rows)[order], numbers[order]

    def _with_weight(self, chunk: slice) -> IntArray:
        rows = np.arange(chunk.start, chunk.stop)
        weight = self.sample_weight
        return rows if weight is None else rows[np.flatnonzero(weight[chunk])]

    def _find_or_take_in(self, chunks: list[IntArray]) -> list[IntArray]:
        """Return the cell numbers of rows; cells that were not known are now."""
        numbers: list[IntArray] = []
        new: list[IntArray] = []
        waiting = [self.cells[:0]]
        left = iter(chunks)
        while batch := list(islice(left, _BATCH if self.index.n_cells else 1)):
            for found, in_new, cells in in_threads(self._find, batch, self.n_threads):
                numbers.append(found)
                new.append(in_new)
                waiting.append(cells)
            most = max(_MAX_WAITING, self.index.n_cells // 2) if self.index.n_cells else 0
            if sum(map(len, waiting)) > most:
                self._take_in(waiting)
                waiting = waiting[:1]
        self._take_in(waiting)

        def find_new(number: int) -> None:
            if new[number].size:
                numbers[number][new[number]] = self._find(chunks[number][new[number]])[0]

        in_threads(find_new, range(len(chunks)), self.n_threads)
        return numbers

    def _find(self, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return the cell numbers of rows, which rows are in cells not known, and their cells."""
        columns = model_columns(self.X, rows)
        bins = self.axes.bins(columns)
        check_bin_indices(bins, self.axes.bin_width, columns)
        numbers = self.index.find(bins, self.walk)
        new = np.flatnonzero((numbers == self.index.n_cells) | self.index.beyond(bins))
        return numbers, new, bins.take(new, axis=1).T.astype(np.int64)

    def _take_in(self, cells: list[IntArray]) -> None:
        new = distinct_cells(np.concatenate(cells).T)
        if new.size:
            self._know(np.concatenate([self.cells, new]))

    def add(self, blocks: list[tuple[IntArray, IntArray]]) -> None:
        """Add blocks of rows, with their cell numbers, which rise from block to block.

        Blocks are added at the same time. Each may begin in the cell that another one ends in.
        """
        for first in in_threads(self._add_block, blocks, self.n_threads):
            if first is not None:
                number, sums = first
                self.sums[number] += sums
        if self.truth is not None:
            for rows, numbers in blocks:
                weight = None if self.sample_weight is None else self.sample_weight[rows]
                self.truth.add(numbers, self.y[rows].astype(np.float64), weight)

    def _add_block(self, block: tuple[IntArray, IntArray]) -> tuple[int, FloatArray] | None:
        """Add a block without its first cell, and return number and sums of that one."""
        rows, numbers = block
        if not rows.size:
            return None
        stop = np.searchsorted(numbers, numbers[0], side="right")
        sums = np.zeros((1, self.sums.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):  # told by `accumulate`
            self._add_rows(rows[:stop], numbers[:stop], sums, at=int(numbers[0]))
            self._add_rows(rows[stop:], numbers[stop:], self.sums)
        return int(numbers[0]), sums[0]

    def _add_rows(self, rows: IntArray, numbers: IntArray, sums: FloatArray, at: int = 0) -> None:
        """Add rows, whose cell numbers rise, to lines of sums; the first is of cell `at`."""
        if not rows.size:
            return
        first = np.flatnonzero(np.diff(numbers, prepend=-1))  # row of each cell
        cells, n_rows = numbers[first], np.diff(first, append=len(rows))
        lines = _as_slice(cells - at)
        values = self.X[rows]
        errors = weighted = values - self.y[rows].astype(np.float64)[:, np.newaxis]
        weight = None
        if self.sample_weight is not None:
            weight = self.sample_weight[rows, np.newaxis]
            weighted = errors * weight

        def add_up(column: int, of_rows: FloatArray) -> None:
            total = _sum_runs(of_rows, first)
            sums[lines, column : column + total.shape[1]] += total

        add_up(0, np.ones((len(rows), 1)) if weight is None else weight)
        if n_offsets(self.axes, self.n_models):
            corners = np.multiply(self.cells[cells], -self.axes.bin_width, dtype=np.float64)
            offsets = np.repeat(corners, n_rows, axis=0)
            offsets += values
            weighted_offsets = offsets if weight is None else offsets * weight
            add_up(1, weighted_offsets)
            add_up(1 + self.n_models, weighted_offsets * offsets)
        if self.with_errors:
            add_up(self.at_errors, weighted)
        for starts, products in _products(weighted, errors, first):
            of_piece = numbers[starts]
            own = np.flatnonzero(np.diff(of_piece, prepend=-1))
            lines = _as_slice(of_piece[own] - at)
            sums[lines, self.at_products : self.at_errors] += _sum_runs(products, own)

    def finish(self) -> CellStatistics:
        """Return sums and histogram with the cells in lexicographic order."""
        order, sums = np.lexsort(self.cells.T[::-1]), self.sums
        if (np.diff(order) != 1).any():  # else they are, and nothing is copied
            sums = sums.take(order, axis=0)
        truth = None if self.truth is None else self.truth.finish().regroup(np.argsort(order))
        return CellStatistics(self.axes, self.cells[order], sums.T, truth, self.n_models)


def _as_slice(numbers: IntArray) -> IntArray | slice:
    """Return numbers that rise one by one as a slice: what it selects is not copied."""
    first, last = numbers[0], numbers[-1]
    return slice(first, last + 1) if last - first == len(numbers) - 1 else numbers


def _sum_runs(values: FloatArray, first: IntArray) -> FloatArray:
    """Sum up lines from each first one to the next."""
    alone = len(first) == len(values)  # each by itself
    return values if alone else np.asarray(np.add.reduceat(values, first, axis=0))


def _products(
    weighted: FloatArray, errors: FloatArray, first: IntArray
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the first rows of some pieces and the sums of products there, (n_pieces, n_pairs).

    A piece has rows of one cell; `first` are the first rows of the cells.
    """
    n_models = errors.shape[1]
    model, other = model_pairs(n_models)
    upper = n_models * model + other
    within = np.arange(len(errors)) - np.repeat(first, np.diff(first, append=len(errors)))
    starts = np.flatnonzero(within % max(1, _MAX_PRODUCT // n_models**2) == 0)
    n_rows = np.diff(starts, append=len(errors))
    most = max(1, _MAX_PRODUCTS // n_models**2)
    # Pieces of equally many rows are multiplied together.
    for n in np.unique(n_rows).tolist():
        of_size = starts[n_rows == n]
        for pieces in np.split(of_size, range(most, len(of_size), most)):
            rows = pieces[:, np.newaxis] + np.arange(n)
            right = errors[rows]
            left = right if weighted is errors else weighted[rows]
            if n == 1:  # nothing is to be added up, and half of the products to be left out
                yield pieces, left[:, 0].take(model, axis=1) * right[:, 0].take(other, axis=1)
                continue
            products = left.transpose(0, 2, 1) @ right
            yield pieces, products.reshape(len(pieces), -1).take(upper, axis=1)
