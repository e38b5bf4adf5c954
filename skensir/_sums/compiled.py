"""The compiled loops for rows and the cells of an index, where numba is installed (extra ``fast``).

One loop does all where the index of the cells is one table. Where it has several levels or hashed
keys, and on the summary axes, NumPy lays the bins, and loops find the cells and combine. Where
numba is absent, fails, or is switched off by the environment variable ``SKENSIR_NO_NUMBA=1``, the
functions here return None and the caller works in NumPy. A failure is silent, as it costs time and
no result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import bin_indices, model_columns
from skensir._sums.cells import CellIndex, Walk
from skensir._sums.loops import Case, compiled_loop, has_parts
from skensir._typing import AnyArray, FloatArray, IntArray

# Fewer rows take NumPy a millisecond or so, and to load the compiled code takes longer.
_MIN_ROWS = 2**16
# The table of an index has no room for more, but where some have one bin only.
_MAX_MODELS = 20
# A chunk of rows is summed by itself, as in NumPy; with more cells than rows that would be a waste.
_MAX_CELLS = 2**14
# Places of the truth, in all cells together: 8 megabytes.
_MAX_PLACES = 2**19
# With as many weights in all places of a table, they are looked up there at once: 256 kilobytes.
_MAX_EXPANDED = 2**15


def exact_factor(divisor: float) -> float | None:
    """Return what to multiply by in place of a division, None where that would round otherwise."""
    return 1 / divisor if np.frexp(divisor)[0] == 0.5 and 2.0**-900 < divisor < 2.0**900 else None


def switched_off() -> bool:
    """Tell whether there is to be no compiled loop."""
    return os.environ.get("SKENSIR_NO_NUMBA", "0") not in ("", "0")


def _may_serve(X: AnyArray) -> bool:
    """Tell whether compiled loops may serve for these rows."""
    return not switched_off() and len(X) >= _MIN_ROWS and X.shape[1] <= _MAX_MODELS


class _Rows(NamedTuple):
    """What the loops know of rows of one dtype, and of the cells of an index: see `loops`.

    Attributes
    ----------
    case : Case
        For the loop that finds cells.
    table : ndarray
        Cell number of every key.
    values, parts : ndarray or None
        Tables of all values, where there are few.
    divisor : float
        Width of a bin, of deviations times the number of models.
    bins : ndarray of shape (3, n_models)
        First bin and last one, counted from there, of each model, and its value in a key.
    """

    case: Case
    table: IntArray
    values: FloatArray | None
    parts: IntArray | None
    divisor: float
    bins: FloatArray

    @property
    def models(self) -> tuple[int, ...]:
        return tuple(range(self.case.n_models))

    def key_arguments(self, scale: int = 1, beyond: int = 0) -> tuple[Any, ...]:
        """Return arguments from `models` to `beyond`; a key counts so many times."""
        parts = None if self.parts is None else self.parts * self.parts.dtype.type(scale)
        deviations = None if self.case.kind == "predictions" else True
        factor = exact_factor(self.divisor) if self.case.has_factor else None
        bins = self.bins * [[1], [1], [scale]]
        return self.models, self.values, parts, deviations, factor, self.divisor, bins, beyond


def _look_at(X: AnyArray, index: CellIndex, axes: Axes, *, new_cells: bool) -> _Rows | None:
    """Return what the loops know of chunks of `X`, None where NumPy is to work.

    A bin beyond the known ones makes a new cell, or counts to the nearest one.
    """
    if axes.kind == "summary" or not _may_serve(X) or index.table is None:
        return None
    n_models, dtype = X.shape[1], X.dtype
    on_predictions = axes.kind == "predictions"
    divisor = axes.bin_width if on_predictions else n_models * axes.bin_width
    spans = index.high - index.low + 1
    place_value = index.table.size // np.cumprod(spans)
    values = parts = None
    if has_parts(dtype, axes.kind):
        values = _values_of(dtype)
        whole = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
        if not on_predictions:
            whole = np.arange(-255 * n_models, 255 * n_models + 1)
        digit = bin_indices(whole, divisor).astype(np.int64) - index.low[:, None]
        inside = np.clip(digit, 0, spans[:, None] - 1)
        parts = inside * place_value[:, None]
        if new_cells:
            parts[digit != inside] -= index.table.size
        parts = parts.astype(np.int32) if on_predictions else parts.reshape(1, -1)
    has_factor = parts is None and exact_factor(divisor) is not None
    case = Case("find", dtype, n_models, axes.kind, has_factor, has_table=True)
    bins = np.array([index.low, spans - 1, place_value], dtype=np.float64)
    table = np.ascontiguousarray(index.table, dtype=np.int64)
    return _Rows(case, table, values, parts, divisor, bins)


def compiled_walk(X: AnyArray, index: CellIndex) -> Walk | None:
    """Return what finds the cells of an index for the bins of chunks of `X`, of any axes."""
    if switched_off() or len(X) < _MIN_ROWS:
        return None
    if (index.high - index.low > 2**53).any():  # differences of doubles would be rounded
        return None
    steps = index.steps()

    def walk(bins: AnyArray) -> IntArray:
        loop = compiled_loop(Case("walk", bins.dtype, 0))
        if loop is None:
            return CellIndex.find(index, bins)
        dtype = np.float64 if bins.dtype.kind == "f" else np.int64
        numbers = np.empty(bins.shape[1], dtype=np.int64)
        loop(bins, index.low.astype(dtype), index.high.astype(dtype), *steps, numbers)
        return numbers

    return walk


def compiled_find(
    X: AnyArray, index: CellIndex, axes: Axes
) -> Callable[[AnyArray], IntArray] | None:
    """Return what finds the cell numbers of a chunk of `X`, ``index.n_cells`` for unseen cells."""
    rows = _look_at(X, index, axes, new_cells=False)
    return None if rows is None else _find_in(rows, index.n_cells)


def _find_in(
    rows: _Rows, n_cells: int, *, beyond: int = 0
) -> Callable[[AnyArray], IntArray] | None:
    """Return the same of rows that were looked at; bins that are not known take `beyond` away."""
    loop = compiled_loop(rows.case)
    if loop is None:
        return None
    arguments = *rows.key_arguments(beyond=beyond), np.append(rows.table, n_cells), None, None

    def find(X: AnyArray) -> IntArray:
        numbers = np.empty(len(X), dtype=np.int64)
        loop(X, *arguments, numbers)
        return numbers

    return find


def compiled_combine(
    X: AnyArray,
    index: CellIndex,
    axes: Axes,
    weights: FloatArray,
    intercepts: FloatArray | None,
    *,
    convex: bool,
) -> Callable[[AnyArray, FloatArray], None] | None:
    """Return what writes the weighted sums of a chunk of `X`, with the weights of the cells.

    Intercepts are added unless it is convex, which is to lie within the predictions.
    """
    lines = np.array(weights, dtype=np.float64)
    lines[:, 0] = 0.0 if intercepts is None else intercepts
    rows = _look_at(X, index, axes, new_cells=False)
    if rows is None:
        return _combine_by_walk(X, index, axes, lines, convex=convex)
    n_models = rows.case.n_models
    expanded = rows.table.size * n_models <= _MAX_EXPANDED
    case = rows.case._replace(loop="combine", has_table=not expanded, is_convex=convex)
    if compiled_loop(case._replace(is_dense=True)) is None:
        return None
    if expanded:
        key, table, lines = rows.key_arguments(n_models), None, lines[rows.table]
    else:
        key, table = rows.key_arguments(), rows.table * n_models
    arguments = *key, table, lines.ravel(), None if convex else False

    def combine(X: AnyArray, out: FloatArray) -> None:
        loop = compiled_loop(case._replace(is_dense=out.flags.c_contiguous))
        assert loop is not None  # as it is for others
        loop(X, *arguments, out)

    return combine


def _combine_by_walk(
    X: AnyArray, index: CellIndex, axes: Axes, lines: FloatArray, *, convex: bool
) -> Callable[[AnyArray, FloatArray], None] | None:
    """Return the same where no one table holds the cells, or the axes are a summary."""
    walk = compiled_walk(X, index)
    loop = None if walk is None else compiled_loop(Case("combine found", X.dtype, 0))
    if loop is None:
        return None
    values = _values_of(X.dtype)

    def combine(X: AnyArray, out: FloatArray) -> None:
        numbers = index.find(axes.bins(model_columns(X, slice(None))), walk)
        loop(X, values, numbers, lines.ravel(), convex, out)

    return combine


def _values_of(dtype: np.dtype[Any]) -> FloatArray | None:
    """Return all values of a dtype as doubles, where there are few."""
    if not has_parts(dtype, "predictions"):
        return None
    return np.arange(np.iinfo(dtype).max + 1).astype(np.float64)


class CompiledSums(NamedTuple):
    """Finds the cells of rows and adds these up, in compiled loops.

    Attributes
    ----------
    find : callable
        As of `compiled_find`.
    sum : callable
        Returns of a chunk, given its cell numbers, truth and weight (None where not `weighted`),
        the sums of each known cell, (n_cells, n_sums), as `CellStatistics` describes them.
    """

    find: Callable[[AnyArray], IntArray]
    sum: Callable[[AnyArray, IntArray, FloatArray, FloatArray | None], FloatArray]


def compiled_sums(
    X: AnyArray,
    index: CellIndex,
    axes: Axes,
    cells: IntArray,
    n_sums: int,
    *,
    weighted: bool,
) -> CompiledSums | None:
    """Return the loops that sum up chunks of `X`, given the cells of the index."""
    if len(cells) > _MAX_CELLS:
        return None
    rows = _look_at(X, index, axes, new_cells=True)
    find = None if rows is None else _find_in(rows, index.n_cells, beyond=rows.table.size)
    if rows is None or find is None:
        return None
    case = Case("add", X.dtype, X.shape[1], axes.kind, has_weight=weighted)
    loop = compiled_loop(case)
    if loop is None:
        return None
    minus_corners = None
    if axes.kind == "predictions":
        minus_corners = np.multiply(cells, -axes.bin_width, dtype=np.float64)

    def add_up(
        X: AnyArray, numbers: IntArray, truth: FloatArray, weight: FloatArray | None
    ) -> FloatArray:
        sums = np.zeros((len(cells), n_sums))
        loop(X, rows.models, rows.values, numbers, truth, weight, minus_corners, sums)
        return sums

    return CompiledSums(find, add_up)


class TruthTable:
    """The histogram of the truth as a table of all places: see `truth_table`."""

    def __init__(
        self,
        count: Callable[..., None],
        grid: tuple[float | None, float, int],
        n_steps: int,
        *,
        exact: bool,
    ) -> None:
        self._count = count
        self._exact = exact  # sums of whole numbers, which are not rounded
        self._grid = grid  # what to multiply by, where that is exact, resolution, first step
        self._counts = np.zeros((0, n_steps, 2))

    def add(self, cell: IntArray, truth: FloatArray, weight: FloatArray | None) -> bool:
        """Count rows, if the table can hold their cells; tell whether it can."""
        if not self._hold(int(cell.max(initial=-1)) + 1):
            return False
        self._count_in(self._counts, cell, truth, weight)
        return True

    def count(self, cell: IntArray, truth: FloatArray, n_cells: int) -> FloatArray | None:
        """Return the counts of some rows, for `add_counts`, as threads may do at a time.

        None where the order of the sums would matter, or where this costs more than `add`.
        """
        n_steps = self._counts.shape[1]
        if not self._exact or n_cells * n_steps > len(cell):
            return None
        counts = np.zeros((n_cells, n_steps, 2))
        self._count_in(counts, cell, truth, None)
        return counts

    def add_counts(self, counts: FloatArray) -> None:
        """Add what `count` has returned."""
        self._hold(len(counts))  # it can, as there are no more places than rows in a chunk
        self._counts[: len(counts)] += counts

    def _hold(self, n_cells: int) -> bool:
        """Make room for so many cells, if there may be."""
        n_known, n_steps, _ = self._counts.shape
        if n_cells * n_steps > _MAX_PLACES:
            return False
        if n_cells > n_known:
            self._counts = np.pad(self._counts, ((0, n_cells - n_known), (0, 0), (0, 0)))
        return True

    def _count_in(
        self, counts: FloatArray, cell: IntArray, truth: FloatArray, weight: FloatArray | None
    ) -> None:
        cell = np.ascontiguousarray(cell, dtype=np.int64)
        self._count(cell, truth, weight, *self._grid, counts)

    def entries(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Return cell, step, weight and excess of the places that occur."""
        cell, place = np.nonzero(self._counts[:, :, 0])
        weight, excess = self._counts[cell, place].T
        return cell, place + self._grid[-1], weight, excess


def truth_table(
    X: AnyArray, y: AnyArray, resolution: float, *, weighted: bool
) -> TruthTable | None:
    """Return an empty table for the truth `y` of the rows of `X`, None where NumPy is to work."""
    if not _may_serve(X):
        return None
    with np.errstate(over="ignore"):  # NumPy's path tells of a grid that is too fine
        first, last = np.floor(np.array([y.min(), y.max()], dtype=np.float64) / resolution)
    if max(-first, last) > 2.0**53 or last - first >= _MAX_PLACES:
        return None
    factor = exact_factor(resolution)
    has_factor = factor is not None
    case = Case("count", np.dtype(np.float64), 1, has_factor=has_factor, has_weight=weighted)
    count = compiled_loop(case)
    if count is None:
        return None
    exact = not weighted and y.dtype.kind in "iub" and resolution % 1 == 0
    return TruthTable(count, (factor, resolution, int(first)), int(last - first) + 1, exact=exact)
