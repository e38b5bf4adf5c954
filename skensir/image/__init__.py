"""Whole images: ensembles of their predictions, files of 8 and 16 bits, PSNR and SSIM."""

from typing import TYPE_CHECKING

from skensir._lazy import load_when_asked

if TYPE_CHECKING:
    from skensir.image.ensemble import ImageEnsemble
    from skensir.image.files import read_image, write_image
    from skensir.image.metrics import peak_signal_noise_ratio, structural_similarity
    from skensir.image.reference_set import ReferenceSet
    from skensir.image.sample_set import load_super_resolution
    from skensir.image.worth import Worth, fit_and_hold_out

__all__ = [
    "ImageEnsemble",
    "ReferenceSet",
    "Worth",
    "fit_and_hold_out",
    "load_super_resolution",
    "peak_signal_noise_ratio",
    "read_image",
    "structural_similarity",
    "write_image",
]

_HOMES = {
    "ImageEnsemble": "skensir.image.ensemble",
    "ReferenceSet": "skensir.image.reference_set",
    "Worth": "skensir.image.worth",
    "fit_and_hold_out": "skensir.image.worth",
    "load_super_resolution": "skensir.image.sample_set",
    "peak_signal_noise_ratio": "skensir.image.metrics",
    "read_image": "skensir.image.files",
    "structural_similarity": "skensir.image.metrics",
    "write_image": "skensir.image.files",
}
# Not all of it needs scikit-learn, which takes a second: commands combine and measure without.
__getattr__ = load_when_asked(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
