"""What people use instead: plain ensembles of stacked predictions."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from skensir._base import StackedRegressor
from skensir._core.binning import model_columns, row_chunks
from skensir._core.combine import combine_fixed

__all__ = ["AverageRegressor", "ZZPMRegressor"]

# Of the published program.
_ZZPM_FLOOR = 1e-3


class AverageRegressor(StackedRegressor):
    """Average the predictions of the models.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Equal weights that sum to one.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    ZZPMRegressor : Weights by distance from the average.
    skensir.EnsIRRegressor : Weights that depend on the predictions.

    Examples
    --------
    >>> from skensir.baselines import AverageRegressor
    >>> X = [[1.0, 3.0], [2.0, 6.0]]
    >>> AverageRegressor().fit(X, [2.0, 4.0]).predict(X)
    array([2., 4.])
    """

    def fit(self, X, y, sample_weight=None):
        """Check the data; there is nothing to estimate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Checked and then ignored.

        Returns
        -------
        self : AverageRegressor
            The fitted estimator.
        """
        X, _, _ = self._validate_fit(X, y, sample_weight)
        self.weights_ = np.full(X.shape[1], 1 / X.shape[1])
        return self

    def predict(self, X):
        """Return the mean prediction of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The mean of the models.
        """
        return combine_fixed(self._validate_predictions(X), self.weights_)


class ZZPMRegressor(StackedRegressor):
    r"""Weight each model by its distance from the average of the models.

    The weights are those of a whole batch, such as an image, and follow from the predictions
    alone: the softmax over models of :math:`1 / (10^{-3} + \mathrm{mse}_m)`, where
    :math:`\mathrm{mse}_m` is the mean squared distance of model m from the average of the models
    over the batch. It is the baseline ZZPM as the published program of EnsIR [1]_ computes it.

    Attributes
    ----------
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    AverageRegressor : Equal weights.
    skensir.EnsIRRegressor : Weights that depend on the predictions.

    Notes
    -----
    What is predicted for a row depends on the other rows of the batch, and the sharpness of the
    weights on the unit of the predictions.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> from skensir.baselines import ZZPMRegressor
    >>> X = [[1.0, 2.0, 9.0], [2.0, 3.0, 7.0]]
    >>> ZZPMRegressor().fit(X, [2.0, 3.0]).predict_weights(X).round(3)
    array([[0.314, 0.401, 0.285],
           [0.314, 0.401, 0.285]])
    """

    def fit(self, X, y, sample_weight=None):
        """Check the data; the weights follow at prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Checked and then ignored.

        Returns
        -------
        self : ZZPMRegressor
            The fitted estimator.
        """
        self._validate_fit(X, y, sample_weight)
        return self

    def _batch_weights(self, X):
        squares = np.zeros(X.shape[1])
        for rows in row_chunks(*X.shape):
            columns = model_columns(X, rows)
            distance = columns - columns.mean(axis=0, dtype=np.float64)
            squares += np.einsum("mn,mn->m", distance, distance)
        return softmax(1 / (_ZZPM_FLOOR + squares / len(X)))

    def predict(self, X):
        """Return the weighted sum of the models, with the weights of the batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, all that belong together.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The combination.
        """
        X = self._validate_predictions(X)
        return combine_fixed(X, self._batch_weights(X))

    def predict_weights(self, X):
        """Return the weights that `predict` gives to the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, all that belong together.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_models)
            The same line for every row.
        """
        X = self._validate_predictions(X)
        return np.tile(self._batch_weights(X), (len(X), 1))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")
