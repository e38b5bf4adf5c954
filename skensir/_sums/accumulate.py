"""One pass over the rows: `CellStatistics` of data of any size, in chunks that stay in cache."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import check_bin_indices, model_columns, row_chunks
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._sums.compiled import CompiledCells, compiled_cells, truth_table
from skensir._sums.histogram import TruthCounter
from skensir._sums.linear import LinearMoments
from skensir._sums.statistics import CellStatistics, n_offsets, n_products
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

# Larger sums of squares would overflow in what follows.
_LARGEST_SUM = 1e150

# New cells are taken in for this many rows at once, or more where there are many cells.
_MAX_WAITING = 2**15


class _Rows(NamedTuple):
    """Rows on their way into the sums, one line per model."""

    columns: AnyArray
    bins: AnyArray
    truth: FloatArray
    weight: FloatArray | None

    def select(self, chosen: BoolArray) -> _Rows:
        rows = np.flatnonzero(chosen)  # cheaper here than the mask itself
        weight = None if self.weight is None else self.weight[rows]
        return _Rows(
            self.columns.take(rows, axis=1), self.bins.take(rows, axis=1), self.truth[rows], weight
        )


# Rows as they come: predictions or cell numbers, truth, sample weights.
_Chunk: TypeAlias = tuple[AnyArray, FloatArray, FloatArray | None]


def _select(rows: Any, values: AnyArray, truth: FloatArray, weight: FloatArray | None) -> _Chunk:
    """Return some of the rows of a chunk."""
    return values[rows], truth[rows], None if weight is None else weight[rows]


class _Accumulator:
    """Sums of cells that are numbered in the order of their appearance."""

    def __init__(
        self,
        X: AnyArray,
        y: AnyArray,
        axes: Axes,
        target_resolution: float | None,
        with_errors: bool,
    ) -> None:
        n_models = X.shape[1]
        self.X = X
        self.axes = axes
        self.with_errors = with_errors
        self.truth = None
        if target_resolution is not None:
            table = truth_table(X, y, target_resolution)
            self.truth = TruthCounter(target_resolution, table)
        self.cells = np.empty((0, axes.n_axes(n_models)), dtype=np.int64)
        self.index = CellIndex(self.cells)
        n_sums = 1 + n_offsets(axes, n_models) + n_products(n_models) + with_errors * n_models
        self.sums = np.zeros((n_sums, 64))
        self.compiled: CompiledCells | None = None
        self.waiting: list[_Rows] = []
        self.n_waiting = 0

    def add_known(self, X: AnyArray, truth: FloatArray, weight: FloatArray | None) -> _Chunk:
        """Add rows of known cells where there are compiled loops for them; return the others."""
        if self.compiled is None:
            return X, truth, weight
        numbers = self.compiled.find(X)
        self.compiled.add(X, numbers, truth, weight, self.sums)
        others = np.flatnonzero(numbers == self.index.n_cells)
        if self.truth is not None:
            known = numbers < self.index.n_cells if others.size else slice(None)
            self.truth.add(*_select(known, numbers, truth, weight))
        return _select(others, X, truth, weight)

    def add(self, rows: _Rows) -> None:
        """Add rows of known cells to the sums; rows of new cells wait.

        An index over all cells is built once for many rows that wait, not once per chunk: where
        most rows have a cell of their own, the cost still grows with the rows, not their square.
        """
        numbers = self.index.find(rows.bins)
        new = (numbers == self.index.n_cells) | self.index.beyond(rows.bins)
        if not new.any():
            self._sum(rows, numbers)
            return
        self._sum(rows.select(~new), numbers[~new])
        self.waiting.append(rows.select(new))
        self.n_waiting += int(np.count_nonzero(new))
        if self.n_waiting > max(_MAX_WAITING, self.index.n_cells // 2):
            self._take_in()

    def _take_in(self) -> None:
        """Number the cells of the rows that wait, and sum those rows."""
        cells = [distinct_cells(rows.bins) for rows in self.waiting]
        new = distinct_cells(np.concatenate(cells).T)
        self.cells = np.concatenate([self.cells, new])
        self.index = CellIndex(self.cells)
        self.compiled = compiled_cells(self.X, self.index, self.axes, self.cells)
        if self.index.n_cells > self.sums.shape[1]:
            more = max(self.index.n_cells, 2 * self.sums.shape[1]) - self.sums.shape[1]
            self.sums = np.pad(self.sums, ((0, 0), (0, more)))
        for rows in self.waiting:
            self._sum(rows, self.index.find(rows.bins))
        self.waiting, self.n_waiting = [], 0

    def _sum(self, rows: _Rows, numbers: IntArray) -> None:
        """Add rows with known cell numbers to the sums."""
        if not numbers.size:
            return
        columns, bins, truth, weight = rows
        if self.truth is not None:
            self.truth.add(numbers, truth, weight)
        touched: Any = slice(self.index.n_cells)
        n_touched = self.index.n_cells
        if n_touched > numbers.size:  # sum into this chunk's cells: cost follows the rows
            touched, numbers = np.unique(numbers, return_inverse=True)
            n_touched = touched.size
        line = iter(self.sums)

        def total(values: FloatArray | None) -> None:
            next(line)[touched] += np.bincount(numbers, values, n_touched)

        total(weight)
        if n_offsets(self.axes, len(columns)):
            offsets = np.multiply(bins, -self.axes.bin_width, dtype=np.float64)
            offsets += columns
            weighted = offsets if weight is None else offsets * weight
            for values in weighted:
                total(values)
            for values, other in zip(weighted, offsets, strict=True):
                total(values * other)
        errors = columns - truth
        weighted = errors if weight is None else errors * weight
        for model, values in enumerate(weighted):
            for other in errors[model:]:
                total(values * other)
        for values in weighted if self.with_errors else ():
            total(values)

    def finish(self) -> CellStatistics:
        """Return sums and histogram with the cells in lexicographic order."""
        if self.waiting:
            self._take_in()
        order = np.lexsort(self.cells.T[::-1])
        truth = None if self.truth is None else self.truth.finish().regroup(np.argsort(order))
        sums = self.sums[:, order]
        return CellStatistics(self.axes, self.cells[order], sums, truth, self.X.shape[1])


def accumulate(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None = None,
    *,
    axes: Axes,
    target_resolution: float | None = None,
    with_errors: bool = False,
    with_linear: bool = False,
    track: Track = untracked,
) -> CellStatistics:
    """Sum up the rows of each cell, in one pass of chunks that stay in cache.

    Predictions, (n_rows, n_models), and truth may have any real dtype; no converted copy is made.
    Rows of sample weight zero are as good as absent. `target_resolution` is the grid step of the
    histogram of the truth; None makes none. `with_errors` asks for the sums of the models' errors
    too, `with_linear` for the moments of a linear regression. `track` is told of each chunk.
    """
    n_rows, n_models = X.shape
    sums = _Accumulator(X, y, axes, target_resolution, with_errors)
    for chunk in track(row_chunks(n_rows, n_models), "sums of the rows"):
        weight = None if sample_weight is None else sample_weight[chunk]
        rows: _Chunk = X[chunk], y[chunk].astype(np.float64), weight
        if weight is not None and not weight.all():
            rows = _select(np.flatnonzero(weight), *rows)
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            predictions, truth, weight = sums.add_known(*rows)
            if truth.size:
                columns = model_columns(predictions, slice(None))
                bins = axes.bins(columns)
                check_bin_indices(bins, axes.bin_width)
                sums.add(_Rows(columns, bins, truth, weight))
    with np.errstate(over="ignore", invalid="ignore"):
        statistics = sums.finish()
    _check_sums(statistics.sums)
    if with_linear:
        statistics = statistics._replace(linear=LinearMoments.of(X, y, sample_weight))
    return statistics


def _check_sums(sums: FloatArray) -> None:
    """Raise a ValueError where squares are too large to work with."""
    if not (np.abs(sums) <= _LARGEST_SUM).all():
        raise ValueError(
            "X, y, bin_width or sample_weight is too large: sums of the squares of predictions "
            "or of errors overflow. Values must be below about 1e70 in magnitude."
        )


def pooled_error_moments(
    X: AnyArray, y: AnyArray, sample_weight: FloatArray | None = None
) -> FloatArray:
    """Return `CellStatistics.pooled_error_moments` of rows of which nothing else is asked."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_chunks(*X.shape):
        errors = model_columns(X, rows) - y[rows].astype(np.float64)
        weighted = errors if sample_weight is None else errors * sample_weight[rows]
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            total += weighted @ errors.T
    _check_sums(total)
    return total / (len(X) if sample_weight is None else sample_weight.sum())
