"""What several commands share: checks before the work begins, and what they give."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skensir._files import whole_file
from skensir._optional import import_optional

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class CommandError(Exception):
    """A mistake of the user; the message is one plain sentence that names it."""


def check_installed(command: str, *modules: str, extra: str | None = None) -> None:
    """Raise an error that says what to install unless all modules are there."""
    for module in modules:
        import_optional(module, command, extra)


def check_parent(path: Path) -> None:
    """Raise an error now if a file or folder could not be made later, for want of a folder."""
    if not path.absolute().parent.is_dir():
        raise CommandError(f"{path.parent} is not a folder, so {path.name} cannot go there.")


def check_new_folder(folder: Path) -> None:
    """Raise an error now if a folder is there already or could not be made later."""
    if folder.exists():
        raise CommandError(f"{folder} is there already; name a new folder.")
    check_parent(folder)


def check_output_file(path: Path) -> None:
    """Raise an error now if a file could not be written later."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder; give the name of a file.")
    check_parent(path)


def check_picture_file(file: Path) -> None:
    """Raise an error now if a PNG could not be written later."""
    check_output_file(file)
    if file.suffix.lower() != ".png":
        raise CommandError(f"The picture is a PNG, so the output {file} must end in .png.")
    try:
        # Permissions say less than an attempt: file systems can be read-only or full.
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise CommandError(
            f"Cannot write to the folder {file.parent}: {error.strerror}."
        ) from error


def write_picture(file: Path, figure: Figure) -> None:
    """Write a figure of matplotlib as a PNG, whole or not at all."""
    with whole_file(file) as opened:
        figure.savefig(opened, format="png")


def print_json(result: dict[str, Any]) -> None:
    """Print an object that any reader of JSON understands.

    JSON has no infinity, which is the PSNR of equal images: it is null.
    """
    finite = json.loads(
        json.dumps(result), parse_constant=lambda name: None if name == "Infinity" else math.nan
    )
    print(json.dumps(finite, indent=1, allow_nan=False))
