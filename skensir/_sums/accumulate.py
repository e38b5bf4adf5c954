"""One pass over the rows: `CellStatistics` of data of any size, in chunks that stay in cache."""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import check_bin_indices, model_columns, row_chunks
from skensir._sums.cells import CellIndex, Walk, distinct_cells
from skensir._sums.compiled import CompiledSums, compiled_sums, compiled_walk, truth_table
from skensir._sums.histogram import TruthCounter
from skensir._sums.linear import LinearMoments, scatter_of
from skensir._sums.matrices import sum_matrices
from skensir._sums.pairs import n_pairs
from skensir._sums.statistics import CellStatistics, n_offsets
from skensir._threads import in_threads
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

# Larger sums of squares would overflow in what follows.
_LARGEST_SUM = 1e150
# And beyond which a mean square must not be smaller.
_SMALLEST_SQUARE = 1e-140

# New cells are taken in for this many rows at once, or more where there are many cells.
_MAX_WAITING = 2**15

# Rows that tell the first cells.
_FIRST_ROWS = 2**15 + 2**10

# So many chunks are looked up by one index, however many threads do so: then nothing that is
# rounded depends on their number.
_BATCH = 8
# Values in the sums that they leave, all chunks together: 16 megabytes.
_MAX_LEFT = 2**21

# With more models than this, the rows of a cell are multiplied as a matrix.
_MANY_MODELS = 20


class _Rows(NamedTuple):
    """Rows on their way into the sums, one line per model."""

    columns: AnyArray
    bins: AnyArray
    truth: FloatArray
    weight: FloatArray | None

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    def select(self, chosen: BoolArray) -> _Rows:
        rows = np.flatnonzero(chosen)  # cheaper here than the mask itself
        weight = None if self.weight is None else self.weight[rows]
        return _Rows(
            self.columns.take(rows, axis=1), self.bins.take(rows, axis=1), self.truth[rows], weight
        )


# Rows as they come: predictions or cell numbers, truth, sample weights.
_Chunk: TypeAlias = tuple[AnyArray, FloatArray, FloatArray | None]


def _select(rows: Any, values: AnyArray, truth: FloatArray, weight: FloatArray | None) -> _Chunk:
    """Return some of the rows of a chunk."""
    return values[rows], truth[rows], None if weight is None else weight[rows]


class _Part(NamedTuple):
    """What is known of a chunk once its rows are looked up.

    Attributes
    ----------
    counted : tuple, ndarray or None
        Cell numbers, truth and weight of rows in known cells, or the histogram of their truth.
    cells : slice, ndarray or None
        The numbers of cells.
    sums : ndarray of shape (n_cells, n_sums) or None
        Theirs, of these rows.
    rows : _Rows or None
        Those that are still to be added.
    """

    counted: _Chunk | FloatArray | None = None
    cells: Any = None
    sums: FloatArray | None = None
    rows: _Rows | None = None


class _Accumulator:
    """Sums of cells that are numbered in the order of their appearance."""

    def __init__(
        self,
        X: AnyArray,
        y: AnyArray,
        axes: Axes,
        target_resolution: float | None,
        *,
        with_errors: bool,
        weighted: bool,
        parallel: bool,
    ) -> None:
        self.X = X
        self.parallel = parallel
        self.weighted = weighted
        self.n_models = X.shape[1]
        self.axes = axes
        self.with_errors = with_errors
        self.truth = None
        if target_resolution is not None:
            table = truth_table(X, y, target_resolution, weighted=weighted)
            self.truth = TruthCounter(target_resolution, table)
        self.cells = np.empty((0, axes.n_axes(self.n_models)), dtype=np.int64)
        self.index = CellIndex(self.cells)
        n_offset_sums = n_offsets(axes, self.n_models)
        self.n_sums = 1 + n_offset_sums + n_pairs(self.n_models) + with_errors * self.n_models
        self.sums = np.zeros((64, self.n_sums))
        self.compiled: CompiledSums | None = None
        self.walk: Walk | None = None  # where not all is compiled
        self.waiting: list[_Rows] = []
        self.n_waiting = 0

    def n_at_once(self, n_rows: int) -> int:
        """Return how many chunks of so many rows may be looked up before they are added."""
        if not self.index.n_cells:  # there is nothing to look up yet
            return 1
        left = min(n_rows, self.index.n_cells) * self.n_sums
        return min(_BATCH, max(1, _MAX_LEFT // int(left)))

    def begin(self, X: AnyArray, truth: FloatArray, weight: FloatArray | None) -> None:
        """Number the cells of some rows, so that most rows are in known cells from the first on."""
        if truth.size:
            self._number(distinct_cells(self._bin(X, truth, weight).bins))

    def look_up(self, X: AnyArray, truth: FloatArray, weight: FloatArray | None) -> _Part:
        """Look rows up, and sum up those of known cells; nothing here is changed."""
        if self.compiled is not None:
            return self._look_up_compiled(self.compiled, X, truth, weight)
        rows = self._bin(X, truth, weight)
        if not self.index.n_cells:
            return _Part(rows=rows)
        numbers, new = self._find(rows)
        if not new.any():
            return self._sum(rows, numbers)
        known = self._sum(rows.select(~new), numbers[~new])
        return known._replace(rows=rows.select(new))

    def _look_up_compiled(
        self, compiled: CompiledSums, X: AnyArray, truth: FloatArray, weight: FloatArray | None
    ) -> _Part:
        """Do so in compiled loops; they leave out rows of other cells."""
        numbers = compiled.find(X)
        sums = compiled.sum(X, numbers, truth, weight)
        others = np.flatnonzero(numbers == self.index.n_cells)
        known = numbers < self.index.n_cells if others.size else slice(None)
        counted: _Chunk | FloatArray = _select(known, numbers, truth, weight)
        if self.truth is not None and self.parallel:  # one thread counts best as it goes
            counts = self.truth.count(counted[0], counted[1], self.index.n_cells)
            counted = counted if counts is None else counts
        rows = self._bin(*_select(others, X, truth, weight)) if others.size else None
        return _Part(counted, slice(len(sums)), sums, rows)

    def _bin(self, X: AnyArray, truth: FloatArray, weight: FloatArray | None) -> _Rows:
        columns = model_columns(X, slice(None))
        bins = self.axes.bins(columns)
        check_bin_indices(bins, self.axes.bin_width, columns)
        return _Rows(columns, bins, truth, weight)

    def _find(self, rows: _Rows) -> tuple[IntArray, BoolArray]:
        """Return the cell numbers of rows, and which of them are in cells that are not known."""
        numbers = self.index.find(rows.bins, self.walk)
        return numbers, (numbers == self.index.n_cells) | self.index.beyond(rows.bins)

    def add(self, part: _Part) -> None:
        """Add what was looked up; rows of new cells wait.

        An index over all cells is built once for many rows that wait, not once per chunk: where
        most rows have a cell of their own, the cost still grows with the rows, not their square.
        """
        self._add_sums(part)
        if part.rows is None or not part.rows.n_rows:
            return
        rows = part.rows
        # Since they were looked up, cells may have been taken in.
        numbers, new = self._find(rows)
        if not new.any():
            self._add_rows(rows, numbers)
            return
        self._add_rows(rows.select(~new), numbers[~new])
        self.waiting.append(rows.select(new))
        self.n_waiting += int(np.count_nonzero(new))
        if self.n_waiting > max(_MAX_WAITING, self.index.n_cells // 2):
            self._take_in()

    def _add_sums(self, part: _Part) -> None:
        if part.counted is not None and self.truth is not None:
            if isinstance(part.counted, tuple):
                self.truth.add(*part.counted)
            else:
                self.truth.add_counts(part.counted)
        if part.sums is not None:
            self.sums[part.cells] += part.sums

    def _add_rows(self, rows: _Rows, numbers: IntArray) -> None:
        """Add rows with known cell numbers to the sums."""
        if numbers.size:
            self._add_sums(self._sum(rows, numbers))

    def _take_in(self) -> None:
        """Number the cells of the rows that wait, and sum those rows."""
        cells = [distinct_cells(rows.bins) for rows in self.waiting]
        self._number(distinct_cells(np.concatenate(cells).T))
        for rows in self.waiting:
            self._add_rows(rows, self.index.find(rows.bins, self.walk))
        self.waiting, self.n_waiting = [], 0

    def _number(self, new: IntArray) -> None:
        """Give new cells the next numbers."""
        self.cells = np.concatenate([self.cells, new])
        self.index = CellIndex(self.cells)
        self.compiled = compiled_sums(
            *(self.X, self.index, self.axes, self.cells, self.n_sums), weighted=self.weighted
        )
        self.walk = compiled_walk(self.X, self.index) if self.compiled is None else None
        if self.index.n_cells > len(self.sums):
            more = np.zeros((max(self.index.n_cells, 2 * len(self.sums)), self.n_sums))
            more[: len(self.sums)] = self.sums
            self.sums = more

    def _sum(self, rows: _Rows, numbers: IntArray) -> _Part:
        """Return the sums of rows with known cell numbers."""
        columns, truth, weight = rows.columns, rows.truth, rows.weight
        counted = numbers, truth, weight
        touched: Any = slice(self.index.n_cells)
        n_touched = self.index.n_cells
        if n_touched > numbers.size:  # sum into this chunk's cells: cost follows the rows
            touched, numbers = np.unique(numbers, return_inverse=True)
            n_touched = touched.size
        sums = np.empty((self.n_sums, n_touched))
        line = iter(sums)

        def total(values: FloatArray | None) -> None:
            next(line)[:] = np.bincount(numbers, values, n_touched)

        total(weight)
        if n_offsets(self.axes, len(columns)):
            offsets = self._offsets(rows)
            weighted = offsets if weight is None else offsets * weight
            for values in weighted:
                total(values)
            for values, other in zip(weighted, offsets, strict=True):
                total(values * other)
        errors = columns - truth
        weighted = errors if weight is None else errors * weight
        for model, values in enumerate(weighted):
            for other in errors[model:]:
                total(values * other)
        for values in weighted if self.with_errors else ():
            total(values)
        return _Part(counted, touched, sums.T)

    def _offsets(self, rows: _Rows) -> FloatArray:
        """Return how far predictions are from the lower corner of their cell."""
        offsets = np.multiply(rows.bins, -self.axes.bin_width, dtype=np.float64)
        offsets += rows.columns
        return offsets

    def finish(self) -> CellStatistics:
        """Return sums and histogram with the cells in lexicographic order."""
        if self.waiting:
            self._take_in()
        order = np.lexsort(self.cells.T[::-1])
        truth = None if self.truth is None else self.truth.finish().regroup(np.argsort(order))
        sums = self.sums.take(order, axis=0).T
        return CellStatistics(self.axes, self.cells[order], sums, truth, self.n_models)


def accumulate(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None = None,
    *,
    axes: Axes,
    target_resolution: float | None = None,
    with_errors: bool = False,
    with_linear: bool = False,
    track: Track = untracked,
    n_threads: int = 1,
) -> CellStatistics:
    """Sum up the rows of each cell, in one pass of chunks that stay in cache.

    Predictions, (n_rows, n_models), and truth may have any real dtype; no converted copy is made.
    Rows of sample weight zero are as good as absent. `target_resolution` is the grid step of the
    histogram of the truth; None makes none. `with_errors` asks for the sums of the models' errors
    too, `with_linear` for the moments of a linear regression. `track` is told of each chunk. For
    any number of threads the sums are the same, to the last bit.
    """
    arguments = X, y, sample_weight, axes, target_resolution
    if X.shape[1] > _MANY_MODELS:
        statistics = sum_matrices(
            *arguments, with_errors=with_errors, track=track, n_threads=n_threads
        )
        chunks = row_chunks(*X.shape) if with_linear else []
        moments = in_threads(
            lambda chunk: _moments(*_rows_of(chunk, X, y, sample_weight)), chunks, n_threads
        )
    else:
        statistics, moments = _sum_chunks(
            *arguments,
            with_errors=with_errors,
            with_linear=with_linear,
            track=track,
            n_threads=n_threads,
        )
    check_sums(statistics.sums)
    _check_products(statistics.error_products, statistics.weight.sum(), X, y, sample_weight)
    if with_linear:
        nothing = LinearMoments.of(X[:0], y[:0], None)
        linear = LinearMoments.merge([nothing, *moments])
        check_sums(linear.scatter)
        statistics = statistics._replace(linear=linear)
    return statistics


def _sum_chunks(
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None,
    axes: Axes,
    target_resolution: float | None,
    *,
    with_errors: bool,
    with_linear: bool,
    track: Track,
    n_threads: int,
) -> tuple[CellStatistics, list[LinearMoments]]:
    """Sum up chunks of rows as they come, and take the moments that are asked for."""
    sums = _Accumulator(
        *(X, y, axes, target_resolution),
        with_errors=with_errors,
        weighted=sample_weight is not None,
        parallel=n_threads > 1,
    )

    def look_up(chunk: slice) -> tuple[_Part, list[LinearMoments]]:
        rows = _rows_of(chunk, X, y, sample_weight)
        if not rows[1].size:
            return _Part(), []
        with np.errstate(over="ignore", invalid="ignore"):  # told by `accumulate`
            part = sums.look_up(*rows)
        return part, [_moments(*rows)] if with_linear else []

    chunks = first_rows_alone(row_chunks(*X.shape))
    moments: list[LinearMoments] = []
    left = iter(track(chunks, "sums of the rows"))
    n_rows = max((chunk.stop - chunk.start for chunk in chunks), default=0)
    with np.errstate(over="ignore", invalid="ignore"):
        if len(chunks) > 1:  # else all wait for their cells together
            sums.begin(*_rows_of(chunks[0], X, y, sample_weight))
        while batch := list(islice(left, sums.n_at_once(n_rows))):
            for part, linear in in_threads(look_up, batch, n_threads):
                moments += linear
                sums.add(part)
                del part
        return sums.finish(), moments


def _moments(X: AnyArray, truth: FloatArray, weight: FloatArray | None) -> LinearMoments:
    with np.errstate(over="ignore", invalid="ignore"):  # told by `accumulate`
        return LinearMoments.of(X, truth, weight)


def _rows_of(chunk: slice, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> _Chunk:
    """Return the rows of a chunk that have a weight."""
    weight = None if sample_weight is None else sample_weight[chunk]
    rows: _Chunk = X[chunk], y[chunk].astype(np.float64), weight
    if weight is not None and not weight.all():
        rows = _select(np.flatnonzero(weight), *rows)
    return rows


def first_rows_alone(chunks: list[slice]) -> list[slice]:
    """Return chunks with the first one in two: cells are known once some rows are looked at."""
    if not chunks or chunks[0].stop <= _FIRST_ROWS:
        return chunks
    return [slice(0, _FIRST_ROWS), slice(_FIRST_ROWS, chunks[0].stop), *chunks[1:]]


def check_sums(sums: FloatArray, *, in_bins: bool = True) -> None:
    """Raise a ValueError where squares are too large to work with, of rows in bins or not."""
    # Without a copy of what may be large. What falls below zero does so by less than squares rise
    # above it, and NaN is not below a number either.
    if sums.size and not sums.max() <= _LARGEST_SUM:
        names = "X, y, data_range, bin_width" if in_bins else "X, y"
        raise ValueError(
            f"{names} or sample_weight is too large: sums of the squares of predictions or of "
            "errors overflow. Values must be below about 1e70 in magnitude."
        )


def _check_products(
    products: FloatArray,
    weight: float,
    X: AnyArray,
    y: AnyArray,
    sample_weight: FloatArray | None,
    *,
    in_bins: bool = True,
) -> None:
    """Raise a ValueError where the squares of errors are too small to be told from none."""
    if products.max(initial=0) >= _SMALLEST_SQUARE * weight:
        return
    for rows in row_chunks(*X.shape):  # where no model errs there is nothing to be told
        errs = (model_columns(X, rows) != y[rows]).any(axis=0)
        if (errs if sample_weight is None else errs & (sample_weight[rows] > 0)).any():
            too_large = ", or data_range is too large for them" if in_bins else ""
            raise ValueError(
                f"X and y are too close to zero{too_large}: the squares of errors underflow. "
                "Errors must be above about 1e-70 in magnitude."
            )


def pooled_error_moments(
    X: AnyArray, y: AnyArray, sample_weight: FloatArray | None = None
) -> FloatArray:
    """Return `CellStatistics.pooled_error_moments` of rows of which nothing else is asked."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_chunks(*X.shape):
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            errors = model_columns(X, rows) - y[rows].astype(np.float64)
            weighted = errors if sample_weight is None else errors * sample_weight[rows]
            total += scatter_of(errors, weighted)
    check_sums(total, in_bins=False)
    weight = len(X) if sample_weight is None else sample_weight.sum()
    _check_products(total, weight, X, y, sample_weight, in_bins=False)
    return total / weight
