"""Grey or RGB, and the scale of the values: what all scenes of a reference set have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skensir._text import bits
from skensir.image.files import Image
from skensir.image.metrics import peak_of
from skensir.image.reference_set import ReferenceSet, Scene
from skensir.image.scale import FAR_BEYOND_ONE


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


def check_scale(image: Image, name: str, peak: float = 255) -> None:
    """Raise an error if values cannot be on the scale that they are taken to be on.

    `peak` is about the largest value on that scale.
    """
    if peak < FAR_BEYOND_ONE:
        highest = float(image.max(initial=0))
        if highest > FAR_BEYOND_ONE * max(peak, 1.0):  # some images are darker than others
            raise ValueError(
                f"{name} has values up to {highest:g}, but values up to about {peak:g} are "
                "expected; bring them to that scale."
            )
    elif image.dtype.kind == "f" and 0 < image.max(initial=0) <= 1:
        lowest = image.min()
        found = "0 to 1" if lowest >= 0 else f"{lowest:.3g} to {image.max():.3g}"
        remedy = f"multiply them by {peak:g}" if lowest >= 0 else "bring them to that scale"
        raise ValueError(
            f"{name} has floats from {found}; floats are taken for values from 0 to {peak:g}, so "
            f"{remedy}."
        )
