"""The look-up and the weighted sum: the hot path of prediction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from skensir._sums.axes import Axes
from skensir._sums.binning import model_columns, row_chunks
from skensir._sums.cells import CellIndex
from skensir._sums.compiled import compiled_cells
from skensir._typing import AnyArray, FloatArray, IntArray


def find_cells(X: AnyArray, index: CellIndex, axes: Axes) -> IntArray:
    """Return the cell number of each row of `X`, ``index.n_cells`` for unseen cells."""
    numbers = np.empty(len(X), dtype=np.intp)
    compiled = compiled_cells(X, index, axes)
    for rows in row_chunks(*X.shape):
        if compiled is not None:
            numbers[rows] = compiled.find(X[rows])
            continue
        numbers[rows] = index.find(axes.bins(model_columns(X, rows)))
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
    first = columns[0]
    out[:] = first
    for weight, column in zip(weights, columns[1:], strict=True):
        difference = np.subtract(column, first, dtype=np.float64)
        difference *= weight
        out += difference
    if convex:  # rounding must not carry the sum beyond the predictions
        np.clip(out, columns.min(axis=0), columns.max(axis=0), out=out)


def combine(
    X: AnyArray,
    index: CellIndex,
    axes: Axes,
    weights: FloatArray,
    intercepts: FloatArray | None = None,
    *,
    convex: bool = True,
) -> FloatArray:
    """Return the weighted sum of the predictions, with the weights of each row's cell.

    `weights` has a line per cell and one more, which serves unseen cells, and so have intercepts
    where there are any. The sum of convex weights lies between the smallest and the largest
    prediction of the row, to the last bit.
    """
    combined = np.empty(len(X))
    compiled = compiled_cells(X, index, axes)
    clipped = convex and intercepts is None
    added = np.zeros(len(weights)) if intercepts is None else intercepts
    lines = np.ascontiguousarray(weights.T[1:])
    for rows in row_chunks(*X.shape):
        if compiled is not None:
            compiled.combine(X[rows], weights, added, combined[rows], convex=clipped)
            continue
        columns = model_columns(X, rows)
        cell = index.find(axes.bins(columns))
        # mode="clip" skips the bounds check: every number lies inside.
        looked_up = (line.take(cell, mode="clip") for line in lines)
        _weighted_sum(columns, looked_up, combined[rows], convex=clipped)
        if intercepts is not None:
            combined[rows] += intercepts.take(cell, mode="clip")
    return combined


def combine_fixed(X: AnyArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of the predictions, with the same convex weights in every row."""
    combined = np.empty(len(X))
    for rows in row_chunks(*X.shape):
        _weighted_sum(model_columns(X, rows), weights[1:], combined[rows])
    return combined
