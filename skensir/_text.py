"""Small pieces of text that are put together in several places."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np


def plural(number: float, noun: str) -> str:
    """Return a number with its noun; of a sum of weights the digits that tell something."""
    digits = ",d" if isinstance(number, int) else ",.10g"
    return f"{number:{digits}} {noun}{'' if number == 1 else 's'}"


def sizes(shape: tuple[int, ...]) -> str:
    """Return the numbers of rows and columns, and of whatever else an array has."""
    return " x ".join(map(str, shape)) or "a single number"


def bits(dtype: np.dtype[Any]) -> str:
    """Return how deep pixels in whole numbers are."""
    return f"of {8 * dtype.itemsize} bits"


def printable(text: str) -> str:
    """Return text with escapes for what a terminal would obey, such as a name may hold."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def encodable(text: str) -> str:
    """Return text with escapes for what UTF-8 has no bytes for: names of files that are not in it.

    They are those of `printable`.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def wrap(paragraphs: str) -> str:
    """Break the lines of paragraphs for a terminal, between words only: paths stay whole."""
    lines = textwrap.TextWrapper(79, break_on_hyphens=False, break_long_words=False)
    return "\n\n".join(map(lines.fill, paragraphs.split("\n\n")))
