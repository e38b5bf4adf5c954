"""What a cell is made of: the models' predictions, their deviations from the mean, or a summary."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skensir._sums.binning import bin_indices
from skensir._sums.scale import scale_of
from skensir._typing import AnyArray, FloatArray, IntArray

KINDS = ("predictions", "deviations", "summary")

# Of a summary: bins per doubling of the spread, once it is wide against the unit.
_BINS_PER_OCTAVE = 4
# Spreads below the unit divided by this are hardly told apart.
SPREADS_PER_UNIT = 4


class Axes(NamedTuple):
    """Axes that are cut into bins, and how wide these are.

    Attributes
    ----------
    bin_width : float
        In the unit of the predictions.
    kind : {"predictions", "deviations", "summary"}
        An axis is what one model predicts; or how far that is from the mean of all models; or
        there are two, the mean and, on a logarithmic scale, the standard deviation of a row.
    unit : float
        Where the logarithmic scale of the spread begins, which nothing else uses. With it as bin
        width a bin of the spread is a quarter of an octave; bins nest at all widths.
    """

    bin_width: float
    kind: str = "predictions"
    unit: float = 1.0

    def n_axes(self, n_models: int) -> int:
        """Return how many bin indices name a cell."""
        return 2 if self.kind == "summary" else n_models

    def widened(self, factor: int) -> Axes:
        """Return the same axes in bins that hold `factor` of these each."""
        return self._replace(bin_width=self.bin_width * factor)

    def bins(self, columns: AnyArray) -> AnyArray:
        """Return the bin indices of rows, a line per axis.

        `columns` has a line per model, in any real dtype. What follows from whole numbers is
        exact: equal predictions are in the same cell whatever dtype holds them.
        """
        if self.kind == "predictions":
            return bin_indices(columns, self.bin_width)
        with np.errstate(over="ignore", invalid="ignore"):  # told by `check_bin_indices`
            if self.kind == "deviations":
                return self._bins_of_deviations(columns)
            return self._bins_of_summary(columns)

    def _bins_of_deviations(self, columns: AnyArray) -> AnyArray:
        """Return ``floor((x_m - mean(x)) / b)`` as the floor of ``(K x_m - sum(x)) / (K b)``."""
        n_models = len(columns)
        differences = _from_first(columns)
        total = differences.sum(axis=0, dtype=differences.dtype)
        differences *= differences.dtype.type(n_models)
        differences -= total
        divisor = n_models * self.bin_width
        whole = differences.dtype.kind == "i" and divisor % 1 == 0
        if whole and divisor <= np.iinfo(differences.dtype).max:
            differences //= differences.dtype.type(divisor)
            return differences
        return _floor_of_ratio(differences, divisor)

    def _bins_of_summary(self, columns: AnyArray) -> AnyArray:
        """Return bins of the mean, ``floor(sum(x) / (K b))``, and of the standard deviation."""
        if (scale := scale_of(self.unit)) != 1.0:
            plain = self._replace(bin_width=self.bin_width / scale, unit=self.unit / scale)
            return plain._bins_of_summary(columns / scale)
        n_models = len(columns)
        differences = _from_first(columns).astype(np.float64, copy=False)
        total = differences.sum(axis=0)
        # Of whole numbers all of this is whole up to the root, so that it is exact. What overflows
        # is refused where the errors are summed up, whose squares do so too.
        with np.errstate(over="ignore", invalid="ignore"):
            squares = n_models * np.square(differences).sum(axis=0) - np.square(total)
        bins = np.empty((2, columns.shape[1]))
        bins[0] = _floor_of_ratio(
            n_models * columns[0].astype(np.float64) + total, n_models * self.bin_width
        )
        bins[1] = self.bins_of_spread(squares, n_models)
        return bins

    def bins_of_spread(self, squares: FloatArray, n_models: int) -> FloatArray:
        """Return the bins of the standard deviation s of rows, given ``(K s)**2``."""
        squares = np.nan_to_num(squares, nan=np.finfo(np.float64).max)
        spread = np.sqrt(np.maximum(squares, 0.0)) / n_models
        return np.floor(self.scale_of_spread * np.log2(1 + SPREADS_PER_UNIT * (spread / self.unit)))

    @property
    def scale_of_spread(self) -> float:
        """Bins of the spread per doubling, once it is wide against the unit."""
        return _BINS_PER_OCTAVE * (self.unit / self.bin_width)

    def spread_edges(self, bins: IntArray, n_models: int) -> FloatArray:
        """Return from which value of ``(K s)**2`` on the spread s lies in these bins or beyond.

        A logarithm is not the same to the last bit everywhere, and comparisons are. Found by
        bisection over all numbers of double precision, in the order of their bits.
        """
        if scale_of(self.unit) != 1.0:
            raise ValueError(
                f"A table on summary axes of unit {self.unit:g} predicts in NumPy only: elsewhere "
                "squares of standard deviations would leave the range of floating-point numbers."
            )
        low = np.zeros(len(bins), np.int64)  # below the edge, but for the lowest bin
        high = np.full(len(bins), np.finfo(np.float64).max).view(np.int64)
        while (high - low > 1).any():
            middle = low + (high - low) // 2
            beyond = self.bins_of_spread(middle.view(np.float64), n_models) >= bins
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return high.view(np.float64)

    def lower_edges(self, axis: int, indices: IntArray) -> FloatArray:
        """Return the lower edges of bins, in the unit of the predictions."""
        if self.kind == "summary" and axis == 1:
            octaves = indices / self.scale_of_spread
            return np.asarray((2.0**octaves - 1) * self.unit / SPREADS_PER_UNIT)
        return np.asarray(indices * self.bin_width)


def _from_first(columns: AnyArray) -> AnyArray:
    """Return how far each model is from the first, in a dtype that sums of it fit into.

    Small differences keep the digits that the sum of large predictions would lose.
    """
    dtype: type[Any] = np.float64
    if columns.dtype in (np.uint8, np.uint16):
        largest = 2 * len(columns) * np.iinfo(columns.dtype).max
        whole = (np.int16, np.int32, np.int64)
        dtype = next(d for d in whole if largest < np.iinfo(d).max)
    return np.asarray(np.subtract(columns, columns[0], dtype=dtype))


def _floor_of_ratio(values: AnyArray, divisor: float) -> FloatArray:
    """Return the floor of the quotient; one that overflows counts to the end bin as well."""
    with np.errstate(over="ignore"):
        ratio: FloatArray = np.divide(values, divisor, dtype=np.float64)
    return np.floor(ratio, out=ratio)
