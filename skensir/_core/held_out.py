"""What a table errs on rows that it has not seen, from sums of parts of the rows alone.

The parts, such as images, are dealt out to folds. For each fold a table is made of the sums of all
others, and the squared error of its weights on a part of the fold is a sum over the cells of that
part: nothing is predicted. So it costs no more than to solve as many tables as there are folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from skensir._core.cross_validation import sums_of_others
from skensir._core.lookup import Lookup
from skensir._core.solve import Settings, solve_tables
from skensir._core.table import LookupTable
from skensir._sums.statistics import CellStatistics
from skensir._typing import FloatArray

# Where a fold has more entries of the truth than this, so many steps of a bin are enough.
_MANY_ENTRIES, _ENOUGH_STEPS = 2**16, 256


class HeldOutParts(NamedTuple):
    """Parts of the rows, and for each fold of them the sums that its table is made of.

    Attributes
    ----------
    trains : list of CellStatistics
        For each fold the sums of the rows of all others; none where there is one fold only.
    parts : list of list of CellStatistics
        The sums of the parts of each fold, of which nothing is asked about the truth.
    """

    trains: list[CellStatistics]
    parts: list[list[CellStatistics]]

    @classmethod
    def of_folds(
        cls, folds: Sequence[CellStatistics], parts: Sequence[Sequence[CellStatistics]]
    ) -> HeldOutParts:
        """Hold out one fold after the other, given the sums of each and those of its parts."""
        trains = []
        if len(folds) > 1:
            trains = sums_of_others([_with_fewer_steps(fold) for fold in folds])
        return cls(trains, [list(of_fold) for of_fold in parts])

    def without_model(self, model: int) -> HeldOutParts:
        """Return the same rows without one of the models; their cells are those of predictions."""
        return HeldOutParts(
            [train.without_model(model) for train in self.trains],
            [[part.without_model(model) for part in of_fold] for of_fold in self.parts],
        )

    def moments(self) -> FloatArray:
        """Return the sums of products of two models' errors, (n_parts, n_models, n_models)."""
        parts = chain.from_iterable(self.parts)
        return np.array([part.weight.sum() * part.pooled_error_moments() for part in parts])

    def squared_errors(self, settings: Settings) -> FloatArray:
        """Return the sum of squared errors of the tables on each part, (n_parts,).

        The parts of the first fold come first. Not a number where there is one fold only.
        """
        if not self.trains:
            return np.full(sum(map(len, self.parts)), np.nan)
        tables = solve_tables(self.trains, settings)
        pairs = zip(tables, self.parts, strict=True)
        return np.array(list(chain.from_iterable(_errors(*pair) for pair in pairs)))


def _errors(table: LookupTable, parts: Sequence[CellStatistics]) -> list[float]:
    """Return the sum of the squared errors of a table on each of several parts."""
    lookup = Lookup.of(table, parts[0].axes)
    errors = []
    for part in parts:
        place = lookup.cells.find(part.cells.T)
        lines = lookup.weights[place], lookup.intercepts[place]
        errors.append(float(part.squared_error(*lines).sum()))
    return errors


def _with_fewer_steps(statistics: CellStatistics) -> CellStatistics:
    """Return the statistics with no more steps of the truth than EM needs.

    Truth in 16 bits has a step for each value, at a cost that many tables do not warrant. Of many
    rows, those in one of 256 steps of a bin, or not twice as many, count as their mean there, as
    other floats do.
    """
    if statistics.truth is None or len(statistics.truth.cell) <= _MANY_ENTRIES:
        return statistics
    factor = int(statistics.bin_width / _ENOUGH_STEPS / statistics.truth.resolution)
    if factor < 2:
        return statistics
    numbers = np.arange(statistics.n_cells)
    return statistics._replace(truth=statistics.truth.regroup(numbers, factor))
