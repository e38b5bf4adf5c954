"""From sufficient statistics to the lookup table: weights for every occupied cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skensir._core._typing import AnyArray, BoolArray, FloatArray, IntArray
from skensir._core.defaults import inverse_deviation_weights
from skensir._core.least_squares import simplex_weights
from skensir._core.likelihood import fit_mixtures
from skensir._core.progress import Track, untracked
from skensir._core.statistics import CellStatistics

# How weights came about; those of "released" cells were published, and their rows are unknown.
FITTED, THIN, DEGENERATE, RELEASED = "fitted", "thin", "degenerate", "released"

# Matrices of this many numbers are made at once, so that memory follows the statistics.
_BLOCK_SIZE = 2**22


class LookupTable(NamedTuple):
    """Weights of the occupied cells, and what is known about them.

    Attributes
    ----------
    weights, variances : ndarray of shape (n_cells, n_models)
    origin : ndarray of shape (n_cells,), of str
        How the weights came about: "fitted", "thin" or "degenerate".
    rmse : ndarray of shape (n_cells,)
        Root mean squared error of the combination.
    n_iter : ndarray of shape (n_cells,)
    converged : ndarray of shape (n_cells,)
    default_weights : ndarray of shape (n_models,)
        For rows in no occupied cell.
    default_rmse : float
    """

    weights: FloatArray
    variances: FloatArray
    origin: AnyArray
    rmse: FloatArray
    n_iter: IntArray
    converged: BoolArray
    default_weights: FloatArray
    default_rmse: float


def solve_table(
    statistics: CellStatistics,
    *,
    objective: str,
    shrinkage: float,
    default_weights: str | FloatArray,
    min_samples_cell: float,
    variance_center: str,
    max_iter: int,
    tol: float,
    reg_var: float,
    convex_weights: FloatArray | None = None,
    track: Track = untracked,
) -> LookupTable:
    """Estimate the weights of every occupied cell.

    The parameters are those of `skensir.EnsIRRegressor`, but for `convex_weights`, the pooled
    weights of least squared error where they are known already, and `track`, which is told of each
    step of EM. Thin cells get default weights, and so do degenerate ones.
    """
    weight, n_models = statistics.weight, statistics.n_models
    pooled = statistics.pooled_error_moments()
    kind = default_weights
    if isinstance(kind, str) and kind == "auto":
        kind = "inverse_deviation" if objective == "likelihood" else "pooled"
    if not isinstance(kind, str):
        pooled_weights = kind
    elif kind == "inverse_deviation":
        pooled_weights = inverse_deviation_weights(pooled)
    elif kind == "pooled":
        pooled_weights = simplex_weights(pooled) if convex_weights is None else convex_weights
    else:
        pooled_weights = np.full(n_models, 1 / n_models)

    # Pseudo-rows count: with enough of them a cell of few rows has sound weights of its own.
    thin = weight + shrinkage < min_samples_cell
    weights = np.tile(pooled_weights, (statistics.n_cells, 1))
    step = max(1, _BLOCK_SIZE // n_models**2)
    for start in range(0, statistics.n_cells, step):
        block = np.arange(start, min(start + step, statistics.n_cells))
        if isinstance(kind, str) and kind == "inverse_deviation":
            weights[block] = inverse_deviation_weights(statistics.error_moments(block))
        if objective == "squared_error":
            block = block[~thin[block]]
            share = (weight[block] / (weight[block] + shrinkage))[:, None, None]
            moments = share * statistics.error_moments(block) + (1 - share) * pooled
            weights[block] = simplex_weights(moments)

    variances = statistics.prediction_variances()
    origin = np.where(thin, THIN, FITTED).astype("<U10")
    n_iter = np.where(thin, 0, 1)
    converged = np.ones(statistics.n_cells, dtype=np.bool_)
    if objective == "likelihood" and not thin.all():
        thick = np.flatnonzero(~thin)
        assert statistics.truth is not None
        corners = statistics.corners[thick]
        mixture = fit_mixtures(
            statistics.truth.select(~thin),
            corners[:, 0],
            statistics.mean_offsets()[thick] + (corners - corners[:, :1]),
            variances[thick],
            weights[thick],
            variance_center=variance_center,
            max_iter=max_iter,
            tol=tol,
            reg_var=reg_var,
            shrinkage=shrinkage,
            prior_weights=pooled_weights,
            track=track,
        )
        weights[thick], variances[thick] = mixture.weights, mixture.variances
        n_iter[thick] = mixture.n_iter
        converged[thick] = mixture.converged
        origin[thick[mixture.degenerate]] = DEGENERATE

    # Too few rows say little about their error: pooled rows fill a thin cell up, as in shrinkage.
    pseudo = np.maximum(shrinkage, min_samples_cell - weight)
    pooled_error = (weights @ pooled * weights).sum(axis=1)
    squared_error = statistics.squared_error(weights) + pseudo * pooled_error
    return LookupTable(
        weights,
        variances,
        origin,
        np.sqrt(np.maximum(squared_error / (weight + pseudo), 0.0)),
        n_iter,
        converged,
        pooled_weights,
        float(np.sqrt(np.maximum(pooled_weights @ pooled @ pooled_weights, 0.0))),
    )
