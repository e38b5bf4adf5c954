"""The demo's picture: for each task a row of images, and where one of the models counts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skensir.demo.photographs import crop_centre, to_8_bits
from skensir.image.files import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_SIDE = 192  # height and width of the part that is shown, pixels


@dataclass(frozen=True)
class PictureRow:
    """A row of the picture."""

    task: str  # at the left
    # By their titles; the last one is the truth. One that is smaller than the truth is enlarged.
    images: dict[str, Image]
    weight_title: str  # says whose weights are shown
    weights: Image  # of a model, (height, width)
    equal: float  # its weight in plain averaging
    note: str  # the photograph and its gain
    credit: str | None = None  # its author, where a licence asks for that


def explain_picture(rows: Sequence[PictureRow]) -> str:
    """Say what is shown, and how it was chosen."""
    equal = " or ".join(sorted({f"{row.equal:.2f}" for row in rows}))
    credits = "".join(f" {row.credit}." for row in rows if row.credit)
    return (
        "A row shows the centre of the test photograph whose gain over its best base model is "
        "nearest the mean gain, and of equally near ones the first in alphabetical order: "
        f"{'; '.join(row.note for row in rows)}. PSNR is that of the whole photograph. The middle "
        f"of a colour bar is the weight of plain averaging, {equal}.{credits}"
    )


def draw_picture(rows: Sequence[PictureRow]) -> Figure:
    """Return a figure of the centres of a photograph's images, a row for each task."""
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    n_columns = len(rows[0].images) + 1
    figure = Figure(
        figsize=(2.3 * n_columns + 0.9, 2.9 * len(rows) + 0.7), dpi=100, layout="compressed"
    )
    bare = {"xticks": [], "yticks": [], "frame_on": False}
    axes = figure.subplots(len(rows), n_columns, squeeze=False, subplot_kw=bare)
    for row, row_axes in zip(rows, axes, strict=True):
        row_axes[0].set_ylabel(row.task, fontsize="large")
        width = list(row.images.values())[-1].shape[1]
        for axis, (title, image) in zip(row_axes, row.images.items(), strict=False):
            side = round(SHOWN_SIDE * image.shape[1] / width)
            axis.imshow(to_8_bits(crop_centre(image, side)), interpolation="nearest")
            axis.set_title(title.replace(", ", ",\n"), fontsize="medium")
        weights = crop_centre(row.weights, SHOWN_SIDE)
        norm = TwoSlopeNorm(row.equal, vmin=0, vmax=1)
        weight_map = row_axes[-1].imshow(weights, cmap="coolwarm", norm=norm)
        row_axes[-1].set_title(row.weight_title.replace(", ", ",\n"), fontsize="medium")
        bar = row_axes[-1].inset_axes((1.05, 0, 0.06, 1))
        figure.colorbar(weight_map, cax=bar, ticks=[0, row.equal, 1], format="%.2f")
    note = textwrap.fill(explain_picture(rows), 28 * n_columns)
    figure.supxlabel(note, fontsize="medium", linespacing=1.4)
    return figure
