"""The demo's picture: for each task a row of images, and where one of the models counts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from skensir.cli import CommandError
from skensir.cli.tasks.photographs import Image, crop_centre, to_8_bits

SIDE = 192  # of the part that is shown, pixels


@dataclass(frozen=True)
class Line:
    """A row of the picture.

    Attributes
    ----------
    task : str
        What stands at its left.
    images : dict of str to ndarray
        Images by their titles; the last one is the truth. One that is smaller than the truth is
        enlarged.
    weight_title : str
        Says whose weights are shown.
    weights : ndarray of shape (height, width)
        The weights of a model.
    equal : float
        Its weight in plain averaging.
    """

    task: str
    images: dict[str, Image]
    weight_title: str
    weights: Image
    equal: float


def check_picture_file(file: Path) -> None:
    """Raise an error now if the picture could not be written later.

    Parameters
    ----------
    file : Path
        Where the picture is to go.

    Raises
    ------
    CommandError
        If the name does not end in .png, names a folder, or lies in a folder that does not
        exist or cannot be written to.
    """
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


def draw_picture(lines: Sequence[Line], note: str) -> bytes:
    """Draw the centres of images, a row for each task.

    Parameters
    ----------
    lines : sequence of Line
        The rows, of as many images each.
    note : str
        Stands below them.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    n_columns = len(lines[0].images) + 1
    height = 2.9 * len(lines) + 0.4
    figure = Figure(figsize=(2.3 * n_columns + 0.9, height), dpi=100, layout="compressed")
    axes = figure.subplots(len(lines), n_columns, squeeze=False)
    for line, row in zip(lines, axes, strict=True):
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(line.task, fontsize="large")
        width = list(line.images.values())[-1].shape[1]
        for axis, (title, image) in zip(row, line.images.items(), strict=False):
            side = round(SIDE * image.shape[1] / width)
            axis.imshow(to_8_bits(crop_centre(image, side)), interpolation="nearest")
            axis.set_title(title.replace(", ", ",\n"), fontsize="medium")
        weights = crop_centre(line.weights, SIDE)
        norm = TwoSlopeNorm(line.equal, vmin=0, vmax=1)
        weight_map = row[-1].imshow(weights, cmap="coolwarm", norm=norm)
        row[-1].set_title(line.weight_title.replace(", ", ",\n"), fontsize="medium")
        bar = row[-1].inset_axes((1.05, 0, 0.06, 1))
        figure.colorbar(weight_map, cax=bar, ticks=[0, line.equal, 1], format="%.2f")
    figure.supxlabel(note, fontsize="medium")

    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
