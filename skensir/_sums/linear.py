"""Ridge regression of the truth on the predictions, from moments that add up.

It is what a stack has for a meta-learner where nothing else is said, and a rival of every table:
any weights, and an intercept, the same for all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skensir._sums.pairs import model_pairs
from skensir._typing import AnyArray, FloatArray

# Penalties that are tried, in units of the mean variance of the predictions.
_PENALTIES = np.logspace(-9, 1, 21)

# Longer lines BLAS shares out among threads of its own, which go on spinning at the cost of ours.
_PIECE = 10_000


def scatter_of(values: FloatArray, weighted: FloatArray) -> FloatArray:
    """Return ``values @ weighted.T``, symmetric as columns are the same but for a weight each."""
    upper = model_pairs(len(values))
    pairs = list(zip(*(indices.tolist() for indices in upper), strict=True))
    products = np.zeros(len(pairs))
    for start in range(0, values.shape[1], _PIECE):
        left, right = (list(lines[:, start : start + _PIECE]) for lines in (weighted, values))
        # Pair by pair: of few and long lines, the usual ones, a product of matrices takes longer.
        products += [left[i] @ right[j] for i, j in pairs]
    scatter = np.empty((len(values), len(values)))
    scatter[upper] = scatter.T[upper] = products
    return scatter


class LinearMoments(NamedTuple):
    """Mean and scatter of predictions and truth, the truth last.

    Attributes
    ----------
    weight : float
        Sum of the sample weights.
    mean : ndarray of shape (n_models + 1,)
    scatter : ndarray of shape (n_models + 1, n_models + 1)
        Sum of the products of deviations from the mean.
    """

    weight: float
    mean: FloatArray
    scatter: FloatArray

    @staticmethod
    def of(X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> LinearMoments:
        """Return the moments of rows."""
        n_lines = X.shape[1] + 1
        weight = float(len(X) if sample_weight is None else sample_weight.sum())
        if not weight:
            return LinearMoments(0.0, np.zeros(n_lines), np.zeros((n_lines, n_lines)))
        values = np.empty((n_lines, len(X)))
        values[:-1], values[-1] = X.T, y
        mean = np.average(values, axis=1, weights=sample_weight)
        values -= mean[:, np.newaxis]
        weighted = values if sample_weight is None else values * sample_weight
        return LinearMoments(weight, mean, scatter_of(values, weighted))

    @staticmethod
    def merge(parts: Sequence[LinearMoments]) -> LinearMoments:
        """Add up the moments of parts of the data."""
        parts = [part for part in parts if part.weight] or parts[:1]
        weights, means, scatters = map(np.array, zip(*parts, strict=True))
        weight = weights.sum()
        # Measured from one of the means, so that no digit of large values is lost.
        mean = means[0] + weights @ (means - means[0]) / (weight or 1.0)
        away = means - mean
        scatter = scatters.sum(axis=0) + (weights * away.T) @ away
        return LinearMoments(float(weight), mean, scatter)

    def without_model(self, model: int) -> LinearMoments:
        """Return the moments of the same rows without one of the models."""
        scatter = np.delete(np.delete(self.scatter, model, axis=0), model, axis=1)
        return LinearMoments(self.weight, np.delete(self.mean, model), scatter)

    def fit_ridge(self) -> tuple[FloatArray, float]:
        """Return weights and intercept; the penalty is chosen by generalised cross-validation."""
        n_models = len(self.mean) - 1
        products, with_truth = self.scatter[:-1, :-1], self.scatter[:-1, -1]
        values, vectors = np.linalg.eigh(products)
        values = np.maximum(values, 0.0)
        along = vectors.T @ with_truth
        penalties = _PENALTIES[:, np.newaxis] * (values.sum() / n_models)
        scaled = values + penalties
        shrunk = np.divide(along, scaled, out=np.zeros_like(scaled), where=scaled > 0)
        explained = (2 * shrunk * along - shrunk**2 * values).sum(axis=1)
        kept = np.divide(values, scaled, out=np.zeros_like(scaled), where=scaled > 0).sum(axis=1)
        left = np.maximum(self.weight - 1 - kept, 1e-3)
        best = (np.maximum(self.scatter[-1, -1] - explained, 0.0) / left**2).argmin()
        weights = vectors @ shrunk[best]
        return weights, float(self.mean[-1] - weights @ self.mean[:-1])

    def mean_squared_error(self, weights: FloatArray, intercept: float) -> float:
        """Return the mean squared error of a linear combination in these rows."""
        line = np.append(weights, -1.0)
        spread = line @ self.scatter @ line / self.weight
        return float(max(spread, 0.0) + (line @ self.mean + intercept) ** 2)
