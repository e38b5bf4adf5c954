"""Deblurring: Gaussian blur and noise, and base models that deconvolve and denoise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import ndimage

from skensir.demo.filters import non_local_means, total_variation, with_margin
from skensir.demo.photographs import to_8_bits
from skensir.image.files import Image

BLUR = 1.6  # standard deviation of the Gaussian blur, pixels
NOISE = 5.0  # standard deviation of the Gaussian noise, on values from 0 to 255

NOTE = (
    f"blurred by a Gaussian of standard deviation {BLUR:g} pixels, with Gaussian noise of standard "
    f"deviation {NOISE:g}"
)


def degrade(photograph: Image, seed: int) -> Image:
    """Blur a photograph and add noise."""
    blurred = ndimage.gaussian_filter(
        photograph.astype(np.float64), BLUR, mode="mirror", axes=(0, 1)
    )
    noise = np.random.default_rng(seed).normal(scale=NOISE, size=photograph.shape)
    return to_8_bits(blurred + noise)


def point_spread() -> Image:
    """Return what the blur makes of a single bright pixel."""
    radius = round(4 * BLUR)  # where gaussian_filter cuts off
    point = np.zeros((2 * radius + 1, 2 * radius + 1))
    point[radius, radius] = 1
    spread: Image = ndimage.gaussian_filter(point, BLUR)
    return spread


def _deconvolve(image: Image, method: str, **settings: float) -> Image:
    """Apply one of scikit-image's deconvolutions to each channel of an image."""
    from skimage import restoration

    deconvolve = partial(getattr(restoration, method), psf=point_spread(), **settings)
    channels = [with_margin(deconvolve, image[..., channel]) for channel in range(3)]
    return np.stack(channels, axis=-1)


def _richardson_lucy(image: Image) -> Image:
    return _deconvolve(image, "richardson_lucy", num_iter=30)


# A base model is a deconvolution and a denoiser; they differ in both and in which comes first.
# Richardson-Lucy stops after 30 steps to save time; the other numbers are those of a coarse grid
# with the highest mean PSNR on the photographs for fitting, each base model by itself. Images go
# from 0 to 1 here.
RESTORERS: dict[str, Callable[[Image], Image]] = {
    "Wiener, non-local means": lambda image: non_local_means(
        _deconvolve(image, "wiener", balance=0.002), 0.04
    ),
    "Richardson-Lucy, total variation": lambda image: total_variation(
        _richardson_lucy(image), 0.02
    ),
    "Non-local means, Richardson-Lucy": lambda image: _richardson_lucy(
        non_local_means(image, 0.015)
    ),
}
