"""On which scale the pixels of an ensemble are: what its regressors and the dtypes tell."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from skensir._typing import FloatArray, IntArray
from skensir.image.files import Image
from skensir.image.metrics import peak_of

# Values up to this have not been made on a scale from 0 to 1, with whatever outliers.
FAR_BEYOND_ONE = 16.0
# The share of the rows without which outliers may be.
_NEARLY_ALL = 63 / 64


def given_range(regressor: Any) -> float | None:
    """Return the range of the pixels that a regressor was told, None where it was not."""
    given = getattr(regressor, "data_range", None)
    return float(given) if isinstance(given, Real) else None


def scale_of(pixel_dtype: np.dtype[Any] | None, regressor: Any) -> float | None:
    """Return about the largest value of the pixels that a regressor was fitted on.

    None where nothing tells it: floats leave no more behind than the range of the tables.
    """
    if pixel_dtype is not None:
        return peak_of(pixel_dtype)
    reach = given_range(regressor)
    if reach is None and (found := getattr(regressor, "data_range_", None)) is not None:
        reach = max(found, _reach_of_cells(regressor))
    if reach is None or reach < FAR_BEYOND_ONE:
        return reach
    return 255.0 if reach < 2**9 else 65535.0


def _reach_of_cells(regressor: Any) -> float:
    """Return up to where the cells reach that nearly all rows are in, zero where none tells it.

    Pixels from 130 to 134 have a range of 4, and are on a scale up to 255 nonetheless.
    """
    reach = []
    for axes, bin_width, cells, cell_counts in _tables_of(regressor):
        if axes != "deviations" and len(cells):
            bins = cells.max(axis=1) if axes == "predictions" else cells[:, 0]
            order = np.argsort(bins)
            rows = np.cumsum(cell_counts[order])
            last = bins[order[np.searchsorted(rows, _NEARLY_ALL * rows[-1])]]
            reach.append(float(last + 1) * bin_width)
    return min(reach, default=0.0)


def _tables_of(regressor: Any) -> list[tuple[str, float, IntArray, FloatArray]]:
    """Return axes, bin width, cells and rows of the tables of an estimator or of a file."""
    if hasattr(regressor, "tables"):
        saved = [one.table for one in regressor.tables]
        return [(one.axes, one.bin_width, one.cells, one.cell_counts) for one in saved]
    tables = getattr(regressor, "estimators_", None) or [regressor]
    return [
        (one.axes_, one.bin_width_, one.cells_, one.cell_counts_)
        for one in tables
        if hasattr(one, "cells_")
    ]


def peak_of_truth(target: Image, pixel_dtype: np.dtype[Any] | None, regressor: Any) -> float:
    """Return the peak for the PSNR of what a regressor gives, fitted on pixels of a dtype.

    Raises a ValueError where the truth cannot be on that scale.
    """
    if target.dtype.kind == "u":
        return peak_of(target.dtype)
    if pixel_dtype is not None:
        return peak_of(pixel_dtype)
    given = given_range(regressor)
    if given is not None:
        return given
    is_small = (scale_of(None, regressor) or 0.0) < FAR_BEYOND_ONE
    lowest, highest = target.min(), target.max()
    if is_small and lowest >= 0 and highest <= 1:
        return 1.0
    if is_small and 0 < highest <= 1:
        raise ValueError(
            f"targets has floats from {lowest:.3g} to {highest:.3g}, whose peak is not known: "
            "bring all images to values from 0 to 1, or give the regressor their data_range in fit."
        )
    check_scale(target, "targets")
    return 255.0


def check_scale(image: Image, name: str, peak: float = 255) -> None:
    """Raise an error if values cannot be on the scale that they are taken to be on.

    `peak` is about the largest value on that scale.
    """
    if peak < FAR_BEYOND_ONE:
        highest = float(image.max(initial=0))
        if highest > FAR_BEYOND_ONE * max(peak, 1.0):  # some images are darker than others
            raise ValueError(
                f"{name} has values up to {highest:g}, but values up to about {peak:g} are "
                "expected; bring them to that scale."
            )
    elif image.dtype.kind == "f" and 0 < image.max(initial=0) <= 1:
        lowest = image.min()
        found = "0 to 1" if lowest >= 0 else f"{lowest:.3g} to {image.max():.3g}"
        remedy = f"multiply them by {peak:g}" if lowest >= 0 else "bring them to that scale"
        raise ValueError(
            f"{name} has floats from {found}; floats are taken for values from 0 to {peak:g}, so "
            f"{remedy}."
        )
