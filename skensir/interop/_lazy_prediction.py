"""Prediction of lazy rows, chunk by chunk, as every estimator on dask has it."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skensir._base import whole_or_nothing
from skensir._checks import check_flag
from skensir._core.calibration import count_ratios
from skensir._core.combine import dtype_of_sums
from skensir._incremental import IncrementalRegressor
from skensir._typing import FloatArray
from skensir.interop._chunks import (
    Lazy,
    check_predictions,
    compute_sum,
    dtype_of,
    is_lazy,
    line_up,
    map_chunks,
    rows_of_chunk,
)


def _predict_chunk(
    X: Any,
    estimator: Any,
    method: str = "predict",
    n_columns: int = 1,
    dtype: Any = float,
    **options: Any,
) -> FloatArray:
    """Apply a method of a fitted estimator to a chunk; what it returns becomes columns."""
    if not len(X):
        return np.empty((0, n_columns), dtype)
    predicted = getattr(estimator, method)(X, **options)
    columns = predicted if isinstance(predicted, tuple) else (predicted,)
    return np.column_stack(columns).astype(dtype, copy=False)


def _square_chunk(X: Any, estimator: Any, y: Any, sample_weight: Any) -> FloatArray:
    """Return what the score needs: weight, mean of y, squares about it, squares of errors."""
    rows = rows_of_chunk(estimator, X, y, sample_weight)
    if rows is None or (rows[2] is not None and not rows[2].any()):
        return np.zeros(4)
    _, y, weight = rows
    weight = np.ones(len(y)) if weight is None else weight
    total = weight.sum()
    mean = weight @ y / total
    error = y - estimator.predict(X)
    return np.array([total, mean, weight @ (y - mean) ** 2, weight @ error**2])


def _merge_squares(parts: list[FloatArray]) -> FloatArray:
    """Put together what the score needs of several chunks; squares stay about the mean of all."""
    weight, mean, squares, errors = np.array(parts).T
    total = weight.sum()
    if not total:
        return np.zeros(4)
    mean_of_all = weight @ mean / total
    squares = squares.sum() + weight @ (mean - mean_of_all) ** 2
    return np.array([total, mean_of_all, squares, errors.sum()])


def _count_chunk(X: Any, estimator: Any, y: Any, sample_weight: Any) -> FloatArray:
    """Return how large the errors of a chunk are against their standard deviation."""
    rows = rows_of_chunk(estimator, X, y, sample_weight)
    if rows is None:
        return count_ratios(np.zeros(0), np.zeros(0))
    _, y, weight = rows
    prediction, std = estimator.predict(X, return_std=True)
    return count_ratios(y - prediction, std, weight)


def _add_up(parts: list[FloatArray]) -> FloatArray:
    return np.asarray(np.sum(parts, axis=0))


class LazyPrediction(IncrementalRegressor):
    """What estimators on dask do with rows that are still to be computed."""

    def to_local(self) -> Any:
        """Return the plain estimator, to save it or to use it without dask."""
        raise NotImplementedError

    def _predicting(self) -> Any:
        """Return a plain estimator that can predict, without what only fitting needs."""
        return self.solve().to_local().forget_rows()  # solved here, not in every chunk

    def _predict_lazily(self, X: Lazy, n_columns: int, **options: Any) -> Lazy:
        """Return the columns of what a method of the plain estimator makes of the rows."""
        check_is_fitted(self)
        X = check_predictions(self, X, reset=False)
        # Of a prediction alone, as of rows in memory; beside others it is in double precision.
        dtype = dtype_of_sums(dtype_of(X)) if n_columns == 1 else np.dtype(np.float64)
        function = partial(_predict_chunk, n_columns=n_columns, dtype=dtype, **options)
        return map_chunks(function, X, self._predicting(), n_columns=n_columns, dtype=dtype)

    def _predict_rows(self, X: Any, return_std: bool) -> Any:
        if not is_lazy(X):
            return super()._predict_rows(X, return_std)
        columns = self._predict_lazily(X, 1 + return_std, return_std=return_std)
        return (columns[:, 0], columns[:, 1]) if return_std else columns[:, 0]

    def _weigh_rows(self, X: Any) -> Any:
        if not is_lazy(X):
            return super()._weigh_rows(X)
        check_is_fitted(self)
        return self._predict_lazily(X, self.n_features_in_, method="predict_weights")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, of sums that are made chunk by chunk.

        Parameters
        ----------
        X : dask array or data frame of shape (n_samples, n_models)
            Predictions of the base models.
        y : dask array or series of shape (n_samples,)
            Truth.
        sample_weight : dask array or series of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        score : float
            One minus the ratio of the squared error to the squared distance of the truth from its
            mean.
        """
        if not is_lazy(X):
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)
        X, y, sample_weight = line_up(self, X, y, sample_weight, reset=False)
        parts = map_chunks(_square_chunk, X, self._predicting(), y, sample_weight)
        weight, _, spread, errors = compute_sum(_merge_squares, parts)
        if not weight:
            raise ValueError("X has no rows of positive sample_weight; at least one is needed.")
        # As scikit-learn has it where the truth is constant.
        return float(1 - errors / spread) if spread > 0 else float(errors == 0)

    @whole_or_nothing
    def calibrate(self, X: Any, y: Any, sample_weight: Any = None, *, add: bool = False) -> Self:
        """Learn from rows that were not fitted on how wide `predict_interval` has to be.

        Parameters
        ----------
        X : dask array or data frame of shape (n_samples, n_models)
            Predictions of the base models.
        y : dask array or series of shape (n_samples,)
            Truth.
        sample_weight : dask array or series of shape (n_samples,), default=None
            Non-negative weights of the rows.
        add : bool, default=False
            Whether to add the rows to those of earlier calls, and not to begin anew.

        Returns
        -------
        self : estimator
            The estimator, calibrated.
        """
        if not is_lazy(X):
            return super().calibrate(X, y, sample_weight, add=add)
        check_flag(add, "add")
        check_is_fitted(self)
        X, y, sample_weight = line_up(self, X, y, sample_weight, reset=False)
        parts = map_chunks(_count_chunk, X, self._predicting(), y, sample_weight)
        return self._keep_calibration(compute_sum(_add_up, parts), add=add)
