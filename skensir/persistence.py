"""Lookup tables as files: plain arrays and one JSON header in a zip archive, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skensir._checks import check_path, shown
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._files import make_archive, naming, read_whole, write_whole
from skensir._table_format import (
    FORMAT,
    FORMATS,
    HEADER,
    KINDS_OF_MODEL,
    NEW_PARAMS,
    Format,
    Record,
    npy_head,
)
from skensir._table_reader import read_table_file
from skensir._units import FORMER_DATA_RANGE
from skensir._version import __version__

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble


class Combination(NamedTuple):
    """What a file holds of one estimator."""

    tables: list[EnsIRRegressor]  # of one table each
    shares: list[float]  # in the prediction
    calibration: list[list[float]] | None  # places of `calibration_` and what was counted there


def save_table(
    model: EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble, path: str | os.PathLike[str]
) -> None:
    """Write the lookup table of a fitted estimator to a file.

    The file holds parameters but `n_jobs`, fitted attributes and what intervals need, nothing of
    the reference set: sums for `partial_fit` and `merge` are left out. It is written whole or not
    at all, and equal tables give equal files.

    Parameters
    ----------
    model : EnsIRRegressor, EnsIRRegressorCV or skensir.image.ImageEnsemble
        The fitted estimator. Of an `EnsIRRegressorCV` its tables are saved, with their shares; so
        they are of an image ensemble, whose `regressor` then has the parameters that were chosen
        for the first table of the first channel.
    path : str or path-like
        Where to. The name may have any suffix; none is appended.

    Raises
    ------
    TypeError
        If the model has no lookup table, or is a subclass, which would not come back as such.
    ValueError
        If the model is not fitted, or was altered so that `load_table` would refuse it.
    OSError
        If the file cannot be written. What was there before is then still there.

    See Also
    --------
    load_table : Reads the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.persistence import load_table, save_table
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> X = y[:, None] + rng.normal(size=(5000, 3)) * [2, 4, 8]
    >>> model = EnsIRRegressor().fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_table(model, Path(folder) / "denoising.table")
    ...     loaded = load_table(Path(folder) / "denoising.table")
    >>> bool((loaded.predict(X) == model.predict(X)).all())
    True
    """
    check_path(path)
    write_whole(path, table_file_of(model))


def table_file_of(model: Any) -> bytes:
    """Return what `save_table` writes."""
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"model == {shown(model)}, must be a fitted estimator.")
    check_is_fitted(model)
    data = _to_bytes(model)
    read_table_file(data)  # what `load_table` would refuse is not worth writing
    return data


def load_table(
    path: str | os.PathLike[str],
) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Read what `save_table` wrote.

    Nothing in the file can make Python run code: it is read as numbers and strings, each of which
    is checked, and it cannot inflate. So tables of strangers are safe to load.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    model : EnsIRRegressor, EnsIRRegressorCV or skensir.image.ImageEnsemble
        Predicts the same to the last bit, and has the same parameters and fitted attributes; an
        array-like `default_weights` comes back as an array, and a `data_range` of 255 as "auto"
        where `bin_width` is a number. An `EnsIRRegressorCV` comes back as such where it averages
        several tables, with these and without the results of its search. None of them can go on
        with `partial_fit` or `merge`, whose sums no file holds.

    Raises
    ------
    ValueError
        If the file is damaged, is no table, or was written in a format of a later skensir. The
        message names the file.
    OSError
        If the file cannot be read.

    See Also
    --------
    save_table : Writes the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skensir import EnsIRRegressorCV, load_table, save_table
    >>> X, y = [[1.0, 3.0], [2.0, 6.0], [3.0, 9.0]] * 40, [2.0, 4.0, 6.0] * 40
    >>> search = EnsIRRegressorCV().fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_table(search, Path(folder) / "search.table")
    ...     model = load_table(Path(folder) / "search.table")
    >>> model.predict([[2.0, 6.0]]).round(6)
    array([4.])
    """
    data = read_whole(check_path(path))
    with naming(path):
        return read_table_file(data)


def _to_bytes(model: Any) -> bytes:
    """Return what a file of the model holds."""
    if type(model) in (EnsIRRegressor, EnsIRRegressorCV):
        combinations, ensemble = [_combination_of(model)], None
    else:
        ensemble = _image_ensemble(model)
        combinations = list(map(_combination_of, ensemble.regressors_))
    tables = [table for combination in combinations for table in combination.tables]
    number = _number_for(combinations, ensemble)
    form = FORMATS[number]
    header = {
        "format": FORMAT,
        "format_number": number,
        "skensir": __version__,
        "class": KINDS_OF_MODEL[ensemble is not None],
        "ensemble": ensemble and _ensemble_header(ensemble, tables, form),
        "tables": [_table_header(table, form) for table in tables],
    }
    if form.averages:
        header["shares"] = [combination.shares for combination in combinations]
        header["calibrations"] = [combination.calibration for combination in combinations]
    entries = {HEADER: json.dumps(header, indent=1).encode()}
    for place, regressor in enumerate(tables):
        for name, field in form.fields.items():
            array = np.asarray(getattr(regressor, f"{name}_"))
            array = array.astype(field.dtype, casting="same_kind")
            head = npy_head(field.dtype, array.shape)
            entries[f"{place}/{name}_.npy"] = head + array.tobytes()
    return make_archive(entries)


def _number_for(combinations: list[Combination], ensemble: ImageEnsemble | None) -> int:
    """Return the number of the format: 1 where what it does not know makes no difference."""
    tables = [table for combination in combinations for table in combination.tables]
    unfitted = [] if ensemble is None else [_regressor_of(ensemble, tables)]
    estimators = [*tables, *(model for model in unfitted if model is not None)]
    known = (
        not isinstance(model.bin_width, str)
        and model.data_range in ("auto", FORMER_DATA_RANGE)
        and vars(model).get("data_range_", FORMER_DATA_RANGE) == FORMER_DATA_RANGE
        and all(getattr(model, name) == value for name, value in NEW_PARAMS.items())
        and not len(vars(model).get("ancestor_levels_", ()))  # averaged tables have some as well
        for model in estimators
    )
    is_plain = len(tables) == len(combinations) and not getattr(ensemble, "include_input", False)
    is_plain &= all(combination.calibration is None for combination in combinations)
    return 1 if all(known) and is_plain else max(FORMATS)


def _combination_of(regressor: Any) -> Combination:
    """Return what a file holds of an estimator, which is solved."""
    calibration = None
    if "calibration_" in vars(regressor):
        counts = regressor.calibration_
        calibration = [[place, float(counts[place])] for place in np.flatnonzero(counts).tolist()]
    if type(regressor) is EnsIRRegressorCV:
        shares = [float(share) for share in regressor.solve().shares_]
        return Combination(regressor.estimators_, shares, calibration)
    if type(regressor) is not EnsIRRegressor:
        raise TypeError(
            f"model has a {type(regressor).__name__} for regressor, which has no lookup table; "
            "joblib saves other estimators."
        )
    return Combination([regressor.solve()], [1.0], calibration)


def _image_ensemble(model: Any) -> ImageEnsemble:
    """Return the model if it is an image ensemble."""
    from skensir.image.ensemble import ImageEnsemble

    if type(model) is not ImageEnsemble:
        raise TypeError(
            f"model is a {type(model).__name__}, must be an EnsIRRegressor, an "
            "EnsIRRegressorCV or an ImageEnsemble of these; estimators of Dask become that by "
            "to_local(), and joblib saves all others."
        )
    return model


def _table_header(regressor: EnsIRRegressor, form: Format) -> Record:
    n_cells, n_models = len(regressor.cells_), regressor.default_weights_.size
    names = getattr(regressor, "feature_names_in_", None)
    of_format_2 = {
        "n_axes": regressor.cells_.shape[1],
        "n_ancestors": len(regressor.ancestor_levels_),
        "data_range": float(regressor.data_range_),
    }
    return {
        "n_cells": n_cells,
        "n_models": n_models,
        **(of_format_2 if form.averages else {}),
        "feature_names": names if names is None else [str(name) for name in names],
        "params": _plain_params(regressor, form),
    }


def _regressor_of(model: Any, regressors: list[EnsIRRegressor]) -> EnsIRRegressor | None:
    """Return the estimator whose parameters an image ensemble comes back with."""
    regressor: EnsIRRegressor | None = model.regressor
    if regressor is not None and type(regressor) is not EnsIRRegressor:
        return regressors[0]  # with the parameters that were chosen
    return regressor


def _ensemble_header(model: Any, regressors: list[EnsIRRegressor], form: Format) -> Record:
    regressor, names = _regressor_of(model, regressors), model.model_names_
    return {
        "regressor": None if regressor is None else _plain_params(regressor, form),
        "per_channel": bool(model.per_channel),
        "channel_axis": None if model.channel_axis is None else int(model.channel_axis),
        **({"include_input": bool(model.include_input)} if form.averages else {}),
        "n_channels": int(model.n_channels_),
        "pixel_dtype": None if model.pixel_dtype_ is None else model.pixel_dtype_.name,
        "model_names": None if names is None else [str(name) for name in names],
    }


def _plain_params(regressor: EnsIRRegressor, form: Format) -> Record:
    """Return the parameters as JSON knows them."""
    params = regressor.get_params(deep=False)
    return {name: _plain(params[name]) for name in form.params}


def _plain(value: Any) -> Any:
    """Return a string, a number or a list of numbers without NumPy's types."""
    kinds: list[tuple[type, Callable[[Any], Any]]]
    kinds = [(str, str), (bool, bool), (Integral, int), (Real, float)]
    for kind, plain in kinds:
        if isinstance(value, kind):
            return plain(value)
    return np.asarray(value, dtype=np.float64).tolist()
