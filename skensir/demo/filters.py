"""What base models of several tasks are made of. Images have values from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skensir.image.files import Image

_MARGIN = 16  # pixels


def non_local_means(image: Image, strength: float) -> Image:
    """Average patches that look alike."""
    from skimage.restoration import denoise_nl_means

    denoised: Image = denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=strength, channel_axis=-1
    )
    return denoised


def total_variation(image: Image, weight: float, n_steps: int = 200) -> Image:
    """Make areas flat and keep steep edges."""
    from skimage.restoration import denoise_tv_chambolle

    denoised: Image = denoise_tv_chambolle(
        image, weight=weight, max_num_iter=n_steps, channel_axis=-1
    )
    return denoised


def with_margin(method: Callable[[Image], Image], image: Image) -> Image:
    """Apply a method that works by Fourier transform, and so takes an image for periodic.

    A reflected margin keeps opposite edges apart.
    """
    margins = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
    padded = np.pad(image, margins[: image.ndim], mode="reflect")
    return method(padded)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
