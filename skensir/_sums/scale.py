"""The range of the predictions, from which every length of the method follows.

It depends on the predictions alone, and scales with them exactly for factors that are powers of
two: then bins, sums and steps of EM are the same numbers in another unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skensir._typing import FloatArray

# The bulk of the predictions leaves out this share at either end: one outlier in a thousand rows
# changes nothing, nor does noise that carries a few values of an image beyond its ends. It is a
# power of two, so that whole sample weights are compared without rounding.
_TAIL = 1 / 64

# Lengths, and ratios of them, are normal numbers.
_MIN_EXPONENT, _MAX_EXPONENT = -1000, 1020

# Of ranges within these powers of two, squares and products of squares are normal numbers as well.
_LARGEST_POWER = 200

# Bins are no narrower than the rounding of the predictions lets them be.
_LARGEST_RATIO = 2.0**40


def dtype_range(dtype: np.dtype[Any]) -> float | None:
    """Return the range of pixels of 8 and 16 bits, which their dtype tells; None of all else."""
    return float(np.iinfo(dtype).max) if dtype in (np.uint8, np.uint16) else None


def find_data_range(predictions: FloatArray, row_weight: FloatArray) -> float:
    """Return 255/256 of the smallest power of two that covers the bulk of the predictions.

    So it is 255 for values from 0 to 255. Where the bulk is one value, the spread of all values
    stands for it, then their magnitude, then one. There must be rows, all of positive weight.
    """
    values, weight = predictions.ravel(), None
    if (row_weight != row_weight[0]).any():
        weight = np.repeat(row_weight, predictions.shape[1])
    lower, upper = quantiles(values, weight, (_TAIL, 1 - _TAIL))
    lowest, highest = values.min(), values.max()
    with np.errstate(over="ignore"):  # the exponent is bounded below
        candidates = upper - lower, highest - lowest, max(-lowest, highest), 1.0
    spread = next(length for length in candidates if length > 0)
    spread = max(spread, max(-lower, upper) / _LARGEST_RATIO)
    mantissa, exponent = np.frexp(min(spread, np.finfo(np.float64).max))
    power = int(exponent) - (mantissa == 0.5)
    return float(255 * 2.0 ** (min(max(power, _MIN_EXPONENT), _MAX_EXPONENT) - 8))


def scale_of(data_range: float) -> float:
    """Return what rows are divided by before they are summed up: nearly always one.

    Squares of values near the ends of the floating-point numbers would overflow or underflow. By a
    power of two, nothing is rounded.
    """
    power = int(np.frexp(data_range)[1]) - 8  # zero for 255
    return 2.0**power if abs(power) > _LARGEST_POWER else 1.0


def quantiles(values: FloatArray, weight: FloatArray | None, shares: Sequence[float]) -> FloatArray:
    """Return the smallest values up to which these shares of the weight lie.

    A value of weight two is the value given twice; None gives all values the same weight.
    """
    if weight is None:
        places = np.ceil(np.multiply(shares, values.size)).astype(np.intp) - 1
        return np.asarray(np.partition(values, places)[places])
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return np.asarray(values[order[np.searchsorted(total, np.multiply(shares, total[-1]))]])
