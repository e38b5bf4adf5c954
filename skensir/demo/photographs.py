"""Photographs that lie in every installation of scikit-image."""

from __future__ import annotations

import numpy as np

from skensir.image.files import Image

FITTING = ("coffee", "motorcycle", "rocket")
TESTING = ("chelsea", "astronaut")


def crop_centre(image: Image, side: int) -> Image:
    """Return the middle of an image, at most `side` pixels high and wide."""
    top, left = (max(0, (size - side) // 2) for size in image.shape[:2])
    return image[top : top + side, left : left + side]


def load_photograph(name: str) -> Image:
    """Return a photograph, of shape (height, width, 3) and 8 bits."""
    from skimage import data

    is_pair = name == "motorcycle"  # for stereo vision
    photograph: Image = data.stereo_motorcycle()[0] if is_pair else getattr(data, name)()
    return photograph


def to_8_bits(image: Image) -> Image:
    """Round to whole numbers from 0 to 255, as an image file does."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
