"""The look-up and the weighted sum: the hot path of prediction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from skensir._core.binning import bin_indices, model_columns, row_chunks
from skensir._core.cells import CellIndex
from skensir._core.compiled import compiled_cells
from skensir._typing import AnyArray, FloatArray, IntArray


def find_cells(X: AnyArray, index: CellIndex, bin_width: float) -> IntArray:
    """Return the cell number of each row of `X`, ``index.n_cells`` for unseen cells."""
    numbers = np.empty(len(X), dtype=np.intp)
    compiled = compiled_cells(X, index, bin_width)
    for rows in row_chunks(*X.shape):
        if compiled is not None:
            numbers[rows] = compiled.find(X[rows])
            continue
        numbers[rows] = index.find(bin_indices(model_columns(X, rows), bin_width))
    return numbers


def with_unseen(of_cells: FloatArray, of_unseen: FloatArray | float) -> FloatArray:
    """Return the lines of a table and one more, which all rows in unseen cells look up."""
    return np.concatenate([of_cells, np.asarray(of_unseen)[np.newaxis]])


def _weighted_sum(columns: AnyArray, weights: Iterable[Any], out: FloatArray) -> None:
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
    # Rounding must not carry the sum beyond the predictions.
    np.clip(out, columns.min(axis=0), columns.max(axis=0), out=out)


def combine(X: AnyArray, index: CellIndex, bin_width: float, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of the predictions, with the convex weights of each row's cell.

    `weights` has a line per cell and one more, which serves unseen cells. The sum lies between the
    smallest and the largest prediction of the row, to the last bit.
    """
    combined = np.empty(len(X))
    compiled = compiled_cells(X, index, bin_width)
    lines = np.ascontiguousarray(weights.T[1:])
    for rows in row_chunks(*X.shape):
        if compiled is not None:
            compiled.combine(X[rows], weights, combined[rows])
            continue
        columns = model_columns(X, rows)
        cell = index.find(bin_indices(columns, bin_width))
        # mode="clip" skips the bounds check: every number lies inside.
        looked_up = (line.take(cell, mode="clip") for line in lines)
        _weighted_sum(columns, looked_up, combined[rows])
    return combined


def combine_fixed(X: AnyArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of the predictions, with the same convex weights in every row."""
    combined = np.empty(len(X))
    for rows in row_chunks(*X.shape):
        _weighted_sum(model_columns(X, rows), weights[1:], combined[rows])
    return combined
