"""Files of lookup tables read: numbers and strings alone, each of which is checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from skensir._core.calibration import N_PLACES
from skensir._core.table import LookupTable
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._files import read_archive
from skensir._sums.axes import Axes
from skensir._table_format import FORMAT, FORMATS, HEADER, PIXEL_DTYPES, Format, Record, npy_head
from skensir._typing import AnyArray
from skensir._units import FORMER_DATA_RANGE
from skensir._version import __version__

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble


def read_table_file(data: bytes) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Return the estimator that the bytes of a file hold."""
    entries = read_archive(data)
    try:
        header = json.loads(entries.pop(HEADER, b""))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it has no {HEADER} in JSON, so it is no lookup table.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its {HEADER} does not say {FORMAT!r}.")
    number, writer = header.get("format_number"), header.get("skensir")
    if type(number) is not int or number < 1 or not isinstance(writer, str):
        raise ValueError(f"its {HEADER} does not say format number and version.")
    if number not in FORMATS:
        raise ValueError(
            f"skensir {writer!r} wrote it in table format {number}, and this is skensir "
            f"{__version__!r}, which reads formats up to {max(FORMATS)}; a newer "
            "skensir is needed."
        )
    return _read_format(FORMATS[number], header, entries)


def _read_format(
    form: Format, header: Record, entries: dict[str, bytes]
) -> EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble:
    """Read a file that says to be of this format."""
    fields: Record = {
        "format": str,
        "format_number": int,
        "skensir": str,
        "class": str,
        "tables": list,
        **({"shares": list, "calibrations": list} if form.averages else {}),
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
    _set_calibrations(regressors, header.get("calibrations", [None] * len(regressors)))
    if header["class"] == "EnsIRRegressor" and header["ensemble"] is None and len(regressors) == 1:
        return regressors[0]
    if header["class"] == "ImageEnsemble" and header["ensemble"] is not None:
        return _read_ensemble(form, header["ensemble"], regressors)
    raise ValueError(f"its class {header['class']!r} does not fit the rest of the header.")


def _read_table(
    form: Format, folder: str, entries: dict[str, bytes], header: Any
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


def _set_calibrations(
    regressors: list[EnsIRRegressor | EnsIRRegressorCV], calibrations: list[Any]
) -> None:
    """Give each regressor what was counted for its intervals, None where nothing was."""
    if len(calibrations) != len(regressors):
        raise ValueError("its calibrations do not fit to its regressors.")
    for regressor, counted in zip(regressors, calibrations, strict=True):
        if counted is None:
            continue
        counts = np.zeros(N_PLACES)
        for pair in counted if isinstance(counted, list) else [None]:
            if (
                not isinstance(pair, list)
                or [type(number) for number in pair] != [int, float]
                or not 0 <= pair[0] < N_PLACES
                or not 0 < pair[1] < np.inf
            ):
                raise ValueError(f"its calibrations hold {pair}, no place and positive count.")
            counts[pair[0]] = pair[1]
        if not counts.any():
            raise ValueError("its calibrations hold an empty one.")
        regressor.calibration_ = counts


def _with_params(form: Format, params: Record, n_models: int) -> EnsIRRegressor:
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
    head, kind = npy_head(dtype, shape), np.dtype(dtype)
    if not data.startswith(head) or len(data) != len(head) + kind.itemsize * math.prod(shape):
        raise ValueError(f"{name} must have dtype {kind} and shape {shape}.")
    if kind.kind == "b" and data[len(head) :].strip(b"\x00\x01"):
        raise ValueError(f"{name} has a value that is neither true nor false.")
    array: AnyArray = np.frombuffer(data, kind, offset=len(head)).reshape(shape)
    return array.astype(kind.newbyteorder("="))  # a copy that can be written to


def _read_ensemble(
    form: Format, header: Record, tables: list[EnsIRRegressor | EnsIRRegressorCV]
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
    if pixel_dtype not in PIXEL_DTYPES:
        raise ValueError(f"its pixels must be {', '.join(map(str, PIXEL_DTYPES))}.")
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
