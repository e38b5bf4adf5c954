"""Default weights: for cells that cannot have weights of their own, and where EM starts."""

from __future__ import annotations

import numpy as np

from skensir._core._typing import FloatArray

# Of the published program; it bounds the exponent of models that agree exactly.
_DEVIATION_FLOOR = 1e-10


def inverse_deviation_weights(error_moments: FloatArray) -> FloatArray:
    """Return the softmax over models of ``1 / (1e-10 + rmse)``.

    Parameters
    ----------
    error_moments : ndarray of shape (..., n_models, n_models)
        Mean products of the models' errors. The distance of a model from the average of the models
        follows from them, since the truth cancels.

    Returns
    -------
    ndarray of shape (..., n_models)
        rmse is each model's root mean squared distance from the average of the models.
    """
    own = np.einsum("...ii->...i", error_moments)
    with_average = error_moments.mean(axis=-1)
    squares = own - 2 * with_average + with_average.mean(axis=-1, keepdims=True)
    # Where the models agree exactly, what is left is the rounding of sums of squared errors.
    squares[squares <= 1e-14 * own] = 0.0
    exponent = 1 / (_DEVIATION_FLOOR + np.sqrt(squares))
    weights = np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
