"""Sufficient statistics: all that the weights depend on, as sums in each cell.

Everything that is fitted depends on the rows through these sums alone. So one pass over the data
is enough, sums of parts add up to the sums of the whole, and cells of bin width b coarsen exactly
to 2b, 3b, ... All sums are of small numbers, predictions measured from the lower corner of their
cell and errors measured from the truth, so targets at 1e12 lose no digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skensir._core.cells import CellIndex, distinct_cells
from skensir._core.histogram import TruthHistogram, auto_resolution
from skensir._typing import FloatArray, IntArray


class CellStatistics(NamedTuple):
    """Sums over the rows of each occupied cell.

    Attributes
    ----------
    bin_width : float
    cells : ndarray of shape (n_cells, n_models)
        Bin indices, in lexicographic order.
    sums : ndarray of shape (n_sums, n_cells)
        Line by line: the sample weights; each model's predictions, measured from the lower edge
        of its bin; the squares of these; the products of two models' errors, upper triangle row
        by row.
    truth : TruthHistogram or None
        The truth in each cell; None where it was not asked for.
    """

    bin_width: float
    cells: IntArray
    sums: FloatArray
    truth: TruthHistogram | None

    @property
    def n_cells(self) -> int:
        return len(self.cells)

    @property
    def n_models(self) -> int:
        return int(self.cells.shape[1])

    @property
    def size(self) -> int:
        """Number of sums, which memory and the cost of a merger follow."""
        return self.sums.size + (0 if self.truth is None else self.truth.weight.size)

    @property
    def corners(self) -> FloatArray:
        """Lower edges of the bins of each cell, (n_cells, n_models)."""
        return np.multiply(self.cells, self.bin_width, out=np.empty(self.cells.shape))

    @property
    def weight(self) -> FloatArray:
        """Sum of the sample weights, the number of rows where there are none, (n_cells,)."""
        return np.asarray(self.sums[0])

    @property
    def offsets(self) -> FloatArray:
        """Sum of the predictions from the lower edge of their bin, (n_models, n_cells)."""
        return self.sums[1 : 1 + self.n_models]

    @property
    def squared_offsets(self) -> FloatArray:
        """Sum of the squares of these, (n_models, n_cells)."""
        return self.sums[1 + self.n_models : 1 + 2 * self.n_models]

    @property
    def error_products(self) -> FloatArray:
        """Sum of the products of two models' errors, (n_models * (n_models + 1) / 2, n_cells)."""
        return self.sums[1 + 2 * self.n_models :]

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
        """Sum over the rows of each cell of the squared error that its weights make there.

        No prediction is needed: with error products P of a cell it is ``w' P w``.
        """
        total = np.zeros(self.n_cells)
        pairs = zip(*np.triu_indices(self.n_models), self.error_products, strict=True)
        for model, other, products in pairs:
            share = weights[:, model] * weights[:, other]
            total += (1 if model == other else 2) * share * products
        return np.maximum(total, 0.0)

    def coarsen(self, factor: int, truth_factor: int = 1) -> CellStatistics:
        """Return the statistics at `factor` times the bin width, without another pass.

        The histogram of the truth becomes coarser by `truth_factor`.
        """
        cells = self.cells // factor
        n_models = self.n_models
        # From the lower edge of the wide bin; all terms are non-negative, so no digit is lost.
        shift = ((self.cells - cells * factor) * self.bin_width).T
        sums = self.sums.copy()
        sums[1 : 1 + n_models] += shift * self.weight
        sums[1 + n_models : 1 + 2 * n_models] += shift * (2 * self.offsets + shift * self.weight)
        fine = CellStatistics(self.bin_width * factor, cells, sums, self.truth)
        return _sum_equal_cells([fine], truth_factor)

    @staticmethod
    def merge(parts: Sequence[CellStatistics]) -> CellStatistics:
        """Add up the statistics of parts of the data, all of one bin width.

        They have one target resolution too, or "auto" has chosen it: then parts whose truth is
        whole go over to the grid of the others, as if it had been chosen for all rows at once.
        """
        if len(parts) == 1:
            return parts[0]
        if len({part.truth.resolution for part in parts if part.truth is not None}) > 1:
            resolution = auto_resolution(parts[0].bin_width, whole=False)
            parts = [
                part if part.truth is None else part._replace(truth=part.truth.regrid(resolution))
                for part in parts
            ]
        return _sum_equal_cells(parts)


def _sum_equal_cells(parts: Sequence[CellStatistics], truth_factor: int = 1) -> CellStatistics:
    """Add up the lines of equal cells, within and across the parts."""
    cells = np.concatenate([part.cells for part in parts])
    sums = np.concatenate([part.sums for part in parts], axis=1)
    distinct = distinct_cells(cells.T)
    numbers = CellIndex(distinct).find(cells.T)
    total = np.empty((len(sums), len(distinct)))
    for line, line_total in zip(sums, total, strict=True):
        line_total[:] = np.bincount(numbers, line, len(distinct))
    ends = np.cumsum([part.n_cells for part in parts])
    truths = [
        part.truth.regroup(number, truth_factor)
        for part, number in zip(parts, np.split(numbers, ends[:-1]), strict=True)
        if part.truth is not None
    ]
    truth = TruthHistogram.merge(truths) if truths else None
    return CellStatistics(parts[0].bin_width, distinct, total, truth)


def _symmetric(products: FloatArray, n_models: int) -> FloatArray:
    """Turn (n_pairs, n) upper triangles into (n, n_models, n_models) symmetric matrices."""
    upper = np.triu_indices(n_models)
    matrices = np.empty((products.shape[1], n_models, n_models))
    matrices[:, upper[0], upper[1]] = products.T
    matrices[:, upper[1], upper[0]] = products.T
    return matrices
