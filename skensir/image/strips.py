"""What an ensemble makes of a scene, in strips: doubles of no whole image are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skensir.image.combining import CombinesImages, predict_weights
from skensir.image.files import Image
from skensir.image.metrics import peak_of

# Pixels of a strip at most. That is few enough for the loops of NumPy, which start at once: to load
# compiled ones takes as long as a hundred images, whose files are the slow part of the work anyway.
_PIXELS = 2**16 - 1


class Combined(NamedTuple):
    """What is made of one scene.

    Attributes
    ----------
    image : ndarray of shape (height, width) or (height, width, 3)
        Whole numbers as a file holds them, or floats in single precision.
    weight_maps : ndarray of shape (n_models, height, width), or None
        The weight of each model, the mean over the channels: 0 is 0, 255 is one.
    """

    image: Image
    weight_maps: Image | None


def combine_scene(
    ensemble: CombinesImages, prediction: Image, bits: int | None, *, weight_maps: bool = False
) -> Combined:
    """Combine the predictions of one scene, bit for bit as its `predict` and `write_image` do.

    Parameters
    ----------
    ensemble : ImageEnsemble
        Fitted.
    prediction : ndarray of shape (n_models, height, width) or (n_models, height, width, 3)
        As `ensemble` has checked it, the input among the models where it is one.
    bits : {8, 16} or None
        Of the image. Whole numbers of the other depth are scaled, so that white stays white; None
        keeps the depth of the predictions, and floats as they are.
    weight_maps : bool, default=False
        Whether to return the weights too.
    """
    whole = prediction.dtype.kind == "u"
    factor = 1.0
    if whole:
        bits = bits or 8 * prediction.dtype.itemsize
        factor = peak_of(f"uint{bits}") / peak_of(prediction.dtype)
    image = np.empty(prediction.shape[1:], np.float32 if bits is None else f"uint{bits}")
    maps = np.empty(prediction.shape[:3], np.uint8) if weight_maps else None
    for rows in _strips(*prediction.shape[1:3], whole=whole):
        strip = prediction[:, rows]
        values = ensemble._combine(strip)
        if factor != 1:
            values *= factor
        image[rows] = _as(image.dtype, values)
        if maps is not None:
            weights = ensemble._apply(predict_weights, strip)
            mean = weights if weights.ndim == 3 else weights.mean(axis=-1)
            maps[:, rows] = _as(maps.dtype, 255 * mean)
    return Combined(image, maps)


def _strips(height: int, width: int, *, whole: bool) -> Iterator[slice]:
    """Yield the rows of each strip: all rows of floats, whose scale shows in many pixels only."""
    n_strips = -(-height // max(1, _PIXELS // width)) if whole else 1
    for number in range(n_strips):
        yield slice(height * number // n_strips, height * (number + 1) // n_strips)


def _as(dtype: np.dtype[Any], values: NDArray[np.float64]) -> Image:
    """Return floats in single precision, or the nearest whole numbers that the dtype holds.

    The values are overwritten.
    """
    if dtype.kind == "u":
        np.rint(values, out=values)
        np.clip(values, 0, np.iinfo(dtype).max, out=values)
    return values.astype(dtype)
