"""Lookup tables as files: plain arrays and one JSON header in a zip archive, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skensir._checks import (
    as_numbers,
    check_flag,
    check_names,
    check_number,
    check_path,
    check_whole,
    shown,
)
from skensir._core.table import Field
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._files import make_archive, naming, read_whole, write_whole
from skensir._table_format import (
    FORMAT,
    FORMATS,
    HEADER,
    KINDS_OF_MODEL,
    NEW_PARAMS,
    NOT_SAVED,
    Format,
    Record,
    npy_head,
)
from skensir._table_reader import read_table_file
from skensir._typing import AnyArray
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
        If the model is not fitted, or was altered so that `load_table` would refuse it; the message
        names what was altered.
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
        combinations = list(map(_combination_of, _parts_of(ensemble, "regressors_", BaseEstimator)))
    tables = [table for combination in combinations for table in combination.tables]
    for table in tables:
        _check_params(table, _n_models_of(table))
    if ensemble is not None and (regressor := _regressor_of(ensemble, tables)) is not None:
        _check_params(regressor, _n_models_of(tables[0]))
    number = _number_for(combinations, ensemble)
    form = FORMATS[number]
    arrays = [
        {name: _array_of(table, name, field) for name, field in form.fields.items()}
        for table in tables
    ]
    header = {
        "format": FORMAT,
        "format_number": number,
        "skensir": __version__,
        "class": KINDS_OF_MODEL[ensemble is not None],
        "ensemble": ensemble and _ensemble_header(ensemble, tables, form),
        "tables": [_table_header(*pair, form) for pair in zip(tables, arrays, strict=True)],
    }
    if form.averages:
        header["shares"] = [combination.shares for combination in combinations]
        header["calibrations"] = [combination.calibration for combination in combinations]
    entries = {HEADER: json.dumps(header, indent=1).encode()}
    for place, of_table in enumerate(arrays):
        for name, array in of_table.items():
            head = npy_head(form.fields[name].dtype, array.shape)
            entries[f"{place}/{name}_.npy"] = head + array.tobytes()
    return make_archive(entries)


def _array_of(regressor: EnsIRRegressor, name: str, field: Field) -> AnyArray:
    """Return a fitted attribute as a file holds it."""
    value = getattr(regressor, f"{name}_")
    try:
        array = np.asarray(value).astype(field.dtype, casting="same_kind", copy=False)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim != len(field.axes):
        raise ValueError(
            f"{name}_ == {shown(value)}, must be of dtype {np.dtype(field.dtype)} and of "
            f"{len(field.axes)} dimensions, as fit makes it."
        )
    return array


def _n_models_of(regressor: EnsIRRegressor) -> int:
    return int(_array_of(regressor, "default_weights", FORMATS[1].fields["default_weights"]).size)


def _check_params(regressor: EnsIRRegressor, n_models: int) -> None:
    """Raise an error that names a parameter which a file is to hold and no estimator can have."""
    params = regressor.get_params(deep=False)
    saved = {name: value for name, value in params.items() if name not in NOT_SAVED}
    with _altered():
        EnsIRRegressor(**saved)._check_params(n_models)


@contextmanager
def _altered() -> Iterator[None]:
    """Make what is said of an altered attribute a ValueError, of whatever type it is."""
    try:
        yield
    except TypeError as error:
        raise ValueError(str(error)) from error


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
        # Averaged tables have some as well.
        and not np.size(vars(model).get("ancestor_levels_", ()))
        for model in estimators
    )
    is_plain = len(tables) == len(combinations) and not getattr(ensemble, "include_input", False)
    is_plain &= all(combination.calibration is None for combination in combinations)
    return 1 if all(known) and is_plain else max(FORMATS)


def _combination_of(regressor: Any) -> Combination:
    """Return what a file holds of an estimator, which is solved."""
    calibration = None
    if "calibration_" in vars(regressor):
        with _altered():
            counts = as_numbers(regressor.calibration_, "calibration_")
        calibration = [[place, float(counts[place])] for place in np.flatnonzero(counts).tolist()]
    if type(regressor) is EnsIRRegressorCV:
        tables = _parts_of(regressor.solve(), "estimators_", EnsIRRegressor)
        with _altered():
            shares = as_numbers(regressor.shares_, "shares_").tolist()
        return Combination(tables, shares, calibration)
    if type(regressor) is not EnsIRRegressor:
        raise TypeError(
            f"model has a {type(regressor).__name__} for regressor, which has no lookup table; "
            "joblib saves other estimators."
        )
    return Combination([regressor.solve()], [1.0], calibration)


def _parts_of(model: Any, name: str, kind: type) -> list[Any]:
    """Return the estimators that a model consists of."""
    parts = getattr(model, name)
    if not isinstance(parts, list) or not parts or not all(isinstance(p, kind) for p in parts):
        raise ValueError(f"{name} == {shown(parts)}, must be a list of fitted estimators.")
    return parts


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


def _table_header(regressor: EnsIRRegressor, arrays: dict[str, AnyArray], form: Format) -> Record:
    n_models = arrays["default_weights"].size
    of_format_2 = {}
    if form.averages:
        with _altered():
            check_number(regressor.data_range_, "data_range_")
        of_format_2 = {
            "n_axes": arrays["cells"].shape[1],
            "n_ancestors": len(arrays["ancestor_levels"]),
            "data_range": float(regressor.data_range_),
        }
    return {
        "n_cells": len(arrays["cells"]),
        "n_models": n_models,
        **of_format_2,
        "feature_names": _plain_names(regressor, "feature_names_in_", n_models),
        "params": _plain_params(regressor, form),
    }


def _regressor_of(model: Any, regressors: list[EnsIRRegressor]) -> EnsIRRegressor | None:
    """Return the estimator whose parameters an image ensemble comes back with."""
    regressor: EnsIRRegressor | None = model.regressor
    if regressor is not None and type(regressor) is not EnsIRRegressor:
        return regressors[0]  # with the parameters that were chosen
    return regressor


def _ensemble_header(model: Any, regressors: list[EnsIRRegressor], form: Format) -> Record:
    regressor, pixel_dtype = _regressor_of(model, regressors), model.pixel_dtype_
    with _altered():
        for name in ("per_channel", "include_input"):
            check_flag(getattr(model, name, False), name)
        check_whole(model.n_channels_, "n_channels_", 1)
        if model.channel_axis is not None:
            check_whole(model.channel_axis, "channel_axis", -3, 2)
    if not isinstance(pixel_dtype, np.dtype | None):
        raise ValueError(f"pixel_dtype_ == {shown(pixel_dtype)}, must be None or a dtype of NumPy.")
    return {
        "regressor": None if regressor is None else _plain_params(regressor, form),
        "per_channel": bool(model.per_channel),
        "channel_axis": None if model.channel_axis is None else int(model.channel_axis),
        **({"include_input": bool(model.include_input)} if form.averages else {}),
        "n_channels": int(model.n_channels_),
        "pixel_dtype": None if pixel_dtype is None else pixel_dtype.name,
        "model_names": _plain_names(model, "model_names_", _n_models_of(regressors[0])),
    }


def _plain_names(model: Any, attribute: str, n_names: int) -> list[str] | None:
    names = getattr(model, attribute, None)
    return None if names is None else list(map(str, check_names(names, attribute, n_names)))


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
