"""The demo's picture: for each task a row of images, and where one of the models counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skensir.demo.photographs import TESTING, crop_centre, to_8_bits
from skensir.image.files import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURED = TESTING[0]
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


def draw_picture(rows: Sequence[PictureRow]) -> Figure:
    """Return a figure of the centres of a photograph's images, a row for each task."""
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    n_columns = len(rows[0].images) + 1
    height = 2.9 * len(rows) + 0.4
    figure = Figure(figsize=(2.3 * n_columns + 0.9, height), dpi=100, layout="compressed")
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
    equal = " or ".join(sorted({f"{row.equal:.2f}" for row in rows}))
    note = (
        f"The centre of the photograph {PICTURED}; PSNR is that of the whole photograph. "
        f"The middle of a colour bar is the weight of plain averaging, {equal}."
    )
    figure.supxlabel(note, fontsize="medium")
    return figure
