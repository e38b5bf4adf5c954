"""Tables made ready to predict: one of them, or several whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skensir._core.combine import Combiner, combine_rows, combiner, find_cells, with_unseen
from skensir._core.table import LookupTable
from skensir._sums.axes import Axes
from skensir._sums.cells import CellIndex, index_of_table
from skensir._typing import AnyArray, FloatArray, IntArray


def table_lines(table: LookupTable, name: str, default: str) -> FloatArray:
    """Return a field of all lines in the order of an index: cells, ancestors, default."""
    ancestors = getattr(table, f"ancestor_{name.removeprefix('cell_')}")
    return with_unseen(getattr(table, name), ancestors, getattr(table, default))


class Lookup(NamedTuple):
    """What finds the cell of a row, and a line per cell, per ancestor and for all else.

    Attributes
    ----------
    cells : CellIndex
        Index of the cells and their ancestors.
    axes : Axes
        What the cells are made of.
    weights : ndarray of shape (n_lines, n_models)
        Of the models.
    intercepts, rmse : ndarray of shape (n_lines,)
        What is added to the weighted sum, and how far that errs; not a number where it is unknown.
    """

    cells: CellIndex
    axes: Axes
    weights: FloatArray
    intercepts: FloatArray
    rmse: FloatArray

    @classmethod
    def of(cls, table: LookupTable, axes: Axes, index: CellIndex | None = None) -> Lookup:
        """Return that of a table, whose index may be at hand."""
        if index is None:
            index = index_of_table(table.cells, table.ancestor_cells, table.ancestor_levels)
        weights = table_lines(table, "weights", "default_weights")
        intercepts = table_lines(table, "intercepts", "default_intercept")
        rmse = table_lines(table, "cell_rmse", "default_rmse")
        return cls(index, axes, weights, intercepts, rmse)

    @property
    def has_intercepts(self) -> bool:
        """Whether anything is added to the weighted sums."""
        return bool(self.intercepts.any())

    @property
    def is_convex(self) -> bool:
        """Whether weighted sums lie between the smallest and the largest of a row."""
        return bool(self.weights.min() >= 0)

    def find(self, X: AnyArray, n_threads: int = 1) -> IntArray:
        """Return the number of the line of each row."""
        return find_cells(X, self.cells, self.axes, n_threads)

    def combiner(self, X: AnyArray) -> Combiner:
        """Return what writes the weighted sums of a chunk of `X`."""
        intercepts = self.intercepts if self.has_intercepts else None
        return combiner(X, self.cells, self.axes, self.weights, intercepts, convex=self.is_convex)

    def combine(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the weighted sum of each row, (n_rows,)."""
        return combine_rows(X, self.combiner(X), n_threads)

    def check_errors(self) -> None:
        """Raise a ValueError if nobody knows what predictions err."""
        if np.isnan(self.rmse[-1]):
            raise ValueError("A released table holds no errors for return_std and intervals.")

    def errors(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the root mean squared error in the cell of each row, (n_rows,)."""
        self.check_errors()
        return self.rmse[self.find(X, n_threads)]

    def weigh(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the weights of each row, (n_rows, n_models)."""
        return self.weights[self.find(X, n_threads)]


class AveragedLookups(NamedTuple):
    """Several tables, whose predictions are averaged.

    Attributes
    ----------
    lookups : sequence of Lookup
        On several kinds of axes, of the same models.
    shares : sequence of float
        Of each in the average; they sum to one.
    """

    lookups: Sequence[Lookup]
    shares: Sequence[float] | FloatArray

    def combiner(self, X: AnyArray) -> Combiner:
        """Return what writes the averages for a chunk of `X`."""
        combiners = [lookup.combiner(X) for lookup in self.lookups]

        def combine_chunk(rows: AnyArray, out: FloatArray) -> None:
            combined = np.empty(len(rows))
            out[:] = 0.0
            for share, combine_one in zip(self.shares, combiners, strict=True):
                combine_one(rows, combined)
                combined *= share
                out += combined

        return combine_chunk

    def combine(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the average of what the tables make of each row, (n_rows,)."""
        return combine_rows(X, self.combiner(X), n_threads)

    def check_errors(self) -> None:
        """Raise a ValueError if nobody knows what predictions of one of them err."""
        for lookup in self.lookups:
            lookup.check_errors()

    def errors(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the root of the average square: an average errs no more than what is averaged."""
        squares = np.zeros(len(X))
        for share, lookup in zip(self.shares, self.lookups, strict=True):
            squares += share * lookup.errors(X, n_threads) ** 2
        return np.sqrt(squares)

    def weigh(self, X: AnyArray, n_threads: int = 1) -> FloatArray:
        """Return the average of the weights of each row, (n_rows, n_models)."""
        weights = np.zeros(X.shape)
        for share, lookup in zip(self.shares, self.lookups, strict=True):
            weights += share * lookup.weigh(X, n_threads)
        return weights


def average_lookups(
    lookups: Sequence[Lookup], shares: Sequence[float] | FloatArray
) -> Lookup | AveragedLookups:
    """Return what predicts the average; of one it is that one."""
    return lookups[0] if len(lookups) == 1 else AveragedLookups(lookups, shares)
