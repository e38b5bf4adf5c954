"""What several commands share: options, progress, lists of images."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from skensir.cli import CommandError


def check_installed(command: str, extra: str, *modules: str) -> None:
    """Raise an error that says what to install unless all modules are there."""
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise CommandError(
                f"{command} needs {error.name}, which is not installed: "
                f'pip install "skensir[{extra}]".'
            ) from error


def check_folder_of(path: Path) -> None:
    """Raise an error before the work begins if a file has no folder to be written to."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder; give the name of a file.")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is not a folder, so {path.name} cannot go there.")


def check_scale(image: Any, name: str) -> None:
    """Raise an error if floats cannot be on the scale that they are taken to be on."""
    if image.dtype.kind == "f" and 0 < image.max() <= 1:
        raise CommandError(
            f"{name} has floats from 0 to 1; floats are taken for values from 0 to 255, so "
            "multiply them by 255."
        )


class OnScale:
    """Images of a reference set, each of which is checked as it is read."""

    def __init__(self, images: Any) -> None:
        self._images = images

    def __getattr__(self, name: str) -> Any:
        # Names of models and scenes, which an ensemble asks for.
        return getattr(self._images, name)

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self)):
            image = self._images[number]
            check_scale(image, self._images.describe(number))
            yield image
            del image  # before the next is read


def progress(steps: Any, label: str) -> Any:
    """Return a bar of progress over images: on a terminal only, and gone when it is full."""
    from tqdm import tqdm

    bar = tqdm(steps, label, leave=False, disable=None)
    # What an image ensemble asks of the images of a reference set.
    for name in ("models", "describe"):
        if hasattr(steps, name):
            setattr(bar, name, getattr(steps, name))
    return bar


def with_finite_psnr(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of results for JSON: it has no infinity, the PSNR of equal images."""
    return {**line, "psnr": line["psnr"] if math.isfinite(line["psnr"]) else None}


def print_json(result: dict[str, Any]) -> None:
    """Print an object that any reader of JSON understands."""
    print(json.dumps(result, indent=1, allow_nan=False))


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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


def join(words: Iterable[str]) -> str:
    """Return words as a list in a sentence."""
    return ", ".join(words)
