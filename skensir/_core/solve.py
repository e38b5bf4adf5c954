"""How statistics become a lookup table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from skensir._core.hierarchy import Hierarchy, moment_lines, solve_lines, squared_errors
from skensir._core.least_squares import SquaredError, blocks_of_cells
from skensir._core.likelihood import Likelihood
from skensir._core.objective import Objective, Solution, Unsolved
from skensir._core.pooled import WEIGHTINGS, Pooled
from skensir._core.table import DEGENERATE, FITTED, THIN, LookupTable
from skensir._sums.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray

OBJECTIVES: dict[str, type[Likelihood | SquaredError]] = {
    "likelihood": Likelihood,
    "squared_error": SquaredError,
}

# Default weights that nested tables have from the sums that all cells are drawn to.
_DRAWN = ("auto", "pooled")


class Line(NamedTuple):
    """Weights of one kind of rows, and what is added to their combination."""

    weights: FloatArray
    intercept: float

    def as_rows(self) -> tuple[FloatArray, FloatArray]:
        """Return a table of one line."""
        return self.weights[np.newaxis], np.array([self.intercept])


class Settings(NamedTuple):
    """The parameters of `skensir.EnsIRRegressor` that say how statistics become a table."""

    objective: Objective
    default_weights: str | FloatArray
    min_samples_cell: float
    unit: float = 1.0  # of the constants that are lengths: see `scale`


def find_weights(
    several: Sequence[CellStatistics],
    settings: Settings,
    pooled: Sequence[Pooled],
    track: Track = untracked,
) -> list[tuple[Solution, Line, BoolArray]]:
    """Find the weights of every occupied cell; thin and degenerate cells get default ones.

    This is done for several sets of rows, which have nothing to do with each other. `pooled` are
    those of the statistics, and `track` is told of each step of a loop. Returned are for each the
    solution, the weights of rows in no occupied cell, and which cells are thin.
    """
    found, unsolved = [], []
    for statistics, of_all in zip(several, pooled, strict=True):
        weights, unseen = _default_weights(statistics, settings, of_all)
        # Pseudo-rows count: with enough of them a cell of few rows has sound weights of its own.
        thin = statistics.weight + settings.objective.shrinkage < settings.min_samples_cell
        variances = statistics.prediction_variances()
        intercepts = np.full(len(weights), unseen.intercept)
        solution = Solution.at_start(weights, variances, intercepts)
        found.append((solution, unseen, thin))
        thick = np.flatnonzero(~thin)
        if thick.size:
            cells = Unsolved(
                statistics,
                thick,
                weights[thick],
                solution.variances[thick],
                of_all.moments,
                of_all.means,
                unseen.weights,
                settings.unit,
            )
            unsolved.append((solution, cells))
        else:  # default weights are what was found
            solution.n_iter[:] = 1
    solved = settings.objective.solve_each([cells for _, cells in unsolved], track)
    for (solution, cells), of_cells in zip(unsolved, solved, strict=True):
        solution.update(cells.cells, of_cells)
    return found


def solve_table(
    statistics: CellStatistics, settings: Settings, track: Track = untracked
) -> LookupTable:
    """Make the lookup table of statistics; the parameters are those of `find_weights`."""
    [table] = solve_tables([statistics], settings, track)
    return table


def solve_tables(
    several: Sequence[CellStatistics], settings: Settings, track: Track = untracked
) -> list[LookupTable]:
    """Make the lookup tables of several sets of rows, which have nothing to do with each other."""
    if is_nested(settings.objective):
        return [_solve_nested_table(statistics, settings) for statistics in several]
    pooled = [pool(statistics) for statistics in several]
    found = find_weights(several, settings, pooled, track)
    return [
        _table_of(statistics, settings, of_all, *of_cells)
        for statistics, of_all, of_cells in zip(several, pooled, found, strict=True)
    ]


def _table_of(
    statistics: CellStatistics,
    settings: Settings,
    pooled: Pooled,
    solution: Solution,
    unseen: Line,
    thin: BoolArray,
) -> LookupTable:
    """Return as a table what was found."""
    pseudo = np.maximum(settings.objective.shrinkage, settings.min_samples_cell - statistics.weight)
    return LookupTable.simple(
        **_what_is_known(statistics),
        weights=solution.weights,
        intercepts=solution.intercepts,
        cell_origin=np.where(thin, THIN, np.where(solution.degenerate, DEGENERATE, FITTED)),
        cell_rmse=_cell_rmse(statistics, solution, pooled, pseudo),
        variances=solution.variances,
        n_iter=solution.n_iter,
        converged=solution.converged,
        default_weights=unseen.weights,
        default_intercept=unseen.intercept,
        default_rmse=_pooled_rmse(pooled, unseen),
    )


def is_nested(objective: Objective) -> TypeGuard[SquaredError]:
    """Tell whether cells are drawn to wider ones, which serve rows in unseen cells."""
    return isinstance(objective, SquaredError) and objective.shrink_to == "parent"


def pool(statistics: CellStatistics) -> Pooled:
    """Return the moments of all rows."""
    return Pooled(statistics.pooled_error_moments(), statistics.pooled_mean_errors())


def _what_is_known(statistics: CellStatistics) -> dict[str, Any]:
    """Return the fields of a table that are no matter of weights."""
    return {
        "bin_width": statistics.axes.bin_width,
        "axes": statistics.axes.kind,
        "cells": statistics.cells,
        "cell_counts": statistics.weight,
        "means": statistics.prediction_means(),
    }


def _solve_nested_table(statistics: CellStatistics, settings: Settings) -> LookupTable:
    """Make the table of cells that are drawn to wider ones."""
    objective, n_models = settings.objective, statistics.n_models
    assert is_nested(objective)
    hierarchy = Hierarchy.above(statistics.cells)
    depths = np.array([hierarchy.n_levels - 1])
    lines = moment_lines(statistics, with_errors=objective.fit_intercept)
    sums = hierarchy.add_up(lines[np.newaxis])
    moments, of_all = hierarchy.shrink(sums, objective.shrinkage, n_models, depths)
    pseudo = max(objective.shrinkage, settings.min_samples_cell)
    for_rmse, of_all_for_rmse = moments, of_all
    if pseudo > objective.shrinkage:  # too few rows say little about errors
        for_rmse, of_all_for_rmse = hierarchy.shrink(sums, pseudo, n_models, depths)
    solved = [solve_lines(level[0], n_models, objective) for level in moments]
    rmse = [
        np.sqrt(squared_errors(level[0], *line))
        for level, line in zip(for_rmse, solved, strict=True)
    ]
    weights, intercepts = ([of_level[i] for of_level in solved] for i in range(2))
    [default_weights], [default_intercept] = solve_lines(of_all.T, n_models, objective)
    named = named_default(statistics, settings, pool(statistics))
    unseen = Line(default_weights, float(default_intercept)) if named is None else named
    default_error = squared_errors(of_all_for_rmse.T, *unseen.as_rows())
    wider = np.arange(1, hierarchy.n_levels)
    return LookupTable(
        **_what_is_known(statistics),
        weights=weights[0],
        intercepts=intercepts[0],
        cell_origin=np.full(statistics.n_cells, FITTED, dtype="<U10"),
        cell_rmse=rmse[0],
        variances=statistics.prediction_variances(),
        n_iter=np.ones(statistics.n_cells, dtype=np.int64),
        converged=np.ones(statistics.n_cells, dtype=np.bool_),
        default_weights=unseen.weights,
        default_intercept=unseen.intercept,
        default_rmse=float(np.sqrt(default_error[0])),
        ancestor_levels=np.repeat(wider, hierarchy.n_wider),
        ancestor_cells=_join(hierarchy.cells),
        ancestor_weights=_join(weights),
        ancestor_intercepts=_join(intercepts),
        ancestor_rmse=_join(rmse),
    )


def named_default(statistics: CellStatistics, settings: Settings, pooled: Pooled) -> Line | None:
    """Return the weights of rows in no known cell, None for those that all rows are drawn to."""
    if isinstance(settings.default_weights, str) and settings.default_weights in _DRAWN:
        return None
    return _default_weights(statistics, settings, pooled)[1]


def _join(levels: Sequence[AnyArray]) -> AnyArray:
    """Put the arrays of all levels but the finest one behind the other."""
    return np.concatenate([levels[0][:0], *levels[1:]])


def _default_weights(
    statistics: CellStatistics, settings: Settings, pooled: Pooled
) -> tuple[FloatArray, Line]:
    """Return the default weights of every cell, and of rows in none (see `combine.with_unseen`)."""
    objective, name = settings.objective, settings.default_weights
    if not isinstance(name, str):
        unseen = name
        weights = np.tile(name, (statistics.n_cells, 1))
    else:
        weighting = WEIGHTINGS[objective.default_weights if name == "auto" else name]
        square = settings.unit**2 if weighting.in_units else 1.0
        unseen = pooled.weights(weighting.find, square)
        if weighting is WEIGHTINGS["pooled"] and isinstance(objective, SquaredError):
            unseen = pooled.solve(objective)
        weights = np.tile(unseen, (statistics.n_cells, 1))
        if weighting.per_cell:
            for block in blocks_of_cells(*weights.shape):
                weights[block] = weighting.find(statistics.error_moments(block) / square)
    intercept = 0.0
    if getattr(objective, "fit_intercept", False) and pooled.means is not None:
        intercept = -float(unseen @ pooled.means)
    return weights, Line(unseen, intercept)


def _pooled_rmse(pooled: Pooled, line: Line) -> float:
    """Return the root mean squared error over all rows of one line of weights."""
    mean = line.weights @ pooled.moments @ line.weights
    if pooled.means is not None:
        mean += 2 * line.intercept * (line.weights @ pooled.means) + line.intercept**2
    return float(np.sqrt(np.maximum(mean, 0.0)))


def _cell_rmse(
    statistics: CellStatistics, solution: Solution, pooled: Pooled, pseudo: FloatArray
) -> FloatArray:
    """Return the root mean squared error of the combination in each cell.

    Too few rows say little about it, so `pseudo` pooled rows are added, as in shrinkage.
    """
    weights, intercepts = solution.weights, solution.intercepts
    pooled_error = (weights @ pooled.moments * weights).sum(axis=1)
    if pooled.means is not None:
        pooled_error += 2 * intercepts * (weights @ pooled.means) + intercepts**2
    squared_error = statistics.squared_error(weights, intercepts) + pseudo * pooled_error
    mean = squared_error / (statistics.weight + pseudo)
    return np.asarray(np.sqrt(np.maximum(mean, 0.0)))
