"""Estimators made of what a file of lookup tables says."""

from __future__ import annotations

import numpy as np

from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._table_file import SavedRegressor, SavedTable, check_params, parse_table_file
from skensir._table_format import Format, Record
from skensir.image.ensemble import ImageEnsemble
from skensir.image.tables import ImageTables


def read_table_file(data: bytes) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Return the estimator that the bytes of a file hold."""
    saved = parse_table_file(data)
    regressors = [_make_regressor(saved.form, regressor) for regressor in saved.regressors]
    if saved.ensemble is None:
        return regressors[0]
    return _make_ensemble(saved.form, ImageTables.of(saved), saved.ensemble, regressors)


def _make_regressor(form: Format, saved: SavedRegressor) -> EnsIRRegressor | EnsIRRegressorCV:
    """Return the estimator of one table, or of several that are averaged."""
    tables = [_make_table(form, table) for table in saved.tables]
    regressor: EnsIRRegressor | EnsIRRegressorCV = tables[0]
    if len(tables) > 1:
        regressor = EnsIRRegressorCV()._set_tables(tables, np.array(saved.shares))
    if saved.calibration is not None:
        regressor.calibration_ = saved.calibration
    return regressor


def _make_table(form: Format, saved: SavedTable) -> EnsIRRegressor:
    regressor = _with_params(form, saved.params, len(saved.table.default_weights))
    regressor._set_table(saved.table, saved.data_range, saved.feature_names)
    return regressor


def _with_params(form: Format, params: Record, n_models: int) -> EnsIRRegressor:
    """Return the unfitted estimator that has these parameters, once they are checked."""
    check_params(form, params)
    try:
        if not isinstance(params["default_weights"], str):
            weights = np.asarray(params["default_weights"], dtype=np.float64)
            params = {**params, "default_weights": weights}
        regressor = EnsIRRegressor(**params)
        with np.errstate(over="ignore"):
            regressor._check_params(n_models)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a parameter cannot be: {error}") from error
    return regressor


def _make_ensemble(
    form: Format,
    tables: ImageTables,
    header: Record,
    regressors: list[EnsIRRegressor | EnsIRRegressorCV],
) -> ImageEnsemble:
    params = header["regressor"]
    ensemble = ImageEnsemble(
        None if params is None else _with_params(form, params, tables.n_models_),
        per_channel=tables.per_channel,
        channel_axis=tables.channel_axis,
        include_input=tables.include_input,
    )
    ensemble.regressors_ = regressors
    for name in ("n_channels_", "n_models_", "pixel_dtype_", "model_names_"):
        setattr(ensemble, name, getattr(tables, name))
    return ensemble
