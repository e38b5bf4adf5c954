"""The squared-error objective: convex weights of least mean squared error, for many cells at once.

With the error moments C of a cell, minimise ``w' C w`` subject to ``w >= 0`` and ``sum(w) = 1``.
A constant added to every entry of C changes the objective on the simplex by that constant only.
Then ``w = v / sum(v)``, where v solves the cone programme ``min v' C v / 2 - sum(v), v >= 0``, and
that an active-set method solves exactly, one model entering at a time (Lawson and Hanson, 1974).
"""

from __future__ import annotations

import numpy as np

from skensir._core._typing import BoolArray, FloatArray

# On unit-diagonal moments. The ridge makes the solution unique, so that duplicate models share
# their weight; a model enters only if that gains more than the tolerance, far above the rounding.
_RIDGE = 1e-12
_TOLERANCE = 1e-10


def _masked_solve(matrices: FloatArray, rhs: FloatArray, active: BoolArray) -> FloatArray:
    """Solve each system in its active unknowns; the others are zero."""
    identity = np.eye(rhs.shape[1])
    inner = np.where(active[:, :, None] & active[:, None, :], matrices, identity)
    return np.asarray(np.linalg.solve(inner, np.where(active, rhs, 0.0)[..., None])[..., 0])


def _solve_cone(matrices: FloatArray, rhs: FloatArray) -> FloatArray:
    """Minimise ``v' A v / 2 - b' v`` over ``v >= 0``, for positive definite A and positive b."""
    n, n_models = rhs.shape
    solution = np.zeros_like(rhs)
    active = np.zeros(rhs.shape, dtype=np.bool_)
    open_ = np.arange(n)  # programmes not yet solved
    # Each model enters a few times at most; the bound is only there for hopeless rounding.
    for _ in range(10 * n_models):
        gradient = rhs[open_] - np.einsum("nij,nj->ni", matrices[open_], solution[open_])
        # In units of the objective: what the constraint's multiplier is short of.
        scale = np.sqrt(np.maximum(np.einsum("ni,ni->n", rhs[open_], solution[open_]), 1e-300))
        gradient[active[open_]] = -np.inf
        entering = gradient.argmax(axis=1)
        best = gradient[np.arange(open_.size), entering]
        gaining = best > _TOLERANCE * scale
        open_, entering = open_[gaining], entering[gaining]
        if not open_.size:
            break
        active[open_, entering] = True
        moving = open_
        while moving.size:
            target = _masked_solve(matrices[moving], rhs[moving], active[moving])
            blocked = active[moving] & (target <= 0)
            stuck = blocked.any(axis=1)
            arrived = moving[~stuck]
            solution[arrived] = target[~stuck]
            moving, target, blocked = moving[stuck], target[stuck], blocked[stuck]
            # Go towards the target until the first weight reaches zero, and let that model go.
            here = solution[moving]
            with np.errstate(divide="ignore", invalid="ignore"):
                steps = np.where(blocked, here / (here - target), np.inf)
            step = np.nanmin(np.where(blocked & (here == 0), 0.0, steps), axis=1, keepdims=True)
            here = here + step * (target - here)
            leaving = blocked & (steps <= step) | blocked & (here <= 0)
            solution[moving] = np.where(leaving, 0.0, here)
            active[moving] &= ~leaving
    return solution


def simplex_weights(moments: FloatArray) -> FloatArray:
    """Return the convex weights of least mean squared error.

    Parameters
    ----------
    moments : ndarray of shape (n_cells, n_models, n_models)
        Mean products of the models' errors: symmetric, positive semi-definite, of any scale.
        They may be singular.

    Returns
    -------
    ndarray of shape (n_cells, n_models)
        Non-negative, rows sum to one. Models without any error share the weight evenly.
    """
    n_cells, n_models = moments.shape[:2]
    squares = np.einsum("nii->ni", moments)
    perfect = squares <= 0
    weights = perfect / np.maximum(perfect.sum(axis=1, keepdims=True), 1)
    rest = np.flatnonzero(~perfect.any(axis=1))
    if n_models == 1 or not rest.size:
        return np.asarray(weights) if n_models > 1 else np.ones((n_cells, 1))
    deviation = np.sqrt(squares[rest])
    smallest = deviation.min(axis=1, keepdims=True)
    # Scaled to unit diagonal first; the constant is the squared error of the best model.
    matrices = moments[rest] / deviation[:, :, None] / deviation[:, None, :]
    ratio = smallest / deviation
    matrices += ratio[:, :, None] * ratio[:, None, :]
    matrices[:, np.arange(n_models), np.arange(n_models)] += _RIDGE
    cone = _solve_cone(matrices, ratio) * ratio
    weights[rest] = cone / cone.sum(axis=1, keepdims=True)
    return np.asarray(weights)
