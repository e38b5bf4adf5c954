"""Deraining: bright streaks over photographs, and base models that tell them from the scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from skensir.demo.filters import non_local_means, with_margin
from skensir.demo.photographs import to_8_bits
from skensir.image.files import Image

LENGTH = 21  # of a streak, pixels
SLANT = 15.0  # largest angle between streaks and the vertical, degrees
DENSITY = 0.004  # streaks per pixel
BRIGHTNESS = 90.0  # what streaks add at most, on values from 0 to 255

NOTE = f"under streaks of rain {LENGTH} pixels long, slanted by up to {SLANT:g} degrees"


def _streak(slant: float) -> Image:
    """Return one streak: a line of LENGTH pixels with smooth edges, at most one."""
    half = LENGTH // 2
    along = np.linspace(-half, half, 8 * LENGTH)
    rows, columns = along * np.cos(np.deg2rad(slant)), along * np.sin(np.deg2rad(slant))
    edges = np.arange(LENGTH + 1) - half - 0.5
    line, _, _ = np.histogram2d(rows, columns, (edges, edges))
    smooth: Image = ndimage.gaussian_filter(line, 0.5)
    return smooth / float(smooth.max())


def degrade(photograph: Image, seed: int) -> Image:
    """Add rain of one slant, which differs between seeds."""
    random = np.random.default_rng(seed)
    slant = random.uniform(-SLANT, SLANT)
    # Streaks may begin outside the photograph.
    height, width = (size + 2 * LENGTH for size in photograph.shape[:2])
    drops = (random.random((height, width)) < DENSITY) * random.uniform(0.3, 1, (height, width))
    rain = ndimage.convolve(drops, _streak(slant), mode="constant")[LENGTH:-LENGTH, LENGTH:-LENGTH]
    return to_8_bits(photograph + BRIGHTNESS * rain.clip(0, 1)[..., np.newaxis])


def _open_across(image: Image, width: int) -> Image:
    """Take away what is bright and narrower than `width` pixels from left to right."""
    opened: Image = ndimage.grey_opening(image, size=(1, width, 1), mode="mirror")
    return opened


def _top_hat(image: Image) -> Image:
    """Take away what is bright, narrow, without colour, and long in some steep direction."""
    narrow: Image = (image - _open_across(image, 4)).min(axis=-1)
    along = np.arange(-2, 3)
    rain = np.zeros_like(narrow)
    for slant in np.deg2rad([-15, 0, 15]):
        line = along[:, np.newaxis] * np.tan(slant)
        footprint = np.rint(line) == along
        np.maximum(rain, ndimage.grey_opening(narrow, footprint=footprint, mode="mirror"), out=rain)
    return image - rain[..., np.newaxis]


def _shrink(values: Image, threshold: float) -> Image:
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


def _decomposition(image: Image, along: float = 2.0, sparse: float = 0.4) -> Image:
    """Split an image into a scene and rain that is sparse, non-negative and smooth downwards.

    With the differences Dx across and Dy along the streaks, the rain R minimises
    ``|Dx (image - R)| + along |Dy R| + sparse |R|`` over R >= 0: a directional sparse model like
    that of Deng et al. (Applied Mathematical Modelling 59, 2018), solved by thirty steps of the
    alternating direction method of multipliers.
    """
    penalty = 20.0  # how strongly a step ties the three parts together
    height, width, _ = image.shape
    dy = (1 - np.exp(-2j * np.pi * np.fft.fftfreq(height)))[:, np.newaxis, np.newaxis]
    dx = (1 - np.exp(-2j * np.pi * np.fft.rfftfreq(width)))[:, np.newaxis]

    def transform(part: Image) -> Image:
        return np.fft.rfft2(part, axes=(0, 1))

    def invert(part: Image) -> Image:
        return np.fft.irfft2(part, s=(height, width), axes=(0, 1))

    across = invert(dx * transform(image))
    spectrum = np.zeros_like(transform(image))
    rain = np.zeros_like(image)
    # Each term has a part of its own, and what is still missing to agreement with the rain.
    missing = [np.zeros_like(image) for _ in range(3)]
    for _ in range(30):
        now = [invert(dy * spectrum), invert(dx * spectrum), rain]
        parts = [
            _shrink(now[0] + missing[0], along / penalty),
            across - _shrink(across - now[1] - missing[1], 1 / penalty),
            np.maximum(now[2] + missing[2] - sparse / penalty, 0),
        ]
        missing = [m + n - part for m, n, part in zip(missing, now, parts, strict=True)]
        wanted = [transform(part - m) for part, m in zip(parts, missing, strict=True)]
        spectrum = dy.conj() * wanted[0] + dx.conj() * wanted[1] + wanted[2]
        spectrum /= np.abs(dy) ** 2 + np.abs(dx) ** 2 + 1
        rain = invert(spectrum)
    return image - np.maximum(rain, 0)


# None of them is told the slant of the rain. The parameters were found as those of deblurring.
RESTORERS: dict[str, Callable[[Image], Image]] = {
    "Opening, non-local means": lambda image: non_local_means(_open_across(image, 3), 0.02),
    "Top hat in three directions": _top_hat,
    "Scene and rain, sparse": lambda image: with_margin(_decomposition, image),
}
