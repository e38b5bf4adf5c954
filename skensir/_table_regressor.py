"""Prediction by a lookup table, as every estimator that has one shows it."""

from __future__ import annotations

from typing import Literal, overload

from numpy.typing import ArrayLike

from skensir._base import StackedRegressor
from skensir._typing import FloatArray


class TableRegressor(StackedRegressor):
    """A regressor that predicts by a lookup table, its own or that of another estimator."""

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def predict(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]: ...

    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Combine predictions with the weights of their cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, in the order they had in `fit`.
        return_std : bool, default=False
            Whether to return the standard deviation as well.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The combination, between the smallest and the largest prediction of each row.
        std : ndarray of shape (n_samples,)
            Root mean squared error in the row's cell on the reference set, in the unit of the
            predictions. Only with `return_std`.
        """
        return self._predict_rows(X, return_std)

    def predict_weights(self, X: ArrayLike) -> FloatArray:
        """Return the weights that `predict` gives to the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_models)
            Non-negative, each line sums to one.
        """
        return self._weigh_rows(X)

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        raise NotImplementedError

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        raise NotImplementedError
