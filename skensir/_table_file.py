"""Files of lookup tables read: numbers and strings alone, each of which is checked.

What predicts is known then, so a command need not load scikit-learn. Estimators, whose parameters
are checked as well, are made of it in `_table_reader`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, get_args

import numpy as np

from skensir._checks import shown
from skensir._core.calibration import N_PLACES
from skensir._core.combine import Combiner
from skensir._core.lookup import AveragedLookups, Lookup, average_lookups
from skensir._core.table import LookupTable
from skensir._files import read_archive
from skensir._sums.axes import Axes
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
from skensir._typing import AnyArray, FloatArray
from skensir._units import FORMER_DATA_RANGE, make_axes
from skensir._version import __version__


class SavedTable(NamedTuple):
    """What a file holds of one table.

    Attributes
    ----------
    table : LookupTable
        The table, which is checked.
    params : dict
        Parameters of its estimator, which are not checked.
    data_range : float
        The range that was given or found.
    feature_names : list of str or None
        Names of the models, where there were any.
    """

    table: LookupTable
    params: Record
    data_range: float
    feature_names: list[str] | None

    def lookup(self) -> Lookup:
        """Return the table, made ready to predict."""
        return Lookup.of(
            self.table, make_axes(self.table.bin_width, self.table.axes, self.data_range)
        )


@dataclass(frozen=True, eq=False)
class SavedRegressor:
    """What a file holds of one estimator, and prediction by it.

    Attributes
    ----------
    tables : list of SavedTable
        Of equally many models.
    shares : list of float
        Of each table in the prediction.
    calibration : ndarray of shape (n_places,) or None
        What was counted for intervals.
    """

    tables: list[SavedTable]
    shares: list[float]
    calibration: FloatArray | None

    @property
    def n_models(self) -> int:
        """The number of base models."""
        return len(self.tables[0].table.default_weights)

    @property
    def data_range(self) -> Any:
        """The range that was given, or "auto"."""
        return self.tables[0].params.get("data_range", FORMER_DATA_RANGE)

    @property
    def data_range_(self) -> float:
        """The range that was given or found."""
        return self.tables[0].data_range

    @cached_property
    def _lookup(self) -> Lookup | AveragedLookups:
        return average_lookups([table.lookup() for table in self.tables], self.shares)

    def _combiner(self, predictions: AnyArray) -> Combiner:
        """Return what combines chunks of predictions, as the estimator does."""
        return self._lookup.combiner(predictions)

    def predict_weights(self, X: AnyArray) -> FloatArray:
        """Return the weights of each row, (n_rows, n_models)."""
        return self._lookup.weigh(X)


class SavedModel(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    form : Format
        Of the file.
    regressors : list of SavedRegressor
        One, or those of an image ensemble.
    ensemble : dict or None
        What an image ensemble has beside them; its fields are not checked.
    """

    form: Format
    regressors: list[SavedRegressor]
    ensemble: Record | None


def parse_table_file(data: bytes) -> SavedModel:
    """Return what the bytes of a file say."""
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
            f"skensir {shown(writer)} wrote it in table format {shown(number)}, and this is "
            f"skensir {__version__!r}, which reads formats up to {max(FORMATS)}; a newer skensir "
            "is needed."
        )
    return _parse_format(FORMATS[number], header, entries)


def _parse_format(form: Format, header: Record, entries: dict[str, bytes]) -> SavedModel:
    """Read a file that says to be of this format."""
    fields: Record = {
        "format": str,
        "format_number": int,
        "skensir": str,
        "class": str,
        "tables": list,
        **({"shares": list, "calibrations": list} if form.averages else {}),
    }
    check_record(header, "the header", {**fields, "ensemble": dict | None})
    _check_entries(form, len(header["tables"]), entries)
    tables = [_read_table(form, f"{i}/", entries, h) for i, h in enumerate(header["tables"])]
    of_regressors = _deal_out(tables, header.get("shares", [[1.0]] * len(tables)))
    calibrations = header.get("calibrations", [None] * len(of_regressors))
    if len(calibrations) != len(of_regressors):
        raise ValueError("its calibrations do not fit to its regressors.")
    regressors = [
        SavedRegressor(own, shares, _read_calibration(counted))
        for (own, shares), counted in zip(of_regressors, calibrations, strict=True)
    ]
    ensemble = header["ensemble"]
    kind = KINDS_OF_MODEL[ensemble is not None]
    if header["class"] != kind or (ensemble is None and len(regressors) != 1):
        raise ValueError(f"its class {shown(header['class'])} does not fit the rest of the header.")
    return SavedModel(form, regressors, ensemble)


def _check_entries(form: Format, n_tables: int, entries: dict[str, bytes]) -> None:
    """Raise an error unless a file has the arrays of its tables and nothing else.

    It says how many these are, so no more names are made than it has entries.
    """
    expected: set[str] = set()
    for number in range(n_tables):
        names = {f"{number}/{name}_.npy" for name in form.fields}
        if missing := names - entries.keys():
            raise ValueError(f"it lacks {min(missing)!r}.")
        expected |= names
    if surplus := entries.keys() - expected:
        raise ValueError(f"it has the surplus entry {shown(min(surplus))}.")


def _read_table(form: Format, folder: str, entries: dict[str, bytes], header: Any) -> SavedTable:
    fields: Record = {"n_cells": int, "n_models": int, "feature_names": list | None, "params": dict}
    if form.averages:
        fields |= {"n_axes": int, "n_ancestors": int, "data_range": float}
    check_record(header, "the header of a table", fields)
    sizes = {"c": header["n_cells"], "m": header["n_models"]}
    sizes |= {"x": header.get("n_axes", sizes["m"]), "a": header.get("n_ancestors", 0)}
    for letter, size in sizes.items():
        if not (letter != "a") <= size < 2**48:
            raise ValueError(f"a table cannot have {shown(size)} cells, models, axes or ancestors.")
    arrays: dict[str, Any] = {}
    for name, field in form.fields.items():
        data = entries[f"{folder}{name}_.npy"]
        array = _read_npy(data, f"{name}_", field.dtype, field.shape(**sizes))
        arrays[name] = array if array.ndim else array.item()
    table = LookupTable.simple(**arrays)
    check_names(header["feature_names"], "feature_names", header["n_models"])
    params = header["params"]
    check_params(form, params)
    for name in ("positive", "fit_intercept"):
        if type(params.get(name, NEW_PARAMS[name])) is not bool:
            raise ValueError(f"a parameter has the wrong type: {name} is {shown(params[name])}.")
    table.check(convex=params.get("positive", NEW_PARAMS["positive"]))
    expected = Axes(table.bin_width, table.axes).n_axes(header["n_models"])
    for name in ("intercepts", "default_intercept", "ancestor_intercepts"):
        if np.any(getattr(table, name)) and not params.get("fit_intercept"):
            raise ValueError(f"{name}_ must be zero, as fit_intercept is False.")
    if sizes["x"] != expected:
        raise ValueError(f"cells of {sizes['x']} axes do not fit to axes_ == {table.axes!r}.")
    data_range = header.get("data_range", FORMER_DATA_RANGE)
    if not 0 < data_range < np.inf:
        raise ValueError(f"data_range_ == {data_range}, must be above zero and finite.")
    return SavedTable(table, params, data_range, header["feature_names"])


def _deal_out(
    tables: list[SavedTable], shares: list[Any]
) -> list[tuple[list[SavedTable], list[float]]]:
    """Return the tables and shares of each regressor, of one table or several."""
    regressors = []
    left = list(tables)
    for of_one in shares:
        if not isinstance(of_one, list) or not of_one or len(of_one) > len(left):
            raise ValueError("its shares do not fit to its tables.")
        if not all(type(share) is float and 0 <= share <= 1 + 1e-9 for share in of_one):
            raise ValueError(f"its shares must lie between zero and one, not be {shown(of_one)}.")
        if not math.isclose(sum(of_one), 1, abs_tol=1e-9):
            raise ValueError(f"its shares must sum to one, not to {sum(of_one)}.")
        own, left = left[: len(of_one)], left[len(of_one) :]
        if len({len(saved.table.default_weights) for saved in own}) > 1:
            raise ValueError("its tables are of different numbers of models.")
        regressors.append((own, of_one))
    if left:
        raise ValueError("its shares do not fit to its tables.")
    return regressors


def _read_calibration(counted: Any) -> FloatArray | None:
    """Return what was counted for intervals, None where nothing was."""
    if counted is None:
        return None
    counts = np.zeros(N_PLACES)
    for pair in counted if isinstance(counted, list) else [None]:
        if (
            not isinstance(pair, list)
            or [type(number) for number in pair] != [int, float]
            or not 0 <= pair[0] < N_PLACES
            or not 0 < pair[1] < np.inf
        ):
            raise ValueError(f"its calibrations hold {shown(pair)}, no place and positive count.")
        counts[pair[0]] = pair[1]
    if not counts.any():
        raise ValueError("its calibrations hold an empty one.")
    with np.errstate(over="ignore"):
        total = counts.sum()
    if total == np.inf:  # of what lies below what there would be no share
        raise ValueError("its calibrations hold counts whose sum is beyond all floats.")
    return counts


def _read_npy(data: bytes, name: str, dtype: str, shape: tuple[int, ...]) -> AnyArray:
    """Return the array of an .npy file that must have this dtype and this shape."""
    head, kind = npy_head(dtype, shape), np.dtype(dtype)
    if not data.startswith(head) or len(data) != len(head) + kind.itemsize * math.prod(shape):
        raise ValueError(f"{name} must have dtype {kind} and shape {shape}.")
    if kind.kind == "b" and data[len(head) :].strip(b"\x00\x01"):
        raise ValueError(f"{name} has a value that is neither true nor false.")
    array: AnyArray = np.frombuffer(data, kind, offset=len(head)).reshape(shape)
    return array.astype(kind.newbyteorder("="))  # a copy that can be written to


def check_params(form: Format, params: Record) -> None:
    """Raise an error unless parameters are those of a format."""
    if params.keys() != set(form.params):
        raise ValueError(f"the parameters must be {', '.join(form.params)} and no others.")


def check_record(record: Any, what: str, fields: Mapping[str, Any]) -> None:
    """Raise an error unless a JSON object has exactly these fields, of these types."""
    if not isinstance(record, dict) or record.keys() != fields.keys():
        raise ValueError(f"{what} must have the fields {', '.join(fields)} and no others.")
    for name, kind in fields.items():
        # Exactly: true and false would pass for whole numbers.
        if type(record[name]) not in (get_args(kind) or (kind,)):
            raise ValueError(f"{name} in {what} has the wrong type.")


def check_names(names: Any, what: str, n_names: int) -> None:
    if names is None:
        return
    if len(names) != n_names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{what} must be {n_names} strings.")
