"""Small pieces of text that are put together in several places."""

from __future__ import annotations

import textwrap


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def wrap(paragraphs: str) -> str:
    """Break the lines of paragraphs for a terminal, between words only: paths stay whole."""
    lines = textwrap.TextWrapper(79, break_on_hyphens=False, break_long_words=False)
    return "\n\n".join(map(lines.fill, paragraphs.split("\n\n")))
