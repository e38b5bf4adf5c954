"""What a file of lookup tables consists of, by the number of its format.

Every format, now and later, is a zip archive without compression whose entry ``header.json`` has
"format", "format_number" and "skensir", the version that wrote the file. Fitted attributes lie in
``<number of the table>/<attribute>.npy``, so that `numpy.load` opens them as well. `FORMATS` says
for each number what a table consists of. A change of that needs a new number once a version with
the last one is out; what was is never altered. A file has the lowest number that can hold it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from skensir._core.table import Field
from skensir._sums.axes import KINDS

Record = dict[str, Any]  # a JSON object

FORMAT, HEADER = "skensir lookup table", "header.json"
# Without and with images.
KINDS_OF_MODEL = ("EnsIRRegressor", "ImageEnsemble")
PIXEL_DTYPES = (None, "uint8", "uint16", "uint32", "uint64")


# How an estimator works, not what it is; no file says so.
NOT_SAVED = ("n_jobs",)


class Format(NamedTuple):
    """What a table consists of in a format, in the order of its file."""

    params: tuple[str, ...]  # of the estimator; those that are missing are the defaults
    fields: dict[str, Field]  # arrays
    averages: bool = False  # whether a regressor may have several tables, of any range


_FIELDS_1 = {
    "bin_width": Field("<f8"),
    "cells": Field("<i8", "cm"),
    "cell_counts": Field("<f8", "c"),
    "weights": Field("<f8", "cm"),
    "cell_origin": Field("<U10", "c"),
    "cell_rmse": Field("<f8", "c"),
    "means": Field("<f8", "cm"),
    "variances": Field("<f8", "cm"),
    "n_iter": Field("<i8", "c"),
    "converged": Field("|b1", "c"),
    "default_weights": Field("<f8", "m"),
    "default_rmse": Field("<f8"),
}
_FIELDS_2 = {
    **_FIELDS_1,
    "cells": Field("<i8", "cx"),
    "axes": Field("<U11"),
    "intercepts": Field("<f8", "c"),
    "default_intercept": Field("<f8"),
    "ancestor_levels": Field("<i8", "a"),
    "ancestor_cells": Field("<i8", "ax"),
    "ancestor_weights": Field("<f8", "am"),
    "ancestor_intercepts": Field("<f8", "a"),
    "ancestor_rmse": Field("<f8", "a"),
}
_PARAMS_1: tuple[str, ...] = (
    *("bin_width", "objective", "shrinkage", "default_weights", "min_samples_cell"),
    *("variance_center", "max_iter", "tol", "reg_var", "target_resolution", "verbose"),
)
# Parameters that format 1 does not know, and what they are in its tables.
NEW_PARAMS = {
    "axes": KINDS[0],
    "shrink_to": "pooled",
    "positive": True,
    "fit_intercept": False,
}
FORMATS = {
    1: Format(_PARAMS_1, _FIELDS_1),
    2: Format((*_PARAMS_1, "data_range", *NEW_PARAMS), _FIELDS_2, averages=True),
}


def npy_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return what stands before the numbers in an .npy file of version 1.0."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(128 - 10 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
