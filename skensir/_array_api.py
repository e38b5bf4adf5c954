"""Prediction for arrays of other libraries, which stays in their library and on their device.

PyTorch, JAX and what else follows the array API standard, through `array_api_compat`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from skensir._core.lookup import AveragedLookups, Lookup
from skensir._core.portable import combine, find_line, portable_tables, weigh, with_tables
from skensir._optional import import_optional
from skensir._typing import AnyArray

# Libraries whose arrays do not say themselves that they follow the standard.
_LIBRARIES = ("cupy", "torch")
# Predictions that are combined at a time: each step makes an array of them.
_MANY = 2**22


def namespace_of(X: Any, caller: str) -> Any:
    """Return the functions of the library that an array is of, None where NumPy takes it.

    Raises
    ------
    ModuleNotFoundError
        If the bridge to other libraries is not installed.
    """
    if isinstance(X, np.ndarray | np.generic):
        return None
    library = type(X).__module__.partition(".")[0]
    if library not in _LIBRARIES and not hasattr(X, "__array_namespace__"):
        return None
    compat = import_optional("array_api_compat", f"{caller} of arrays of {library}")
    return compat.array_namespace(X) if compat.is_array_api_obj(X) else None


class ArrayOperations:
    """What `portable` needs, in the functions of a library and on the device of an array."""

    def __init__(self, xp: Any, like: Any) -> None:
        self.xp = xp
        self.device = import_optional("array_api_compat", "predict").device(like)
        self.floor, self.root = xp.floor, xp.sqrt

    def table(self, values: AnyArray) -> Any:
        """Bring a table to the device."""
        return self.xp.asarray(values, device=self.device)

    def divide(self, values: Any, divisor: Any) -> Any:
        return values / divisor

    def within(self, sums: Any, columns: Sequence[Any]) -> Any:
        lowest, highest = reduce(self.xp.minimum, columns), reduce(self.xp.maximum, columns)
        return self.xp.minimum(self.xp.maximum(sums, lowest), highest)

    def where(self, condition: Any, values: Any, others: Any) -> Any:
        # Both numbers are arrays of the dtype of the other, as the standard of 2022 wants it.
        if isinstance(values, int | float):
            values = self.xp.full_like(others, values)
        if isinstance(others, int | float):
            others = self.xp.full_like(values, others)
        return self.xp.where(condition, values, others)

    def clip(self, values: Any, low: float, high: float) -> Any:
        return self.xp.clip(values, low, high)

    def whole(self, values: Any) -> Any:
        return self.xp.astype(values, self.xp.int64)

    def place(self, values: Any, size: int) -> Any:
        return self.whole(values)  # all are numbers

    def double(self, values: Any) -> Any:
        return self.xp.astype(values, self.xp.float64)

    def take(self, table: Any, places: Any) -> Any:
        return self.xp.take(table, places, axis=0)

    def take_lines(self, table: Any, places: Any, n_columns: int) -> list[Any]:
        taken = self.take(table, places)  # all sums are of doubles
        return [taken[:, column] for column in range(n_columns)]


def check_rows(xp: Any, X: Any, n_models: int) -> None:
    """Raise an error unless an array may be rows of predictions.

    Raises
    ------
    ValueError
        If it has another shape, no row, or values that are not finite or no real numbers.
    """
    if X.ndim != 2 or not X.shape[0]:
        raise ValueError(
            f"X.shape == {tuple(X.shape)}, must be (n_samples, {n_models}) with a row at least."
        )
    if not xp.isdtype(X.dtype, ("bool", "integral", "real floating")):
        raise ValueError(f"X.dtype == {X.dtype}, must be of real numbers.")
    if xp.isdtype(X.dtype, "real floating") and not bool(xp.all(xp.isfinite(X))):
        raise ValueError("X has values that are not finite: NaN or infinity.")


def _in_double(xp: Any, X: Any) -> Any:
    """Return an array in double precision, in which cells are found."""
    try:
        doubles = xp.astype(X, xp.float64)
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"X lies on a device without double precision, in which cells are found: {error}"
        ) from error
    if doubles.dtype != xp.float64:
        raise ValueError(
            f"X is turned into {doubles.dtype} where it has to be float64, in which cells are "
            'found; with JAX, set jax.config.update("jax_enable_x64", True).'
        )
    return doubles


class LookupElsewhere:
    """A lookup for the rows of an array, (n_rows, n_models), of the library `xp`."""

    def __init__(self, xp: Any, lookup: Lookup | AveragedLookups, X: Any) -> None:
        self._ops = ArrayOperations(xp, X)
        self._lookup = lookup
        self._tables = with_tables(portable_tables(lookup), self._ops.table)
        self._X = X

    def combine(self) -> Any:
        """Return the weighted sum of each row, (n_rows,)."""
        xp = self._ops.xp
        single = self._X.dtype == xp.float32

        def combine_rows(columns: list[Any], lines: list[Any]) -> Any:
            combined = combine(self._ops, self._tables, columns, lines)
            return xp.astype(combined, xp.float32) if single else combined

        return self._of_rows(combine_rows)

    def errors(self) -> Any:
        """Return the root mean squared error in the cell of each row, (n_rows,)."""
        self._lookup.check_errors()

        def errors_of_rows(columns: list[Any], lines: list[Any]) -> Any:
            pairs = zip(self._tables, lines, strict=True)
            errors = [self._ops.take(table.rmse, line) for table, line in pairs]
            if len(errors) == 1:
                return errors[0]
            squares = zip(self._tables, errors, strict=True)
            return self._ops.xp.sqrt(sum(error**2 * table.share for table, error in squares))

        return self._of_rows(errors_of_rows)

    def weigh(self) -> Any:
        """Return the weights of each row, (n_rows, n_models)."""
        stack = self._ops.xp.stack
        return self._of_rows(
            lambda columns, lines: stack(weigh(self._ops, self._tables, lines), axis=1)
        )

    def _of_rows(self, function: Callable[[list[Any], list[Any]], Any]) -> Any:
        """Return what a function makes of the models' columns of some rows and their lines."""
        xp, parts, (n_rows, n_models) = self._ops.xp, [], self._X.shape
        step = max(1, _MANY // n_models)
        for start in range(0, n_rows, step):
            doubles = _in_double(xp, self._X[start : min(start + step, n_rows), :])
            columns = [doubles[:, model] for model in range(n_models)]
            lines = [find_line(self._ops, table, columns) for table in self._tables]
            parts.append(function(columns, lines))
        return parts[0] if len(parts) == 1 else xp.concat(parts)
