"""The lookup table: what it consists of, what must hold for it, and how statistics become one."""

from __future__ import annotations

from typing import Annotated, NamedTuple, get_type_hints

import numpy as np

from skensir._core.binning import MAX_BIN_INDEX
from skensir._core.least_squares import SquaredError, blocks_of_cells
from skensir._core.likelihood import Likelihood
from skensir._core.objective import Objective, Solution, Unsolved
from skensir._core.pooled import WEIGHTINGS, Pooled
from skensir._core.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

OBJECTIVES: dict[str, type[Likelihood | SquaredError]] = {
    "likelihood": Likelihood,
    "squared_error": SquaredError,
}

# How weights came about; those of "released" cells were published, and their rows are unknown.
FITTED, THIN, DEGENERATE, RELEASED = "fitted", "thin", "degenerate", "released"

# Rounding of weights that sum to one.
_ROUNDING = 1e-6


class Field(NamedTuple):
    """What array a field of the table is: dtype, and axes of (c)ells and (m)odels."""

    dtype: str
    axes: str = ""

    def shape(self, n_cells: int, n_models: int) -> tuple[int, ...]:
        """Return the shape of the array; a number has none."""
        sizes = {"c": n_cells, "m": n_models}
        return tuple(sizes[axis] for axis in self.axes)


class LookupTable(NamedTuple):
    """Weights of the occupied cells, and what is known about them.

    The estimator publishes each field with an underscore behind its name, which is what errors
    say, and a table file holds them in this order: a change here needs a new format there.
    """

    bin_width: Annotated[float, Field("<f8")]
    cells: Annotated[IntArray, Field("<i8", "cm")]  # bin indices, in lexicographic order
    cell_counts: Annotated[FloatArray, Field("<f8", "c")]  # rows, or their sample weight
    weights: Annotated[FloatArray, Field("<f8", "cm")]
    cell_origin: Annotated[AnyArray, Field("<U10", "c")]  # how the weights came about
    cell_rmse: Annotated[FloatArray, Field("<f8", "c")]  # of the combination
    means: Annotated[FloatArray, Field("<f8", "cm")]  # of the predictions
    variances: Annotated[FloatArray, Field("<f8", "cm")]  # of the mixture's components
    n_iter: Annotated[IntArray, Field("<i8", "c")]
    converged: Annotated[BoolArray, Field("|b1", "c")]
    default_weights: Annotated[FloatArray, Field("<f8", "m")]  # for rows in no occupied cell
    default_rmse: Annotated[float, Field("<f8")]

    def check(self) -> None:
        """Raise a ValueError that names the field if it cannot be what it says.

        Dtypes and shapes are those that are declared.
        """
        if self.cells.min() < -MAX_BIN_INDEX or self.cells.max() > MAX_BIN_INDEX:
            raise ValueError(f"cells_ must lie within ±{MAX_BIN_INDEX:.0f}.")
        if not np.array_equal(np.unique(self.cells, axis=0), self.cells):
            raise ValueError("cells_ must be distinct and in lexicographic order.")
        if not 0 < self.bin_width < np.inf:
            raise ValueError(f"bin_width_ == {self.bin_width}, must be above zero and finite.")
        for name in ("weights", "default_weights"):
            weights = getattr(self, name)
            if not ((weights >= 0) & (weights <= 1 + _ROUNDING)).all():
                raise ValueError(f"{name}_ must lie between zero and one.")
            if not np.allclose(weights.sum(axis=-1), 1, rtol=0, atol=_ROUNDING):
                raise ValueError(f"{name}_ must sum to one.")
        if not np.isin(self.cell_origin, (FITTED, THIN, DEGENERATE, RELEASED)).all():
            raise ValueError("cell_origin_ must be fitted, thin, degenerate or released.")
        if (self.n_iter < 0).any():
            raise ValueError("n_iter_ must not be negative.")
        released = self.cell_origin == RELEASED
        for name in ("cell_counts", "cell_rmse", "default_rmse", "means", "variances"):
            values = np.asarray(getattr(self, name))
            # What released cells are like is unknown.
            unknown = released if "c" in FIELDS[name].axes else released.all()
            unknown = unknown & np.isnan(values).T
            if not (np.isfinite(values).T | unknown).all():
                raise ValueError(f"{name}_ must be finite, or NaN where cells are released.")
            if name != "means" and (values < 0).any():
                raise ValueError(f"{name}_ must not be negative.")


FIELDS: dict[str, Field] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(LookupTable, include_extras=True).items()
}


class Settings(NamedTuple):
    """The parameters of `skensir.EnsIRRegressor` that say how statistics become a table."""

    objective: Objective
    default_weights: str | FloatArray
    min_samples_cell: float


def find_weights(
    statistics: CellStatistics, settings: Settings, pooled: Pooled, track: Track = untracked
) -> tuple[Solution, FloatArray, BoolArray]:
    """Find the weights of every occupied cell; thin and degenerate cells get default ones.

    `pooled` is that of the statistics, and `track` is told of each step of a loop. Returned are the
    solution, the weights of rows in no occupied cell, and which cells are thin.
    """
    weights, unseen = _default_weights(statistics, settings, pooled)
    # Pseudo-rows count: with enough of them a cell of few rows has sound weights of its own.
    thin = statistics.weight + settings.objective.shrinkage < settings.min_samples_cell
    solution = Solution.at_start(weights, statistics.prediction_variances())
    thick = np.flatnonzero(~thin)
    if thick.size:
        start = weights[thick], solution.variances[thick]
        unsolved = Unsolved(statistics, thick, *start, pooled.moments, unseen)
        solution.update(thick, settings.objective.solve(unsolved, track))
    return solution, unseen, thin


def solve_table(
    statistics: CellStatistics, settings: Settings, track: Track = untracked
) -> LookupTable:
    """Make the lookup table of statistics; the parameters are those of `find_weights`."""
    pooled = Pooled(statistics.pooled_error_moments())
    solution, unseen, thin = find_weights(statistics, settings, pooled, track)
    pseudo = np.maximum(settings.objective.shrinkage, settings.min_samples_cell - statistics.weight)
    return LookupTable(
        bin_width=statistics.bin_width,
        cells=statistics.cells,
        cell_counts=statistics.weight,
        weights=solution.weights,
        cell_origin=np.where(thin, THIN, np.where(solution.degenerate, DEGENERATE, FITTED)),
        cell_rmse=_cell_rmse(statistics, solution.weights, pooled.moments, pseudo),
        means=statistics.mean_offsets() + statistics.corners,
        variances=solution.variances,
        n_iter=solution.n_iter,
        converged=solution.converged,
        default_weights=unseen,
        default_rmse=float(np.sqrt(np.maximum(unseen @ pooled.moments @ unseen, 0.0))),
    )


def _default_weights(
    statistics: CellStatistics, settings: Settings, pooled: Pooled
) -> tuple[FloatArray, FloatArray]:
    """Return the default weights of every cell, and of rows in none (see `combine.with_unseen`)."""
    name = settings.default_weights
    if not isinstance(name, str):
        return np.tile(name, (statistics.n_cells, 1)), name
    weighting = WEIGHTINGS[settings.objective.default_weights if name == "auto" else name]
    unseen = pooled.weights(weighting.find)
    weights = np.tile(unseen, (statistics.n_cells, 1))
    if weighting.per_cell:
        for block in blocks_of_cells(*weights.shape):
            weights[block] = weighting.find(statistics.error_moments(block))
    return weights, unseen


def _cell_rmse(
    statistics: CellStatistics,
    weights: FloatArray,
    pooled_moments: FloatArray,
    pseudo: FloatArray,
) -> FloatArray:
    """Return the root mean squared error of the combination in each cell.

    Too few rows say little about it, so `pseudo` pooled rows are added, as in shrinkage.
    """
    pooled_error = (weights @ pooled_moments * weights).sum(axis=1)
    squared_error = statistics.squared_error(weights) + pseudo * pooled_error
    mean = squared_error / (statistics.weight + pseudo)
    return np.asarray(np.sqrt(np.maximum(mean, 0.0)))
