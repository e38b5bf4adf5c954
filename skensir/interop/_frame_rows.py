"""Columns of a data frame, lazy or not, checked by their names and types; no row is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from skensir._checks import shown, type_name
from skensir._optional import import_optional
from skensir._sums.scale import dtype_range
from skensir._typing import AnyArray

Frame: TypeAlias = Any
"""A lazy data frame of narwhals, or a small one that is not lazy."""

# Rows of a frame in memory that are looked at together: some dozen sums of each stay small.
_ROWS_OF_SLICE = 2**18


def import_narwhals() -> Any:
    """Return narwhals, or raise an error that says what to install."""
    return import_optional("narwhals.stable.v2", "skensir.interop.frames")


class FrameRows:
    """Rows of a data frame as the columns that sums are made of, all of them double precision.

    These are called "x0", "x1", ... for the models, "y" for the truth, "w" for the sample weight,
    and "fold". What is null becomes NaN or stays so, as the library has it, and "zero" is one of
    these in rows where anything is no finite number. Rows of weight zero are absent.
    """

    def __init__(
        self,
        frame: Any,
        models: Sequence[str],
        target: str,
        sample_weight: str | None,
        folds: str | None,
    ) -> None:
        self.models = _check_models(models, target)
        self.target, self.sample_weight, self.folds = target, sample_weight, folds
        self._nw = nw = import_narwhals()
        self._frame = _as_narwhals(frame)
        schema = self._frame.collect_schema()
        # DuckDB tells no names apart by case, and reads the first column that has one.
        in_duckdb = self._frame.implementation.is_duckdb()
        n_named = Counter(map(str.casefold, self._frame.columns if in_duckdb else ()))
        roles = {"target": target, "sample_weight": sample_weight, "folds": folds}
        for role, name in [*(("models", name) for name in self.models), *roles.items()]:
            if name is not None and (not isinstance(name, str) or name not in schema):
                raise ValueError(
                    f"{role} names {shown(name)}, must be one of the columns "
                    f"{shown(list(schema))} of frame."
                )
            if name is not None and n_named[name.casefold()] > 1:
                raise ValueError(
                    f"{role} names {shown(name)}, which DuckDB takes for several columns: rename "
                    "all but one."
                )
            if name == "*" or (name and name.startswith("^") and name.endswith("$")):
                raise ValueError(
                    f"{role} names {shown(name)}, which some engines take for several columns: "
                    "rename it."
                )
        if folds in self.models or (folds is not None and folds == target):
            raise ValueError(f"folds == {shown(folds)}, must be neither a model nor the target.")
        self._types = {name: schema[name] for name in self.numbers.values()}
        for name, dtype in self._types.items():
            if not (dtype.is_numeric() or dtype == nw.Boolean):
                raise TypeError(f"frame[{name!r}] is of type {dtype}, must hold numbers.")
        if folds is not None:
            self._check_folds(schema[folds])

    def _check_folds(self, dtype: Any) -> None:
        """Raise an error unless the type of the folds is that of whole numbers or of names."""
        nw = self._nw
        names = nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Float32, nw.Float64
        if not (dtype.is_integer() or any(dtype == name for name in names)):
            raise TypeError(
                f"frame[{self.folds!r}] is of type {dtype}, must hold whole numbers or names of "
                "folds."
            )
        self._folds_are_text = dtype == nw.Categorical or dtype == nw.Enum

    @property
    def n_models(self) -> int:
        return len(self.models)

    @property
    def numbers(self) -> dict[str, str]:
        """What the columns of numbers are called here and there."""
        named = {f"x{i}": name for i, name in enumerate(self.models)} | {"y": self.target}
        return named | ({} if self.sample_weight is None else {"w": self.sample_weight})

    @property
    def pixel_range(self) -> float | None:
        """The range of predictions in 8 or 16 bits, None of all others."""
        nw = self._nw
        known = {nw.UInt8: np.uint8, nw.UInt16: np.uint16}
        found = {known.get(type(self._types[name]), np.float64) for name in self.models}
        return dtype_range(np.result_type(*found))

    @property
    def truth_is_integer(self) -> bool:
        """Whether the type of the truth has whole numbers only."""
        dtype = self._types[self.target]
        return bool(dtype.is_integer() or dtype == self._nw.Boolean)

    def _prepare(self, frame: Frame) -> Frame:
        """Return the rows with the columns that all sums start from."""
        nw, columns = self._nw, []
        for own, name in self.numbers.items():
            value = nw.col(name).cast(nw.Float64)
            columns.append(
                nw.when(~nw.col(name).is_null()).then(value).otherwise(np.nan).alias(own)
            )
        if self.folds is not None:
            fold = nw.col(self.folds)
            columns.append((fold.cast(nw.String) if self._folds_are_text else fold).alias("fold"))
        zero = added([nw.col(own) * 0.0 for own in self.numbers])
        rows = frame.select(*columns).with_columns(zero.alias("zero"))
        if self.sample_weight is None:
            return rows
        return rows.filter((nw.col("w") != 0).fill_null(True))

    def collect(self, query: Callable[[Frame], Frame]) -> Iterator[Frame]:
        """Return what a query makes of the rows, in memory: few rows of many.

        Where no engine takes care of the memory the rows come in slices.
        """
        nw, frame = self._nw, self._frame
        if isinstance(frame, nw.LazyFrame) or frame.implementation.is_polars():
            yield query(self._prepare(frame.lazy())).collect(**self._settings())
            return
        for start in range(0, len(frame), _ROWS_OF_SLICE):
            rows = self._prepare(frame[start : start + _ROWS_OF_SLICE])
            if len(rows):
                yield query(rows)

    def _settings(self) -> dict[str, Any]:
        """Return what keeps the rows of an engine out of memory, where it has to be told."""
        if not self._frame.implementation.is_polars():
            return {}
        version = self._frame.implementation.to_native_namespace().__version__
        return {"engine": "streaming"} if _is_from(version, (1, 23)) else {}

    def first(self, n_rows: int) -> AnyArray:
        """Return the predictions of the first rows, those that are numbers."""
        names = [f"x{i}" for i in range(self.n_models)]
        frame = next(self.collect(lambda rows: rows.select(*names).head(n_rows)), None)
        if frame is None:
            return np.empty((0, self.n_models))
        predictions = np.column_stack([frame[name].to_numpy() for name in names])
        predictions = predictions.astype(np.float64)
        return np.asarray(predictions[np.isfinite(predictions).all(axis=1)])

    def say_what_is_no_number(self) -> None:
        """Raise a ValueError that names a column, if there is one that holds what is no number."""
        nw = self._nw
        counts: dict[str, int] = dict.fromkeys(self.numbers, 0)
        finite = {name: nw.col(name).is_finite().fill_null(False) for name in counts}
        bad = [(~good).cast(nw.Int64).sum().alias(name) for name, good in finite.items()]
        for found in self.collect(lambda rows: rows.select(*bad)):
            for name in counts:
                counts[name] += int(found[name].to_numpy()[0])
        for name, count in counts.items():
            if count:
                raise ValueError(
                    f"frame[{self.numbers[name]!r}] is null, NaN or infinite in {count} rows, must "
                    "hold finite numbers."
                )


def _as_narwhals(frame: Any) -> Any:
    """Return a frame as one of narwhals, if it can be read and its columns can be told apart."""
    try:
        return import_narwhals().from_native(frame)
    except TypeError:
        raise TypeError(
            f"frame is of type {type_name(frame)}, must be a data frame or lazy frame that "
            "narwhals reads, such as of Polars, DuckDB, pandas or PyArrow."
        ) from None
    except ValueError as error:  # that there are columns of the same name, in several lines
        names = list(getattr(frame, "column_names", getattr(frame, "columns", ())))
        twice = [name for number, name in enumerate(names) if name in names[:number]]
        if not twice:
            raise
        raise ValueError(
            f"frame has several columns {shown(twice[0])}, must have columns of different names."
        ) from error


def _check_models(models: Any, target: Any) -> tuple[str, ...]:
    """Return the names of the models, if they are names of different columns."""
    if isinstance(models, str | bytes) or not np.iterable(models):
        raise TypeError(f"models == {shown(models)}, must be a list of names of columns.")
    names = tuple(models)
    for argument, name in [*(("models", name) for name in names), ("target", target)]:
        if not isinstance(name, str):
            raise ValueError(f"{argument} names {shown(name)}, must be text, the name of a column.")
    if not names:
        raise ValueError("models has no names; at least one is needed.")
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise ValueError(f"models has {shown(twice[0])} twice, must be different columns.")
    if target in names:
        raise ValueError(f"target == {shown(target)}, must not be one of the models.")
    return names


def added(terms: Sequence[Any]) -> Any:
    """Return the sum of terms, from the first to the last."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _is_from(version: str, first: tuple[int, int]) -> bool:
    """Tell whether a version is the given one or later."""
    major, minor, *_ = version.split(".")
    return (int(major), int(minor)) >= first
