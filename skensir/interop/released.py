"""The lookup tables that were published with the paper."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skensir._base import check_number
from skensir._core.table import RELEASED, LookupTable
from skensir._ensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._files import naming
from skensir.interop._inert_pickle import Pairs
from skensir.interop._torch_file import read_torch_file, to_array

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble

__all__ = ["read_released"]

Weights: TypeAlias = NDArray[np.float64]

# The published tables are of 8-bit images.
_N_VALUES = 256
# Rounding of weights that sum to one, in half precision.
_ROUNDING = 1e-3


def read_released(
    path: str | PathLike[str],
    model_names: Sequence[str] | None = None,
    bin_width: float | None = None,
) -> ImageEnsemble | EnsIRRegressor:
    """Read a lookup table that was published with the paper, a ``WEIGHTS.pth``.

    The file was written by ``torch.save``; torch is not needed to read it. Nothing in the file can
    make Python run code: it is read as numbers, and a file that asks for more is refused.

    Parameters
    ----------
    path : str or path-like
        The file. For K models of T bins each and C channels it holds an array or a tensor of
        shape (T, ..., T, K) or (T, ..., T, C, K), with K axes of bins; or a dict from the bins
        of a cell, (i, j, ...), to its (K,) or (C, K) weights; or a list, or a dict by number, of
        one such table per channel. Where channels and bins are as many, an array is taken to have
        its channels last, and a list to have them first.
    model_names : sequence of str, default=None
        Names of the models in the order of the weights, which the file does not tell.
    bin_width : float, default=None
        Width of the bins, in the unit of the predictions. None for 256 / T, if that is whole.

    Returns
    -------
    model : skensir.image.ImageEnsemble or EnsIRRegressor
        Fitted, with the table of each channel; a single regressor, if there are no channels. The
        names are in `model_names_` of the ensemble or in `feature_names_in_` of the regressor.
        An ensemble is for 8-bit images, and refuses 16-bit ones, unless `bin_width` is given.
        Every combination of bins is a cell, of the origin "released". `weights_` are those of the
        file, divided by their sum in double precision. What else a table tells is not known:
        `cell_counts_`, `cell_rmse_`, `default_rmse_`, `means_` and `variances_` are NaN.
        `default_weights_` are equal; as no cell is missing, no row ever gets them.

    Raises
    ------
    ValueError
        If the file is damaged, holds something else, or asks for anything but arrays; if weights
        are negative, not finite, or do not sum to one; if the bin width does not follow from the
        file, or an argument does not fit. The message names the file or the argument.
    OSError
        If the file cannot be read.

    See Also
    --------
    skensir.load_table : Reads tables that skensir saved.
    skensir.REFERENCE_PARAMS : Arguments that reproduce the published tables.
    """
    if bin_width is not None:
        check_number(bin_width, "bin_width")
    with naming(path):
        content, storages = read_torch_file(Path(path).read_bytes())
        weights = np.array(to_array(content, storages), dtype=np.float64)
        weights, n_bins, has_channels = _arrange_axes(weights, _starts_with_channels(content))
        weights = _check_weights(weights)
        width = _width_of_bins(n_bins) if bin_width is None else bin_width
    names = _check_names(model_names, weights.shape[-1])
    if not has_channels:
        return _regressor(weights[:, 0], n_bins, width, names)
    return _ensemble(weights, n_bins, width, names, of_8_bits=bin_width is None)


def _width_of_bins(n_bins: int) -> float:
    """Return the width with which so many bins cover the values of 8-bit images."""
    if _N_VALUES % n_bins:
        raise ValueError(
            f"it has {n_bins} bins per model, which do not divide {_N_VALUES}; give bin_width."
        )
    return _N_VALUES / n_bins


def _starts_with_channels(content: Any) -> bool:
    """Tell whether the first axis of what was read is more likely that of channels than of bins."""
    if type(content) is Pairs:
        return type(content[0][0]) is not tuple
    return type(content) in (list, tuple)


def _arrange_axes(weights: Weights, channels_first: bool) -> tuple[Weights, int, bool]:
    """Return weights (n_cells, n_channels, n_models), bins per model, and if there are channels.

    The cells are in lexicographic order.
    """
    n_models = weights.shape[-1] if weights.ndim else 0
    n_axes = weights.ndim - n_models

    def n_bins_of(shape: tuple[int, ...]) -> int | None:
        return shape[0] if len(set(shape)) == 1 else None

    if n_models > 1 and n_axes == 1 and (n_bins := n_bins_of(weights.shape[:-1])):
        return weights.reshape(-1, 1, n_models), n_bins, False
    if n_models > 1 and n_axes == 2:
        last, first = n_bins_of(weights.shape[:-2]), n_bins_of(weights.shape[1:-1])
        if first and (channels_first or not last):
            weights, last = np.moveaxis(weights, 0, -2), first
        if last:
            return weights.reshape(-1, *weights.shape[-2:]), last, True
    raise ValueError(
        f"its numbers have the shape {weights.shape}, which is not a table: for K models, two or "
        "more, there must be K axes of equally many bins, perhaps one of channels, and one of K "
        "weights."
    )


def _check_weights(weights: Weights) -> Weights:
    """Return weights that sum to one in double precision."""
    if not ((weights >= 0) & (weights <= 1 + _ROUNDING)).all():
        raise ValueError("its weights are not all between zero and one.")
    sums = weights.sum(axis=-1, keepdims=True)
    if not np.allclose(sums, 1, rtol=0, atol=_ROUNDING):
        raise ValueError("its weights do not sum to one in every cell.")
    normalised: Weights = weights / sums
    return normalised


def _check_names(model_names: Sequence[str] | None, n_models: int) -> tuple[str, ...] | None:
    if model_names is None:
        return None
    names = [] if isinstance(model_names, str) else list(model_names)
    if len(names) != n_models or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"model_names == {model_names!r}, must be {n_models} names: the table has so many "
            "models."
        )
    return tuple(names)


def _ensemble(
    weights: Weights,
    n_bins: int,
    bin_width: float,
    model_names: tuple[str, ...] | None,
    *,
    of_8_bits: bool,
) -> ImageEnsemble:
    """Return the fitted ensemble with these weights, one regressor per channel."""
    from skensir.image.ensemble import ImageEnsemble

    ensemble = ImageEnsemble(EnsIRRegressor(bin_width, **REFERENCE_PARAMS))
    ensemble.regressors_ = [
        _regressor(weights[:, channel], n_bins, bin_width) for channel in range(weights.shape[1])
    ]
    ensemble.n_channels_, ensemble.n_models_ = weights.shape[1:]
    ensemble.pixel_dtype_ = np.dtype(np.uint8) if of_8_bits else None
    ensemble.model_names_ = model_names
    return ensemble


def _regressor(
    weights: Weights,
    n_bins: int,
    bin_width: float,
    model_names: Sequence[str] | None = None,
) -> EnsIRRegressor:
    """Return the fitted estimator with these weights for all combinations of bins."""
    n_cells, n_models = weights.shape
    unknown = np.full(n_cells, np.nan)
    table = LookupTable(
        bin_width=float(bin_width),
        cells=np.indices((n_bins,) * n_models).reshape(n_models, -1).T.copy(),
        cell_counts=unknown,
        weights=weights.copy(),
        cell_origin=np.full(n_cells, RELEASED, dtype="<U10"),
        cell_rmse=unknown.copy(),
        means=np.full((n_cells, n_models), np.nan),
        variances=np.full((n_cells, n_models), np.nan),
        n_iter=np.zeros(n_cells, dtype=np.int64),
        converged=np.ones(n_cells, dtype=np.bool_),
        default_weights=np.full(n_models, 1 / n_models),
        default_rmse=np.nan,
    )
    regressor = EnsIRRegressor(bin_width, **REFERENCE_PARAMS)
    regressor._set_table(table, model_names)
    return regressor
