"""Nested tables on splits: the lines of many tables, of all splits and levels, at once.

Cells are drawn to wider ones, so that a cell without training rows has the moments of its nearest
ancestor that has some: no held-out row is in an unseen cell. Only cells with held-out rows are
solved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skensir._core.cells import CellIndex
from skensir._core.cross_validation import Pass
from skensir._core.hierarchy import (
    Hierarchy,
    moment_lines,
    n_widenings,
    solve_lines,
    squared_errors,
)
from skensir._core.least_squares import SquaredError
from skensir._core.statistics import CellStatistics
from skensir._typing import FloatArray, IntArray

# The sums of so many cells are worked on at once, those of several splits together.
_MAX_CELLS = 2**17


class _Block(NamedTuple):
    """Some of the splits, and those of their cells that have held-out rows."""

    splits: slice
    split: IntArray  # of each such cell, counted within the block
    cell: IntArray
    held_out: FloatArray  # their sums of held-out rows, (n_lines, n_pairs)
    moments: FloatArray  # of the training rows, shrunk, likewise


class NestedSplits:
    """Training and held-out rows of each split, on the cells of all rows."""

    def __init__(self, sums: Pass, *, with_errors: bool) -> None:
        self.total, self._with_errors = sums.total, with_errors
        self.index = CellIndex(sums.total.cells)
        if sums.folds is not None:
            self._tests = self._align(sums.folds)
            self._trains = _sums_of_others(self._tests)
        else:
            self._tests = self._align([split.test for split in sums.splits])
            self._trains = self._align([split.train for split in sums.splits])

    def _align(self, parts: Sequence[CellStatistics]) -> FloatArray:
        """Return the sums of each part in the order of all cells, (n_parts, n_lines, n_cells)."""
        lines = [moment_lines(part, with_errors=self._with_errors) for part in parts]
        aligned = np.zeros((len(parts), len(lines[0]), self.total.n_cells))
        for of_part, part, found in zip(aligned, parts, lines, strict=True):
            of_part[:, self.index.find(part.cells.T)] = found
        return aligned

    @cached_property
    def _depths(self) -> IntArray:
        """Which level is the widest of each split, by the cells of its training rows."""
        cells = (self.total.cells[train[0] > 0] for train in self._trains)
        return np.array([n_widenings(own.min(axis=0), own.max(axis=0)) for own in cells])

    def _blocks(self, shrinkage: float) -> Iterator[_Block]:
        """Yield the splits in blocks, with moments of the training rows that are shrunk so much."""
        hierarchy = Hierarchy(self.total.cells, 1 + int(self._depths.max()))
        step = max(1, _MAX_CELLS // self.total.n_cells)
        for first in range(0, len(self._tests), step):
            splits = slice(first, first + step)
            trains = hierarchy.add_up(self._trains[splits])
            depths = self._depths[splits]
            moments, _ = hierarchy.shrink(trains, shrinkage, self.total.n_models, depths)
            tests = self._tests[splits]
            split, cell = np.nonzero(tests[:, 0])
            lines = (np.ascontiguousarray(of[split, :, cell].T) for of in (tests, moments[0]))
            yield _Block(splits, split, cell, *lines)

    def errors(self, objectives: Sequence[SquaredError]) -> FloatArray:
        """Return held-out mean squared errors, (n_objectives, n_splits)."""
        weight = self._tests[:, 0].sum(axis=1)
        errors = np.empty((len(objectives), len(weight)))
        for shrinkage in {objective.shrinkage for objective in objectives}:
            for block in self._blocks(shrinkage):
                n_splits = len(weight[block.splits])
                for number, objective in enumerate(objectives):
                    if objective.shrinkage == shrinkage:
                        line = solve_lines(block.moments, self.total.n_models, objective)
                        squares = squared_errors(block.held_out, *line)
                        found = np.bincount(block.split, squares, n_splits)
                        errors[number, block.splits] = found / weight[block.splits]
        return errors

    def tables(
        self, objective: SquaredError, least_pseudo_rows: float
    ) -> Iterator[tuple[IntArray, FloatArray, FloatArray, FloatArray]]:
        """Yield the table of each split for its held-out rows.

        It is cell numbers, rising, and their weights, intercepts and root mean squared errors; to
        these at least so many pseudo-rows are added, as too few rows say little about them.
        """
        pseudo = max(objective.shrinkage, least_pseudo_rows)
        blocks = zip(self._blocks(objective.shrinkage), self._blocks(pseudo), strict=True)
        for block, for_rmse in blocks:
            weights, intercepts = solve_lines(block.moments, self.total.n_models, objective)
            rmse = np.sqrt(squared_errors(for_rmse.moments, weights, intercepts))
            for split in range(block.split[-1] + 1):
                own = block.split == split
                yield block.cell[own], weights[own], intercepts[own], rmse[own]


def _sums_of_others(parts: FloatArray) -> FloatArray:
    """Return, for each part, the sum of all others: running sums from both ends."""
    others = np.zeros_like(parts)
    others[1:] += np.cumsum(parts[:-1], axis=0)
    others[:-1] += np.cumsum(parts[:0:-1], axis=0)[::-1]
    return others
