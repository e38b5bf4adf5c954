"""Grey or RGB, and the scale of the values: what all scenes of a reference set have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skensir._text import bits
from skensir.image.metrics import peak_of
from skensir.image.reference_set import ReferenceSet, Scene
from skensir.image.scale import check_scale


class PixelFormat(NamedTuple):
    """What the pixels of a scene are."""

    grey: bool  # one channel and not three
    dtype: str  # "uint8", "uint16", or "floats" where the scene has neither

    @property
    def data_range(self) -> int:
        """The largest value that a pixel can have."""
        return peak_of(self.dtype)

    def __str__(self) -> str:
        depth = "of floats" if self.dtype == "floats" else bits(np.dtype(self.dtype))
        return f"{'grey' if self.grey else 'RGB'} {depth}"


def pixel_format_of(scene: Scene) -> PixelFormat:
    """Return the format of a scene, with the dtype of those of its images that are not floats."""
    images = (np.asarray(scene.target), scene.predictions)
    dtype = next((image.dtype.name for image in images if image.dtype.kind == "u"), "floats")
    return PixelFormat(images[0].ndim == 2, dtype)


def check_pixel_format(scenes: ReferenceSet, scene: Scene, expected: PixelFormat) -> None:
    """Raise an error that names the scene unless its pixels are as expected."""
    check_scale(scene.predictions, f"Scene {scene.name!r} of {scenes.folder}")
    if pixel_format_of(scene) != expected:
        raise ValueError(
            f"Scene {scene.name!r} of {scenes.folder} is {pixel_format_of(scene)}, must be "
            f"{expected} as the first of the reference set."
        )
