"""Values that are wrong for most arguments, by the kind of fault."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np


class Hostile:
    """Has a representation of several lines, and no truth value."""

    def __repr__(self):
        return "several\nlines"

    def __bool__(self):
        raise RuntimeError("neither true nor false")


class Mute(Hostile):
    """Has no representation."""

    def __repr__(self):
        raise RuntimeError("no words")


FAULTS = {
    "nothing": None,
    "true": True,
    "true of NumPy": np.True_,
    "digits": "32",
    "text": "wide",
    "empty text": "",
    "lines": "several\nlines",
    "zero byte": "a\0b",
    "half a character": "\ud800",
    "long": "x" * 10_000,
    "bytes": b"32",
    "fraction": Fraction(1, 3),
    "decimal": Decimal(3),
    "huge": 10**400,
    "huge, negative": -(10**400),
    "unprintable": 10**5000,
    "near overflow": 1e308,
    "tiny": 5e-324,
    "not a number": np.nan,
    "infinite": np.inf,
    "infinite, negative": -np.inf,
    "negative": -1.5,
    "minus one": -1,
    "zero": 0,
    "one": 1,
    "half": 0.5,
    "complex": 1j,
    "empty": [],
    "list": [1, 2],
    "nested": [[1], [2, 3]],
    "mapping": {"a": 1},
    "set": {1},
    "array of one": np.array(32.0),
    "array": np.array([32.0, 16.0]),
    "matrix": np.eye(30),
    "texts": ["a", "b"],
    "date": np.datetime64("2020"),
    "day": datetime.date(2020, 1, 1),
    "time": np.timedelta64(3, "s"),
    "class": Hostile,
    "function": len,
    "object": object(),
    "hostile": Hostile(),
    "mute": Mute(),
}
