"""Libraries of the extra `image`, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def import_extra(module: str, package: str) -> Any:
    """Import a module, or raise an error that says what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f'skensir.image needs {package} here: pip install "skensir[image]".'
        ) from error
