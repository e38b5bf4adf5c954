"""How often each value of the truth occurs in each cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skensir._sums.binning import row_chunks
from skensir._sums.compiled import TruthTable
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

# Widest bins in which floats are looked at for being whole numbers: 256 steps of 1.
WHOLE_FLOATS = 256.0

# Rows that wait to be counted together, which is cheaper than counting them chunk by chunk.
_MAX_PENDING = 2**18


class TruthHistogram(NamedTuple):
    """The truth in each cell on a grid, empty places left out.

    A place of the grid holds the truth from `step` to `step` + 1 times `resolution`, and stands
    for the mean of it. So whole numbers are kept exactly at step 1, as is any truth whose distinct
    values lie further apart than a step; other truth moves by less than one step.

    Attributes
    ----------
    resolution : float
        Grid step.
    cell : ndarray of shape (n_entries,)
        Cell number of each entry, rising.
    step : ndarray of shape (n_entries,)
        Place on the grid, rising within a cell.
    weight : ndarray of shape (n_entries,)
        Sum of the sample weights.
    excess : ndarray of shape (n_entries,)
        Weighted sum of what the truth is above the lower end of its place.
    """

    resolution: float
    cell: IntArray
    step: IntArray
    weight: FloatArray
    excess: FloatArray

    def values_from(
        self, origin: FloatArray, dtype: type[np.floating[Any]] = np.float64
    ) -> FloatArray:
        """Return the truth of each entry as its distance from the origin of its cell."""
        lower = self.step.astype(dtype) * self.resolution - origin[self.cell]
        return np.asarray(lower + self.excess.astype(dtype, copy=False) / self.weight)

    def in_units(self, unit: float) -> TruthHistogram:
        """Return the histogram of the truth in another unit."""
        return self._replace(resolution=self.resolution / unit, excess=self.excess / unit)

    def select(self, chosen: BoolArray) -> TruthHistogram:
        """Return the entries of the chosen cells, which are numbered anew without gaps."""
        kept = chosen[self.cell]
        number = np.cumsum(chosen) - 1
        return TruthHistogram(
            self.resolution,
            number[self.cell[kept]],
            self.step[kept],
            self.weight[kept],
            self.excess[kept],
        )

    def regroup(self, number: IntArray, factor: int = 1) -> TruthHistogram:
        """Return the histogram with cell i called `number[i]` and `factor` steps made one."""
        step = self.step // factor
        excess = self.excess + (self.step - step * factor) * self.resolution * self.weight
        entries = _sum_entries(number[self.cell], step, self.weight, excess)
        return TruthHistogram(self.resolution * factor, *entries)

    def regrid(self, resolution: float) -> TruthHistogram:
        """Return the histogram on another grid, as it would have been counted there.

        Exact where every place holds one value only, as with whole numbers at step 1, or where
        the places of the new grid are made of whole places of this one.
        """
        if resolution == self.resolution:
            return self
        values = self.step * self.resolution + self.excess / self.weight
        step, excess = _place(values, resolution)
        entries = _sum_entries(self.cell, step, self.weight, excess * self.weight)
        return TruthHistogram(resolution, *entries)

    @staticmethod
    def merge(parts: Sequence[TruthHistogram]) -> TruthHistogram:
        """Add up histograms of one resolution whose cells are numbered alike."""
        entries = (np.concatenate(arrays) for arrays in zip(*[p[1:] for p in parts], strict=True))
        return TruthHistogram(parts[0].resolution, *_sum_entries(*entries))

    @staticmethod
    def stack(parts: Sequence[TruthHistogram], firsts: Sequence[int]) -> TruthHistogram:
        """Put histograms of one resolution behind each other: their cells stay apart.

        `firsts` are the numbers that the first cell of each gets.
        """
        cells = [part.cell + first for part, first in zip(parts, firsts, strict=True)]
        rest = (np.concatenate(arrays) for arrays in zip(*[p[2:] for p in parts], strict=True))
        return TruthHistogram(parts[0].resolution, np.concatenate(cells), *rest)


class TruthCounter:
    """Build a `TruthHistogram` from chunks of rows, by compiled code where `table` is given."""

    def __init__(self, resolution: float, table: TruthTable | None = None) -> None:
        nothing = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
        self._parts = [TruthHistogram(resolution, *nothing)]
        self._n_pending = 0
        self._table = table

    def add(self, cell: IntArray, truth: FloatArray, weight: FloatArray | None) -> None:
        """Count rows: cell numbers, truth, and sample weights (None: one each)."""
        if self._table is not None and self._table.add(cell, truth, weight):
            return
        resolution = self._parts[0].resolution
        step, excess = _place(truth, resolution)
        if weight is None:
            weight = np.ones(cell.size)
        else:
            excess *= weight
        self._parts.append(TruthHistogram(resolution, cell, step, weight, excess))
        self._n_pending += cell.size
        # To wait for as many rows as there are entries keeps the cost of a row constant.
        if self._n_pending > max(_MAX_PENDING, self._parts[0].cell.size):
            self._merge_pending()

    def count(self, cell: IntArray, truth: FloatArray, n_cells: int) -> FloatArray | None:
        """Return what `add_counts` takes of rows, None if it cannot; threads may ask at a time."""
        return None if self._table is None else self._table.count(cell, truth, n_cells)

    def add_counts(self, counts: FloatArray) -> None:
        """Add what `count` has returned."""
        assert self._table is not None
        self._table.add_counts(counts)

    def _merge_pending(self) -> None:
        self._parts, self._n_pending = [TruthHistogram.merge(self._parts)], 0

    def finish(self) -> TruthHistogram:
        """Return the histogram of all rows."""
        if self._table is not None:
            counted = TruthHistogram(self._parts[0].resolution, *self._table.entries())
            self._parts.append(counted)
        self._merge_pending()
        return self._parts[0]


def _place(truth: FloatArray, resolution: float) -> tuple[IntArray, FloatArray]:
    """Return the place of each value on the grid, and what it is above the place's lower end."""
    step = truth / resolution
    check_places(step, resolution, truth)
    np.floor(step, out=step)
    return step.astype(np.int64), truth - step * resolution


def check_places(step: FloatArray, resolution: float, truth: FloatArray | None = None) -> None:
    """Raise a ValueError where places on the grid are too many to be told apart.

    The truth is told from its places where it is not given; these may overflow.
    """
    if np.abs(step).max(initial=0.0) > 2.0**53:
        largest = float(np.abs(step * resolution if truth is None else truth).max())
        raise ValueError(
            f"y has values as large as {largest:.6g}, too large for target_resolution == "
            f"{resolution!r}, which must be at least {largest / 2.0**53:.3g} for them."
        )


def _sum_entries(
    cell: IntArray, step: IntArray, weight: FloatArray, excess: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Sort by cell and step, and sum what falls into the same place."""
    if not cell.size:
        return cell, step, weight, excess
    low = int(step.min())
    span = int(step.max()) - low + 1
    if (int(cell.max()) + 1) * span <= 16 * cell.size:
        # Many rows for every possible place, as with 8-bit images: a table of all places.
        key = cell * span + (step - low)
        weights: AnyArray = np.bincount(key, weight)
        place = np.flatnonzero(weights)
        excesses: AnyArray = np.bincount(key, excess)
        cell, step = np.divmod(place, span)
        return cell, step + low, weights[place], excesses[place]
    order = np.lexsort((step, cell))
    cell, step = cell[order], step[order]
    changes = (np.diff(cell) != 0) | (np.diff(step) != 0)
    first = np.flatnonzero(np.concatenate([[True], changes]))
    sums = np.add.reduceat(np.stack([weight[order], excess[order]]), first, axis=1)
    return cell[first], step[first], sums[0], sums[1]


def auto_resolution(bin_width: float, *, whole: bool) -> float:
    """Return the grid step of truth that is whole numbers, or is not.

    Whole numbers are kept exactly, at step 1; otherwise a bin has 256 steps. It never has more
    than 2**16 of them, so that huge whole numbers do not fill the memory.
    """
    return max(1.0, bin_width / 2**16) if whole else bin_width / 256


def is_whole(y: AnyArray, sample_weight: FloatArray | None) -> bool:
    """Tell whether the truth of all rows that have weight is whole numbers."""

    def chunk_is_whole(rows: slice) -> bool:
        truth = y[rows] if sample_weight is None else y[rows][sample_weight[rows] > 0]
        return np.array_equal(truth, np.rint(truth))

    return y.dtype.kind in "iub" or all(map(chunk_is_whole, row_chunks(len(y), 1)))


def resolve_target_resolution(
    target_resolution: float | str,
    y: AnyArray,
    sample_weight: FloatArray | None,
    bin_width: float,
) -> float:
    """Return the grid step of the truth's histogram, which "auto" leaves to us."""
    if not isinstance(target_resolution, str):
        return float(target_resolution)
    return auto_resolution(bin_width, whole=counts_as_whole(y, sample_weight, bin_width))


def counts_as_whole(y: AnyArray, sample_weight: FloatArray | None, bin_width: float) -> bool:
    """Tell whether the truth is to be counted as whole numbers.

    Integers are. Floats that happen to be whole are where a step of 1 is no finer than that of
    other floats: so the grid does not tell between values of which some are whole in one unit
    and not in another.
    """
    return y.dtype.kind in "iub" or (bin_width <= WHOLE_FLOATS and is_whole(y, sample_weight))
