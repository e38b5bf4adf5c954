"""Sufficient statistics: all that the weights depend on, as sums in each cell.

Everything that is fitted depends on the rows through these sums alone. So one pass over the data
is enough, sums of parts add up to the sums of the whole, and cells of bin width b coarsen exactly
to 2b, 3b, ... All sums are of small numbers, predictions measured from the lower corner of their
cell and errors measured from the truth, so targets at 1e12 lose no digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from skensir._checks import check_number, check_option, check_whole
from skensir._sums.axes import KINDS, Axes
from skensir._sums.binning import MAX_BIN_INDEX
from skensir._sums.cells import CellIndex, distinct_cells
from skensir._sums.histogram import TruthHistogram, auto_resolution
from skensir._sums.linear import LinearMoments
from skensir._sums.pairs import model_pairs, n_pairs, quadratic_form, symmetric
from skensir._typing import FloatArray, IntArray

_Any = TypeVar("_Any")

# Sums that are worked on together where there are many statistics: 8 megabytes.
_BATCH_SIZE = 2**20


def check_array(name: str, array: Any, dtype: type, *shapes: tuple[int, ...]) -> None:
    """Raise a ValueError unless an array of sums is finite, of this dtype and of one of shapes."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape not in shapes:
        allowed = " or ".join(map(str, shapes))
        raise ValueError(f"{name} of the sums must have dtype {np.dtype(dtype)}, shape {allowed}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of the sums must be finite.")


class CellStatistics(NamedTuple):
    """Sums over the rows of each occupied cell.

    Attributes
    ----------
    axes : Axes
    cells : ndarray of shape (n_cells, n_axes)
        Bin indices, in lexicographic order.
    sums : ndarray of shape (n_sums, n_cells)
        Line by line: the sample weights; where the axes are the predictions, each model's
        predictions, measured from the lower edge of its bin, and the squares of these; the
        products of two models' errors, upper triangle row by row; each model's errors, where they
        were asked for.
    truth : TruthHistogram or None
        The truth in each cell; None where it was not asked for.
    n_models : int
    linear : LinearMoments or None
        Of all rows, whatever their cells; None where they were not asked for.
    """

    axes: Axes
    cells: IntArray
    sums: FloatArray
    truth: TruthHistogram | None
    n_models: int
    linear: LinearMoments | None = None

    def check(self) -> None:
        """Raise a ValueError unless arrays are as declared, which compiled loops rely on."""
        check_option(self.axes.kind, "axes of the sums", KINDS)
        check_number(self.axes.bin_width, "bin_width of the sums")
        check_number(self.axes.unit, "unit of the sums")
        check_whole(self.n_models, "n_models of the sums", 1)
        k, n_cells = self.n_models, len(self.cells)
        first = 1 + n_offsets(self.axes, k) + n_pairs(k)
        check_array("cells", self.cells, np.int64, (n_cells, self.axes.n_axes(k)))
        check_array("sums", self.sums, np.float64, (first, n_cells), (first + k, n_cells))
        in_range = (self.cells >= -MAX_BIN_INDEX) & (self.cells <= MAX_BIN_INDEX)
        if not (in_range.all() and (self.weight > 0).all()):
            raise ValueError("the sums are of cells without rows, or beyond all bins.")
        steps = np.diff(self.cells, axis=0)
        if (np.take_along_axis(steps, (steps != 0).argmax(axis=1)[:, None], axis=1) <= 0).any():
            raise ValueError("cells of the sums must be distinct and in lexicographic order.")
        rows, columns = model_pairs(k)
        squares = [self.error_products[rows == columns]]
        if n_offsets(self.axes, k):
            squares.append(self.squared_offsets)
        if (np.concatenate(squares) < 0).any():
            raise ValueError("sums of the sums must not be negative where they are of squares.")
        if self.truth is not None:
            check_number(self.truth.resolution, "resolution of the sums")
            check_array("cell", self.truth.cell, np.int64, entries := np.shape(self.truth.cell)[:1])
            check_array("step", self.truth.step, np.int64, entries)
            check_array("weight", self.truth.weight, np.float64, entries)
            check_array("excess", self.truth.excess, np.float64, entries)
            if (self.truth.weight <= 0).any():
                raise ValueError("weight of the sums must be above zero.")
            if ((self.truth.cell < 0) | (self.truth.cell >= n_cells)).any():
                raise ValueError(f"cell of the sums must be below {n_cells}, the number of cells.")
        if self.linear is not None:
            check_number(self.linear.weight, "weight of the sums", zero_allowed=True)
            check_array("mean", self.linear.mean, np.float64, (k + 1,))
            check_array("scatter", self.linear.scatter, np.float64, (k + 1, k + 1))

    @property
    def n_cells(self) -> int:
        return len(self.cells)

    @property
    def bin_width(self) -> float:
        return self.axes.bin_width

    @property
    def size(self) -> int:
        """Number of sums, which memory and the cost of a merger follow."""
        return self.sums.size + (0 if self.truth is None else self.truth.weight.size)

    @property
    def corners(self) -> FloatArray:
        """Lower edges of the bins of each cell, (n_cells, n_models)."""
        return np.multiply(self.cells, self.bin_width, out=np.empty(self.cells.shape))

    @property
    def weight(self) -> FloatArray:
        """Sum of the sample weights, the number of rows where there are none, (n_cells,)."""
        return np.asarray(self.sums[0])

    @property
    def offsets(self) -> FloatArray:
        """Sum of the predictions from the lower edge of their bin, (n_models, n_cells)."""
        return self.sums[1 : 1 + self.n_models]

    @property
    def squared_offsets(self) -> FloatArray:
        """Sum of the squares of these, (n_models, n_cells)."""
        return self.sums[1 + self.n_models : 1 + 2 * self.n_models]

    @property
    def error_products(self) -> FloatArray:
        """Sum of the products of two models' errors, (n_pairs, n_cells)."""
        first = 1 + n_offsets(self.axes, self.n_models)
        return self.sums[first : first + n_pairs(self.n_models)]

    @property
    def errors(self) -> FloatArray | None:
        """Sum of each model's errors, (n_models, n_cells); None where it was not asked for."""
        first = 1 + n_offsets(self.axes, self.n_models) + n_pairs(self.n_models)
        return self.sums[first:] if len(self.sums) > first else None

    def mean_offsets(self) -> FloatArray:
        """Mean prediction of each model in each cell from the lower edge, (n_cells, n_models)."""
        return (self.offsets / self.weight).T

    def prediction_means(self) -> FloatArray:
        """Mean of each model's predictions in each cell, Eq. 12; NaN on axes of another kind."""
        if not n_offsets(self.axes, self.n_models):
            return np.full((self.n_cells, self.n_models), np.nan)
        return self.mean_offsets() + self.corners

    def prediction_variances(self) -> FloatArray:
        """Variance of each model's predictions in each cell, Eq. 13; NaN on other axes."""
        if not n_offsets(self.axes, self.n_models):
            return np.full((self.n_cells, self.n_models), np.nan)
        mean = self.offsets / self.weight
        return np.maximum(self.squared_offsets / self.weight - mean**2, 0.0).T

    def error_moments(self, cells: Any = slice(None)) -> FloatArray:
        """Mean product of two models' errors in the given cells, (n_cells, n_models, n_models)."""
        return symmetric(self.error_products[:, cells] / self.weight[cells], self.n_models)

    def pooled_error_moments(self) -> FloatArray:
        """Mean product of two models' errors over all rows, (n_models, n_models)."""
        pooled = self.error_products.sum(axis=1, keepdims=True) / self.weight.sum()
        return np.asarray(symmetric(pooled, self.n_models)[0])

    def without_errors(self) -> CellStatistics:
        """Return the statistics without the sums of the errors."""
        if self.errors is None:
            return self
        return self._replace(sums=self.sums[: -self.n_models])

    def mean_errors(self, cells: Any = slice(None)) -> FloatArray | None:
        """Mean error of each model in the given cells, (n_cells, n_models)."""
        return None if self.errors is None else (self.errors[:, cells] / self.weight[cells]).T

    def pooled_mean_errors(self) -> FloatArray | None:
        """Mean error of each model over all rows, (n_models,)."""
        return None if self.errors is None else self.errors.sum(axis=1) / self.weight.sum()

    def squared_error(
        self, weights: FloatArray, intercepts: FloatArray | None = None
    ) -> FloatArray:
        """Sum over the rows of each cell of the squared error that its weights make there.

        No prediction is needed: with error products P of a cell it is ``w' P w``. An intercept c
        adds ``2 c w' e + n c**2``, with the sums e of the errors and n of the rows.
        """
        total = quadratic_form(self.error_products, weights)
        if intercepts is not None and self.errors is not None:
            total += intercept_part(self.weight, self.errors, weights, intercepts)
        return np.maximum(total, 0.0)

    def coarsen(self, factor: int, truth_factor: int = 1) -> CellStatistics:
        """Return the statistics at `factor` times the bin width, without another pass.

        The histogram of the truth becomes coarser by `truth_factor`.
        """
        return coarsen_each([self], factor, truth_factor)[0]

    def _in_wide_bins(self, factor: int) -> CellStatistics:
        """Return the statistics with a line per narrow cell still, named by the wide one."""
        cells = self.cells // factor
        n_models = self.n_models
        sums = self.sums.copy()
        if n_offsets(self.axes, n_models):
            # From the lower edge of the wide bin; all terms are non-negative: no digit is lost.
            shift = ((self.cells - cells * factor) * self.bin_width).T
            sums[1 : 1 + n_models] += shift * self.weight
            squares = shift * (2 * self.offsets + shift * self.weight)
            sums[1 + n_models : 1 + 2 * n_models] += squares
        return self._replace(axes=self.axes.widened(factor), cells=cells, sums=sums)

    def on_grid_of_reals(self) -> CellStatistics:
        """Return the statistics with the truth on the grid that "auto" has for reals."""
        if self.truth is None:
            return self
        resolution = auto_resolution(self.bin_width, whole=False)
        return self._replace(truth=self.truth.regrid(resolution))

    def gathered(self) -> CellStatistics:
        """Return the statistics of lines in any order, among which a cell may come several times.

        The truth has to be that of the lines.
        """
        return _sum_equal_cells([[self]])[0]

    def without_model(self, model: int) -> CellStatistics:
        """Return the statistics of the same rows without one of the models.

        Cells that no other model tells apart become one. Only cells of predictions can do so: what
        the others deviate from is not known without it.
        """
        if self.axes.kind != KINDS[0]:
            raise ValueError(f"axes.kind == {self.axes.kind!r}, must be {KINDS[0]!r}.")
        others = np.arange(self.n_models) != model
        pairs = model_pairs(self.n_models)
        lines = [[True], others, others, others[pairs[0]] & others[pairs[1]]]
        if self.errors is not None:
            lines.append(others)
        left = self._replace(
            cells=np.delete(self.cells, model, axis=1),
            sums=self.sums[np.concatenate(lines)],
            n_models=self.n_models - 1,
            linear=None if self.linear is None else self.linear.without_model(model),
        )
        return _sum_equal_cells([[left]])[0]

    def pooled(self) -> CellStatistics:
        """Return the statistics of one cell that holds all rows, without the truth.

        What is measured from the corners of cells means nothing then.
        """
        cell = np.zeros((1, self.cells.shape[1]), dtype=np.int64)
        sums = self.sums.sum(axis=1, keepdims=True)
        return self._replace(cells=cell, sums=sums, truth=None)

    @staticmethod
    def merge(parts: Sequence[CellStatistics]) -> CellStatistics:
        """Add up the statistics of parts of the data, all of one bin width.

        They have one target resolution too, or "auto" has chosen it: then parts whose truth is
        whole go over to the grid of the others, as if it had been chosen for all rows at once.
        """
        return merge_each([parts])[0]


def merge_each(several: Sequence[Sequence[CellStatistics]]) -> list[CellStatistics]:
    """Return for each of several sequences of parts what `CellStatistics.merge` does."""
    if all(len(parts) == 1 for parts in several):
        return [parts[0] for parts in several]
    return [
        of_batch
        for batch in batches(several, lambda parts: sum(part.size for part in parts))
        for of_batch in _sum_equal_cells([_on_one_grid(parts) for parts in batch])
    ]


def _on_one_grid(parts: Sequence[CellStatistics]) -> Sequence[CellStatistics]:
    """Return parts that count the truth on one grid."""
    if len({part.truth.resolution for part in parts if part.truth is not None}) > 1:
        return [part.on_grid_of_reals() for part in parts]
    return parts


def coarsen_each(
    several: Sequence[CellStatistics], factor: int, truth_factor: int = 1
) -> list[CellStatistics]:
    """Return of each of several statistics what `CellStatistics.coarsen` does."""
    return [
        of_batch
        for batch in batches(several, lambda statistics: statistics.size)
        for of_batch in _sum_equal_cells(
            [[statistics._in_wide_bins(factor)] for statistics in batch], truth_factor
        )
    ]


def batches(several: Sequence[_Any], size: Callable[[_Any], int]) -> Iterator[Sequence[_Any]]:
    """Yield what is worked on together: a step of NumPy hardly costs more than for one of them."""
    first, total = 0, 0
    for number, one in enumerate(several):
        own = size(one)
        if number > first and total + own > _BATCH_SIZE:
            yield several[first:number]
            first, total = number, 0
        total += own
    yield several[first:]


def _sum_equal_cells(
    sets: Sequence[Sequence[CellStatistics]], truth_factor: int = 1
) -> list[CellStatistics]:
    """Add up the lines of equal cells in each set of parts, within and across these."""
    lines = [part for parts in sets for part in parts]
    n_lines = [sum(part.n_cells for part in parts) for parts in sets]
    own_set = np.repeat(np.arange(len(sets)), n_lines)
    # The set comes last, where it does not keep cells from being numbered.
    cells = np.column_stack([np.concatenate([part.cells for part in lines]), own_set])
    sums = np.concatenate([part.sums for part in lines], axis=1)
    distinct = distinct_cells(cells.T)
    distinct = distinct[np.argsort(distinct[:, -1], kind="stable")]
    numbers = CellIndex(distinct).find(cells.T)
    total = np.empty((len(sums), len(distinct)))
    for line, line_total in zip(sums, total, strict=True):
        line_total[:] = np.bincount(numbers, line, len(distinct))
    found = []
    starts = np.searchsorted(distinct[:, -1], np.arange(len(sets) + 1))
    own_numbers = np.split(numbers, np.cumsum(n_lines)[:-1])
    for number, (parts, of_lines) in enumerate(zip(sets, own_numbers, strict=True)):
        start, stop = starts[number : number + 2]
        of_cells = np.ascontiguousarray(distinct[start:stop, :-1])
        of_set = np.ascontiguousarray(total[:, start:stop])  # not a view: the rest is let go
        found.append(_with_sums(parts, of_cells, of_set, of_lines - start, truth_factor))
    return found


def _with_sums(
    parts: Sequence[CellStatistics],
    cells: IntArray,
    sums: FloatArray,
    numbers: IntArray,
    truth_factor: int,
) -> CellStatistics:
    """Return the sum of parts, given its cells and sums, and the number of each line's cell."""
    stops = np.cumsum([part.n_cells for part in parts])
    truths = [
        part.truth.regroup(number, truth_factor)
        for part, number in zip(parts, np.split(numbers, stops[:-1]), strict=True)
        if part.truth is not None
    ]
    linear = [part.linear for part in parts if part.linear is not None]
    return parts[0]._replace(
        cells=cells,
        sums=sums,
        truth=TruthHistogram.merge(truths) if truths else None,
        linear=LinearMoments.merge(linear) if len(linear) == len(parts) else None,
    )


def n_offsets(axes: Axes, n_models: int) -> int:
    """Return how many of the sums are about the predictions themselves."""
    return 2 * n_models if axes.kind == "predictions" else 0


def intercept_part(
    weight: FloatArray, errors: FloatArray, weights: FloatArray, intercepts: FloatArray
) -> FloatArray:
    """Return what intercepts add to the squared errors, given the sums of rows and of errors."""
    # Model by model: the order in which NumPy adds up follows from how the sums lie in memory.
    combined = np.zeros(len(weights))
    for of_model, line in zip(weights.T, errors, strict=True):
        combined += of_model * line
    return np.asarray(2 * intercepts * combined + intercepts**2 * weight)
