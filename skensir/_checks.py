"""Arguments checked: each error names the argument, its value and what is allowed."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time, timedelta
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skensir._text import printable

_WHOLE = int, np.integer
_NUMBERS = int, float, np.integer, np.floating  # others, such as fractions, NumPy cannot work with
_MOST_LETTERS = 200
# Of what has no unit: numbers beyond make no difference, and are far from overflow.
LARGEST = 1e100
SMALLEST = sys.float_info.min
_COMPLEX = "complex numbers"
# What there is in an array of which NumPy would make numbers, by the kind of its dtype.
_NO_NUMBERS = {"U": "text", "S": "text", "T": "text", "M": "dates", "m": "times", "V": "records"}
_NO_NUMBERS |= {"c": _COMPLEX}
# The same of objects, and of columns by what libraries of data frames call their types.
_NO_NUMBER_OBJECTS = {
    "text": (str, bytes),
    "dates": (date, np.datetime64),
    "times": (time, timedelta, np.timedelta64),
}
_NO_NUMBER_COLUMNS = {"dates": r"(?i)date|timestamp|period", "times": r"(?i)time|duration"}


def check_number(
    value: Any,
    name: str,
    *,
    zero_allowed: bool = False,
    minimum: float = SMALLEST,
    maximum: float | None = None,
) -> None:
    """Raise an error that names the argument unless `value` is finite and positive."""
    _check(value, name, _NUMBERS, 0, zero_allowed=zero_allowed)
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not finite:
        raise ValueError(f"{name} == {shown(value)}, must be finite.")
    if 0 < value < minimum:  # has fewer digits than others, and may have none when multiplied
        raise ValueError(f"{name} == {shown(value)}, must be at least {minimum:.3g}.")
    if maximum is not None and float(value) > maximum:  # single precision may not hold the maximum
        raise ValueError(f"{name} == {shown(value)}, must be <= {maximum:g}.")


def plain(value: Any) -> Any:
    """Return a number of NumPy that is not whole as one of Python: LAPACK takes no long double."""
    return float(value) if isinstance(value, np.floating) else value


def check_whole(value: Any, name: str, minimum: int = 0, maximum: int = sys.maxsize) -> None:
    """Raise an error that names the argument unless `value` is a whole number in a range."""
    _check(value, name, _WHOLE, minimum, zero_allowed=True)
    number: Any = value
    if number > maximum:
        raise ValueError(f"{name} == {shown(value)}, must be <= {maximum}.")


def check_verbosity(value: Any) -> None:
    """Raise an error unless `verbose` is a whole number, zero or more, or a truth value."""
    if not isinstance(value, bool | np.bool_):
        check_whole(value, "verbose")


def check_share(value: Any, name: str, *, one_allowed: bool = False) -> None:
    """Raise an error that names the argument unless `value` lies between zero and one."""
    _check(value, name, _NUMBERS, 0, zero_allowed=False)
    if not (value <= 1 if one_allowed else value < 1):
        raise ValueError(f"{name} == {shown(value)}, must be {'<=' if one_allowed else '<'} 1.")


def check_flag(value: Any, name: str) -> None:
    """Raise an error that names the argument unless `value` is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} == {shown(value)}, must be True or False.")


def check_text(value: Any, name: str) -> str:
    """Return a text, or raise an error that names the argument."""
    if not isinstance(value, str):
        raise TypeError(f"{name} == {shown(value)}, must be text.")
    return value


def check_names(value: Any, name: str, n_names: int | None = None) -> list[str]:
    """Return a list of names, or raise an error that names the argument."""
    many = "a list of names" if n_names is None else f"a list of {n_names} names"
    if isinstance(value, str | bytes | Mapping) or not np.iterable(value):
        raise ValueError(f"{name} == {shown(value)}, must be {many}.")
    names = list(value)
    if not all(isinstance(one, str) for one in names):
        raise ValueError(f"{name} == {shown(value)}, must be {many}, which are text.")
    if n_names is not None and len(names) != n_names:
        raise ValueError(f"{name} == {shown(value)}, must be {many}.")
    return names


def check_path(value: Any, name: str = "path") -> Path:
    """Return a path, or raise an error that names the argument."""
    allowed = "must be the path of a file or folder"
    # A number would be that of an open file.
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"{name} == {shown(value)}, {allowed}.")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        path = ""
    if not path or "\0" in path:
        raise ValueError(f"{name} == {shown(value)}, {allowed}, as the system writes it.")
    return Path(path)


def check_mapping(value: Any, name: str, of: str) -> Mapping[Any, Any]:
    """Return a mapping, or raise an error that names the argument; `of` says what of."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} == {shown(value)}, must be a dict {of}.")
    return value


def as_numbers(values: Any, name: str, n_dimensions: int = 1) -> NDArray[np.float64]:
    """Return an array of numbers, or raise an error that names the argument."""
    check_numbers(values, name)
    with saying_of(name):
        array = np.asarray(values)
        numbers: NDArray[np.float64] = array.astype(np.float64, copy=False)
    if numbers.ndim != n_dimensions:
        raise ValueError(
            f"{name} has shape {numbers.shape}, must have {n_dimensions} dimensions, not "
            f"{numbers.ndim}."
        )
    return numbers


def check_n_jobs(value: Any) -> None:
    """Raise an error unless `n_jobs` is what joblib takes: None, or a whole number but zero."""
    allowed = "must be None, or a whole number that is not zero"
    if value is not None and not _is_number(value, _WHOLE):
        raise TypeError(f"n_jobs == {shown(value)}, {allowed}.")
    number: Any = value
    if value is not None and (value == 0 or abs(number) > sys.maxsize):
        raise ValueError(f"n_jobs == {shown(value)}, {allowed}.")


def check_automatic(value: Any, name: str) -> None:
    """Raise an error that names the argument unless `value` is "auto" or a positive number."""
    if not isinstance(value, str):
        check_number(value, name)
    elif value != "auto":
        raise ValueError(f"{name} == {shown(value)}, must be 'auto' or a number above zero.")


def check_option(value: Any, name: str, allowed: Iterable[str]) -> None:
    """Raise an error that names the argument unless `value` is one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(map(repr, allowed))
        raise ValueError(f"{name} == {shown(value)}, must be one of {options}.")


def _check(
    value: Any, name: str, kinds: tuple[type, ...], minimum: int, *, zero_allowed: bool
) -> None:
    """Raise an error unless `value` is a number of these kinds that is not too small."""
    relation = ">=" if zero_allowed else ">"
    if not _is_number(value, kinds):
        what = "whole number" if kinds is _WHOLE else "number"
        raise TypeError(f"{name} == {shown(value)}, must be a {what} {relation} {minimum}.")
    number: Any = value
    if not (number >= minimum if zero_allowed else number > minimum):  # nan is neither
        raise ValueError(f"{name} == {shown(value)}, must be {relation} {minimum}.")


def _is_number(value: Any, kinds: tuple[type, ...]) -> bool:
    """Tell whether a value is a number of these kinds.

    True and False are whole numbers to Python, and times to NumPy; here they are mistakes.
    """
    return isinstance(value, kinds) and not isinstance(value, bool | np.timedelta64)


def shown(value: Any) -> str:
    """Return a value as an error shows it: of a number of many digits it says how many."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # of any class; Python does not write out numbers that are very long
        return f"a {type(value).__name__}"
    return in_one_line(text)


def in_one_line(text: str, most_letters: int = _MOST_LETTERS) -> str:
    """Return a text as a part of one printable sentence, shortened."""
    if not text.isprintable():
        text = printable(" ".join(text.split()))
    return text if len(text) <= most_letters else f"{text[:most_letters]}..."


@contextmanager
def saying_of(name: str) -> Iterator[None]:
    """Name an argument, in one line, in what scikit-learn and NumPy say of its values."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # beyond doubles is infinity
            yield
    except (TypeError, ValueError, OverflowError) as error:
        said = str(error)
        named = re.search(rf"\b{name}\b", said)
        # Names of columns are listed in lines of their own, as of all estimators.
        if (named and said.isprintable()) or "feature names" in said.lower():
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(in_one_line(said if named else f"{name}: {said}", 400)) from error


def check_numbers(values: Any, name: str) -> None:
    """Raise an error that names the argument if values are masked, no real numbers, or not here.

    NumPy and scikit-learn look behind masks, and make numbers of dates and of text. What they can
    make no array of, such as a lazy frame, is one object to them.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values, must have none.")
    what = _what_columns_hold(values) or _what_array_holds(values, name)
    if what == _COMPLEX:  # scikit-learn asks for these words, and shows the whole array itself
        raise ValueError(f"{name}: Complex data not supported, must be real numbers.")
    if what is not None:
        raise ValueError(f"{name} holds {what}, must hold numbers.")


def type_name(value: Any) -> str:
    """Return the type of a value as errors name it."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _what_columns_hold(values: Any) -> str | None:
    """Return what a column of a data frame holds if it is no numbers, by its type alone.

    An array of all columns would be of objects, or of the numbers that dates are stored as.
    """
    if not getattr(values, "shape", None):  # a lazy frame would be made to find its types
        return None
    schema = getattr(values, "schema", None)  # of PyArrow, or a mapping of narwhals
    types = getattr(values, "dtypes", getattr(schema, "types", None))
    if types is None and isinstance(schema, Mapping):
        types = schema.values()
    names = list(map(str, types)) if np.iterable(types) else []
    for what, pattern in _NO_NUMBER_COLUMNS.items():
        if any(re.match(pattern, name) for name in names):
            return what
    return None


def _what_array_holds(values: Any, name: str) -> str | None:
    """Return what the array of some values holds if NumPy would make numbers of it."""
    try:
        found = np.asarray(values[:0] if getattr(values, "shape", None) else values)
        if found.dtype == object:
            found = np.asarray(values)
    except Exception:  # whatever it is, it is no array: scikit-learn says so
        return None
    if found.dtype != object:
        return _NO_NUMBERS.get(found.dtype.kind)
    known = values is None or isinstance(values, Number) or hasattr(values, "toarray")
    if not found.ndim and not known:  # of these scikit-learn says what is wrong
        raise TypeError(
            f"{name} is of type {type_name(values)}, must be an array or a data frame in memory."
        )
    types = set(map(type, found.flat))
    for what, kinds in _NO_NUMBER_OBJECTS.items():
        if any(issubclass(one, kinds) for one in types):
            return what
    return None
