"""What an objective is: a part that finds the weights of cells, and says what it needs for that.

A new one is a module beside `least_squares` and `likelihood`, and a line in `solve.OBJECTIVES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from skensir._sums.statistics import CellStatistics
from skensir._track import Track
from skensir._typing import BoolArray, FloatArray, IntArray


class Solution(NamedTuple):
    """What is found for some cells, a line or a number for each."""

    weights: FloatArray
    intercepts: FloatArray
    variances: FloatArray  # of a mixture's components, of the predictions where there is none
    n_iter: IntArray
    converged: BoolArray
    degenerate: BoolArray  # cells that keep their default weights, as there are no others for them

    @classmethod
    def at_start(
        cls,
        weights: FloatArray,
        variances: FloatArray,
        intercepts: FloatArray | None = None,
        n_iter: int = 0,
    ) -> Solution:
        """Return a solution for which nothing, or one step that always succeeds, was needed."""
        none = np.zeros(len(weights), dtype=np.bool_)
        if intercepts is None:
            intercepts = np.zeros(len(weights))
        return cls(weights, intercepts, variances, np.full(len(weights), n_iter), ~none, none)

    def update(self, cells: IntArray, solution: Solution) -> None:
        """Write down what was found for the cells with these numbers."""
        for mine, found in zip(self, solution, strict=True):
            mine[cells] = found


class Unsolved(NamedTuple):
    """Cells whose weights are to be found."""

    statistics: CellStatistics  # of all cells
    cells: IntArray  # numbers of those to solve, rising
    start: FloatArray  # their default weights, (n_unsolved, n_models)
    variances: FloatArray  # of their predictions, likewise
    pooled_moments: FloatArray  # mean products of the models' errors over all rows
    pooled_means: FloatArray | None  # mean errors, where there are sums of them
    default_weights: FloatArray  # of rows in no cell
    unit: float  # of the constants that are lengths: see `scale`


class Objective(Protocol):
    """One way to find weights: a record of its parameters, named as those of the estimator."""

    needs_truth: ClassVar[bool]  # whether the statistics must have a histogram of the truth
    default_weights: ClassVar[str]  # what "auto" stands for
    n_stages: ClassVar[int]  # how many loops it reports to `track`

    @property
    def shrinkage(self) -> float:
        """Pseudo-rows of a cell, which count towards the rows that it must have."""

    def solve_each(self, several: Sequence[Unsolved], track: Track) -> list[Solution]:
        """Find the weights of sets of cells that have nothing to do with each other, all at once.

        The steps of a long loop are reported to `track`.
        """
