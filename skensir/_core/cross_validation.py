"""Cross-validation on sufficient statistics: exact, in one pass over the data, no prediction.

The held-out squared error of any weights is a sum over cells of ``w' P w``, with P the error
products of the held-out rows. So the rows of a fold are summed up once, and then a combination of
parameters costs as much as there are cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from skensir._core.combine import with_unseen
from skensir._core.least_squares import simplex_weights
from skensir._core.objective import Solution
from skensir._core.pooled import Pooled, average_weights, best_model_weights
from skensir._core.solve import Line, pool
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes
from skensir._sums.cells import CellIndex
from skensir._sums.statistics import CellStatistics, batches, coarsen_each, merge_each
from skensir._typing import AnyArray, FloatArray, IntArray

Split = tuple[IntArray, IntArray]

# What needs no table, and has to be beaten by one.
RIVALS = {
    "average": average_weights,
    "best_model": best_model_weights,
    "convex": simplex_weights,
}


class SplitStatistics:
    """Statistics of the training and of the held-out rows of one split, at one bin width.

    `pooled` are the moments of all training rows, whatever the width.
    """

    def __init__(
        self, train: CellStatistics, test: CellStatistics, pooled: Pooled | None = None
    ) -> None:
        self.train, self.test = train, test
        self.pooled = pool(train) if pooled is None else pooled

    def held_out_errors_of_rivals(self) -> dict[str, float]:
        """Mean squared errors on the held-out rows of what needs no table."""
        held_out = self.test.pooled_error_moments()
        rivals = {name: self.pooled.weights(find) for name, find in RIVALS.items()}
        errors = {name: float(weights @ held_out @ weights) for name, weights in rivals.items()}
        if self.train.linear is not None and self.test.linear is not None:
            errors["ridge"] = self.test.linear.mean_squared_error(*self.train.linear.fit_ridge())
        return errors


class HeldOutRows:
    """The held-out rows of all splits, on which tables of their training rows are measured."""

    def __init__(self, splits: Sequence[SplitStatistics]) -> None:
        self._batches = list(map(_HeldOutBatch, batches(splits, lambda split: split.test.size)))

    def errors(self, tables: Sequence[tuple[Solution, Line]]) -> FloatArray:
        """Return mean squared errors, (n_splits,), of the weights of cells and of other rows."""
        left = iter(tables)
        of_batches = [batch.errors(list(islice(left, batch.n_splits))) for batch in self._batches]
        return np.concatenate(of_batches)


class _HeldOutBatch:
    """Those of some splits."""

    def __init__(self, splits: Sequence[SplitStatistics]) -> None:
        tests = [split.test for split in splits]
        sums = tests[0].sums  # of one alone there is no copy
        if len(tests) > 1:
            sums = np.concatenate([test.sums for test in tests], axis=1)
        cells = np.concatenate([test.cells for test in tests])
        self._sums = tests[0]._replace(cells=cells, sums=sums, truth=None, linear=None)
        self._starts = np.cumsum([0, *(test.n_cells for test in tests[:-1])])
        self.n_splits = len(tests)
        self._weights = np.array([test.weight.sum() for test in tests])
        # Where the tables, one behind the other, keep the weights of each cell.
        lines = np.cumsum([0, *(split.train.n_cells + 1 for split in splits[:-1])])
        places = [CellIndex(split.train.cells).find(split.test.cells.T) for split in splits]
        self._places = np.concatenate([n + own for n, own in zip(lines, places, strict=True)])

    def errors(self, tables: Sequence[tuple[Solution, Line]]) -> FloatArray:
        weights = [with_unseen(found.weights, unseen.weights) for found, unseen in tables]
        intercepts = [with_unseen(found.intercepts, unseen.intercept) for found, unseen in tables]
        squared_errors = self._sums.squared_error(
            np.concatenate(weights)[self._places], np.concatenate(intercepts)[self._places]
        )
        return np.asarray(np.add.reduceat(squared_errors, self._starts) / self._weights)


class Grid(NamedTuple):
    """What rows are summed up by: the arguments of `accumulate`."""

    axes: Axes
    target_resolution: float | None = None
    with_errors: bool = False
    with_linear: bool = False

    @property
    def bin_width(self) -> float:
        return self.axes.bin_width

    def coarsening_to(self, wider: Grid, *, whole: bool) -> tuple[int, int] | None:
        """Return by what to coarsen bins and histogram, None where the grids do not nest.

        Scaling by a power of two is exact in floating point, so bins nest to the last bit. Other
        whole ratios do so only where predictions and widths are whole numbers.
        """
        if self.axes._replace(bin_width=wider.axes.bin_width) != wider.axes:
            return None
        ratio, truth_ratio = wider.bin_width / self.bin_width, 1.0
        if self.target_resolution is not None and wider.target_resolution is not None:
            truth_ratio = wider.target_resolution / self.target_resolution
        if ratio % 1 or truth_ratio % 1 or not truth_ratio:
            return None
        if np.log2(truth_ratio) % 1:
            return None
        if np.log2(ratio) % 1 and not (whole and self.bin_width % 1 == 0):
            return None
        return int(ratio), int(truth_ratio)


class Pass:
    """What one pass over the data leaves: the sums of all rows, and those of each split.

    Where folds part the data these are kept, and the training rows of a split are added up only
    when they are asked for.
    """

    def __init__(
        self,
        total: CellStatistics,
        folds: Sequence[CellStatistics] | None = None,
        splits: Sequence[SplitStatistics] | None = None,
    ) -> None:
        self.total, self.folds, self._splits = total, folds, splits

    @property
    def splits(self) -> Sequence[SplitStatistics]:
        """Training and held-out rows of each split."""
        if self._splits is None:
            assert self.folds is not None
            pairs = zip(sums_of_others(self.folds), self.folds, strict=True)
            self._splits = [SplitStatistics(*pair) for pair in pairs]
        return self._splits

    @property
    def n_splits(self) -> int:
        return len(self.splits if self.folds is None else self.folds)

    def coarsen(self, factor: int, truth_factor: int) -> Pass:
        folds, splits = self.folds or (), self._splits or ()
        tests = folds or [split.test for split in splits]  # folds are held out themselves
        trains = [split.train for split in splits]
        total, *wide = coarsen_each([self.total, *tests, *trains], factor, truth_factor)
        wide_tests, wide_trains = wide[: len(tests)], wide[len(tests) :]
        pairs = [
            SplitStatistics(train, test, split.pooled)
            for train, test, split in zip(wide_trains, wide_tests, splits, strict=False)
        ]
        return Pass(total, wide_tests if folds else None, pairs or None)

    def pooled(self) -> Pass:
        """Return the pass on one cell that holds all rows, for what needs no other."""
        if self.folds is not None:
            return Pass(self.total.pooled(), [fold.pooled() for fold in self.folds])
        splits = [SplitStatistics(s.train.pooled(), s.test.pooled()) for s in self.splits]
        return Pass(self.total.pooled(), splits=splits)


def is_partition(splits: Sequence[Split], n_rows: int) -> bool:
    """Tell whether each row is held out once and serves for training in all other splits."""
    held_out = np.zeros(n_rows, dtype=np.bool_)
    for train, test in splits:
        if len(train) + len(test) != n_rows or held_out[test].any():
            return False
        held_out[test] = True
        seen = np.zeros(n_rows, dtype=np.bool_)
        seen[train] = True
        seen[test] = True
        if not seen.all():
            return False
    return len(splits) > 1 and bool(held_out.all())


def sums_of_others(parts: Sequence[CellStatistics]) -> list[CellStatistics]:
    """Return, for each part, the sum of all others: running sums from both ends.

    Of a, b, c, d these are b + (c + d), a + (c + d), (a + b) + d and (a + b) + c.
    """
    before, after = list(parts[:1]), list(parts[-1:])
    for part, opposite in zip(parts[1:-1], parts[-2:0:-1], strict=True):
        both = merge_each([[before[-1], part], [opposite, after[-1]]])
        before.append(both[0])
        after.append(both[1])
    after.reverse()
    inner = merge_each(list(zip(before, after[1:], strict=False)))
    return [after[0], *inner, before[-1]]


def pass_over(
    X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, splits: Sequence[Split], grid: Grid
) -> Pass:
    """Sum up all rows, and the training and held-out rows of each split, one by one.

    Folds that part the data need less: see `pass_over_folds`.
    """

    def sum_up(rows: IntArray) -> CellStatistics:
        where = neighbours(rows)
        weight = None if sample_weight is None else sample_weight[where]
        return accumulate(X[where], y[where], weight, **grid._asdict())

    tests = [sum_up(test) for _, test in splits]
    return _pair(sum_up(np.arange(len(X))), [sum_up(train) for train, _ in splits], tests)


def neighbours(rows: IntArray | slice) -> IntArray | slice:
    """Return row numbers as a slice where they are neighbours, which needs no copy of the rows."""
    if isinstance(rows, slice):
        return rows
    if rows.size and rows[-1] - rows[0] == rows.size - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def pass_over_folds(folds: Sequence[CellStatistics]) -> Pass:
    """Make a pass of folds that part the data: training rows are the sum of the other folds."""
    rows = [fold.n_cells for fold in folds]
    _check_sides([sum(rows) - own for own in rows], rows)
    return Pass(CellStatistics.merge(folds), folds)


def _pair(
    total: CellStatistics, trains: Sequence[CellStatistics], tests: Sequence[CellStatistics]
) -> Pass:
    """Make a pass of both sides of each split."""
    _check_sides([part.n_cells for part in trains], [part.n_cells for part in tests])
    splits = [SplitStatistics(*pair) for pair in zip(trains, tests, strict=True)]
    return Pass(total, splits=splits)


def _check_sides(trains: Sequence[int], tests: Sequence[int]) -> None:
    """Raise a ValueError unless both sides of each split have rows, given numbers of cells."""
    for number, sides in enumerate(zip(trains, tests, strict=True)):
        for side, n_cells in zip(("training", "held-out"), sides, strict=True):
            if not n_cells:
                raise ValueError(
                    f"cv split {number} has no {side} rows of positive sample_weight; "
                    "every split needs some on both sides."
                )


def needed_grids(grids: Sequence[Grid], *, whole: bool) -> list[Grid]:
    """Return those of the grids whose sums do not follow from those of a narrower one."""
    sources = _sources(grids, whole=whole)
    return [grid for grid, source in zip(grids, sources, strict=True) if source is None]


def _sources(grids: Sequence[Grid], *, whole: bool) -> list[tuple[Grid, tuple[int, int]] | None]:
    """Return from which grid each follows, and the factors, None where it does from none."""
    sources = []
    for number, grid in enumerate(grids):
        # The widest first: it has the fewest cells to coarsen.
        narrower = [(fine, fine.coarsening_to(grid, whole=whole)) for fine in grids[:number][::-1]]
        sources.append(next(((fine, factors) for fine, factors in narrower if factors), None))
    return sources


class Passes:
    """Passes on grids, each coarsened from that on a narrower one where this is exact.

    `sum_up` passes over the data on the grids that are needed, all at once; the others follow when
    they are asked for. Grids are in the order of their kinds of axes, and of rising bin width
    within each. `whole` says whether all predictions are whole numbers.
    """

    def __init__(
        self,
        grids: Sequence[Grid],
        sum_up: Callable[[list[Grid]], list[Pass]],
        *,
        whole: bool,
    ) -> None:
        self._sources = dict(zip(grids, _sources(grids, whole=whole), strict=True))
        needed = needed_grids(grids, whole=whole)
        self._made = dict(zip(needed, sum_up(needed), strict=True))

    def on(self, grid: Grid) -> Pass:
        """Return the pass on one of the grids."""
        if grid not in self._made:
            source = self._sources[grid]
            assert source is not None
            fine, factors = source
            self._made[grid] = self.on(fine).coarsen(*factors)
        return self._made[grid]
