"""What an objective is: a part that finds the weights of cells, and says what it needs for that."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from skensir._core._typing import BoolArray, FloatArray, IntArray
from skensir._core.progress import Track
from skensir._core.statistics import CellStatistics


class Solution(NamedTuple):
    """What an objective finds for the cells that it was given, one line or number per cell."""

    weights: FloatArray
    variances: FloatArray | None  # of a mixture's components; None where there is no mixture
    n_iter: IntArray
    converged: BoolArray
    degenerate: BoolArray  # cells that keep their default weights, as there are no others for them

    @classmethod
    def exact(cls, weights: FloatArray) -> Solution:
        """Return the solution of an objective that needs one step and always succeeds."""
        once, none = np.ones(len(weights), np.int64), np.zeros(len(weights), np.bool_)
        return cls(weights, None, once, ~none, none)


class Objective(Protocol):
    """One way to find weights: a record of its parameters, named as those of the estimator."""

    needs_truth: ClassVar[bool]  # whether the statistics must have a histogram of the truth
    default_weights: ClassVar[str]  # what "auto" stands for
    n_stages: ClassVar[int]  # how many loops it reports to `track`

    @property
    def shrinkage(self) -> float:
        """Pseudo-rows of a cell, which count towards the rows that it must have."""

    def solve(
        self,
        statistics: CellStatistics,
        cells: IntArray,
        start: FloatArray,
        pooled_moments: FloatArray,
        default_weights: FloatArray,
        track: Track,
    ) -> Solution:
        """Find the weights of the cells with these numbers.

        `start` holds their default weights, `default_weights` those of unseen cells, and
        `pooled_moments` the mean products of the models' errors over all rows.
        """
