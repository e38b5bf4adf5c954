"""The numbers of one image beside the truth, and what they compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skensir._text import plural
from skensir.comparison.tables import MEASURES
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


def explain_convention(channel: str, crop_border: int, data_range: int) -> str:
    """Name the convention of PSNR and SSIM."""
    compared = {"rgb": "all channels", "luma": "luma (BT.601, studio range)"}[channel]
    border = f" without {plural(crop_border, 'pixel')} at every side" if crop_border else ""
    return (
        f"{compared}{border}, with peak {data_range}; SSIM has a Gaussian window of standard "
        "deviation 1.5."
    )


def explain_perceptual(perceptual: Iterable[str], channel: str) -> str:
    """Name the perceptual measures; nothing where there is none."""
    names = " and ".join(MEASURES[key].head for key in perceptual)
    if not names:
        return ""
    compared = " all channels, also where PSNR and SSIM compare luma;" if channel == "luma" else ""
    several = " and " in names
    return f"{names} compare{'' if several else 's'}{compared or ' all channels;'} lower is better."
