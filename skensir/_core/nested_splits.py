"""Nested tables on splits: the lines of the tables of all splits at once.

Cells are drawn to wider ones, so that a cell without training rows has the moments of its nearest
ancestor that has some. Only cells with held-out rows are solved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from skensir._core.cross_validation import Pass
from skensir._core.hierarchy import (
    Hierarchy,
    moment_lines,
    n_widenings,
    solve_lines,
    squared_errors,
)
from skensir._core.solve import Settings, is_nested, named_default
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._typing import BoolArray, FloatArray, IntArray

# The sums of so many cells are worked on at once, those of several splits together.
_MAX_CELLS = 2**17


class _Block(NamedTuple):
    """Some of the splits, and their cells that have held-out rows, one split after the other."""

    numbers: list[int]  # of the splits
    split: IntArray  # of each cell, counted within the block
    held_out: FloatArray  # sums of the held-out rows of each cell, (n_lines, n_cells)
    moments: FloatArray  # of the training rows, shrunk, likewise
    unseen: BoolArray  # whether there are no training rows in any cell around it


class NestedSplits:
    """Training and held-out rows of each split, on the cells of all rows."""

    def __init__(self, sums: Pass, *, with_errors: bool) -> None:
        self._sums, self.n_models = sums, sums.total.n_models
        folds = sums.folds
        tests = [split.test for split in sums.splits] if folds is None else folds
        low, high = _bounds(sums)
        # The table of the training rows looks held-out rows up in its end bins at most.
        places = [np.clip(t.cells, *ends) for t, *ends in zip(tests, low, high, strict=True)]
        self._cells = distinct_cells(np.concatenate([sums.total.cells, *places]).T)
        self.index = CellIndex(self._cells)
        self._own = [self.index.find(test.cells.T) for test in tests]
        self._places = [self.index.find(place.T) for place in places]
        self._depths = np.array([n_widenings(*ends) for ends in zip(low, high, strict=True)])
        self._tests = [moment_lines(test, with_errors=with_errors) for test in tests]
        if folds is not None:
            self._trains = _sums_of_others(self._align(self._own, self._tests))
        else:
            trains = [split.train for split in sums.splits]
            self._trains = self._align(
                [self.index.find(train.cells.T) for train in trains],
                [moment_lines(train, with_errors=with_errors) for train in trains],
            )

    def _align(self, cells: Sequence[IntArray], lines: Sequence[FloatArray]) -> FloatArray:
        """Return the sums of each part in the order of all cells, (n_parts, n_lines, n_cells)."""
        aligned = np.zeros((len(lines), len(lines[0]), len(self._cells)))
        for of_part, own, found in zip(aligned, cells, lines, strict=True):
            of_part[:, own] = found
        return aligned

    def _blocks(self, shrinkage: float) -> Iterator[_Block]:
        """Yield the splits in blocks, with moments of the training rows that are shrunk so much."""
        hierarchy = Hierarchy(self._cells, 1 + int(self._depths.max()))
        step = max(1, _MAX_CELLS // len(self._cells))
        for first in range(0, len(self._tests), step):
            block = slice(first, first + step)
            depths, tests, cells = self._depths[block], self._tests[block], self._places[block]
            levels = hierarchy.add_up(self._trains[block])
            moments, _ = hierarchy.shrink(levels, shrinkage, self.n_models, depths)
            split = np.repeat(range(len(tests)), list(map(len, cells)))
            cell = np.concatenate(cells)
            yield _Block(
                list(range(first, first + len(tests))),
                split,
                np.concatenate(tests, axis=1),
                np.ascontiguousarray(moments[0][split, :, cell].T),
                ~hierarchy.known(levels, depths)[split, cell],
            )

    def _solve(self, block: _Block, settings: Settings) -> tuple[FloatArray, FloatArray]:
        """Return weights and intercepts of the cells of a block."""
        assert is_nested(settings.objective)
        weights, intercepts = solve_lines(block.moments, self.n_models, settings.objective)
        for place in np.unique(block.split[block.unseen]).tolist():
            split = self._sums.splits[block.numbers[place]]
            default = named_default(split.train, settings, split.pooled)
            if default is not None:
                where = block.unseen & (block.split == place)
                weights[where], intercepts[where] = default
        return weights, intercepts

    def errors(self, settings: Sequence[Settings]) -> FloatArray:
        """Return held-out mean squared errors, (n_settings, n_splits)."""
        errors = np.empty((len(settings), len(self._tests)))
        for shrinkage in {of_table.objective.shrinkage for of_table in settings}:
            for block in self._blocks(shrinkage):
                weight = np.bincount(block.split, block.held_out[0])
                for number, of_table in enumerate(settings):
                    if of_table.objective.shrinkage == shrinkage:
                        squares = squared_errors(block.held_out, *self._solve(block, of_table))
                        found = np.bincount(block.split, squares) / weight
                        errors[number, block.numbers] = found
        return errors

    def average(
        self, settings: Sequence[Settings], shares: FloatArray
    ) -> Iterator[tuple[IntArray, FloatArray, FloatArray, FloatArray]]:
        """Yield the average of tables for the held-out rows of each split.

        It is the numbers of their cells, rising, and the weights, intercepts and mean squared
        errors of their tables, times the shares. As few rows say little about errors, these are of
        shrunk moments as well.
        """
        tables = [self._tables(of_table) for of_table in settings]
        for cells, of_tables in zip(self._own, zip(*tables, strict=True), strict=True):
            sums = []
            for lines in zip(*of_tables, strict=True):
                sums.append(sum(share * line for share, line in zip(shares, lines, strict=True)))
            yield cells, sums[0], sums[1], sums[2]

    def _tables(self, settings: Settings) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield weights, intercepts and mean squared errors of the cells of each split."""
        pseudo = max(settings.objective.shrinkage, settings.min_samples_cell)
        blocks = zip(self._blocks(settings.objective.shrinkage), self._blocks(pseudo), strict=True)
        for block, for_errors in blocks:
            weights, intercepts = self._solve(block, settings)
            squares = squared_errors(for_errors.moments, weights, intercepts)
            for place in range(len(block.numbers)):
                mine = block.split == place
                yield weights[mine], intercepts[mine], squares[mine]


def _bounds(sums: Pass) -> tuple[IntArray, IntArray]:
    """Return the first and last bin of the training rows of each split, (n_splits, n_axes)."""
    if sums.folds is None:
        trains = [split.train.cells for split in sums.splits]
        ends = [
            np.array([getattr(cells, end)(axis=0) for cells in trains]) for end in ("min", "max")
        ]
        return ends[0], ends[1]
    low = np.array([fold.cells.min(axis=0) for fold in sums.folds])
    high = np.array([fold.cells.max(axis=0) for fold in sums.folds])
    others = [np.arange(len(low)) != fold for fold in range(len(low))]
    return (
        np.array([low[rest].min(axis=0) for rest in others]),
        np.array([high[rest].max(axis=0) for rest in others]),
    )


def _sums_of_others(parts: FloatArray) -> FloatArray:
    """Return, for each part, the sum of all others: running sums from both ends."""
    others = np.zeros_like(parts)
    others[1:] += np.cumsum(parts[:-1], axis=0)
    others[:-1] += np.cumsum(parts[:0:-1], axis=0)[::-1]
    return others
