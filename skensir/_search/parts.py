"""A search over rows that come in parts, such as images, each of which lies in one fold.

What is kept of a part are its sums, on the narrowest bins that may do, and a few rows to calibrate
by. So memory follows the occupied cells of each fold, and what is found is what all rows at once
would give: wider bins follow from narrower ones, whatever the first part was like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skensir._checks import shown
from skensir._core.cross_validation import Grid, needed_grids
from skensir._core.folds import FoldSums, sum_up_folds
from skensir._jobs import count_threads
from skensir._search.candidates import Rows, most_cells
from skensir._search.space import NESTED
from skensir._search.splits import N_FOLDS, N_NEIGHBOURING
from skensir._search.table_search import MAX_CALIBRATED, TableSearch
from skensir._sums.cells import distinct_cells
from skensir._typing import AnyArray, IntArray


def deal_out_parts(cv: Any, *, shuffle: bool) -> Callable[[int], int] | None:
    """Return what tells the fold of a part by its number, None where `cv` parts single rows.

    Parts are dealt out in turn, so that nothing need be known of those to come. For parts of one
    size these are the folds of GroupKFold.
    """
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut  # the import stays cheap

    if type(cv) is LeaveOneGroupOut:
        return lambda number: number
    n_folds = N_FOLDS if shuffle else N_NEIGHBOURING
    if type(cv) is GroupKFold and not getattr(cv, "shuffle", False):
        n_folds = cv.n_splits
    elif cv is not None:
        return None
    return lambda number: number % n_folds


class SearchInParts:
    """A search to which parts of the rows are added, one after the other.

    Parameters
    ----------
    search : EnsIRRegressorCV
        The estimator to fit, which is fitted after `finish`.
    """

    def __init__(self, search: TableSearch) -> None:
        self._search = search
        self._sums = FoldSums([], [])
        self._cells: list[IntArray] = []  # occupied ones of each grid, whatever the fold
        self._to_calibrate: dict[int, _SomeRows] = {}
        self._of_last: tuple[Any, list[Grid]] | None = None

    def add(self, X: AnyArray, y: AnyArray, fold: int) -> None:
        """Add the rows of a part, all of which lie in one fold."""
        search, begun = self._search, bool(self._to_calibrate)
        rows = search._validate_rows(X, y, None, reset=not begun)
        if not len(rows[0]):  # an image without pixels adds nothing, and is no fold
            return
        if begun:
            search._look_at(*rows)
        else:
            search._begin(rows, may_grow=True)
        n_threads = count_threads(search.n_jobs)
        sums = sum_up_folds(*rows, [slice(None)], [fold], self._grids(), n_threads)
        self._sums = FoldSums.merge([self._sums, sums])
        self._widen([of_grid.cells for of_grid in sums.folds[0]])
        self._to_calibrate.setdefault(fold, _SomeRows()).add(rows[0], rows[1])

    def _grids(self) -> list[Grid]:
        """Return what a part is summed up by: that of the last one, but for range and widths."""
        search = self._search
        known_by = search._current_range(), str(search._widths)
        if self._of_last is None or self._of_last[0] != known_by:
            grids = search._grids(search._partial_resolution)
            self._of_last = known_by, needed_grids(grids, whole=False)
        return self._of_last[1]

    def _widen(self, cells: list[IntArray]) -> None:
        """Give up bins in which there are more cells than a table may have, given new ones."""
        search = self._search
        if search.shrink_to != "parent" or not isinstance(search.bin_widths, str):
            return
        if list(search.objectives) != [NESTED]:  # others are tried on bins of their own
            return
        known = self._cells or [of_grid[:0] for of_grid in cells]
        self._cells = [
            distinct_cells(np.concatenate(pair).T) for pair in zip(known, cells, strict=True)
        ]
        for place, sums in enumerate(self._sums.folds[0]):
            widths = search._widths[sums.axes.kind]
            while len(widths) > 1 and len(self._cells[place]) > most_cells(
                np.inf, search.n_features_in_
            ):
                widths.pop()
                self._cells[place] = distinct_cells((self._cells[place] >> 1).T)
                for fold in self._sums.folds:
                    fold[place] = fold[place].coarsen(2)

    def finish(self) -> TableSearch:
        """Choose among all candidates, and return the search."""
        search, sums = self._search, self._sums.in_order()
        n_splits = getattr(search.cv, "n_splits", 2)
        if len(sums.labels) < n_splits:
            raise ValueError(
                f"cv == {shown(search.cv)} needs at least {n_splits} images, but there are "
                f"{len(sums.labels)}."
            )
        search._statistics = [sums]

        def held_out(split: int) -> Rows:
            some = self._to_calibrate[sums.labels[split]]
            return np.concatenate(some.X), np.concatenate(some.y), None

        return search._choose(
            lambda _: sums.passes(),
            search._partial_resolution,
            whole=False,
            held_out=held_out,
        )


class _SomeRows:
    """Rows evenly spaced over those of several parts, no more than suffice to calibrate."""

    def __init__(self) -> None:
        self.X: list[AnyArray] = []
        self.y: list[AnyArray] = []
        self._step = 0

    def add(self, X: AnyArray, y: AnyArray) -> None:
        """Add rows of a part, and thin all out where they are too many."""
        self._step = self._step or -(-len(y) // MAX_CALIBRATED)
        self.X.append(X[:: self._step].copy())
        self.y.append(y[:: self._step].copy())
        while sum(map(len, self.y)) > MAX_CALIBRATED:
            self._step *= 2
            self.X, self.y = [[part[::2].copy() for part in parts] for parts in (self.X, self.y)]
