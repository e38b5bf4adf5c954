"""What all estimators share: checks of arguments and of stacked predictions, and tags."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, column_or_1d, metaestimators
from sklearn.utils.validation import check_is_fitted, validate_data

from skensir._checks import LARGEST, SMALLEST, check_numbers, check_option, saying_of, shown
from skensir._core.pooled import WEIGHTINGS
from skensir._documentation import Documented
from skensir._state import PlainState
from skensir._sums.scale import scale_of
from skensir._typing import AnyArray, FloatArray

# Taken as they are; any other dtype is converted to the first.
PREDICTION_DTYPES = [
    np.float64,
    np.float32,
    np.uint8,
    np.uint16,
    np.uint32,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
]
DEFAULT_WEIGHTS = ("auto", *WEIGHTINGS)

# Products of smaller ones with squares of errors would have lost digits.
_SMALLEST_WEIGHT = 1e-100

Method = TypeVar("Method", bound=Callable[..., Any])


def check_default_weights(default_weights: Any, n_models: int) -> str | FloatArray:
    """Return the option, or an array of `n_models` convex weights."""
    if isinstance(default_weights, str) or default_weights is None:
        check_option(default_weights, "default_weights", DEFAULT_WEIGHTS)
        return str(default_weights)
    options = f"must be one of {', '.join(map(repr, DEFAULT_WEIGHTS))} or"
    try:
        check_numbers(default_weights, "default_weights")
        weights = np.asarray(default_weights)
        if weights.dtype.kind == "b":
            raise TypeError
        weights = weights.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"default_weights == {shown(default_weights)}, {options} {n_models} numbers."
        ) from None
    if weights.shape != (n_models,):
        raise ValueError(
            f"default_weights == {shown(default_weights)} has shape {weights.shape}, {options} one "
            f"weight for each of the {n_models} models."
        )
    if not (weights >= 0).all() or not np.isclose(weights.sum(), 1, atol=1e-6):
        raise ValueError(
            f"default_weights == {shown(default_weights)}, must be non-negative and sum to one."
        )
    return np.asarray(weights / weights.sum())


def check_sample_weight(sample_weight: ArrayLike, n_samples: int) -> FloatArray:
    """Return the weights as floats; unlike scikit-learn's own check it lets all be zero."""
    check_numbers(sample_weight, "sample_weight")
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    with saying_of("sample_weight"):
        weight: FloatArray = check_array(
            sample_weight,
            dtype=np.float64,
            ensure_2d=False,
            ensure_min_samples=0,
            input_name="sample_weight",
        )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, must be ({n_samples},): one weight per sample."
        )
    if weight.min(initial=0.0) < 0:
        raise ValueError(
            f"Negative values in sample_weight, such as {weight.min()}; must be zero or more."
        )
    check_weight_range(weight.min(initial=1.0, where=weight > 0), weight.max(initial=1.0))
    return weight


def check_weight_range(least: float, most: float, name: str = "sample_weight") -> None:
    """Raise an error unless the smallest and largest positive weight can be worked with."""
    for value in (least, most):
        if not _SMALLEST_WEIGHT <= value <= LARGEST:
            raise ValueError(
                f"{name} has {value}, must be zero or from {_SMALLEST_WEIGHT:g} to {LARGEST:g}."
            )


def _check_any_weight(sample_weight: FloatArray) -> None:
    if not sample_weight.any():
        raise ValueError("sample_weight is zero for every sample; some must be positive.")


def whole_or_nothing(method: Method) -> Method:
    """Make a method that raises leave the estimator as it was, attributes and all."""

    @wraps(method)
    def changing(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *args, **kwargs)
        except BaseException:  # an interruption as well
            self.__dict__ = before  # at once: a second interruption may come at any moment
            raise

    return cast(Method, changing)


def available_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
    """Do what scikit-learn's decorator does, and keep the method's types."""
    return cast(Callable[[Method], Method], metaestimators.available_if(check))


def _dtypes_for(X: Any) -> Any:
    """Return the dtypes that predictions may keep: scikit-learn knows those of NumPy and pandas.

    Frames of Polars and Arrow, tensors of 8 bits and numbers whose bytes lie the other way round
    would else become doubles, which are no pixels.
    """
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype):
        native = dtype.newbyteorder("=")
        return native if native in PREDICTION_DTYPES else PREDICTION_DTYPES
    if hasattr(X, "iloc"):
        return PREDICTION_DTYPES
    try:
        found = np.asarray(X[:0]).dtype
    except Exception:  # scikit-learn says what is wrong
        return PREDICTION_DTYPES
    return found if found in PREDICTION_DTYPES else PREDICTION_DTYPES


class StackedRegressor(PlainState, Documented, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose features are predictions of the target, one column per base model."""

    n_features_in_: int
    feature_names_in_: AnyArray

    def _validate_fit(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        """Return the arguments of `fit` as arrays, in the dtypes they came in."""
        X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=True)
        if sample_weight is not None:
            _check_any_weight(sample_weight)
        return X, y, sample_weight

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        """Do the same for a part of the rows, whose weights may all be zero."""
        with config_context(array_api_dispatch=False):  # rows are summed up in NumPy
            n_least = int(reset)  # a batch may be empty, but not the first
            X = self._validate_columns(X, reset=reset, ensure_min_samples=n_least)
            y = self._validate_truth(y, X)
            if sample_weight is not None:
                sample_weight = check_sample_weight(sample_weight, len(X))
        return X, y, sample_weight

    def _validate_predictions(self, X: Any) -> AnyArray:
        check_is_fitted(self)
        with config_context(array_api_dispatch=False):
            return self._validate_columns(X, reset=False)

    def _validate_columns(self, X: Any, **options: Any) -> AnyArray:
        check_numbers(X, "X")
        with saying_of("X"):
            predictions: AnyArray = validate_data(self, X, dtype=_dtypes_for(X), **options)
        return predictions

    def _validate_truth(self, y: Any, X: AnyArray) -> AnyArray:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        check_numbers(y, "y")
        with saying_of("y"):
            if not hasattr(y, "dtype") and (y := np.asarray(y)).dtype == object:
                y = y.astype(np.float64)  # scikit-learn leaves a list of objects as it is
            is_long = getattr(y.dtype, "type", None) is np.longdouble
            dtype = np.float64 if is_long else "numeric"
            y = check_array(y, dtype=dtype, ensure_2d=False, ensure_min_samples=0, input_name="y")
            truth: AnyArray = column_or_1d(y, warn=True)
            check_consistent_length(X, truth)
        return truth

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination of the prediction, as all regressors do.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        score : float
            One for a perfect prediction, and zero for that of the mean of `y`.
        """
        from sklearn.metrics import r2_score  # here, to keep the package's import cheap

        prediction = self.predict(X)
        if isinstance(prediction, np.ndarray):
            with config_context(array_api_dispatch=False):
                y = self._validate_truth(y, prediction)
                if sample_weight is not None:
                    sample_weight = check_sample_weight(sample_weight, len(y))
            largest = float(max(np.abs(y).max(initial=0), np.abs(prediction).max(initial=0)))
            y, prediction = (v.astype(np.float64, copy=False) for v in (y, prediction))
            # Squares are to be numbers, and so is the scale of subnormal values.
            if largest and (scale := scale_of(max(largest, SMALLEST))) != 1.0:
                y, prediction = y / scale, prediction / scale
            if sample_weight is not None:
                _check_any_weight(sample_weight)
                sample_weight = sample_weight / sample_weight.max()
        with saying_of("sample_weight"):
            return float(r2_score(y, prediction, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Features that are no predictions of the target cannot be combined into one.
        tags.regressor_tags.poor_score = True
        return tags
