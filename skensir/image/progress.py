"""A bar of progress over images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from skensir._optional import import_optional

Step = TypeVar("Step")


def progress(steps: Iterable[Step], label: str) -> Iterator[Step]:
    """Return the steps behind a bar: on a terminal only, and gone when it is full."""
    tqdm = import_optional("tqdm", "A bar of progress").tqdm
    return iter(tqdm(steps, label, leave=False, disable=None))
