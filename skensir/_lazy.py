"""Packages whose names are loaded when they are asked for."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # see skensir/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def load_when_asked(
    package: str, homes: Mapping[str, str], first: str | None = None
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package that has these names, by the modules they are in.

    `first` is what is loaded before any of them.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if first is not None:
            import_module(first)
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
