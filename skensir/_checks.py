"""Arguments checked: each error names the argument, its value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_number(value: Any, name: str, *, zero_allowed: bool = False) -> None:
    """Raise an error that names the argument unless `value` is finite and positive."""
    _check(value, name, Real, 0, zero_allowed=zero_allowed)
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not finite:
        raise ValueError(f"{name} == {_shown(value)}, must be finite.")


def check_whole(value: Any, name: str, minimum: int = 0) -> None:
    """Raise an error that names the argument unless `value` is a whole number, large enough."""
    _check(value, name, Integral, minimum, zero_allowed=True)


def check_verbosity(value: Any) -> None:
    """Raise an error unless `verbose` is a whole number, zero or more, or a truth value."""
    if not isinstance(value, bool | np.bool_):
        check_whole(value, "verbose")


def check_share(value: Any, name: str, *, one_allowed: bool = False) -> None:
    """Raise an error that names the argument unless `value` lies between zero and one."""
    _check(value, name, Real, 0, zero_allowed=False)
    if not (value <= 1 if one_allowed else value < 1):
        raise ValueError(f"{name} == {value!r}, must be {'<=' if one_allowed else '<'} 1.")


def check_flag(value: Any, name: str) -> None:
    """Raise an error that names the argument unless `value` is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} == {value!r}, must be True or False.")


def check_automatic(value: Any, name: str) -> None:
    """Raise an error that names the argument unless `value` is "auto" or a positive number."""
    if not isinstance(value, str):
        check_number(value, name)
    elif value != "auto":
        raise ValueError(f"{name} == {value!r}, must be 'auto' or a number above zero.")


def check_option(value: Any, name: str, allowed: Iterable[str]) -> None:
    """Raise an error that names the argument unless `value` is one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} == {value!r}, must be one of {', '.join(map(repr, allowed))}.")


def _check(value: Any, name: str, kind: type, minimum: int, *, zero_allowed: bool) -> None:
    """Raise an error unless `value` is a number of this kind that is not too small."""
    relation = ">=" if zero_allowed else ">"
    # True and False are whole numbers to Python, and a mistake here.
    if not isinstance(value, kind) or isinstance(value, bool):
        what = "whole number" if kind is Integral else "number"
        raise TypeError(f"{name} == {value!r}, must be a {what} {relation} {minimum}.")
    number: Any = value
    if not (number >= minimum if zero_allowed else number > minimum):  # nan is neither
        raise ValueError(f"{name} == {_shown(value)}, must be {relation} {minimum}.")


def _shown(value: Any) -> str:
    """Return a number as text, a long one by its length: Python does not write these out."""
    if isinstance(value, Integral) and abs(int(value)) >= 10**30:
        return f"a number of {int(math.log10(abs(int(value)))) + 1} digits"
    return str(value)
