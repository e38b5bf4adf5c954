"""Small pieces of text that are put together in several places."""

from __future__ import annotations

import textwrap


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def wrap(paragraphs: str) -> str:
    """Break the lines of paragraphs for a terminal."""
    return "\n\n".join(textwrap.fill(paragraph, 79) for paragraph in paragraphs.split("\n\n"))
