"""One weight vector from one moment matrix: plain ensembles, default weights, rivals.

A moment matrix holds the mean products of the models' errors, over all rows or those of a cell.
It is all that a weight vector without a table depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skensir._core.least_squares import SquaredError, simplex_weights
from skensir._typing import FloatArray

# Of the published program; it bounds the exponent of models that agree exactly.
_DEVIATION_FLOOR = 1e-10


def average_weights(error_moments: FloatArray) -> FloatArray:
    """Return equal weights, for (..., n_models, n_models) moments."""
    n_models = error_moments.shape[-1]
    return np.full(error_moments.shape[:-1], 1 / n_models)


def best_model_weights(error_moments: FloatArray) -> FloatArray:
    """Return one for the model of least mean squared error, zero for the others.

    Of models that are as good as each other the first one counts.
    """
    squares = np.einsum("...ii->...i", error_moments)
    return np.asarray(np.eye(squares.shape[-1])[squares.argmin(axis=-1)])


def inverse_deviation_weights(error_moments: FloatArray) -> FloatArray:
    """Return the softmax over models of ``1 / (1e-10 + rmse)``, of moments in units.

    rmse is each model's root mean squared distance from the average of the models. It follows from
    the errors' moments, (..., n_models, n_models), since the truth cancels.
    """
    own = np.einsum("...ii->...i", error_moments)
    with_average = error_moments.mean(axis=-1)
    squares = own - 2 * with_average + with_average.mean(axis=-1, keepdims=True)
    # Where the models agree exactly, what is left is the rounding of sums of squared errors.
    squares[squares <= 1e-14 * own] = 0.0
    exponent = 1 / (_DEVIATION_FLOOR + np.sqrt(squares))
    weights = np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def greedy_weights(error_moments: FloatArray, n_selections: int) -> FloatArray:
    """Return the best ensemble on the way of greedy selection with replacement.

    Its weights are the shares of the selections that each model got.
    """
    counts = np.zeros(len(error_moments))
    best, best_error = counts, np.inf
    for size in range(1, n_selections + 1):
        # The squared error of the ensemble with one more model, for each model: with counts c it
        # is (c + e_j)' C (c + e_j) / size**2.
        total = counts @ error_moments @ counts
        errors = total + 2 * error_moments @ counts + np.diag(error_moments)
        selected = errors.argmin()
        counts[selected] += 1
        if errors[selected] / size**2 < best_error:
            best, best_error = counts / size, errors[selected] / size**2
    return best


class Pooled:
    """The moments of all rows, and the weights that were found from them, each kind once."""

    def __init__(self, moments: FloatArray, means: FloatArray | None = None) -> None:
        self.moments, self.means = moments, means
        self._found: dict[tuple[Callable[[FloatArray], FloatArray], float], FloatArray] = {}

    def weights(self, find: Callable[[FloatArray], FloatArray], square: float = 1.0) -> FloatArray:
        """Return what a function of this module, or the simplex programme, makes of them.

        They are in units whose square is given.
        """
        if (find, square) not in self._found:
            self._found[find, square] = find(self.moments / square)
        return self._found[find, square]

    def solve(self, objective: SquaredError) -> FloatArray:
        """Return the weights of least squared error over all rows, as the objective has them."""
        if objective.positive and not objective.fit_intercept:
            return self.weights(simplex_weights)
        means = None if self.means is None else self.means[np.newaxis]
        [weights], _ = objective.solve_moments(self.moments[np.newaxis], means)
        return np.asarray(weights)


class Weighting(NamedTuple):
    """A kind of default weights: a function of moments, of each cell's own where it says so."""

    find: Callable[[FloatArray], FloatArray]
    per_cell: bool = False
    in_units: bool = False  # whether it depends on the unit of the moments


WEIGHTINGS = {
    "inverse_deviation": Weighting(inverse_deviation_weights, per_cell=True, in_units=True),
    "uniform": Weighting(average_weights),
    "pooled": Weighting(simplex_weights),
}
