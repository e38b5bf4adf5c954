"""Whole images: ensembles of their predictions, files of 8 and 16 bits, PSNR and SSIM."""

from skensir.image.ensemble import ImageEnsemble
from skensir.image.files import read_image, write_image
from skensir.image.metrics import peak_signal_noise_ratio, structural_similarity
from skensir.image.reference_set import ReferenceSet
from skensir.image.worth import Worth, fit_and_hold_out

__all__ = [
    "ImageEnsemble",
    "ReferenceSet",
    "Worth",
    "fit_and_hold_out",
    "peak_signal_noise_ratio",
    "read_image",
    "structural_similarity",
    "write_image",
]
