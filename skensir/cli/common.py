"""What several commands share: checks before the work begins, and what they give."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from skensir._files import whole_file
from skensir._optional import import_optional
from skensir.comparison.table_files import TABLE_SUFFIXES
from skensir.image.combining import CombinesImages
from skensir.image.perceptual import Perceptual, load_perceptual
from skensir.image.tables import ImageTables, load_image_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skensir.image import ImageEnsemble

Combining = TypeVar("Combining", bound=CombinesImages)


class CommandError(Exception):
    """A mistake of the user; the message is one plain sentence that names it."""


def check_installed(command: str, *modules: str, extra: str | None = None) -> None:
    """Raise an error that says what to install unless all modules are there."""
    for module in modules:
        import_optional(module, command, extra)


def channel_names(ensemble: ImageEnsemble) -> list[str]:
    """Return what the regressors of an ensemble are of, in their order."""
    n_channels = ensemble.n_channels_
    if len(ensemble.regressors_) < n_channels:
        return ["all channels"]
    names = {1: ["grey"], 3: ["red", "green", "blue"]}
    return names.get(n_channels, [f"channel {number}" for number in range(n_channels)])


def check_parent(path: Path) -> None:
    """Raise an error now if a file or folder could not be made later, for want of a folder."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.stat(path)  # which says what is wrong with the path itself, such as links in a circle
    folder = Path(os.path.realpath(path)).parent  # where links lead, as they are written through
    if not folder.is_dir():
        where = folder if path.is_symlink() else path.parent
        raise CommandError(f"{where} is not a folder, so {path.name} cannot go there.")
    if path.exists() and not path.is_file():  # such as /dev/null, which is written to as it is
        return
    try:
        # Permissions say less than an attempt: file systems can be read-only or full.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CommandError(f"Cannot write to the folder {folder}: {error.strerror}.") from error


def check_new_folder(folder: Path) -> None:
    """Raise an error now if a folder is there already or could not be made later."""
    if os.path.lexists(folder):  # a link that leads nowhere as well
        raise CommandError(f"{folder} is there already; name a new folder.")
    check_parent(folder)


def check_output_file(path: Path) -> None:
    """Raise an error now if a file could not be written later."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder; give the name of a file.")
    check_parent(path)


def check_files(files: Sequence[Path], suffixes: Sequence[str], what: str) -> None:
    """Raise an error now if one of several files could not be written later.

    `what` is in them, for the error of a suffix that is none of those allowed.
    """
    for file in files:
        check_output_file(file)
        if file.suffix.lower() not in suffixes:
            raise CommandError(f"{file} must end in {' or '.join(suffixes)}, as {what}.")


def check_tables(*files: Sequence[Path] | None) -> None:
    """Raise an error now if tables could not be written later."""
    given = [file for some in files for file in some or ()]
    check_files(given, TABLE_SUFFIXES, "its suffix is the format of the table")


def load_ensemble(path: Path) -> ImageEnsemble:
    """Read an ensemble of images that knows its base models by name."""
    from skensir.image import ImageEnsemble  # commands that only measure or combine start fast
    from skensir.persistence import load_table

    loaded = load_table(path)
    return _with_names(path, loaded if isinstance(loaded, ImageEnsemble) else None)


def load_tables(path: Path) -> ImageTables:
    """Read what is needed to combine images of base models known by name."""
    return _with_names(path, load_image_tables(path))


def _with_names(path: Path, ensemble: Combining | None) -> Combining:
    """Return what a file holds if it is of images, of base models that have names."""
    if ensemble is None:
        raise CommandError(
            f"{path} holds a single table and not one of images, as `skensir fit` writes; use it "
            "in Python with skensir.load_table."
        )
    if ensemble.model_names_ is None:
        raise CommandError(f"{path} does not name its base models; fit it by `skensir fit`.")
    return ensemble


def perceptual_measures(*, left_out: bool) -> Perceptual:
    """Return LPIPS and DISTS where they are installed and not left out."""
    try:
        return {} if left_out else load_perceptual()
    except ValueError as error:
        raise CommandError(f"{str(error).rstrip('.')}; --no-perceptual leaves it out.") from error


def check_picture_file(file: Path) -> None:
    """Raise an error now if a PNG could not be written later."""
    check_output_file(file)
    if file.suffix.lower() != ".png":
        raise CommandError(f"The picture is a PNG, so the output {file} must end in .png.")


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


def print_files(written: Mapping[str, list[Path] | Path | None]) -> None:
    """Name the files that were written, by what they are; print nothing where there is none."""
    lists = {what: [some] if isinstance(some, Path) else some for what, some in written.items()}
    lines = [f"{what}: {path}" for what, paths in lists.items() for path in paths or ()]
    if lines:
        print("\n" + "\n".join(lines))
