"""What several commands share: options, checks before the work begins, and JSON."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

from skensir import EnsIRRegressor
from skensir._optional import import_optional
from skensir.image import ImageEnsemble

# What the parsers of the commands are added to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class CommandError(Exception):
    """A mistake of the user; the message is one plain sentence that names it."""


def check_installed(command: str, *modules: str, extra: str | None = None) -> None:
    """Raise an error that says what to install unless all modules are there."""
    for module in modules:
        try:
            import_optional(module, command, extra)
        except ModuleNotFoundError as error:
            raise CommandError(str(error)) from error


def check_output_file(path: Path) -> None:
    """Raise an error now if a file could not be written later, for want of a folder."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder; give the name of a file.")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is not a folder, so {path.name} cannot go there.")


def check_picture_file(file: Path) -> None:
    """Raise an error now if a PNG could not be written later."""
    if file.is_dir():
        raise CommandError(f"The output {file} is a folder; name a file that ends in .png.")
    if file.suffix.lower() != ".png":
        raise CommandError(f"The picture is a PNG, so the output {file} must end in .png.")
    if not file.parent.is_dir():
        raise CommandError(f"The folder {file.parent} of the output does not exist.")
    try:
        # Permissions say less than an attempt: file systems can be read-only or full.
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise CommandError(
            f"Cannot write to the folder {file.parent}: {error.strerror}."
        ) from error


def tables_of(model: EnsIRRegressor | ImageEnsemble) -> list[EnsIRRegressor]:
    """Return the fitted estimators with the tables, one per channel."""
    return list(getattr(model, "regressors_", [model]))


def with_finite_psnr(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of results for JSON: it has no infinity, the PSNR of equal images."""
    return {**line, "psnr": line["psnr"] if math.isfinite(line["psnr"]) else None}


def print_json(result: dict[str, Any]) -> None:
    """Print an object that any reader of JSON understands."""
    print(json.dumps(result, indent=1, allow_nan=False))


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a reference set is read."""
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="sub-folders of the base models, in this order (default: all but gt and lq, sorted)",
    )
    parser.add_argument(
        "--target",
        default="gt",
        metavar="NAME",
        help="sub-folder with the truth (default: %(default)s)",
    )
    add_crop_option(parser)


def add_crop_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for images that were saved padded."""
    parser.add_argument(
        "--crop",
        action="store_true",
        help="cut images of a scene that differ in size to their common top left part",
    )


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the convention of PSNR and SSIM."""
    parser.add_argument(
        "--channel",
        choices=("rgb", "luma"),
        default="rgb",
        help="compare all channels, or the brightness of BT.601 (default: %(default)s)",
    )
    parser.add_argument(
        "--crop-border",
        type=int,
        default=0,
        metavar="N",
        help="pixels to leave out at every side (default: %(default)s)",
    )
