"""Lookup tables as files: plain arrays and one JSON header in a zip archive, no pickle.

Every format, now and later, is a zip archive without compression whose entry ``header.json`` has
"format", "format_number" and "skensir", the version that wrote the file. Fitted attributes lie in
``<number of the table>/<attribute>.npy``, so that `numpy.load` opens them as well. `_FORMATS` says
for each number what a table consists of. A change of that needs a new number once a version with
the last one is out; what was is never altered. A file has the lowest number that can hold it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skensir._core.axes import KINDS, Axes
from skensir._core.table import Field, LookupTable
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._files import make_archive, naming, read_archive, write_whole
from skensir._typing import AnyArray
from skensir._units import FORMER_DATA_RANGE
from skensir._version import __version__

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble

Record = dict[str, Any]  # a JSON object
# Estimators with one table each, and their shares in the prediction.
Combination = tuple[list[EnsIRRegressor], list[float]]

_FORMAT, _HEADER = "skensir lookup table", "header.json"
_PIXEL_DTYPES = (None, "uint8", "uint16", "uint32", "uint64")


class _Format(NamedTuple):
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
_NEW_PARAMS = {
    "axes": KINDS[0],
    "shrink_to": "pooled",
    "positive": True,
    "fit_intercept": False,
}
_FORMATS = {
    1: _Format(_PARAMS_1, _FIELDS_1),
    2: _Format((*_PARAMS_1, "data_range", *_NEW_PARAMS), _FIELDS_2, averages=True),
}


def save_table(
    model: EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble, path: str | os.PathLike[str]
) -> None:
    """Write the lookup table of a fitted estimator to a file.

    The file holds parameters and fitted attributes, nothing of the reference set: sums for
    `partial_fit` and `merge` are left out. It is written whole or not at all, and equal tables
    give equal files.

    Parameters
    ----------
    model : EnsIRRegressor, EnsIRRegressorCV or skensir.image.ImageEnsemble
        The fitted estimator. An `EnsIRRegressorCV` is saved as its `best_estimator_`, which has
        the chosen parameters; so is each one of an image ensemble, whose `regressor` then has
        the parameters that were chosen for the first channel.
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
    check_is_fitted(model)
    data = _to_bytes(model)
    _read(data)  # what `load_table` would refuse is not worth writing
    write_whole(path, data)


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
    save_table : Writes the file, and has an example.
    """
    data = Path(path).read_bytes()
    with naming(path):
        return _read(data)


# ---- writing


def _to_bytes(model: Any) -> bytes:
    """Return what a file of the model holds."""
    if type(model) in (EnsIRRegressor, EnsIRRegressorCV):
        kind, combinations, ensemble = "EnsIRRegressor", [_tables_of(model)], None
    else:
        ensemble = _image_ensemble(model)
        kind, combinations = "ImageEnsemble", [_tables_of(part) for part in ensemble.regressors_]
    tables = [table for part, _ in combinations for table in part]
    number = _number_for(combinations, ensemble)
    form = _FORMATS[number]
    header = {
        "format": _FORMAT,
        "format_number": number,
        "skensir": __version__,
        "class": kind,
        "ensemble": ensemble and _ensemble_header(ensemble, tables, form),
        "tables": [_table_header(table, form) for table in tables],
    }
    if form.averages:
        header["shares"] = [shares for _, shares in combinations]
    entries = {_HEADER: json.dumps(header, indent=1).encode()}
    for place, regressor in enumerate(tables):
        for name, field in form.fields.items():
            array = np.asarray(getattr(regressor, f"{name}_"))
            array = array.astype(field.dtype, casting="same_kind")
            head = _npy_head(field.dtype, array.shape)
            entries[f"{place}/{name}_.npy"] = head + array.tobytes()
    return make_archive(entries)


def _number_for(combinations: list[Combination], ensemble: ImageEnsemble | None) -> int:
    """Return the number of the format: 1 where what it does not know makes no difference."""
    tables = [table for part, _ in combinations for table in part]
    unfitted = [] if ensemble is None else [_regressor_of(ensemble, tables)]
    estimators = [*tables, *(model for model in unfitted if model is not None)]
    known = (
        not isinstance(model.bin_width, str)
        and model.data_range in ("auto", FORMER_DATA_RANGE)
        and vars(model).get("data_range_", FORMER_DATA_RANGE) == FORMER_DATA_RANGE
        and all(getattr(model, name) == value for name, value in _NEW_PARAMS.items())
        and not len(vars(model).get("ancestor_levels_", ()))  # averaged tables have some as well
        for model in estimators
    )
    is_plain = len(tables) == len(combinations) and not getattr(ensemble, "include_input", False)
    return 1 if all(known) and is_plain else max(_FORMATS)


def _tables_of(regressor: Any) -> Combination:
    """Return estimators that have one lookup table each, which is solved, and their shares."""
    if type(regressor) is EnsIRRegressorCV:
        regressor.solve()
        return regressor.estimators_, [float(share) for share in regressor.shares_]
    if type(regressor) is not EnsIRRegressor:
        raise TypeError(
            f"model has a {type(regressor).__name__} for regressor, which has no lookup table; "
            "joblib saves other estimators."
        )
    return [regressor.solve()], [1.0]


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


def _table_header(regressor: EnsIRRegressor, form: _Format) -> Record:
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


def _ensemble_header(model: Any, regressors: list[EnsIRRegressor], form: _Format) -> Record:
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


def _plain_params(regressor: EnsIRRegressor, form: _Format) -> Record:
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


def _npy_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return what stands before the numbers in an .npy file of version 1.0."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(128 - 10 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


# ---- reading


def _read(data: bytes) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Return the estimator that the bytes of a file hold."""
    entries = read_archive(data)
    try:
        header = json.loads(entries.pop(_HEADER, b""))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it has no {_HEADER} in JSON, so it is no lookup table.") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(f"its {_HEADER} does not say {_FORMAT!r}.")
    number, writer = header.get("format_number"), header.get("skensir")
    if type(number) is not int or number < 1 or not isinstance(writer, str):
        raise ValueError(f"its {_HEADER} does not say format number and version.")
    if number not in _FORMATS:
        raise ValueError(
            f"skensir {writer!r} wrote it in table format {number}, and this is skensir "
            f"{__version__!r}, which reads formats up to {max(_FORMATS)}; a newer "
            "skensir is needed."
        )
    return _read_format(_FORMATS[number], header, entries)


def _read_format(
    form: _Format, header: Record, entries: dict[str, bytes]
) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Read a file that says to be of this format."""
    fields: Record = {
        "format": str,
        "format_number": int,
        "skensir": str,
        "class": str,
        "tables": list,
        **({"shares": list} if form.averages else {}),
    }
    _check_record(header, "the header", {**fields, "ensemble": dict | None})
    expected = {f"{i}/{name}_.npy" for i in range(len(header["tables"])) for name in form.fields}
    for names, what in (
        (expected - entries.keys(), "lacks"),
        (entries.keys() - expected, "has the surplus entry"),
    ):
        if names:
            raise ValueError(f"it {what} {min(names)!r}.")
    tables = [_read_table(form, f"{i}/", entries, h) for i, h in enumerate(header["tables"])]
    regressors = _put_together(tables, header.get("shares", [[1.0]] * len(tables)))
    if header["class"] == "EnsIRRegressor" and header["ensemble"] is None and len(regressors) == 1:
        return regressors[0]
    if header["class"] == "ImageEnsemble" and header["ensemble"] is not None:
        return _read_ensemble(form, header["ensemble"], regressors)
    raise ValueError(f"its class {header['class']!r} does not fit the rest of the header.")


def _read_table(
    form: _Format, folder: str, entries: dict[str, bytes], header: Any
) -> EnsIRRegressor:
    fields: Record = {"n_cells": int, "n_models": int, "feature_names": list | None, "params": dict}
    if form.averages:
        fields |= {"n_axes": int, "n_ancestors": int, "data_range": float}
    _check_record(header, "the header of a table", fields)
    sizes = {"c": header["n_cells"], "m": header["n_models"]}
    sizes |= {"x": header.get("n_axes", sizes["m"]), "a": header.get("n_ancestors", 0)}
    for letter, size in sizes.items():
        if not (letter != "a") <= size < 2**48:
            raise ValueError(f"a table cannot have {size} cells, models, axes or ancestors.")
    arrays: dict[str, Any] = {}
    for name, field in form.fields.items():
        data = entries[f"{folder}{name}_.npy"]
        array = _read_npy(data, f"{name}_", field.dtype, field.shape(**sizes))
        arrays[name] = array if array.ndim else array.item()
    table = LookupTable.simple(**arrays)
    _check_names(header["feature_names"], "feature_names", header["n_models"])
    regressor = _with_params(form, header["params"], header["n_models"])
    table.check(convex=regressor.positive)
    expected = Axes(table.bin_width, table.axes).n_axes(header["n_models"])
    for name in ("intercepts", "default_intercept", "ancestor_intercepts"):
        if np.any(getattr(table, name)) and not regressor.fit_intercept:
            raise ValueError(f"{name}_ must be zero, as fit_intercept is False.")
    if sizes["x"] != expected:
        raise ValueError(f"cells of {sizes['x']} axes do not fit to axes_ == {table.axes!r}.")
    data_range = header.get("data_range", FORMER_DATA_RANGE)
    if not 0 < data_range < np.inf:
        raise ValueError(f"data_range_ == {data_range}, must be above zero and finite.")
    regressor._set_table(table, data_range, header["feature_names"])
    return regressor


def _put_together(
    tables: list[EnsIRRegressor], shares: list[Any]
) -> list[EnsIRRegressor | EnsIRRegressorCV]:
    """Return the regressors that have the tables, one or several each, whose shares are given."""
    regressors: list[EnsIRRegressor | EnsIRRegressorCV] = []
    left = list(tables)
    for of_one in shares:
        if not isinstance(of_one, list) or not of_one or len(of_one) > len(left):
            raise ValueError("its shares do not fit to its tables.")
        if not all(type(share) is float and 0 <= share <= 1 + 1e-9 for share in of_one):
            raise ValueError(f"its shares must lie between zero and one, not be {of_one}.")
        if not math.isclose(sum(of_one), 1, abs_tol=1e-9):
            raise ValueError(f"its shares must sum to one, not to {sum(of_one)}.")
        own, left = left[: len(of_one)], left[len(of_one) :]
        if len({table.n_features_in_ for table in own}) > 1:
            raise ValueError("its tables are of different numbers of models.")
        if len(own) == 1:
            regressors += own
        else:
            regressors.append(EnsIRRegressorCV()._set_tables(own, np.array(of_one)))
    if left:
        raise ValueError("its shares do not fit to its tables.")
    return regressors


def _with_params(form: _Format, params: Record, n_models: int) -> EnsIRRegressor:
    """Return the unfitted estimator that has these parameters, once they are checked."""
    if params.keys() != set(form.params):
        raise ValueError(f"the parameters must be {', '.join(form.params)} and no others.")
    try:
        if not isinstance(params["default_weights"], str):
            weights = np.asarray(params["default_weights"], dtype=np.float64)
            params = {**params, "default_weights": weights}
        regressor = EnsIRRegressor(**params)
        with np.errstate(over="ignore"):
            regressor._check_params(n_models)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a parameter has the wrong type: {error}") from error
    return regressor


def _read_npy(data: bytes, name: str, dtype: str, shape: tuple[int, ...]) -> AnyArray:
    """Return the array of an .npy file that must have this dtype and this shape."""
    head, kind = _npy_head(dtype, shape), np.dtype(dtype)
    if not data.startswith(head) or len(data) != len(head) + kind.itemsize * math.prod(shape):
        raise ValueError(f"{name} must have dtype {kind} and shape {shape}.")
    if kind.kind == "b" and data[len(head) :].strip(b"\x00\x01"):
        raise ValueError(f"{name} has a value that is neither true nor false.")
    array: AnyArray = np.frombuffer(data, kind, offset=len(head)).reshape(shape)
    return array.astype(kind.newbyteorder("="))  # a copy that can be written to


def _read_ensemble(
    form: _Format, header: Record, tables: list[EnsIRRegressor | EnsIRRegressorCV]
) -> ImageEnsemble:
    from skensir.image.ensemble import ImageEnsemble
    from skensir.image.inputs import INPUT_MODEL

    fields: Record = {"regressor": dict | None, "per_channel": bool, "channel_axis": int | None}
    fields |= {"n_channels": int, "pixel_dtype": str | None, "model_names": list | None}
    fields |= {"include_input": bool} if form.averages else {}
    _check_record(header, "the header of the ensemble", fields)
    n_channels, axis, names = header["n_channels"], header["channel_axis"], header["model_names"]
    if axis not in (None, *range(-3, 3)) or n_channels < 1 or (axis is None and n_channels > 1):
        raise ValueError(f"channel_axis {axis} does not fit to {n_channels} channels.")
    n_models = tables[0].n_features_in_ if tables else 0
    n_tables = n_channels if header["per_channel"] else 1
    if len(tables) != n_tables or any(table.n_features_in_ != n_models for table in tables):
        raise ValueError(f"it must have {n_tables} tables of equally many models.")
    _check_names(names, "model_names", n_models)
    pixel_dtype = header["pixel_dtype"]
    if pixel_dtype not in _PIXEL_DTYPES:
        raise ValueError(f"its pixels must be {', '.join(map(str, _PIXEL_DTYPES))}.")
    regressor = header["regressor"]
    if regressor is not None:
        regressor = _with_params(form, regressor, n_models)
    with_input = header.get("include_input", False)
    if with_input and (n_models < 2 or (names is not None and names[-1] != INPUT_MODEL)):
        raise ValueError(f"include_input is true, but the last model is not {INPUT_MODEL!r}.")
    ensemble = ImageEnsemble(
        regressor,
        per_channel=header["per_channel"],
        channel_axis=axis,
        include_input=with_input,
    )
    ensemble.regressors_ = tables
    ensemble.n_channels_, ensemble.n_models_ = n_channels, n_models
    ensemble.pixel_dtype_ = None if pixel_dtype is None else np.dtype(pixel_dtype)
    ensemble.model_names_ = None if names is None else tuple(names)
    return ensemble


# ---- checking


def _check_record(record: Any, what: str, fields: Mapping[str, Any]) -> None:
    """Raise an error unless a JSON object has exactly these fields, of these types."""
    if not isinstance(record, dict) or record.keys() != fields.keys():
        raise ValueError(f"{what} must have the fields {', '.join(fields)} and no others.")
    for name, kind in fields.items():
        # Exactly: true and false would pass for whole numbers.
        if type(record[name]) not in (get_args(kind) or (kind,)):
            raise ValueError(f"{name} in {what} has the wrong type.")


def _check_names(names: Any, what: str, n_names: int) -> None:
    if names is None:
        return
    if len(names) != n_names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{what} must be {n_names} strings.")
