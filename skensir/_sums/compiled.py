"""Compiled loops for the two hot paths, where numba is installed (the extra ``fast``).

They do what `accumulate`, `histogram` and `combine` do in NumPy, operation by operation and in the
same order, so that sums and predictions are the same to the last bit. They serve cells whose index
is one table. For all else, and where numba is absent, fails, or is switched off by the environment
variable ``SKENSIR_NO_NUMBA=1``, `compiled_cells` and `truth_table` return None and the caller works
in NumPy. A failure is silent, as it costs time and no result.

A key is packed as in `cells`: with three models of two bins each, bin i of the first one adds
i * 4 to it, of the second i * 2, of the third i. These are the place values, and 8, the size of the
table, is what a bin that is not among the known ones takes away, so that the key is below zero.

`parts` holds what each value adds to the key of its row. Where values are deviations from the mean
of the models, they are taken times the number of models, and `offset` is the place of zero in
`parts`. A bin outside of the table's counts to the nearest one, but takes `beyond` from the key,
and a key below zero is unseen.

A loop runs in the thread that calls it, without the interpreter's lock, and starts no others:
numba's own threads abort the process where two callers meet, and would crowd joblib's workers.
"""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import bin_indices
from skensir._sums.cells import CellIndex
from skensir._typing import AnyArray, FloatArray, IntArray

# Fewer rows take NumPy a millisecond or so, and to load the compiled code takes longer.
_MIN_ROWS = 2**16
# The table of an index has no room for more, but where some have one bin only.
_MAX_MODELS = 20
# A chunk of rows is summed by itself, as in NumPy; with more cells than rows that would be a waste.
_MAX_CELLS = 2**14
# Places of the truth, in all cells together: 8 megabytes.
_MAX_PLACES = 2**19
# To be silent is a setting of the whole process, which threads have to make one by one.
_LOCK = threading.Lock()


def _look_up(
    X: AnyArray,
    models: tuple[int, ...],
    parts: IntArray | None,
    offset: int | None,
    divisor: float,
    low: FloatArray,
    last: FloatArray,
    place_value: IntArray,
    beyond: int,
    table: IntArray,
    unseen: int,
    weights: FloatArray | None,
    intercepts: Any,
    convex: bool,
    out: AnyArray,
) -> None:
    """Write down the cell number of each row, or its weighted sum where `weights` are given.

    See the module for the rest. What is None is known when this is compiled: one branch is left.
    """
    for row in range(len(X)):
        key = 0
        if offset is not None:
            if parts is not None:
                total_of_row = np.int64(0)
                for model in range(len(models)):
                    total_of_row += np.int64(X[row, model])
            else:
                origin, distance = np.float64(X[row, 0]), 0.0
                for model in range(len(models)):
                    distance += np.float64(X[row, model]) - origin
        for model in range(len(models)):
            if parts is not None:
                if offset is None:
                    key += parts[model, X[row, model]]
                else:
                    # Never below zero: an unsigned place needs no check of that.
                    place = len(models) * np.int64(X[row, model]) + (offset - total_of_row)
                    key += parts[model, np.uint64(place)]
            else:
                value = np.float64(X[row, model])
                if offset is not None:
                    value = (value - origin) * len(models) - distance
                digit = np.floor(value / divisor) - low[model]
                inside = min(max(digit, 0.0), last[model])
                key += np.int64(inside) * place_value[model]
                if digit != inside:
                    key -= beyond
        number = table[key] if key >= 0 else unseen
        if weights is None:
            out[row] = number
        else:
            first = total = lowest = highest = np.float64(X[row, 0])
            for model in range(1, len(models)):
                value = np.float64(X[row, model])
                total += (value - first) * weights[number, model]
                lowest = min(lowest, value)
                highest = max(highest, value)
            out[row] = min(max(total, lowest), highest) if convex else total + intercepts[number]


def _add_rows(
    X: AnyArray,
    models: tuple[int, ...],
    numbers: IntArray,
    truth: FloatArray,
    weight: FloatArray,
    minus_corners: FloatArray | None,
    sums: FloatArray,
) -> None:
    """Add each row to the sums of its cell, one line per cell; leave out rows of unseen cells.

    Without corners there are no sums of the predictions themselves.
    """
    for row in range(len(X)):
        number = numbers[row]
        if number == len(sums):
            continue
        sums[number, 0] += weight[row]
        place = 1
        if minus_corners is not None:
            place += 2 * len(models)
        for model in range(len(models)):
            if minus_corners is not None:
                offset = minus_corners[number, model] + X[row, model]
                weighted = offset * weight[row]
                sums[number, 1 + model] += weighted
                sums[number, 1 + len(models) + model] += weighted * offset
            weighted = (X[row, model] - truth[row]) * weight[row]
            for other in range(model, len(models)):
                sums[number, place] += weighted * (X[row, other] - truth[row])
                place += 1
        if place < sums.shape[1]:  # the errors were asked for
            for model in range(len(models)):
                sums[number, place + model] += (X[row, model] - truth[row]) * weight[row]


def _count_truth(
    numbers: IntArray,
    truth: FloatArray,
    weight: FloatArray,
    resolution: float,
    first: int,
    counts: FloatArray,
) -> None:
    """Add each row's weight and weighted excess to the place of its truth."""
    for row in range(len(numbers)):
        step = np.floor(truth[row] / resolution)
        place = np.int64(step) - first
        counts[numbers[row], place, 0] += weight[row]
        counts[numbers[row], place, 1] += (truth[row] - step * resolution) * weight[row]


class _Kernels(NamedTuple):
    """The loops above, compiled."""

    find_cells: Callable[..., None]  # `_look_up` without weights
    combine_rows: Callable[..., None]  # and with them
    add_rows: Callable[..., None]
    count_truth: Callable[..., None]


def _has_parts(dtype: np.dtype[Any], kind: str) -> bool:
    """Tell whether there is a table of what each value adds to a key."""
    return dtype == np.uint8 or (dtype == np.uint16 and kind == "predictions")


def _compile(dtype: np.dtype[Any], n_models: int, kind: str, *, cache: bool) -> _Kernels:
    """Compile the loops, or load them from the folder where numba has kept them."""
    import numba

    config: Any = numba.config
    types: Any = numba.types
    if config.DISABLE_JIT:
        raise RuntimeError("numba has been told not to compile")

    def given(dtype: Any, n_dimensions: int, layout: str = "C") -> Any:
        # Arrays that may be written to and are aligned can be given as well: one version for all.
        return types.Array(dtype, n_dimensions, layout, readonly=True, aligned=False)

    real, whole = types.float64, types.int64
    # Rows with any strides. The length of a tuple is known here: loops over it are unrolled.
    rows = given(numba.from_dtype(dtype), 2, "A"), types.UniTuple(whole, n_models)
    parts = given(types.int32, 2) if _has_parts(dtype, kind) else types.none
    axes = real, given(real, 1), given(real, 1), given(whole, 1)
    numbers = given(whole, 1)
    offset = types.none if kind == "predictions" else whole
    index = *rows, parts, offset, *axes, whole, numbers, whole
    truth = numbers, given(real, 1), given(real, 1, "A")
    corners = given(real, 2) if kind == "predictions" else types.none
    none, flag = types.none, types.boolean

    def compiled(loop: Callable[..., None], *arguments: Any) -> Any:
        # Nothing here may change the order of sums, as fastmath would.
        jit: Any = numba.njit(types.void(*arguments), nogil=True, error_model="numpy", cache=cache)
        return jit(loop)

    return _Kernels(
        compiled(_look_up, *index, none, none, flag, whole[::1]),
        compiled(_look_up, *index, given(real, 2), given(real, 1), flag, real[::1]),
        compiled(_add_rows, *rows, *truth, corners, real[:, ::1]),
        compiled(_count_truth, *truth, real, whole, real[:, :, ::1]),
    )


@functools.cache
def _kernels(dtype: np.dtype[Any], n_models: int, kind: str) -> _Kernels | None:
    """Return the compiled loops, None where numba is absent or fails for whatever reason."""
    for cache in (True, False):  # without, where no folder can be written to
        try:
            with _LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _compile(dtype, n_models, kind, cache=cache)
        except Exception:
            continue
    return None


def _kernels_for(X: AnyArray, kind: str = "predictions") -> _Kernels | None:
    """Return the compiled loops for these rows, None where they do not serve."""
    switched_off = os.environ.get("SKENSIR_NO_NUMBA", "0") not in ("", "0")
    if switched_off or len(X) < _MIN_ROWS or X.shape[1] > _MAX_MODELS:
        return None
    return _kernels(X.dtype, X.shape[1], kind)


class CompiledCells:
    """The loops for rows of one dtype and the cells of one index: see `compiled_cells`."""

    def __init__(
        self,
        kernels: _Kernels,
        dtype: np.dtype[Any],
        index: CellIndex,
        table: IntArray,
        axes: Axes,
        cells: IntArray | None,
    ) -> None:
        self._kernels = kernels
        n_models = len(index.low)
        self._models = tuple(range(n_models))
        self._n_cells, self._minus_corners = index.n_cells, None
        divisor, offset, largest = axes.bin_width, None, np.iinfo(np.uint8).max
        if axes.kind != "predictions":  # deviations, times the number of models
            divisor, offset = n_models * axes.bin_width, (n_models - 1) * largest
        elif cells is not None:
            self._minus_corners = np.multiply(cells, -axes.bin_width, dtype=np.float64)
        spans = index.high - index.low + 1
        place_value = table.size // np.cumprod(spans)
        beyond = 0 if cells is None else table.size
        parts = None
        if _has_parts(dtype, axes.kind):
            if offset is None:
                values = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
            else:
                values = np.arange(-offset, offset + 1)
            digit = bin_indices(values, divisor).astype(np.int64) - index.low[:, None]
            inside = np.clip(digit, 0, spans[:, None] - 1)
            parts = (inside * place_value[:, None]).astype(np.int32)
            parts[digit != inside] -= beyond
        of_bins = divisor, index.low.astype(np.float64), spans - 1.0, place_value
        table = np.ascontiguousarray(table, dtype=np.int64)
        self._index = self._models, parts, offset, *of_bins, beyond, table, index.n_cells

    def find(self, X: AnyArray) -> IntArray:
        """Return the cell number of each row of `X`, the number of cells for unseen ones."""
        numbers = np.empty(len(X), dtype=np.int64)
        self._kernels.find_cells(X, *self._index, None, None, True, numbers)
        return numbers

    def combine(
        self,
        X: AnyArray,
        weights: FloatArray,
        intercepts: FloatArray,
        combined: FloatArray,
        *,
        convex: bool,
    ) -> None:
        """Write the weighted sum of each row, with the weights of its cell, to `combined`.

        Intercepts are added unless it is convex, which is to lie within the predictions.
        """
        lines = np.ascontiguousarray(weights), np.ascontiguousarray(intercepts)
        self._kernels.combine_rows(X, *self._index, *lines, convex, combined)

    def add(
        self,
        X: AnyArray,
        numbers: IntArray,
        truth: FloatArray,
        weight: FloatArray | None,
        sums: FloatArray,
    ) -> None:
        """Add rows of known cells to `sums`, which `CellStatistics` describes."""
        block = np.zeros((self._n_cells, len(sums)))
        weight = np.broadcast_to(1.0, len(X)) if weight is None else weight
        arguments = self._models, numbers, truth, weight, self._minus_corners, block
        self._kernels.add_rows(X, *arguments)
        sums[:, : len(block)] += block.T


def compiled_cells(
    X: AnyArray, index: CellIndex, axes: Axes, cells: IntArray | None = None
) -> CompiledCells | None:
    """Return the loops for chunks of `X` and the cells of an index, None where NumPy is to work.

    `cells` are those of the index: given them, the loops can add rows to sums, and a bin beyond
    the known ones makes a new cell. Otherwise it counts to the nearest one.
    """
    if axes.kind == "summary" or (cells is not None and len(cells) > _MAX_CELLS):
        return None
    kernels = _kernels_for(X, axes.kind)
    table = None if kernels is None else index.table
    if kernels is None or table is None:
        return None
    return CompiledCells(kernels, X.dtype, index, table, axes, cells)


class TruthTable:
    """The histogram of the truth as a table of all places: see `truth_table`."""

    def __init__(self, kernels: _Kernels, resolution: float, first: int, n_steps: int) -> None:
        self._kernels = kernels
        self._grid = resolution, first
        self._counts = np.zeros((0, n_steps, 2))

    def add(self, cell: IntArray, truth: FloatArray, weight: FloatArray | None) -> bool:
        """Count rows, if the table can hold their cells; tell whether it can."""
        n_known, n_steps, _ = self._counts.shape
        n_new = int(cell.max(initial=-1)) + 1 - n_known
        if (n_known + n_new) * n_steps > _MAX_PLACES:
            return False
        if n_new > 0:
            self._counts = np.pad(self._counts, ((0, n_new), (0, 0), (0, 0)))
        cell = np.ascontiguousarray(cell, dtype=np.int64)
        weight = np.broadcast_to(1.0, len(cell)) if weight is None else weight
        self._kernels.count_truth(cell, truth, weight, *self._grid, self._counts)
        return True

    def entries(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Return cell, step, weight and excess of the places that occur."""
        cell, place = np.nonzero(self._counts[:, :, 0])
        weight, excess = self._counts[cell, place].T
        return cell, place + self._grid[1], weight, excess


def truth_table(X: AnyArray, y: AnyArray, resolution: float) -> TruthTable | None:
    """Return an empty table for the truth `y` of the rows of `X`, None where NumPy is to work."""
    kernels = _kernels_for(X)
    if kernels is None:
        return None
    with np.errstate(over="ignore"):  # NumPy's path tells of a grid that is too fine
        first, last = np.floor(np.array([y.min(), y.max()], dtype=np.float64) / resolution)
    if max(-first, last) > 2.0**53 or last - first >= _MAX_PLACES:
        return None
    return TruthTable(kernels, resolution, int(first), int(last - first) + 1)
