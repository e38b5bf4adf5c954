"""The demo's picture: images, their errors, and the weights of the models."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from skensir.cli import CommandError
from skensir.cli.deblurring import Image, crop_centre, to_8_bits

SIDE = 256  # of the part that is shown, pixels


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


def write_picture(picture: bytes, file: Path) -> None:
    """Write a file whole or not at all."""
    partial_file = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        partial_file.write_bytes(picture)
        partial_file.replace(file)
    except OSError as error:
        raise CommandError(f"Cannot write {file}: {error.strerror}.") from error
    finally:
        partial_file.unlink(missing_ok=True)


def draw_picture(
    name: str,
    truth: Image,
    restored: Mapping[str, tuple[Image, float]],
    weights: Mapping[str, Image],
) -> bytes:
    """Draw a column for each image: it, its error and, for a base model, its weight.

    Parameters
    ----------
    name : str
        Of the photograph.
    truth : ndarray of shape (height, width, 3)
        The photograph.
    restored : mapping of str to (ndarray of shape (height, width, 3), float)
        Images with their PSNR, by title.
    weights : mapping of str to ndarray of shape (height, width)
        EnsIR's weights of the base models, by the model's title in `restored`.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import CenteredNorm, Normalize
    from matplotlib.figure import Figure

    truth = crop_centre(truth, SIDE)
    images = {title: crop_centre(image, SIDE) for title, (image, _) in restored.items()}
    errors = {
        title: np.abs(image - truth.astype(np.float64)).mean(axis=-1)
        for title, image in images.items()
    }
    # Percentiles, as a few extreme pixels would leave no contrast to the others.
    error_scale = Normalize(0, np.percentile(list(errors.values()), 99.5))
    equal = 1 / len(weights)
    change = np.percentile(np.abs(np.stack(list(weights.values())) - equal), 99.5)
    weight_scale = CenteredNorm(equal, np.clip(change, 0.01, equal))

    n_columns = len(restored)
    figure = Figure(figsize=(2.3 * n_columns + 0.6, 8.4), dpi=100, layout="compressed")
    axes = figure.subplots(3, n_columns)
    for axis in axes.flat:
        axis.set_axis_off()
    for column, (title, (_, psnr)) in enumerate(restored.items()):
        top, middle, bottom = axes[:, column]
        top.imshow(to_8_bits(images[title]))
        top.set_title(f"{title}\n{psnr:.2f} dB".replace(", ", ",\n"))
        error_map = middle.imshow(errors[title], cmap="magma", norm=error_scale)
        middle.set_title(f"mean absolute error {errors[title].mean():.2f}", fontsize="medium")
        if title in weights:
            weight = crop_centre(weights[title], SIDE)
            weight_map = bottom.imshow(weight, cmap="coolwarm", norm=weight_scale)
            bottom.set_title(f"EnsIR's weight, mean {weight.mean():.2f}", fontsize="medium")
    axes[2, 0].imshow(truth)
    axes[2, 0].set_title("Truth", fontsize="medium")

    figure.colorbar(error_map, cax=axes[1, -1].inset_axes((1.05, 0, 0.06, 1)), extend="max")
    beside_weights = axes[2, 1 + len(weights)]
    figure.colorbar(weight_map, cax=beside_weights.inset_axes((0, 0, 0.06, 1)), extend="both")
    note = (
        f"The centre of the photograph {name}.\n"
        "PSNR is that of the whole photograph; errors and\n"
        "weights are means over the colour channels.\n"
        f"A weight of {equal:.2f} is that of plain averaging."
    )
    text = beside_weights.text(0.4, 0.97, note, va="top", linespacing=1.8)
    text.set_in_layout(False)  # it reaches into the empty panel beside it

    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
