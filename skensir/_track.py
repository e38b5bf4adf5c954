"""How the long loops of the core tell how far they are, without knowing whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

# Takes the steps of a loop and its name, and passes the steps on one by one; not all of them, if
# the loop may be stopped and somebody asks for it.
Track: TypeAlias = Callable[..., Iterable[Any]]


def untracked(steps: Sequence[Any], name: str, may_stop: bool = False) -> Iterable[Any]:
    """Pass the steps on and tell nobody."""
    return steps
