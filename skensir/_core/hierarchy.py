"""Cells within wider cells: bins of width b, 2b, 4b, ..., then all rows, then plain averaging.

Bins nest, so cells do. With shrinkage s a cell is drawn to the wider one around it, its parent,
from the top down: with the sums S of its n rows it has the moments

    P(cell) = (S(cell) + s P(parent)) / (n(cell) + s).

The widest cells have all rows for parent, the pooled ones, and these have the root: the pooled
moments made exchangeable, which tell no model from another, so that their solution is the average
of the models without an intercept. So one number leads from the finest table to plain averaging,
and a cell without rows has the moments of its nearest occupied ancestor.

Everything is computed on lines of sums, for all cells of a level, and for several sets of rows, at
once. Sums have the shape (n_sets, n_lines, n_cells). Their lines are the weight of the rows, the
products of two models' errors, upper triangle row by row, and the errors, where they are there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skensir._core.least_squares import SquaredError, blocks_of_cells
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._sums.pairs import model_pairs, n_pairs, quadratic_form, symmetric
from skensir._sums.statistics import CellStatistics, intercept_part
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray


def n_widenings(low: AnyArray, high: AnyArray) -> int:
    """Return how often bins double until an axis has one or two of them.

    `low` and `high` are the first and last occupied bin of each axis.
    """
    low, high = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
    times = 0
    while (high - low > 1).any():
        low, high, times = low >> 1, high >> 1, times + 1
    return times


class Hierarchy:
    """Levels of cells, finest first, each with bins twice as wide as the level before.

    Attributes
    ----------
    cells : list of ndarray of shape (n_cells, n_axes)
        The occupied cells of each level, in lexicographic order.
    parents : list of ndarray of shape (n_cells,)
        The number, in the next level, of the cell that each cell lies in; none for the widest.
    """

    def __init__(self, cells: IntArray, n_levels: int) -> None:
        self.cells = [cells]
        self.parents: list[IntArray] = []
        while len(self.cells) < n_levels:
            wide = self.cells[-1] >> 1
            self.cells.append(distinct_cells(wide.T))
            self.parents.append(CellIndex(self.cells[-1]).find(wide.T))

    @classmethod
    def above(cls, cells: IntArray) -> Hierarchy:
        """Return all levels that these cells have."""
        return cls(cells, 1 + n_widenings(cells.min(axis=0), cells.max(axis=0)))

    @property
    def n_levels(self) -> int:
        return len(self.cells)

    @property
    def n_wider(self) -> IntArray:
        """Number of cells of each level but the finest."""
        return np.array([len(cells) for cells in self.cells[1:]], dtype=np.intp)

    def add_up(self, sums: FloatArray) -> list[FloatArray]:
        """Return the sums of the cells of every level, given those of the finest."""
        levels = [sums]
        for parent in self.parents:
            order = np.argsort(parent, kind="stable")
            first = np.searchsorted(parent[order], np.arange(parent.max() + 1))
            levels.append(np.add.reduceat(levels[-1][..., order], first, axis=-1))
        return levels

    def known(self, sums: Sequence[FloatArray], depths: IntArray) -> BoolArray:
        """Tell which of the finest cells lie in a cell with rows, (n_sets, n_cells).

        The parameters are those of `shrink`.
        """
        known = np.empty((len(depths), len(self.cells[0])), dtype=np.bool_)
        place: IntArray = np.arange(len(self.cells[0]))
        for level, of_level in enumerate(sums):
            chosen = depths == level
            known[chosen] = of_level[chosen, 0][:, place] > 0
            if level + 1 < self.n_levels:
                place = self.parents[level][place]
        return known

    def shrink(
        self, sums: Sequence[FloatArray], shrinkage: float, n_models: int, depths: IntArray
    ) -> tuple[list[FloatArray], FloatArray]:
        """Return the moments of every level's cells, and of all rows, (n_sets, n_lines).

        `sums` are those of every level, `depths` says for each set of rows which of the levels is
        its widest; a wider one, where it is asked for, has all rows for parent.
        """
        total = sums[0].sum(axis=-1)
        pooled = _mean(total, exchangeable(total / total[:, :1], n_models), shrinkage)
        moments: list[FloatArray] = []
        for level in range(self.n_levels - 1, -1, -1):
            parent = pooled[:, :, np.newaxis]
            if moments and (inner := depths > level).any():
                parent = np.where(
                    inner[:, np.newaxis, np.newaxis],
                    moments[-1][..., self.parents[level]],
                    parent,
                )
            moments.append(_mean(sums[level], parent, shrinkage))
        return moments[::-1], pooled


def n_lines(n_models: int, *, with_errors: bool) -> int:
    """Return how many lines of sums the moments are made of."""
    return 1 + n_pairs(n_models) + (n_models if with_errors else 0)


def moment_lines(statistics: CellStatistics, *, with_errors: bool) -> FloatArray:
    """Return the lines of sums that the moments are made of, (n_lines, n_cells)."""
    lines = [statistics.weight[np.newaxis], statistics.error_products]
    if with_errors:
        assert statistics.errors is not None
        lines.append(statistics.errors)
    return np.concatenate(lines)


def exchangeable(moments: FloatArray, n_models: int) -> FloatArray:
    """Return moments that tell no model from another, for (n_sets, n_lines) of them.

    The products of models with themselves become their mean, those of two models likewise; mean
    errors become zero.
    """
    root = np.zeros_like(moments)
    root[:, 0] = 1.0
    first, second = model_pairs(n_models)
    for kind in (first == second, first != second):
        if kind.any():
            lines = 1 + np.flatnonzero(kind)
            root[:, lines] = moments[:, lines].mean(axis=1, keepdims=True)
    assert moments.shape[1] in [n_lines(n_models, with_errors=errors) for errors in (False, True)]
    return root


def _mean(sums: FloatArray, prior: FloatArray, shrinkage: float) -> FloatArray:
    """Return the mean over rows and pseudo-rows; where there are neither it is that of the prior.

    Lines are the second axis. The first of them is the weight of the rows, so that its mean is one.
    """
    weight = sums[:, :1] + shrinkage
    prior = np.broadcast_to(prior, sums.shape)
    moments = np.divide(sums + shrinkage * prior, weight, where=weight > 0, out=prior.copy())
    return np.asarray(moments)


def solve_lines(
    lines: FloatArray, n_models: int, objective: SquaredError
) -> tuple[FloatArray, FloatArray]:
    """Return weights and intercepts of the programmes whose moments stand in lines."""
    end = 1 + n_pairs(n_models)
    n_cells = lines.shape[1]
    weights, intercepts = np.empty((n_cells, n_models)), np.empty(n_cells)
    for block in blocks_of_cells(n_cells, n_models):
        moments = symmetric(lines[1:end, block], n_models)
        means = lines[end:, block].T if objective.fit_intercept else None
        weights[block], intercepts[block] = objective.solve_moments(moments, means)
    return weights, intercepts


def squared_errors(lines: FloatArray, weights: FloatArray, intercepts: FloatArray) -> FloatArray:
    """Return the squared error that weights and intercepts make, for lines of sums or moments.

    Lines without errors are those of tables without intercepts.
    """
    end = 1 + n_pairs(weights.shape[1])
    total = quadratic_form(lines[1:end], weights)
    if len(lines) > end:
        total += intercept_part(lines[0], lines[end:], weights, intercepts)
    return np.maximum(total, 0.0)
