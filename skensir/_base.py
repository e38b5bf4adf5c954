"""What all estimators share: validation of stacked predictions, and tags."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

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


class StackedRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose features are predictions of the target, one column a base model."""

    def _validate_fit(self, X, y, sample_weight):
        """Return the arguments of `fit` as arrays, in the dtypes they came in."""
        X, y = validate_data(self, X, y, dtype=PREDICTION_DTYPES, y_numeric=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():
                raise ValueError("sample_weight is zero for every sample; some must be positive.")
        return X, y, sample_weight

    def _validate_predictions(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=PREDICTION_DTYPES, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Features that are no predictions of the target cannot be combined into one.
        tags.regressor_tags.poor_score = True
        return tags
