"""What databases call the same thing: types, quotes, numbers, and the functions that they have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

# Databases read at least so many bits of a whole number without rounding.
_EXACT_BITS = 52


def _plain(value: float) -> str:
    return repr(float(value))


def _with_exponent(value: float) -> str:
    """Without an exponent DuckDB takes it for a decimal number."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def _with_letter(value: float) -> str:
    return f"{float(value)!r}D"


def _cast(value: float) -> str:
    return f"CAST({float(value)!r} AS DOUBLE PRECISION)"


def _dyadic(value: float) -> str:
    """Return a quotient of whole numbers: SQLite may round the last digit of others."""
    mantissa, exponent = math.frexp(value)
    whole = int(mantissa * 2.0**53)
    exponent -= 53
    while whole and whole % 2 == 0:
        whole, exponent = whole // 2, exponent + 1
    text, sign = f"{whole}.0", "*" if exponent > 0 else "/"
    while exponent:
        bits = min(abs(exponent), _EXACT_BITS)
        text += f" {sign} {2**bits}.0"
        exponent -= int(math.copysign(bits, exponent))
    return f"({text})"


def _floor(value: str) -> str:
    return f"CAST(floor({value}) AS BIGINT)"


def _floor_of_cast(value: str) -> str:
    """A cast drops the fraction; not all that SQLite is built into has a floor."""
    return f"(CAST({value} AS INTEGER) - ({value} < CAST({value} AS INTEGER)))"


def _is_number(column: str, value: str) -> str:
    """Neither NaN nor infinity is, for what compares them."""
    return f"abs({value}) < 1e308"


def _is_stored_as_number(column: str, value: str) -> str:
    """A column of SQLite may hold anything, and text is zero where a number is asked for."""
    return f"typeof({column}) IN ('integer', 'real') AND {_is_number(column, value)}"


class Dialect(NamedTuple):
    """The words of one database.

    Attributes
    ----------
    double : str
        The type of double precision.
    quote : str
        Encloses names.
    number : callable
        Writes a number of double precision in an expression.
    value : callable
        Writes it in a table of values.
    exact : callable
        Writes it to the last bit, whatever the database's version.
    floor : callable
        Whole number below an expression, which is no larger than bins are.
    is_number : callable
        Tells whether a column, and its value in double precision, is a finite number; true of no
        NULL.
    least, greatest : str
        Of several values in a row.
    most_tables : int or None
        That a query may join, where that is a number which people meet.
    folds_case : bool
        Whether names that differ only in case are the same, although they are in quotes.
    """

    double: str = "DOUBLE"
    quote: str = '"'
    number: Callable[[float], str] = _with_exponent
    value: Callable[[float], str] = _with_exponent
    exact: Callable[[float], str] = _with_exponent
    floor: Callable[[str], str] = _floor
    is_number: Callable[[str, str], str] = _is_number
    least: str = "least"
    greatest: str = "greatest"
    most_tables: int | None = None
    folds_case: bool = True

    def name(self, *parts: str) -> str:
        """Return a name, or one within another, in quotes."""
        quoted = (part.replace(self.quote, 2 * self.quote) for part in parts)
        return ".".join(f"{self.quote}{part}{self.quote}" for part in quoted)

    def same(self, name: str) -> str:
        """Return what is equal of names that are the same column."""
        return name.casefold() if self.folds_case else name

    def cast(self, value: str) -> str:
        """Return an expression in double precision."""
        return f"CAST({value} AS {self.double})"

    def between(self, value: str, lowest: str, highest: str) -> str:
        """Return an expression that is clipped at both ends."""
        return f"{self.least}({self.greatest}({value}, {lowest}), {highest})"

    def extreme(self, function: str, values: Sequence[str]) -> str:
        """Return the least or greatest of several values."""
        return f"{function}({', '.join(values)})"


DIALECTS = {
    "duckdb": Dialect(),
    "postgres": Dialect(
        "DOUBLE PRECISION", number=_cast, value=_plain, exact=_cast, folds_case=False
    ),
    "spark": Dialect(quote="`", number=_with_letter, value=_with_letter, exact=_with_letter),
    "sqlite": Dialect(
        "REAL",
        number=_plain,
        value=_plain,
        exact=_dyadic,
        floor=_floor_of_cast,
        is_number=_is_stored_as_number,
        least="min",
        greatest="max",
        most_tables=64,
    ),
}
