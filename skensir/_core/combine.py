"""The look-up and the weighted sum: the hot path of prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import model_columns, row_chunks
from skensir._sums.cells import CellIndex
from skensir._sums.compiled import compiled_combine, compiled_find, compiled_walk
from skensir._threads import in_threads
from skensir._typing import AnyArray, FloatArray, IntArray

# A table with so few places stays in cache with the weights of each.
_FEW_PLACES = 2**13

# What holds the differences of pixels.
_EXACT = {np.dtype(np.uint8): np.dtype(np.int16), np.dtype(np.uint16): np.dtype(np.int32)}

# Writes the weighted sums of rows, (n_rows, n_models), to an array, (n_rows,).
Combiner: TypeAlias = Callable[[AnyArray, FloatArray], None]


def find_cells(X: AnyArray, index: CellIndex, axes: Axes, n_threads: int = 1) -> IntArray:
    """Return the cell number of each row of `X`, ``index.n_cells`` for unseen cells."""
    numbers = np.empty(len(X), dtype=np.intp)
    compiled = compiled_find(X, index, axes)
    walk = compiled_walk(X, index) if compiled is None else None

    def find(rows: slice) -> None:
        if compiled is not None:
            numbers[rows] = compiled(X[rows])
        else:
            numbers[rows] = index.find(axes.bins(model_columns(X, rows)), walk)

    in_threads(find, row_chunks(*X.shape), n_threads)
    return numbers


def with_unseen(of_cells: FloatArray, *of_others: FloatArray | float) -> FloatArray:
    """Return the lines of a table and those of others, the last of which serves unseen cells."""
    others = (np.reshape(other, (-1, *of_cells.shape[1:])) for other in of_others)
    return np.concatenate([of_cells, *others])


def _weighted_sum(
    columns: AnyArray, weights: Iterable[Any], out: FloatArray, *, convex: bool = True
) -> None:
    """Sum the models' lines with their weights, of all models but the first.

    As weights sum to one, only the differences from the first model count: that is one weight
    less to look up, and where the models agree the sum is exact.
    """
    # Differences of pixels are whole, and exact in few bytes, which stay in cache.
    exact = _EXACT.get(columns.dtype, np.dtype(np.float64))
    out[:] = first = columns[0].astype(exact, copy=False)
    difference = np.empty(len(out))
    for weight, column in zip(weights, columns[1:], strict=True):
        np.subtract(column, first, out=difference)
        difference *= weight
        out += difference
    if convex:  # rounding must not carry the sum beyond the predictions
        for least_or_most, clip in ((np.minimum, np.maximum), (np.maximum, np.minimum)):
            difference[:] = least_or_most.reduce(columns, axis=0)
            clip(out, difference, out=out)


def combiner(
    X: AnyArray,
    index: CellIndex,
    axes: Axes,
    weights: FloatArray,
    intercepts: FloatArray | None = None,
    *,
    convex: bool = True,
) -> Combiner:
    """Return what writes the weighted sums of a chunk of `X`, with the weights of the cells.

    `weights` has a line per cell and one more, which serves unseen cells, and so have intercepts
    where there are any. The sum of convex weights lies between the smallest and the largest
    prediction of the row, to the last bit.
    """
    clipped = convex and intercepts is None
    compiled = compiled_combine(X, index, axes, weights, intercepts, convex=clipped)
    if compiled is not None:
        return compiled
    lines = np.ascontiguousarray(weights.T[1:])
    if intercepts is not None:
        lines = np.vstack([lines, intercepts])
    expanded = index.table is not None and index.table.size <= _FEW_PLACES
    if expanded:  # the lines of all places in the table: one look-up less
        lines = lines[:, index.table]

    def combine_chunk(rows: AnyArray, out: FloatArray) -> None:
        columns = model_columns(rows, slice(None))
        bins = axes.bins(columns)
        place = index.keys(bins) if expanded else index.find(bins)
        # mode="clip" skips the bounds check: every number lies inside.
        looked_up = (line.take(place, mode="clip") for line in lines[: len(columns) - 1])
        _weighted_sum(columns, looked_up, out, convex=clipped)
        if intercepts is not None:
            out += lines[-1].take(place, mode="clip")

    return combine_chunk


def dtype_of_sums(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return single precision for such predictions, double precision for all others."""
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def combine_parts(parts: Sequence[tuple[AnyArray, Combiner, FloatArray]], n_threads: int) -> None:
    """Write the weighted sums of rows, (n_rows, n_models), to arrays of floats, (n_rows,).

    All is computed in double precision; what is written to may have less. The parts have equally
    many rows, such as the pixels of channels that lie in one image side by side: these are combined
    together, so that each piece of memory is visited once.
    """

    def combine_chunk(rows: slice) -> None:
        for X, combine, out in parts:
            if out.dtype == np.float64:
                combine(X[rows], out[rows])
            else:
                combined = np.empty(rows.stop - rows.start)
                combine(X[rows], combined)
                out[rows] = combined

    in_threads(combine_chunk, row_chunks(*parts[0][0].shape), n_threads)


def combine_rows(X: AnyArray, combine: Combiner, n_threads: int) -> FloatArray:
    """Return the weighted sums of rows, (n_rows,)."""
    combined = np.empty(len(X), dtype_of_sums(X.dtype))
    combine_parts([(X, combine, combined)], n_threads)
    return combined


def combine_fixed(X: AnyArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of the predictions, with the same convex weights in every row."""
    combined = np.empty(len(X))
    for rows in row_chunks(*X.shape):
        _weighted_sum(model_columns(X, rows), weights[1:], combined[rows])
    return combined.astype(dtype_of_sums(X.dtype), copy=False)
