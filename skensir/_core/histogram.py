"""How often each value of the truth occurs in each cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skensir._core._typing import AnyArray, BoolArray, FloatArray, IntArray

# Rows that wait to be counted together, which is cheaper than counting them chunk by chunk.
_MAX_PENDING = 2**18


@dataclass(frozen=True)
class TruthHistogram:
    """Weighted counts of the truth on a grid, cell by cell, empty places left out.

    Attributes
    ----------
    resolution : float
        Grid step; a truth counts to the nearest multiple. Whole numbers are kept exactly at
        step 1, otherwise a value moves by at most half a step.
    cell : ndarray of shape (n_entries,)
        Cell number of each entry, rising.
    step : ndarray of shape (n_entries,)
        The truth in grid steps, rising within a cell.
    weight : ndarray of shape (n_entries,)
        Sum of the sample weights.
    """

    resolution: float
    cell: IntArray
    step: IntArray
    weight: FloatArray

    def renumbered(self, number: IntArray) -> TruthHistogram:
        """Return the histogram with cell i called `number[i]`; equal numbers are merged."""
        entries = _sum_entries(number[self.cell], self.step, self.weight)
        return TruthHistogram(self.resolution, *entries)

    def selected(self, chosen: BoolArray) -> TruthHistogram:
        """Return the entries of the chosen cells, which are numbered anew without gaps."""
        kept = chosen[self.cell]
        number = np.cumsum(chosen) - 1
        return replace(
            self,
            cell=number[self.cell[kept]],
            step=self.step[kept],
            weight=self.weight[kept],
        )


class TruthCounter:
    """Build a `TruthHistogram` from chunks of rows."""

    def __init__(self, resolution: float) -> None:
        self.resolution = resolution
        self._entries: tuple[AnyArray, ...] = (
            np.empty(0, dtype=np.intp),
            np.empty(0, dtype=np.int64),
            np.empty(0),
        )
        self._pending: list[tuple[AnyArray, ...]] = []
        self._n_pending = 0

    def add(
        self,
        cell: IntArray,
        truth: FloatArray,
        weight: FloatArray | None,
    ) -> None:
        """Count rows: cell numbers, truth, and sample weights (None: one each)."""
        step = np.rint(truth / self.resolution)
        largest = float(np.abs(truth).max())
        if largest / self.resolution > 2.0**53:
            raise ValueError(
                f"target_resolution={self.resolution!r} is too fine for targets as large as "
                f"{largest:.6g}: it must be at least {largest / 2.0**53:.3g}."
            )
        if weight is None:
            weight = np.ones(cell.size)
        self._pending.append((cell, step.astype(np.int64), weight))
        self._n_pending += cell.size
        # To wait for as many rows as there are entries keeps the cost of a row constant.
        if self._n_pending > max(_MAX_PENDING, self._entries[0].size):
            self._count()

    def _count(self) -> None:
        columns = zip(self._entries, *self._pending, strict=True)
        self._entries = _sum_entries(*(np.concatenate(parts) for parts in columns))
        self._pending, self._n_pending = [], 0

    def finish(self) -> TruthHistogram:
        """Return the histogram of all rows so far."""
        self._count()
        return TruthHistogram(self.resolution, *self._entries)


def _sum_entries(
    cell: IntArray, step: IntArray, weight: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Sort by cell and step, and sum the weights of equal pairs."""
    if not cell.size:
        return cell, step, weight
    low = int(step.min())
    span = int(step.max()) - low + 1
    if (int(cell.max()) + 1) * span <= 16 * cell.size:
        # Many rows for every possible pair, as with 8-bit images: a table of all pairs.
        total: FloatArray = np.bincount(cell * span + (step - low), weight)
        occupied = np.flatnonzero(total)
        cell, step = np.divmod(occupied, span)
        return cell, step + low, total[occupied]
    order = np.lexsort((step, cell))
    cell, step, weight = cell[order], step[order], weight[order]
    changes = (np.diff(cell) != 0) | (np.diff(step) != 0)
    first = np.flatnonzero(np.concatenate([[True], changes]))
    return cell[first], step[first], np.add.reduceat(weight, first)
