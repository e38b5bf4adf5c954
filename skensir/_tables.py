"""What a lookup table consists of, whatever it came from, and what must hold for it."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from skensir._core.binning import MAX_BIN_INDEX
from skensir._core.cells import CellIndex
from skensir._core.table import DEGENERATE, FITTED, RELEASED, THIN
from skensir._ensir import EnsIRRegressor

PARAMS = (
    "bin_width",
    "objective",
    "shrinkage",
    "default_weights",
    "min_samples_cell",
    "variance_center",
    "max_iter",
    "tol",
    "reg_var",
    "target_resolution",
    "verbose",
)
# Fitted attributes with dtype and axes: (c)ells, (m)odels.
ARRAYS = {
    "bin_width_": ("<f8", ""),
    "cells_": ("<i8", "cm"),
    "cell_counts_": ("<f8", "c"),
    "weights_": ("<f8", "cm"),
    "cell_origin_": ("<U10", "c"),
    "cell_rmse_": ("<f8", "c"),
    "means_": ("<f8", "cm"),
    "variances_": ("<f8", "cm"),
    "n_iter_": ("<i8", "c"),
    "converged_": ("|b1", "c"),
    "default_weights_": ("<f8", "m"),
    "default_rmse_": ("<f8", ""),
}
# Rounding of weights that sum to one.
_ROUNDING = 1e-6


def array_shape(name, n_cells, n_models):
    """Return the shape that a fitted attribute has."""
    sizes = {"c": n_cells, "m": n_models}
    return tuple(sizes[axis] for axis in ARRAYS[name][1])


def restore_params(params, n_models):
    """Return the unfitted estimator that has these parameters, once they are checked."""
    if params.keys() != set(PARAMS):
        raise ValueError(f"the parameters must be {', '.join(PARAMS)} and no others.")
    try:
        if not isinstance(params["default_weights"], str):
            weights = np.asarray(params["default_weights"], dtype=np.float64)
            params = {**params, "default_weights": weights}
        regressor = EnsIRRegressor(**params)
        with np.errstate(over="ignore"):
            check_params(regressor, n_models)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a parameter has the wrong type: {error}") from error
    return regressor


def restore_regressor(params, table, feature_names=None):
    """Return the fitted estimator that has these parameters and, as arrays, fitted attributes."""
    check_arrays(table)
    n_models = table["cells_"].shape[1]
    regressor = restore_params(params, n_models)
    regressor.n_features_in_ = n_models
    if feature_names is not None:
        regressor.feature_names_in_ = np.array(feature_names, dtype=object)
    for name in ARRAYS:
        setattr(regressor, name, table[name] if table[name].ndim else table[name].item())
    regressor._index = CellIndex(regressor.cells_)
    return regressor


def check_params(regressor, n_models):
    """Raise an error that names the parameter if one is out of its range."""
    regressor._check_params(n_models)
    if not isinstance(regressor.verbose, Integral):
        raise ValueError(f"verbose == {regressor.verbose!r}, must be a whole number.")


def check_arrays(table):
    """Raise an error that names the fitted attribute if one cannot be what it says.

    Shapes and dtypes are those of `ARRAYS`.
    """
    cells = table["cells_"]
    if cells.min() < -MAX_BIN_INDEX or cells.max() > MAX_BIN_INDEX:
        raise ValueError(f"cells_ must lie within ±{MAX_BIN_INDEX:.0f}.")
    if not np.array_equal(np.unique(cells, axis=0), cells):
        raise ValueError("cells_ must be distinct and in lexicographic order.")
    if not 0 < table["bin_width_"] < np.inf:
        raise ValueError(f"bin_width_ == {table['bin_width_']}, must be above zero and finite.")
    for name in ("weights_", "default_weights_"):
        weights = table[name]
        if not ((weights >= 0) & (weights <= 1 + _ROUNDING)).all():
            raise ValueError(f"{name} must lie between zero and one.")
        if not np.allclose(weights.sum(axis=-1), 1, rtol=0, atol=_ROUNDING):
            raise ValueError(f"{name} must sum to one.")
    if not np.isin(table["cell_origin_"], (FITTED, THIN, DEGENERATE, RELEASED)).all():
        raise ValueError("cell_origin_ must be fitted, thin, degenerate or released.")
    if (table["n_iter_"] < 0).any():
        raise ValueError("n_iter_ must not be negative.")
    released = table["cell_origin_"] == RELEASED
    for name in ("cell_counts_", "cell_rmse_", "default_rmse_", "means_", "variances_"):
        values = table[name]
        # What released cells are like is unknown.
        unknown = released if "c" in ARRAYS[name][1] else released.all()
        unknown = unknown & np.isnan(values).T
        if not (np.isfinite(values).T | unknown).all():
            raise ValueError(f"{name} must be finite, or NaN where cells are released.")
        if name != "means_" and (values < 0).any():
            raise ValueError(f"{name} must not be negative.")
