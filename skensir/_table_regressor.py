"""Prediction by a lookup table, as every estimator that has one shows it."""

from __future__ import annotations

from typing import Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike

from skensir._advice import say_small_weights
from skensir._base import StackedRegressor, whole_or_nothing
from skensir._checks import check_flag, check_share
from skensir._core.calibration import count_ratios, ratio_that_covers
from skensir._typing import FloatArray
from skensir._warn import warn_user


class TableRegressor(StackedRegressor):
    """A regressor that predicts by a lookup table, its own or that of another estimator."""

    calibration_: FloatArray

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
            The combination, in single precision where `X` has that, in double precision otherwise.
            Between the smallest and the largest prediction of each row, but for signed weights and
            intercepts.
        std : ndarray of shape (n_samples,)
            Root mean squared error in the row's cell on the reference set, in the unit of the
            predictions; of averaged tables the root of their average square. Only with
            `return_std`.
        """
        check_flag(return_std, "return_std")
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
            Each line sums to one. Non-negative, unless `positive` was False for a table. An
            intercept, where there is one, comes on top: it is ``predict(X)`` less the weighted sum.
        """
        return self._weigh_rows(X)

    @whole_or_nothing
    def calibrate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        add: bool = False,
    ) -> Self:
        """Learn from rows that were not fitted on how wide `predict_interval` has to be.

        `EnsIRRegressorCV.fit` has done so already, with the rows that it held out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; a row of weight two counts as two.
        add : bool, default=False
            Whether to add the rows to those of earlier calls, or of the search, and not to begin
            anew. So rows may come in parts.

        Returns
        -------
        self : estimator
            The estimator, calibrated: `calibration_` counts the rows by the ratio of their error
            and their standard deviation, on a logarithmic grid.

        Raises
        ------
        ValueError
            If an argument is out of its range, or no row has weight; the message names it.

        Warns
        -----
        UserWarning
            If the weights are far below one: they count as rows, and a row more than there were
            is asked for, so that intervals get too wide.
        """
        check_flag(add, "add")
        prediction, std = self.predict(X, return_std=True)
        _, truth, weight = self._validate_rows(X, y, sample_weight, reset=False)
        if weight is not None and (sentence := say_small_weights(weight, in_fit=False)):
            warn_user(sentence, UserWarning)
        return self._keep_calibration(
            count_ratios(truth - np.asarray(prediction), np.asarray(std), weight), add=add
        )

    def _keep_calibration(self, counts: FloatArray, *, add: bool) -> Self:
        """Take over how large errors are against their standard deviation."""
        if add and "calibration_" in vars(self):
            counts = counts + self.calibration_
        if not counts.any():
            raise ValueError("sample_weight is zero for every sample; some must be positive.")
        self.calibration_ = counts
        return self

    def predict_interval(
        self, X: ArrayLike, coverage: float = 0.9
    ) -> tuple[FloatArray, FloatArray]:
        """Return intervals that hold the truth with a given probability.

        Around the prediction, an interval reaches as many standard deviations to either side as
        this share of the calibration rows erred at most. The probability holds on average over
        rows like those, not for each cell by itself, nor for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        coverage : float, default=0.9
            The probability, between zero and one.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
            Ends of the intervals, in the unit of the predictions. They are infinite where that is
            what it takes, as too many rows erred by a million standard deviations, or where none
            was expected to err.

        Raises
        ------
        ValueError
            If the coverage is not between zero and one, or the estimator is not calibrated.
        """
        check_share(coverage, "coverage")
        prediction, std = self.predict(X, return_std=True)
        if "calibration_" not in vars(self):
            raise ValueError(
                f"This {type(self).__name__} is not calibrated: call calibrate(X, y) with rows "
                "that were not fitted on."
            )
        ratio = ratio_that_covers(self.calibration_, coverage)
        reach = ratio * std if ratio < np.inf else ratio  # also where no error was expected
        return prediction - reach, prediction + reach

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        raise NotImplementedError

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        raise NotImplementedError
