"""Values to bin indices: ``floor(x / bin_width)``, the lower edge belongs to the bin."""

from __future__ import annotations

import numpy as np

from skensir._typing import AnyArray, IntArray

# Beyond this a float64 no longer tells neighbouring bins apart.
MAX_BIN_INDEX = 2.0**53


def row_chunks(n_rows: int, n_models: int) -> list[slice]:
    """Split rows so that one chunk of all models, in double precision, stays in cache."""
    step = max(4096, 2**18 // n_models)
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def model_columns(X: AnyArray, rows: slice | IntArray) -> AnyArray:
    """Copy some rows as one contiguous line a model, in the dtype it came in."""
    return np.ascontiguousarray(X[rows].T)


def bin_indices(columns: AnyArray, bin_width: float) -> AnyArray:
    """Return the bin index of every value, as whole numbers in a dtype that holds them.

    8- and 16-bit unsigned integers keep their dtype where `bin_width` is whole: integer division of
    narrow integers is several times cheaper and gives the same index. All else is float64 holding
    whole numbers, whatever the dtype of `columns`, so that equal values fall into equal bins.
    """
    if columns.dtype in (np.uint8, np.uint16) and bin_width == int(bin_width):
        if bin_width > np.iinfo(columns.dtype).max:
            return np.zeros_like(columns)
        return np.asarray(columns // columns.dtype.type(bin_width))
    with np.errstate(over="ignore"):  # an infinite index counts to the end bin as well
        indices: AnyArray = np.divide(columns, bin_width, dtype=np.float64)
    return np.floor(indices, out=indices)


def check_bin_indices(indices: AnyArray, bin_width: float, columns: AnyArray | None = None) -> None:
    """Raise a ValueError where bins are too narrow for the values to be told apart.

    It names the largest of the predictions, a line per model, if they are given.
    """
    index = float(np.abs(indices).max()) if indices.dtype.kind == "f" else 0.0
    if index <= MAX_BIN_INDEX:
        return
    found, value = "predictions are", index * bin_width
    if columns is not None:
        largest = np.abs(columns.astype(np.float64)).max(axis=1)
        found, value = f"column {largest.argmax()} of X has values", float(largest.max())
    least = index / MAX_BIN_INDEX * bin_width
    if not np.isfinite(least):  # what is binned may be the distance of two values
        least = 2 * (value / MAX_BIN_INDEX)
    raise ValueError(
        f"bin_width == {bin_width!r}, must be at least {least:.3g} where {found} as large as "
        f"{value:.6g}."
    )
