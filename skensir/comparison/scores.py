"""The numbers of one image beside the truth."""

from __future__ import annotations

from typing import Any

from skensir.image import peak_signal_noise_ratio, structural_similarity
from skensir.image.files import Image
from skensir.image.metrics import peak_of
from skensir.image.perceptual import Perceptual


def score(
    target: Image, image: Image, convention: dict[str, Any], perceptual: Perceptual | None = None
) -> dict[str, float]:
    """Return PSNR, SSIM and perceptual measures of an image, by their keys.

    Parameters
    ----------
    target, image : ndarray of shape (height, width) or (height, width, 3)
        The truth, and what is compared with it.
    convention : dict
        channel, crop_border and data_range; perceptual measures always see all channels.
    perceptual : dict, default=None
        What `load_perceptual` gives; None is for none.
    """
    region = {key: convention[key] for key in ("crop_border", "data_range")}
    return {
        "psnr": peak_signal_noise_ratio(target, image, **convention),
        "ssim": structural_similarity(target, image, **convention),
        **{key: measure(target, image, **region) for key, measure in (perceptual or {}).items()},
    }


def on_scale_of(target: Image, image: Image) -> Image:
    """Return an image on the scale of the truth.

    Whole numbers of 8 and of 16 bits are equally bright if their shares of the peak are. Floats
    have the scale of the truth.
    """
    peak = peak_of(target.dtype)
    own_peak = peak_of(image.dtype) if image.dtype.kind == "u" else peak
    scaled: Image = image if own_peak == peak else image * (peak / own_peak)
    return scaled
