"""Sums of rows fold by fold: all that cross-validation depends on, in parts that add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skensir._core.cross_validation import Grid, Pass, neighbours, pass_over_folds
from skensir._sums.accumulate import accumulate
from skensir._sums.statistics import CellStatistics
from skensir._threads import in_threads
from skensir._typing import AnyArray, FloatArray, IntArray


class FoldSums(NamedTuple):
    """The sums of the rows of each fold, on each grid.

    Attributes
    ----------
    labels : list
        What the folds are called, such as numbers; distinct.
    folds : list of list of CellStatistics
        A line per fold, in the order of the labels, with the sums on each grid.
    """

    labels: list[Any]
    folds: list[list[CellStatistics]]

    @property
    def n_cells(self) -> int:
        """Number of cells of all folds together; without any there were no rows."""
        return sum(sums.n_cells for fold in self.folds for sums in fold)

    @property
    def size(self) -> int:
        """Number of sums, which memory and the cost of a merger follow."""
        return sum(sums.size for fold in self.folds for sums in fold)

    @staticmethod
    def merge(parts: Sequence[FoldSums]) -> FoldSums:
        """Add up the sums of equal folds."""
        of_label: dict[Any, list[list[CellStatistics]]] = {}
        for part in parts:
            for label, fold in zip(part.labels, part.folds, strict=True):
                of_label.setdefault(label, []).append(fold)
        folds = [
            [CellStatistics.merge(on_grid) for on_grid in zip(*same, strict=True)]
            for same in of_label.values()
        ]
        return FoldSums(list(of_label), folds)

    def occupied(self) -> FoldSums:
        """Return the folds that have rows: those of weight zero are absent, and make no fold."""
        there = [i for i, fold in enumerate(self.folds) if any(sums.n_cells for sums in fold)]
        return FoldSums([self.labels[i] for i in there], [self.folds[i] for i in there])

    def in_order(self) -> FoldSums:
        """Return the folds in the order of their labels, however they came."""
        order = sorted(range(len(self.labels)), key=lambda fold: _sort_key(self.labels[fold]))
        return FoldSums([self.labels[i] for i in order], [self.folds[i] for i in order])

    def passes(self) -> list[Pass]:
        """Return for each grid what it is to leave one fold out after the other."""
        return [pass_over_folds(on_grid) for on_grid in zip(*self.folds, strict=True)]


def _sort_key(label: Any) -> tuple[bool, bool, Any]:
    """Order numbers before words, and these before folds without a name."""
    return isinstance(label, tuple), isinstance(label, str), label


def sum_up_folds(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None,
    rows_of_folds: Sequence[IntArray | slice],
    labels: Sequence[Any],
    grids: Sequence[Grid],
    n_threads: int = 1,
) -> FoldSums:
    """Sum up the rows of each fold."""
    tasks = [(neighbours(rows), grid) for rows in rows_of_folds for grid in grids]
    # Where there are fewer of them than threads, each takes all threads.
    outside, inside = (n_threads, 1) if len(tasks) >= n_threads else (1, n_threads)

    def sum_up(task: tuple[IntArray | slice, Grid]) -> CellStatistics:
        where, grid = task
        weight = None if sample_weight is None else sample_weight[where]
        return accumulate(X[where], y[where], weight, **grid._asdict(), n_threads=inside)

    sums = in_threads(sum_up, tasks, outside)
    n = len(grids)
    return FoldSums(list(labels), [sums[i * n : (i + 1) * n] for i in range(len(rows_of_folds))])


def rows_by_label(labels: AnyArray) -> tuple[list[Any], list[IntArray]]:
    """Return the distinct labels of rows, and the rows that have each."""
    distinct, fold_of_row = np.unique(labels, return_inverse=True)
    order = np.argsort(fold_of_row, kind="stable")
    ends = np.cumsum(np.bincount(fold_of_row, minlength=len(distinct)))
    return distinct.tolist(), np.split(order, ends[:-1])


def label_folds(rows_of_folds: Sequence[IntArray], groups: AnyArray | None) -> list[Any]:
    """Return the group of each fold where each has one of its own, else their numbers."""
    if groups is not None:
        firsts = [groups[rows[0]] for rows in rows_of_folds]
        pure = all(
            (groups[neighbours(rows)] == first).all()
            for rows, first in zip(rows_of_folds, firsts, strict=True)
        )
        labels: list[Any] = np.array(firsts).tolist()
        if pure and len(set(labels)) == len(labels):
            return labels
    return list(range(len(rows_of_folds)))
