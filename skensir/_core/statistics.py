"""Sufficient statistics: all that the weights depend on, as sums in each cell.

Everything that is fitted depends on the rows through these sums alone. So one pass over the data
is enough, sums of parts add up to the sums of the whole, and cells of bin width b coarsen exactly
to 2b, 3b, ... All sums are of small numbers, predictions measured from the lower corner of their
cell and errors measured from the truth, so targets at 1e12 lose no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skensir._core._typing import AnyArray, BoolArray, FloatArray, IntArray
from skensir._core.binning import bin_indices, model_columns, row_chunks
from skensir._core.cells import CellIndex, distinct_cells
from skensir._core.histogram import TruthCounter, TruthHistogram


@dataclass(frozen=True)
class CellStatistics:
    """Sums over the rows of each occupied cell.

    Attributes
    ----------
    bin_width : float
    cells : ndarray of shape (n_cells, n_models)
        Bin indices, in lexicographic order.
    weight : ndarray of shape (n_cells,)
        Sum of the sample weights; the number of rows where there are none.
    offsets : ndarray of shape (n_models, n_cells)
        Sum of each model's predictions, measured from the lower edge of its bin.
    squared_offsets : ndarray of shape (n_models, n_cells)
        Sum of their squares.
    error_products : ndarray of shape (n_models * (n_models + 1) / 2, n_cells)
        Sum of the products of two models' errors, upper triangle row by row.
    truth : TruthHistogram or None
        Histogram of the truth in each cell; None where it was not asked for.
    """

    bin_width: float
    cells: IntArray
    weight: FloatArray
    offsets: FloatArray
    squared_offsets: FloatArray
    error_products: FloatArray
    truth: TruthHistogram | None

    @property
    def n_cells(self) -> int:
        return len(self.cells)

    @property
    def n_models(self) -> int:
        return int(self.cells.shape[1])

    @property
    def corners(self) -> FloatArray:
        """Lower edges of the bins of each cell, (n_cells, n_models)."""
        return self.cells * self.bin_width

    def mean_offsets(self) -> FloatArray:
        """Mean prediction of each model in each cell from the lower edge, (n_cells, n_models)."""
        return (self.offsets / self.weight).T

    def prediction_variances(self) -> FloatArray:
        """Variance of each model's predictions in each cell, Eq. 13, (n_cells, n_models)."""
        mean = self.offsets / self.weight
        return np.maximum(self.squared_offsets / self.weight - mean**2, 0.0).T

    def error_moments(self, cells: Any = slice(None)) -> FloatArray:
        """Mean product of two models' errors in the given cells, (n_cells, n_models, n_models)."""
        return _symmetric(self.error_products[:, cells] / self.weight[cells], self.n_models)

    def pooled_error_moments(self) -> FloatArray:
        """Mean product of two models' errors over all rows, (n_models, n_models)."""
        pooled = self.error_products.sum(axis=1, keepdims=True) / self.weight.sum()
        return np.asarray(_symmetric(pooled, self.n_models)[0])

    def squared_error(self, weights: FloatArray) -> FloatArray:
        """Sum over the rows of each cell of the squared error that `weights` make there.

        No prediction is needed: with error products P of a cell it is ``w' P w``.

        Parameters
        ----------
        weights : ndarray of shape (n_cells, n_models)
            Each line sums to one.
        """
        total = np.zeros(self.n_cells)
        pairs = zip(*np.triu_indices(self.n_models), self.error_products, strict=True)
        for model, other, products in pairs:
            share = weights[:, model] * weights[:, other]
            total += (1 if model == other else 2) * share * products
        return np.maximum(total, 0.0)


def _symmetric(products: FloatArray, n_models: int) -> FloatArray:
    """Turn (n_pairs, n) upper triangles into (n, n_models, n_models) symmetric matrices."""
    upper = np.triu_indices(n_models)
    matrices = np.empty((products.shape[1], n_models, n_models))
    matrices[:, upper[0], upper[1]] = products.T
    matrices[:, upper[1], upper[0]] = products.T
    return matrices


# New cells are taken in for this many rows at once, or more where there are many cells.
_MAX_WAITING = 2**15


class _Rows(NamedTuple):
    """Rows on their way into the sums, one line a model."""

    columns: AnyArray
    bins: AnyArray
    truth: FloatArray
    weight: FloatArray | None

    def select(self, chosen: BoolArray) -> _Rows:
        weight = None if self.weight is None else self.weight[chosen]
        return _Rows(self.columns[:, chosen], self.bins[:, chosen], self.truth[chosen], weight)


class _Accumulator:
    """Sums of cells that are numbered in the order of their appearance."""

    def __init__(self, n_models: int, bin_width: float, target_resolution: float | None) -> None:
        self.bin_width = bin_width
        self.truth = None if target_resolution is None else TruthCounter(target_resolution)
        self.cells = np.empty((0, n_models), dtype=np.int64)
        self.index = CellIndex(self.cells)
        self.sums = np.zeros((1 + 2 * n_models + n_models * (n_models + 1) // 2, 64))
        self.waiting: list[_Rows] = []
        self.n_waiting = 0

    def add(self, rows: _Rows) -> None:
        """Add rows of known cells to the sums; rows of new cells wait.

        An index over all cells is built once for many rows that wait, not once a chunk: where
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

        offsets = np.multiply(bins, -self.bin_width, dtype=np.float64)
        offsets += columns
        errors = columns - truth
        total(weight)
        weighted = offsets if weight is None else offsets * weight
        for values in weighted:
            total(values)
        for values, other in zip(weighted, offsets, strict=True):
            total(values * other)
        weighted = errors if weight is None else errors * weight
        for model, values in enumerate(weighted):
            for other in errors[model:]:
                total(values * other)

    def finish(self) -> CellStatistics:
        """Return sums and histogram with the cells in lexicographic order."""
        if self.waiting:
            self._take_in()
        order = np.lexsort(self.cells.T[::-1])
        n_models = self.cells.shape[1]
        weight, offsets, squares, products = np.split(
            self.sums[:, order], [1, 1 + n_models, 1 + 2 * n_models]
        )
        truth = None if self.truth is None else self.truth.finish().renumbered(np.argsort(order))
        return CellStatistics(
            self.bin_width, self.cells[order], weight[0], offsets, squares, products, truth
        )


def accumulate(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None = None,
    *,
    bin_width: float,
    target_resolution: float | None = None,
) -> CellStatistics:
    """Sum up the rows of each cell, in one pass of chunks that stay in cache.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_models)
        Predictions, any real dtype; no converted copy is made.
    y : ndarray of shape (n_rows,)
        Truth, any real dtype.
    sample_weight : ndarray of shape (n_rows,), optional
        Non-negative. Rows of weight zero are as good as absent.
    bin_width : float
    target_resolution : float, optional
        Grid step of the histogram of the truth; no histogram where it is None.
    """
    n_rows, n_models = X.shape
    sums = _Accumulator(n_models, bin_width, target_resolution)
    for chunk in row_chunks(n_rows, n_models):
        columns = model_columns(X, chunk)
        weight = None if sample_weight is None else sample_weight[chunk]
        rows = _Rows(columns, bin_indices(columns, bin_width), y[chunk].astype(np.float64), weight)
        if weight is not None and not weight.all():
            rows = rows.select(weight > 0)
        if rows.truth.size:
            sums.add(rows)
    return sums.finish()
