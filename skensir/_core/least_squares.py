"""The squared-error objective: weights of least mean squared error, for many cells at once.

With the error moments C of a cell, minimise ``w' C w`` subject to ``sum(w) = 1`` and, where weights
are to be convex, ``w >= 0``. An intercept takes out the mean error of the combination: then C is
the covariance of the errors. Signed weights are ``C^-1 1`` up to their sum.

Convex weights follow from a cone programme.
A constant added to every entry of C changes the objective on the simplex by that constant only.
Then ``w = v / sum(v)``, where v solves the cone programme ``min v' C v / 2 - sum(v), v >= 0``, and
that an active-set method solves exactly, one model entering at a time (Lawson and Hanson, 1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skensir._core.objective import Solution, Unsolved
from skensir._track import Track, untracked
from skensir._typing import BoolArray, FloatArray, IntArray

# On unit-diagonal moments, for signed weights; below it models count as dependent.
_SIGNED_RIDGE = 1e-10

# On unit-diagonal moments. The ridge keeps the systems of duplicate and dependent models solvable;
# a model enters only if that gains more than the tolerance, far above the rounding.
_RIDGE = 1e-12
_TOLERANCE = 1e-10

# A step halves the ridge's effect where the smallest eigenvalue is as large as the ridge, and
# leaves hardly any of it where that is larger.
_MAX_REFINEMENTS = 40

# Matrices of this many numbers are made at once, so that memory follows the statistics.
_BLOCK_SIZE = 2**22


@dataclass(frozen=True)
class SquaredError:
    """The objective: the parameters of `skensir.EnsIRRegressor` that it knows."""

    shrinkage: float = 0.0
    shrink_to: str = "pooled"
    positive: bool = True
    fit_intercept: bool = False

    needs_truth: ClassVar[bool] = False
    default_weights: ClassVar[str] = "pooled"
    n_stages: ClassVar[int] = 0

    def solve_each(self, several: Sequence[Unsolved], track: Track = untracked) -> list[Solution]:
        """Solve the programme of each cell, whose moments are drawn to the pooled ones.

        Several sets of cells are solved together: a programme hardly costs more than a hundred.
        """
        solutions = [
            Solution.at_start(np.empty_like(u.start), u.variances, np.empty(len(u.cells)), n_iter=1)
            for u in several
        ]
        waiting: list[tuple[Solution, slice, FloatArray, FloatArray | None]] = []
        n_waiting = 0
        for unsolved, solution in zip(several, solutions, strict=True):
            for block in blocks_of_cells(*unsolved.start.shape):
                moments, means = self._shrunk(unsolved, unsolved.cells[block])
                if n_waiting + moments.size > _BLOCK_SIZE:
                    self._solve_waiting(waiting)
                    waiting, n_waiting = [], 0
                waiting.append((solution, block, moments, means))
                n_waiting += moments.size
        self._solve_waiting(waiting)
        return solutions

    def _shrunk(self, unsolved: Unsolved, cells: IntArray) -> tuple[FloatArray, FloatArray | None]:
        """Return mean products of errors of some cells, drawn to those of all rows, and means."""
        statistics = unsolved.statistics
        weight = statistics.weight[cells]
        share = (weight / (weight + self.shrinkage))[:, None]
        own = statistics.error_moments(cells)
        moments = share[:, None] * own + (1 - share)[:, None] * unsolved.pooled_moments
        if not self.fit_intercept:
            return moments, None
        own_means = statistics.mean_errors(cells)
        assert own_means is not None
        assert unsolved.pooled_means is not None
        return moments, share * own_means + (1 - share) * unsolved.pooled_means

    def _solve_waiting(
        self, waiting: Sequence[tuple[Solution, slice, FloatArray, FloatArray | None]]
    ) -> None:
        """Write the solutions of blocks of cells down, given their moments and means."""
        if not waiting:
            return
        of_blocks = [moments for _, _, moments, _ in waiting]
        moments = of_blocks[0] if len(of_blocks) == 1 else np.concatenate(of_blocks)
        of_means = [means for _, _, _, means in waiting if means is not None]
        found = self.solve_moments(moments, np.concatenate(of_means) if of_means else None)
        ends = np.cumsum([len(moments) for _, _, moments, _ in waiting])[:-1]
        parts = zip(*(np.split(lines, ends) for lines in found), strict=True)
        for (solution, block, _, _), (weights, intercepts) in zip(waiting, parts, strict=True):
            solution.weights[block], solution.intercepts[block] = weights, intercepts

    def solve_moments(
        self, moments: FloatArray, means: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return weights and intercepts, given mean products of errors and mean errors.

        These have the shapes (n_cells, n_models, n_models) and (n_cells, n_models); the means are
        of use with intercepts only.
        """
        find = simplex_weights if self.positive else signed_weights
        if not self.fit_intercept:
            return find(moments), np.zeros(len(moments))
        assert means is not None
        weights = find(_centred(moments, means))
        return weights, -(weights * means).sum(axis=-1)


def blocks_of_cells(n_cells: int, n_models: int) -> list[slice]:
    """Split cells so that the moments of a block take little memory."""
    step = max(1, _BLOCK_SIZE // n_models**2)
    return [slice(start, start + step) for start in range(0, n_cells, step)]


def _solve_active(matrices: FloatArray, rhs: FloatArray, active: BoolArray) -> FloatArray:
    """Solve each system in its active unknowns; the others are zero."""
    inner = np.where(active[:, :, None] & active[:, None, :], matrices, np.eye(rhs.shape[1]))
    return np.asarray(np.linalg.solve(inner, np.where(active, rhs, 0.0)[..., None])[..., 0])


def _solve_cone(matrices: FloatArray, rhs: FloatArray) -> FloatArray:
    """Minimise ``v' A v / 2 - b' v`` over ``v >= 0``, for positive definite A and positive b."""
    n_models = rhs.shape[1]
    # To start with all models and to drop those that go negative leaves little to do where most
    # models take part, and is a start as good as any other where few do. Where none does, that is
    # the solution.
    solution = np.asarray(np.linalg.solve(matrices, rhs[..., None])[..., 0])
    unsolved = np.flatnonzero((solution <= 0).any(axis=1))
    solution[unsolved] = 0.0
    active = np.ones(rhs.shape, dtype=np.bool_)
    # Each model enters a few times at most; the bound is there for hopeless rounding only.
    for _ in range(10 * n_models):
        moving = unsolved
        while moving.size:
            target = _solve_active(matrices[moving], rhs[moving], active[moving])
            blocked = active[moving] & (target <= 0)
            stuck = blocked.any(axis=1)
            solution[moving[~stuck]] = target[~stuck]
            moving, target, blocked = moving[stuck], target[stuck], blocked[stuck]
            # Towards the target until the first weight reaches zero; that model leaves.
            here = solution[moving]
            steps = np.full(here.shape, np.inf)
            np.divide(here, here - target, out=steps, where=blocked & (here > 0))
            steps[blocked & (here <= 0)] = 0.0
            step = steps.min(axis=1, keepdims=True)
            leaving = steps <= step
            solution[moving] = np.where(leaving, 0.0, here + step * (target - here))
            active[moving] &= ~leaving
        here, right = solution[unsolved], rhs[unsolved]
        gradient = right - (matrices[unsolved] @ here[..., None])[..., 0]
        gradient[active[unsolved]] = 0.0
        entering = gradient.argmax(axis=1)
        # The tolerance is in units of the root of the objective, which makes it free of scale.
        scale = np.sqrt((right * here).sum(axis=1))
        gaining = gradient.max(axis=1) > _TOLERANCE * scale
        unsolved, entering = unsolved[gaining], entering[gaining]
        if not unsolved.size:
            break
        active[unsolved, entering] = True
    return solution


def _refine(solution: FloatArray, matrices: FloatArray, rhs: FloatArray) -> FloatArray:
    """Take the effect of the ridge out of the solutions where it shows.

    That is where models help whose errors are a million times those of the best: the ridge weighs
    on their large unknowns. To weigh on what is left to them instead is the proximal point method:
    every step solves a programme of the same kind, and with them the ridge loses its effect.
    """
    # The objective lies between a half and one here, as that of the best model alone is a half.
    tolerance = _TOLERANCE / _RIDGE
    shown = np.flatnonzero((solution > tolerance).any(axis=1))
    for _ in range(_MAX_REFINEMENTS):
        if not shown.size:
            break
        here = solution[shown]
        solution[shown] = _solve_cone(matrices[shown], rhs[shown] + _RIDGE * here)
        moving = np.abs(solution[shown] - here) > tolerance
        shown = shown[moving.any(axis=1)]
    return solution


def simplex_weights(moments: FloatArray) -> FloatArray:
    """Return the convex weights of least mean squared error, (..., n_models).

    The moments, (..., n_models, n_models), are mean products of the models' errors: symmetric,
    positive semi-definite, of any scale; they may be singular. Models without any error share the
    weight evenly.
    """
    shape, n_models = moments.shape[:-1], moments.shape[-1]
    moments = moments.reshape(-1, n_models, n_models)
    squares = np.einsum("nii->ni", moments)
    perfect = squares <= 0
    weights = perfect / np.maximum(perfect.sum(axis=1, keepdims=True), 1)
    rest = np.flatnonzero(~perfect.any(axis=1))
    # Scaled to unit diagonal; the constant that is added is the squared error of the best model.
    deviation = np.sqrt(squares[rest])
    matrices = moments[rest] / deviation[:, :, None] / deviation[:, None, :]
    ratio = deviation.min(axis=1, keepdims=True) / deviation
    matrices += ratio[:, :, None] * ratio[:, None, :]
    matrices[:, np.arange(n_models), np.arange(n_models)] += _RIDGE
    cone = _refine(_solve_cone(matrices, ratio), matrices, ratio) * ratio
    weights[rest] = cone / cone.sum(axis=1, keepdims=True)
    return np.asarray(weights.reshape(shape))


def signed_weights(moments: FloatArray) -> FloatArray:
    """Return the weights of least mean squared error that sum to one and may be negative.

    The moments are as in `simplex_weights`. Dependent models share their weight.
    """
    n_models = moments.shape[-1]
    squares = np.einsum("...ii->...i", moments)
    perfect = squares <= 0
    deviation = np.sqrt(np.where(perfect, 1.0, squares))
    matrices = moments / deviation[..., :, None] / deviation[..., None, :]
    matrices = matrices + _SIGNED_RIDGE * np.eye(n_models)
    ratio = deviation.min(axis=-1, keepdims=True) / deviation
    weights = np.linalg.solve(matrices, ratio[..., None])[..., 0] * ratio
    # A model without any error needs no other.
    weights = np.where(perfect.any(axis=-1, keepdims=True), perfect, weights)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _centred(moments: FloatArray, means: FloatArray) -> FloatArray:
    """Return the covariances of errors whose mean products and means are given."""
    covariances = moments - means[..., :, None] * means[..., None, :]
    # Where errors hardly vary about their means, what is left is rounding, which must not be
    # taken for models that cancel each other.
    n_models = moments.shape[-1]
    rounding = 4 * n_models * np.finfo(np.float64).eps * np.einsum("...ii->...i", moments)
    covariances[..., np.arange(n_models), np.arange(n_models)] += rounding
    return np.asarray(covariances)
