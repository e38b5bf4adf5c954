"""Units: the range of the predictions, from which an estimator takes its lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from skensir._advice import (
    MIN_ROWS,
    find_other_scales,
    say_fewer_bits,
    say_other_range,
    say_other_scales,
    say_small_weights,
)
from skensir._sample import MAX_VALUES, Sample
from skensir._sums.axes import Axes
from skensir._sums.scale import dtype_range
from skensir._typing import AnyArray, FloatArray
from skensir._warn import warn_user

# Of estimators and table files of version 0.1, which knew values from 0 to 255 only.
FORMER_DATA_RANGE = 255.0

# Values that are looked at for advice, and not for a number that results depend on.
_FEW_VALUES = 2**16


def unit_of(data_range: float) -> float:
    """Return the unit in which the constants of the method are given: one for 8-bit images."""
    return data_range / 255


def auto_bin_width(data_range: float) -> float:
    """Return the paper's bin width, 32 for values from 0 to 255, for values of any range."""
    return 32 * unit_of(data_range)


# Bin widths to try, in units: the whole range in one bin, halved five times.
BIN_WIDTHS_TO_TRY = (256.0, 128.0, 64.0, 32.0, 16.0, 8.0)


def summary_unit(data_range: float) -> float:
    """Return where the logarithmic scale of a spread begins: 8 for values from 0 to 255."""
    return 8 * unit_of(data_range)


def range_of_summary(unit: float) -> float:
    """Return the range by which the scale of a spread begins there."""
    return unit / summary_unit(1.0)


# Of pixels in 8 and in 16 bits.
_PIXEL_RANGES = (255.0, 65535.0)
# A few dark pixels may be floats below one; so many rows are on another scale.
_MANY_ROWS = 1000


def make_axes(bin_width: float, kind: str, data_range: float) -> Axes:
    """Return axes in bins of this width; the scale of a summary starts at the range's unit."""
    if kind != "summary":
        return Axes(bin_width, kind)
    return Axes(bin_width, kind, summary_unit(data_range))


class InUnits:
    """An estimator whose lengths follow from the range of the predictions."""

    data_range: float | str
    data_range_: float
    _advised: list[str]  # of what users have been told since `fit`

    def _current_range(self) -> float:
        """Return the range that holds now, be it given or found in rows."""
        if isinstance(self.data_range, str):
            return float(vars(self).get("data_range_", FORMER_DATA_RANGE))
        return float(self.data_range)

    def _forget_range(self) -> None:
        """Begin anew, as `fit` does."""
        for name in ("data_range_", "_advised"):
            vars(self).pop(name, None)

    def _attributes_since(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return what attributes of version 0.1 have become or left unsaid."""
        since: dict[str, Any] = {"data_range": "auto"}
        return since | (
            {"data_range_": FORMER_DATA_RANGE} if "n_features_in_" in attributes else {}
        )

    def _known_range(self, dtype: np.dtype[Any]) -> float | None:
        """Return the range of predictions of this dtype where no row need be looked at."""
        return dtype_range(dtype) if isinstance(self.data_range, str) else float(self.data_range)

    def _look_at(self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> None:
        """Find the range in the first rows, and look for plain mistakes in all."""
        known = self._known_range(X.dtype)
        if "data_range_" in vars(self):
            if known is None:
                known = Sample.of(X, y, sample_weight, _FEW_VALUES).find_data_range()
            self._advise("range", say_other_range(self._current_range(), known))
            return
        if sample_weight is not None:
            self._advise("weights", say_small_weights(sample_weight))
        n_values = MAX_VALUES if known is None else _FEW_VALUES
        sample = Sample.of(X, y, sample_weight, n_values)
        if len(sample.truth):  # rows without weight say nothing
            self._learn_from(sample, known, dtype_range(X.dtype))

    def _learn_from(
        self, sample: Sample | None, known: float | None, pixel_range: float | None = None
    ) -> None:
        """Take over the range that is known, or else that of the sample, if there is one."""
        found = sample.find_data_range() if known is None and sample is not None else known
        if found is not None:
            self.data_range_ = found
        if sample is not None and len(sample.truth) >= MIN_ROWS:
            columns = find_other_scales(sample.thin_out(_FEW_VALUES), pixel_range)
            names: Any = vars(self).get("feature_names_in_")
            self._advise("scales", say_other_scales(columns, names))
            self._advise("bits", say_fewer_bits(sample, found if found == pixel_range else None))

    def _adopt_range(self, other: InUnits) -> None:
        """Take over the range of an estimator that is merged, where there is none here.

        Of two, the wider one is closer to that of all rows. Where bins were laid by them they are
        left as they are, and the bins do not fit.
        """
        mine, theirs = vars(self).get("data_range_"), vars(other).get("data_range_")
        if theirs is not None and (mine is None or not self._bins_follow()):
            self.data_range_ = max(theirs, mine or 0.0)

    def _check_scale(self, predictions: AnyArray) -> None:
        """Raise an error if pixels from 0 to 1 are given to what was fitted on 8 or 16 bits."""
        few = predictions[:_MANY_ROWS]
        if predictions.dtype.kind != "f" or not self._may_be_small(len(predictions)):
            return
        if few.min() < 0 or few.max() > 1 or predictions.min() < 0 or predictions.max() > 1:
            return
        self._refuse_small(len(predictions), bool((few % 1).any()))

    def _may_be_small(self, n_rows: int) -> bool:
        """Tell whether so many rows of floats may be pixels on another scale than in `fit`."""
        return n_rows >= _MANY_ROWS and self.data_range_ in _PIXEL_RANGES

    def _refuse_small(self, n_rows: int, found: bool) -> None:
        """Raise an error if that was found: values from 0 to 1 that are not all whole."""
        if found:
            raise ValueError(
                f"X has floats from 0 to 1 in all of its {n_rows} rows, and "
                f"{type(self).__name__} was fitted on values up to {self.data_range_:g}: multiply "
                "them by that."
            )

    def _bins_follow(self) -> bool:
        """Tell whether the bins are laid by the range."""
        return False

    def _advise(self, kind: str, sentence: str | None) -> None:
        """Warn, but of one thing only once."""
        advised = vars(self).get("_advised", [])
        if sentence is not None and kind not in advised:
            self._advised = [*advised, kind]
            warn_user(sentence, UserWarning)
