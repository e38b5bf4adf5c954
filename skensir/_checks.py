"""Arguments checked: each error names the argument, its value and what is allowed."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

_WHOLE = int, np.integer
_NUMBERS = int, float, np.integer, np.floating  # others, such as fractions, NumPy cannot work with
_MOST_LETTERS = 200


SMALLEST = sys.float_info.min


def check_number(value: Any, name: str, *, zero_allowed: bool = False) -> None:
    """Raise an error that names the argument unless `value` is finite and positive."""
    _check(value, name, _NUMBERS, 0, zero_allowed=zero_allowed)
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not finite:
        raise ValueError(f"{name} == {shown(value)}, must be finite.")
    if 0 < value < SMALLEST:  # has fewer digits than others, and may have none when multiplied
        raise ValueError(f"{name} == {shown(value)}, must be at least {SMALLEST:.3g}.")


def check_whole(value: Any, name: str, minimum: int = 0, maximum: int | None = None) -> None:
    """Raise an error that names the argument unless `value` is a whole number in a range."""
    _check(value, name, _WHOLE, minimum, zero_allowed=True)
    if maximum is not None and value > maximum:
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


def check_n_jobs(value: Any) -> None:
    """Raise an error unless `n_jobs` is what joblib takes: None, or a whole number but zero."""
    allowed = "must be None, or a whole number that is not zero"
    if value is not None and (not isinstance(value, _WHOLE) or isinstance(value, bool)):
        raise TypeError(f"n_jobs == {shown(value)}, {allowed}.")
    if value is not None and value == 0:
        raise ValueError(f"n_jobs == {value}, {allowed}.")


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
    # True and False are whole numbers to Python, and a mistake here.
    if not isinstance(value, kinds) or isinstance(value, bool):
        what = "whole number" if kinds is _WHOLE else "number"
        raise TypeError(f"{name} == {shown(value)}, must be a {what} {relation} {minimum}.")
    number: Any = value
    if not (number >= minimum if zero_allowed else number > minimum):  # nan is neither
        raise ValueError(f"{name} == {shown(value)}, must be {relation} {minimum}.")


def shown(value: Any) -> str:
    """Return a value as an error shows it: of a number of many digits it says how many."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except ValueError:  # so long that Python does not write it out
        return f"a {type(value).__name__}"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
