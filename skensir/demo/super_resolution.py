"""Super-resolution: photographs made smaller, and base models that make them large again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from skensir.demo.filters import non_local_means, total_variation
from skensir.demo.photographs import to_8_bits
from skensir.image.files import Image

SCALE = 4

NOTE = f"made smaller by {SCALE} in height and width, bicubic"


def _cubic(distance: Image) -> Image:
    """Return Keys' cubic kernel with a = -0.5, as bicubic resizing programs have it."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def bicubic_matrix(n_pixels: int, n_resized: int) -> Image:
    """Return the matrix that resizes a line of pixels; a wider kernel keeps smaller ones clean."""
    zoom = n_resized / n_pixels
    kernel_zoom = min(zoom, 1.0)
    # Pixels are squares: the centre of the first lies half a pixel from the edge.
    centres = (np.arange(n_resized)[:, np.newaxis] + 0.5) / zoom - 0.5
    radius = int(np.ceil(2 / kernel_zoom))
    pixels = np.floor(centres).astype(int) + np.arange(-radius, radius + 2)
    weights = _cubic(kernel_zoom * (pixels - centres))
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((n_resized, n_pixels))
    # Beyond the edge the line is mirrored.
    inside = np.pad(np.arange(n_pixels), 2 * radius, mode="symmetric")[pixels + 2 * radius]
    np.add.at(matrix, (np.arange(n_resized)[:, np.newaxis], inside), weights)
    return matrix


def resize(image: Image, height: int, width: int) -> Image:
    """Resize an image by bicubic interpolation."""
    rows, columns = bicubic_matrix(image.shape[0], height), bicubic_matrix(image.shape[1], width)
    resized: Image = np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)
    return resized


def _smaller(image: Image) -> Image:
    return resize(image, image.shape[0] // SCALE, image.shape[1] // SCALE)


def _larger(image: Image) -> Image:
    return resize(image, image.shape[0] * SCALE, image.shape[1] * SCALE)


def degrade(photograph: Image, seed: int) -> Image:
    """Make a photograph smaller; nothing here is random."""
    return to_8_bits(_smaller(photograph.astype(np.float64)))


def _sharpened(image: Image) -> Image:
    """Interpolate and add what a blur takes away (unsharp masking)."""
    large = _larger(image)
    blurred: Image = ndimage.gaussian_filter(large, 2, axes=(0, 1))
    return large + 0.8 * (large - blurred)


def _project_back(large: Image, image: Image) -> Image:
    """Correct a large image by what its smaller version lacks of the one given."""
    return large + _larger(image - _smaller(large))


def _total_variation(image: Image) -> Image:
    large = _larger(image)
    for _ in range(6):
        large = total_variation(_project_back(large, image), 0.01, n_steps=15)
    return large


def _non_local_means(image: Image) -> Image:
    large = _project_back(_larger(image), image)
    for _ in range(2):
        large = _project_back(non_local_means(large, 0.05), image)
    return large


# They differ in what they take a photograph for: one with steep edges, one of flat areas, and one
# that repeats itself. The second and third correct themselves by the image given. The parameters
# were found as those of deblurring.
RESTORERS: dict[str, Callable[[Image], Image]] = {
    "Bicubic, sharpened": _sharpened,
    "Back-projection, total variation": _total_variation,
    "Back-projection, non-local means": _non_local_means,
}
