"""What all estimators share: validation of stacked predictions, and tags."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

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


def check_number(value, name, *, zero_allowed=False):
    """Raise an error that names the argument unless `value` is finite and positive."""
    boundaries = "left" if zero_allowed else "neither"
    check_scalar(value, name, Real, min_val=0, include_boundaries=boundaries)
    if not np.isfinite(value):
        raise ValueError(f"{name} == {value}, must be finite.")


def check_option(value, name, allowed):
    """Raise an error that names the argument unless `value` is one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} == {value!r}, must be one of {', '.join(map(repr, allowed))}.")


def check_sample_weight(sample_weight, n_samples):
    """Return the weights as floats; unlike scikit-learn's own check it lets all be zero."""
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    weight = check_array(
        sample_weight,
        dtype=np.float64,
        ensure_2d=False,
        ensure_min_samples=0,
        input_name="sample_weight",
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, must be ({n_samples},): one weight a sample."
        )
    if weight.min(initial=0.0) < 0:
        raise ValueError(
            f"Negative values in sample_weight, such as {weight.min()}; must be zero or more."
        )
    return weight


class StackedRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose features are predictions of the target, one column a base model."""

    def _validate_fit(self, X, y, sample_weight):
        """Return the arguments of `fit` as arrays, in the dtypes they came in."""
        X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=True)
        if sample_weight is not None and not sample_weight.any():
            raise ValueError("sample_weight is zero for every sample; some must be positive.")
        return X, y, sample_weight

    def _validate_rows(self, X, y, sample_weight, *, reset):
        """Do the same for a part of the rows, whose weights may all be zero."""
        X, y = validate_data(
            self,
            X,
            y,
            dtype=PREDICTION_DTYPES,
            y_numeric=True,
            reset=reset,
            ensure_min_samples=int(reset),  # a batch may be empty, but not the first
        )
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(X))
        return X, y, sample_weight

    def _validate_predictions(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=PREDICTION_DTYPES, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Features that are no predictions of the target cannot be combined into one.
        tags.regressor_tags.poor_score = True
        return tags
