"""Ridge regression of the truth on the predictions, from moments that add up.

It is what a stack has for a meta-learner where nothing else is said, and a rival of every table:
any weights, and an intercept, the same for all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skensir._sums.binning import model_columns, row_chunks
from skensir._typing import AnyArray, FloatArray

# Penalties that are tried, in units of the mean variance of the predictions.
_PENALTIES = np.logspace(-9, 1, 21)


def scatter_of(values: FloatArray, weighted: FloatArray) -> FloatArray:
    """Return ``values @ weighted.T``, symmetric as columns are the same but for a weight each."""
    scatter = np.empty((len(values), len(values)))
    # Line by line: of few and long lines a product of matrices takes three times as long.
    for line, other in enumerate(weighted):
        scatter[line, line:] = scatter[line:, line] = values[line:] @ other
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
        empty = LinearMoments(0.0, np.zeros(X.shape[1] + 1), np.zeros((X.shape[1] + 1,) * 2))

        def of_chunk(rows: slice) -> LinearMoments:
            values = np.vstack([model_columns(X, rows), y[rows]]).astype(np.float64, copy=False)
            weight = None if sample_weight is None else sample_weight[rows]
            total = float(values.shape[1] if weight is None else weight.sum())
            if not total:
                return empty
            mean = np.average(values, axis=1, weights=weight)
            values -= mean[:, np.newaxis]
            weighted = values if weight is None else values * weight
            return LinearMoments(total, mean, scatter_of(values, weighted))

        # In one thread of ours: the products take several by themselves.
        parts = map(of_chunk, row_chunks(*X.shape))
        return LinearMoments.merge([empty, *(part for part in parts if part.weight)])

    @staticmethod
    def merge(parts: Sequence[LinearMoments]) -> LinearMoments:
        """Add up the moments of parts of the data."""
        weight = sum(part.weight for part in parts)
        mean, scatter = parts[0].mean, np.zeros_like(parts[0].scatter)
        if weight:
            # Measured from one of the means, so that no digit of large values is lost.
            shift = np.array([part.weight * (part.mean - mean) for part in parts]).sum(axis=0)
            mean = mean + shift / weight
        for part in parts:
            away = part.mean - mean
            scatter = scatter + part.scatter + part.weight * np.outer(away, away)
        return LinearMoments(weight, mean, scatter)

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
