"""Warnings that point at the line of the user's which is concerned."""

from __future__ import annotations

import sys
import warnings


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line that called this package, however deep inside of it the reason lies."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    """Tell whether a module is of this package, or of those that may call it for the user."""
    return module.partition(".")[0] in ("skensir", "sklearn", "joblib")
