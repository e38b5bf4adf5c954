"""The lookup tables that were published with the paper."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from skensir._checks import check_names, check_number, check_path, in_one_line
from skensir._core.table import RELEASED, LookupTable
from skensir._ensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._files import naming, read_whole
from skensir._typing import FloatArray, IntArray
from skensir._units import FORMER_DATA_RANGE
from skensir.interop._torch_file import Pairs, read_torch_file

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble

__all__ = ["read_released"]

# The published tables are of 8-bit images.
_N_VALUES = 256
# Rounding of weights that sum to one, in single precision.
_ROUNDING = 1e-3
# Most weights of a table, and most channels: there is a table for each, however small it is.
MAX_WEIGHTS = 2**22
_MOST_CHANNELS = 32


def read_released(
    path: str | PathLike[str],
    model_names: Sequence[str] | None = None,
    bin_width: float | None = None,
) -> ImageEnsemble:
    """Read a lookup table that was published with the paper.

    Such a file, ``weight_SET_MODEL_MODEL_MODEL_b32_rgb.pth``, was written by ``torch.save``; torch
    is not needed to read it. Nothing in the file can make Python run code: it is read as numbers,
    and a file that asks for more is refused.

    Parameters
    ----------
    path : str or path-like
        The file. It holds a dict from each cell, the tuple of the lower edges of its bins, such as
        ``(0, 32, 224)``, to a list with one tensor of weights per channel.
    model_names : sequence of str, default=None
        Names of the models in the order of the weights. None for those in the name of the file.
    bin_width : float, default=None
        Width of the bins. Published tables have all cells, so that their edges tell it, and
        another one is an error. Where cells are missing None takes the width in the name of the
        file, and without one the smallest distance between edges.

    Returns
    -------
    model : skensir.image.ImageEnsemble
        Fitted, for 8-bit images, with one table per channel; for grey images if the file has one
        channel. `model_names_` is None where neither the argument nor the name of the file tells
        the names of as many models as the table has. All cells are of the origin "released", and
        their weights are those of the file, divided by their sum in double precision. What else a
        table tells is not known: `cell_counts_`, `cell_rmse_`, `default_rmse_`, `means_` and
        `variances_` are NaN. `default_weights_`, for cells that the file lacks, are equal.

    Raises
    ------
    ValueError
        If the file is damaged, holds something else, or asks for anything but tensors; if weights
        are negative, not finite, or do not sum to one; if an argument contradicts the file, or
        nothing tells the bin width. The message names the file.
    OSError
        If the file cannot be read.

    See Also
    --------
    skensir.load_table : Reads tables that skensir saved.
    skensir.REFERENCE_PARAMS : Arguments that reproduce the published tables.

    Examples
    --------
    >>> read_released("weight_Rain100H_MPRNet_MAXIM_Restormer_b32_rgb.pth")  # doctest: +SKIP
    """
    _check_arguments(model_names, bin_width)
    data = read_whole(file := check_path(path))
    with naming(file):
        edges, weights = _read_cells(read_torch_file(data))
        n_models = weights.shape[-1]
        named_models, named_width = _told_by_name(file.name, n_models)
        width = _find_width(edges, bin_width, named_width)
        names = named_models if model_names is None else _check_names(model_names, n_models)
    return _ensemble((edges // width).astype(np.int64), weights, width, names)


def _check_arguments(model_names: Any, bin_width: Any) -> None:
    """Raise an error that names an argument unless it may be right, whatever the file holds."""
    if bin_width is not None:
        check_number(bin_width, "bin_width")
    if model_names is not None:
        check_names(model_names, "model_names")


def _read_cells(content: Any) -> tuple[IntArray, FloatArray]:
    """Return edges (n_cells, n_models), in order, and weights (n_cells, n_channels, n_models)."""
    match content:
        case [(tuple(edges), list(tensors)), *_] if type(content) is Pairs:
            n_models, n_channels = len(edges), len(tensors)
        case _:
            raise ValueError("it does not hold a dict from tuples of edges to lists of tensors.")
    if n_models < 2 or not 1 <= n_channels <= _MOST_CHANNELS:
        raise ValueError(f"it has {n_models} models and {n_channels} channels.")
    if len(content) * n_models * n_channels > MAX_WEIGHTS:
        raise ValueError(f"it has more than {MAX_WEIGHTS} weights.")
    for edges, tensors in content:
        if type(edges) is not tuple or len(edges) != n_models:
            raise ValueError(f"a cell is not a tuple of {n_models} edges, as the first is.")
        if not all(type(edge) is int and 0 <= edge < _N_VALUES for edge in edges):
            raise ValueError(f"the edges of its bins are not whole numbers below {_N_VALUES}.")
        if type(tensors) is not list or len(tensors) != n_channels:
            raise ValueError(f"a cell does not have {n_channels} tensors, as the first has.")
        if any(type(row) is not np.ndarray or row.shape != (n_models,) for row in tensors):
            raise ValueError(f"a cell of {n_models} edges has not as many weights per channel.")
    all_edges, first = np.unique([edges for edges, _ in content], axis=0, return_index=True)
    if len(first) < len(content):
        raise ValueError("a cell occurs twice.")
    with np.errstate(invalid="ignore", over="ignore"):  # NaN of any kind is told below
        weights = np.array([tensors for _, tensors in content], dtype=np.float64)[first]
        sums = weights.sum(axis=-1, keepdims=True)
    if not ((weights >= 0).all() and (np.abs(sums - 1) <= _ROUNDING).all()):
        raise ValueError("its weights are not all at least zero, with a sum of one in every cell.")
    return all_edges, weights / sums


def _told_by_name(name: str, n_models: int) -> tuple[tuple[str, ...] | None, int | None]:
    """Return models and bin width that the name of a published file tells.

    The name of the set comes first and may hold underscores; how many models follow, the file says.
    """
    match = re.fullmatch(r"weight_(.+)_b([1-9][0-9]{0,2})_[^_]+\.pth", name)
    if match is None:
        return None, None
    parts = match[1].split("_")
    names = tuple(parts[-n_models:]) if len(parts) > n_models and all(parts) else None
    return names, int(match[2])


def _find_width(edges: IntArray, said: float | None, named: int | None) -> float:
    """Return the bin width: of a table that has every cell, as published ones do, the smallest
    distance between edges; else what is said, what the name of the file tells, or that distance.
    """
    distances = np.diff(np.unique(edges))
    smallest = float(distances.min()) if distances.size else None
    if smallest and len(edges) == math.ceil(_N_VALUES / smallest) ** edges.shape[1]:
        if said not in (None, smallest):
            raise ValueError(f"bin_width == {said:g}, must be {smallest:g}, as its bins are wide.")
        width = smallest
    elif said or named or smallest:
        width = float(said or named or smallest or 0)
    else:
        raise ValueError(
            "it has a single cell, from which no bin width follows; bin_width=W says it."
        )
    if (edges % width).any():
        told = ", which its name tells" if width == named and not said else ""
        raise ValueError(
            f"the edges of its bins are not multiples of the bin width, {width:g}{told}."
        )
    return width


def _check_names(model_names: Sequence[str], n_models: int) -> tuple[str, ...]:
    if len(model_names) != n_models:
        raise ValueError(
            f"it is of {n_models} models, not of {len(model_names)}, as `model_names` says: "
            f"{in_one_line(', '.join(model_names))}."
        )
    return tuple(model_names)


def _ensemble(
    cells: IntArray, weights: FloatArray, bin_width: float, model_names: tuple[str, ...] | None
) -> ImageEnsemble:
    """Return the fitted ensemble with these weights (n_cells, n_channels, n_models)."""
    from skensir.image.ensemble import ImageEnsemble

    _, n_channels, n_models = weights.shape
    regressor = EnsIRRegressor(bin_width, **REFERENCE_PARAMS)
    ensemble = ImageEnsemble(regressor, channel_axis=None if n_channels == 1 else -1)
    ensemble.regressors_ = [
        _regressor(cells, weights[:, channel], bin_width) for channel in range(n_channels)
    ]
    ensemble.n_channels_, ensemble.n_models_ = n_channels, n_models
    ensemble.pixel_dtype_ = np.dtype(np.uint8)
    ensemble.model_names_ = model_names
    return ensemble


def _regressor(cells: IntArray, weights: FloatArray, bin_width: float) -> EnsIRRegressor:
    """Return the fitted estimator with these weights (n_cells, n_models)."""
    n_cells, n_models = weights.shape
    table = LookupTable.simple(
        bin_width=bin_width,
        cells=cells.copy(),
        cell_counts=np.full(n_cells, np.nan),
        weights=weights.copy(),
        cell_origin=np.full(n_cells, RELEASED, dtype="<U10"),
        cell_rmse=np.full(n_cells, np.nan),
        means=np.full((n_cells, n_models), np.nan),
        variances=np.full((n_cells, n_models), np.nan),
        n_iter=np.zeros(n_cells, dtype=np.int64),
        converged=np.ones(n_cells, dtype=np.bool_),
        default_weights=np.full(n_models, 1 / n_models),
        default_rmse=np.nan,
    )
    regressor = EnsIRRegressor(bin_width, **REFERENCE_PARAMS)
    regressor._set_table(table, FORMER_DATA_RANGE)
    return regressor
