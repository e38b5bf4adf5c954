"""Cross-validation on sufficient statistics: exact, in one pass over the data, no prediction.

The held-out squared error of any weights is a sum over cells of ``w' P w``, with P the error
products of the held-out rows. So the rows of a fold are summed up once, and then a combination of
parameters costs as much as there are cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from skensir._core.accumulate import accumulate
from skensir._core.cells import CellIndex
from skensir._core.combine import with_unseen
from skensir._core.least_squares import simplex_weights
from skensir._core.pooled import Pooled, average_weights, best_model_weights
from skensir._core.statistics import CellStatistics
from skensir._typing import AnyArray, FloatArray, IntArray

Split = tuple[IntArray, IntArray]

# What needs no table, and has to be beaten by one.
RIVALS = {
    "average": average_weights,
    "best_model": best_model_weights,
    "convex": simplex_weights,
}


class SplitStatistics:
    """Statistics of the training and of the held-out rows of one split, at one bin width."""

    def __init__(self, train: CellStatistics, test: CellStatistics) -> None:
        self.train, self.test = train, test
        # Where the training rows keep the weights of each cell of the held-out rows.
        self._cell_in_train = CellIndex(train.cells).find(test.cells.T)
        self.pooled = Pooled(train.pooled_error_moments())

    def coarsen(self, factor: int, truth_factor: int) -> SplitStatistics:
        return SplitStatistics(
            self.train.coarsen(factor, truth_factor), self.test.coarsen(factor, truth_factor)
        )

    def held_out_error(self, weights: FloatArray, default_weights: FloatArray) -> float:
        """Mean squared error of a table of the training rows on the held-out rows."""
        looked_up = with_unseen(weights, default_weights)[self._cell_in_train]
        return float(self.test.squared_error(looked_up).sum() / self.test.weight.sum())

    def held_out_errors_of_rivals(self) -> dict[str, float]:
        """Mean squared error on the held-out rows of what needs no table."""
        held_out = self.test.pooled_error_moments()
        rivals = {name: self.pooled.weights(find) for name, find in RIVALS.items()}
        return {name: float(weights @ held_out @ weights) for name, weights in rivals.items()}


class Grid(NamedTuple):
    """Bin width of the cells, and grid step of the histogram of the truth where there is one."""

    bin_width: float
    target_resolution: float | None

    def coarsening_to(self, wider: Grid, *, whole: bool) -> tuple[int, int] | None:
        """Return by what to coarsen bins and histogram, None where the grids do not nest.

        Scaling by a power of two is exact in floating point, so bins nest to the last bit. Other
        whole ratios do so only where predictions and widths are whole numbers.
        """
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


class Pass(NamedTuple):
    """What one pass over the data leaves: all rows, and those of each split."""

    total: CellStatistics
    splits: list[SplitStatistics]

    def coarsen(self, factor: int, truth_factor: int) -> Pass:
        splits = [split.coarsen(factor, truth_factor) for split in self.splits]
        return Pass(self.total.coarsen(factor, truth_factor), splits)


def _is_partition(splits: Sequence[Split], n_rows: int) -> bool:
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


def _sums_of_others(parts: Sequence[CellStatistics]) -> list[CellStatistics]:
    """Return, for each part, the sum of all others: running sums from both ends.

    Of a, b, c, d these are b + (c + d), a + (c + d), (a + b) + d and (a + b) + c.
    """
    before, after = list(parts[:1]), list(parts[-1:])
    for part in parts[1:-1]:
        before.append(CellStatistics.merge([before[-1], part]))
    for part in parts[-2:0:-1]:
        after.append(CellStatistics.merge([part, after[-1]]))
    after.reverse()
    inner = [CellStatistics.merge(pair) for pair in zip(before, after[1:], strict=False)]
    return [after[0], *inner, before[-1]]


def pass_over(
    X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, splits: Sequence[Split], grid: Grid
) -> Pass:
    """Sum up all rows, and the training and held-out rows of each split.

    Folds that part the data, each row being held out once, are summed up once each. Other splits
    are summed up one by one.
    """

    def sum_up(rows: IntArray) -> CellStatistics:
        # Neighbouring rows, such as the pixels of an image, need no copy.
        if rows.size and rows[-1] - rows[0] == rows.size - 1 and (np.diff(rows) == 1).all():
            where: IntArray | slice = slice(int(rows[0]), int(rows[-1]) + 1)
        else:
            where = rows
        weight = None if sample_weight is None else sample_weight[where]
        return accumulate(X[where], y[where], weight, **grid._asdict())

    tests = [sum_up(test) for _, test in splits]
    if _is_partition(splits, len(X)):
        return pass_over_folds(tests)
    return _pair(sum_up(np.arange(len(X))), [sum_up(train) for train, _ in splits], tests)


def pass_over_folds(folds: Sequence[CellStatistics]) -> Pass:
    """Make a pass of folds that part the data: training rows are the sum of the other folds."""
    return _pair(CellStatistics.merge(folds), _sums_of_others(folds), folds)


def _pair(
    total: CellStatistics, trains: Sequence[CellStatistics], tests: Sequence[CellStatistics]
) -> Pass:
    """Make a pass of both sides of each split, of which each needs rows."""
    for number, (train, test) in enumerate(zip(trains, tests, strict=True)):
        for side, part in (("training", train), ("held-out", test)):
            if not part.n_cells:
                raise ValueError(
                    f"cv split {number} has no {side} rows of positive sample_weight; "
                    "every split needs some on both sides."
                )
    return Pass(total, [SplitStatistics(*pair) for pair in zip(trains, tests, strict=True)])


def passes_on(
    grids: Sequence[Grid], sum_up: Callable[[list[Grid]], list[Pass]], *, whole: bool
) -> Iterator[Pass]:
    """Yield a pass on each grid, of rising bin width, coarsened from a narrower one where exact.

    `sum_up` passes over the data on the grids that are needed. `whole` says whether all predictions
    are whole numbers.
    """
    sources = []
    for number, grid in enumerate(grids):
        # The widest first: it has the fewest cells to coarsen.
        narrower = [(fine, fine.coarsening_to(grid, whole=whole)) for fine in grids[:number][::-1]]
        sources.append(next(((fine, factors) for fine, factors in narrower if factors), None))
    needed = [grid for grid, source in zip(grids, sources, strict=True) if source is None]
    passes = dict(zip(needed, sum_up(needed), strict=True))
    for grid, source in zip(grids, sources, strict=True):
        if source is not None:
            fine, factors = source
            passes[grid] = passes[fine].coarsen(*factors)
        yield passes[grid]
