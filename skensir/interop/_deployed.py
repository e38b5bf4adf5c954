"""What runs without scikit-learn: the tables of a fitted model, and the scale of values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skensir._checks import SMALLEST, shown
from skensir._core.portable import PortableTable, portable_tables
from skensir._incremental import IncrementalRegressor
from skensir.image.ensemble import ImageEnsemble
from skensir.image.metrics import peak_of

# What images are known to reach to whose values were found to lie below a power of two.
_PEAKS = {1.0: 1.0, 256.0: 255.0, 65536.0: 65535.0}


class Deployed(NamedTuple):
    """What a fitted model predicts by.

    Attributes
    ----------
    channels : tuple of tuple of PortableTable
        The tables of each channel, which are averaged; one channel stands for all.
    n_models : int
    n_channels : int or None
        Of the images; None where any number will do.
    largest : float or None
        The largest value that there may be on the scale of `fit`; None where that is not known.
    lowest : float
        The lower edge of the lowest cell where that is far below zero, and else zero.
    pixel_dtype : str or None
        Of the images of `fit`; None where they were no pixels, or it is not known.
    """

    channels: tuple[tuple[PortableTable, ...], ...]
    n_models: int
    n_channels: int | None
    largest: float | None
    lowest: float
    pixel_dtype: str | None = None


class Scale(NamedTuple):
    """How values become those of `fit`: the zero is taken away, then they are multiplied."""

    zero: float = 0.0
    factor: float = 1.0

    @property
    def is_plain(self) -> bool:
        return self == Scale()

    def applied(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return arrays of values as those of `fit`."""
        if self.is_plain:
            return values
        return [(value - self.zero) * self.factor for value in values]

    def rounding(self, precision: float, largest: float | None) -> float:
        """Return how far values are rounded off on the scale of `fit`, given a dtype's precision.

        Pixels that were divided by 255 would else lie beside the edge that they lay on.
        """
        if self.is_plain or largest is None:
            return 0.0
        reach = abs(self.zero) + largest / self.factor
        # Half a unit in the last place, and what the way back in double precision adds.
        return (precision / 2 + 4 * float(np.finfo(np.float64).eps)) * reach * self.factor


def deploy(model: Any) -> Deployed:
    """Return what a fitted model predicts by.

    Raises
    ------
    TypeError
        If it has no lookup tables.
    """
    regressors, n_channels = [model], None
    if isinstance(model, ImageEnsemble):
        check_is_fitted(model)
        regressors, n_channels = model.regressors_, model.n_channels_
    for regressor in regressors:
        if not isinstance(regressor, IncrementalRegressor):
            what = "model" if regressor is model else "a regressor of the ensemble"
            raise TypeError(
                f"{what} == {shown(regressor)}, must be a fitted EnsIRRegressor or "
                "EnsIRRegressorCV, or an ImageEnsemble of these."
            )
        check_is_fitted(regressor)
        regressor.solve()
    first = regressors[0]
    pixels = None if n_channels is None else model.pixel_dtype_
    largest = _largest_of(first) if pixels is None else peak_of(pixels)
    channels = tuple(portable_tables(regressor._lookup()) for regressor in regressors)
    lowest = min(_lowest_of(table) for tables in channels for table in tables)
    # What networks give for an image from 0 to 1 may lie a little below zero.
    lowest = lowest if lowest < -first.data_range_ / 4 else 0.0
    return Deployed(
        channels,
        channels[0][0].n_models,
        n_channels,
        largest,
        lowest,
        None if pixels is None else pixels.name,
    )


def _lowest_of(table: PortableTable) -> float:
    """Return the lower edge of the lowest bin of predictions, zero where cells tell no more."""
    axes = {"predictions": slice(None), "summary": slice(1), "deviations": slice(0)}
    return min((0.0, *table.own.low[axes[table.axes.kind]])) * table.axes.bin_width


def _largest_of(regressor: Any) -> float | None:
    """Return the largest value that there may be in the rows of a regressor, if that is known."""
    found = float(regressor.data_range_)
    if not isinstance(regressor.data_range, str) or found in _PEAKS.values():
        return found
    # It was found by a power of two, below which images may end anywhere.
    return _PEAKS.get(found * 256 / 255)


def check_value_range(value_range: Any) -> tuple[float, float] | None:
    """Return the two ends of a range of values, of which one number is the upper one."""
    if value_range is None:
        return None
    ends = (0.0, value_range) if _is_end(value_range) else value_range
    low = high = np.nan
    # Of a set no end is the first, and bytes would look like numbers.
    listed = isinstance(ends, tuple | list | np.ndarray) and np.iterable(ends)
    if listed and all(map(_is_end, ends)):
        with suppress(ValueError, OverflowError):  # not two, or a number beyond all floats
            low, high = map(float, ends)
    if not (-np.inf < low < high < np.inf and high - low < np.inf):
        raise ValueError(
            f"value_range == {shown(value_range)}, must be None, a number above zero, or the two "
            "ends of a range, of which the first is smaller."
        )
    return low, high


def _is_end(value: Any) -> bool:
    """Tell whether a value is a number; truth values and times are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def find_scale(value_range: Any, model: Deployed) -> Scale:
    """Return how values of a range become those of `fit`, which are from zero to the largest.

    Raises
    ------
    ValueError
        If it is no range, or one so narrow or wide that no number brings it to that of `fit`, or
        that is not known or lies on both sides of zero.
    """
    ends = check_value_range(value_range)
    if ends is None:
        return Scale()
    if model.lowest:
        raise ValueError(
            f"value_range == {shown(value_range)} is brought to a range from zero up, but the "
            f"model was fitted on values down to about {model.lowest:g}; give None, and values on "
            "the scale of fit."
        )
    if model.largest is None:
        raise ValueError(
            f"value_range == {shown(value_range)}, must be None: which value of fit the largest is "
            "to become is not known, unless the images were of 8 or 16 bits or the regressor was "
            "fitted with data_range=... as a number."
        )
    low, high = ends
    least = max(SMALLEST, model.largest / sys.float_info.max)
    most = min(sys.float_info.max, model.largest / SMALLEST)
    if not least <= high - low <= most:
        raise ValueError(
            f"value_range == {shown(value_range)}, must be from {least:.3g} to {most:.3g} wide."
        )
    return Scale(low, model.largest / (high - low))


def rescaled(tables: Sequence[PortableTable], scale: Scale) -> tuple[PortableTable, ...]:
    """Return tables whose intercepts are those of values before they become those of `fit`."""
    return tuple(_rescaled(table, scale) for table in tables)


def _rescaled(table: PortableTable, scale: Scale) -> PortableTable:
    if not table.has_intercepts:
        return table
    lines = table.lines.copy()
    lines[:, -1] /= scale.factor
    return table._replace(lines=lines)
