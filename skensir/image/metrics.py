"""PSNR, SSIM and error maps with their conventions in the open."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skensir._checks import SMALLEST, check_number, check_option, check_whole, shown
from skensir._optional import import_optional
from skensir._text import sizes
from skensir.image.arrays import as_array
from skensir.image.memory import lack_of_memory

# BT.601, studio range: what red, green and blue from 0 to 1 add to 16, on a scale up to 255.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_LUMA_OFFSET = 16 / 255

# SSIM as its authors have it: a Gaussian window of this many pixels on a side, of this standard
# deviation, and the shares of the peak that keep the two fractions from zero by zero.
_WINDOW = 11
_SIGMA = 1.5
_SHARES = 0.01, 0.03
_SMALLEST_RANGE, _LARGEST_RANGE = 1e-150, 1e150  # whose squares are numbers
_LARGEST_WHOLE = 2**53  # beyond it a double does not tell neighbours apart


def peak_of(dtype: np.dtype[Any] | str) -> int:
    """Return the largest value that a pixel can have; floats are taken for values up to 255."""
    return 65535 if str(dtype) == "uint16" else 255


def error_map(target: ArrayLike, image: ArrayLike) -> NDArray[np.float64]:
    """Return the absolute error of each pixel, the mean over its channels, (height, width)."""
    error: NDArray[np.float64] = np.abs(as_array(image).astype(np.float64) - as_array(target))
    return error.mean(axis=2) if error.ndim == 3 else error


def check_axes(target: NDArray[Any]) -> None:
    """Raise an error unless an array has the axes of an image."""
    if target.ndim not in (2, 3):
        raise ValueError(
            f"target has shape {target.shape}, must be (height, width) or "
            "(height, width, n_channels)."
        )


def peak_signal_noise_ratio(
    target: ArrayLike,
    image: ArrayLike,
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    data_range: float = 255,
) -> float:
    """Return the peak signal-to-noise ratio of an image, in dB.

    Parameters
    ----------
    target : array-like of shape (height, width) or (height, width, n_channels)
        The truth.
    image : array-like of the same shape
        What is compared with it. Nothing is clipped or rounded.
    channel : {"rgb", "luma"}, default="rgb"
        "rgb" takes the mean squared error over all channels. "luma" compares brightness as
        BT.601 has it in studio range, ``16 + (65.481 R + 128.553 G + 24.966 B) / 255`` on values
        from 0 to 255, computed without rounding. A grey image is its own brightness: its values
        are compared as they are in both cases.
    crop_border : int, default=0
        Width of the border that is left out on every side, in pixels; it is cut off first.
    data_range : float, default=255
        The peak: the largest value that a pixel can have. It is 65535 for 16 bits.

    Returns
    -------
    psnr : float
        Infinity if nothing differs.

    Raises
    ------
    ValueError
        If the shapes differ, the border leaves nothing, "luma" meets other than one or three
        channels, values are beyond 2**53, floats beyond 1e150, values of a whole-numbered target
        exceed `data_range` or a target in floats has none above one where `data_range` is far
        beyond that, or an argument is out of its range.

    See Also
    --------
    structural_similarity : Compares structure instead of pixels.

    Notes
    -----
    Published numbers follow the field's custom: luma with a border as wide as the scale in
    super-resolution, "rgb" in deblurring and luma in deraining, both without border.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir.image import peak_signal_noise_ratio
    >>> target = np.full((4, 4, 3), 100, dtype=np.uint8)
    >>> round(peak_signal_noise_ratio(target, target + 1.0), 2)
    48.13
    >>> round(peak_signal_noise_ratio(target, target + 1.0, channel="luma"), 2)
    49.45
    """
    target, image, peak = _prepare(target, image, channel, crop_border, data_range)
    return _decibels(target - image, peak)


def _decibels(difference: NDArray[Any], peak: float) -> float:
    """Return the square of the peak over the mean square of the difference, in dB."""
    unit, mean = 1.0, np.mean(difference**2)
    if mean < SMALLEST:  # squares are no numbers, or nothing differs
        unit = float(np.abs(difference).max())
        if not unit:
            return math.inf
        mean = np.mean((difference / unit) ** 2)
    return float(10 * np.log10(peak**2 / mean) - 20 * math.log10(unit))


def structural_similarity(
    target: ArrayLike,
    image: ArrayLike,
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    data_range: float = 255,
) -> float:
    """Return the structural similarity (SSIM) of an image.

    The settings are those of its authors: a Gaussian window of 11 x 11 pixels and standard
    deviation 1.5, covariances without correction for the sample size, whole windows only.

    Parameters
    ----------
    target : array-like of shape (height, width) or (height, width, n_channels)
        The truth.
    image : array-like of the same shape
        What is compared with it. Nothing is clipped or rounded.
    channel : {"rgb", "luma"}, default="rgb"
        "rgb" takes the mean over the channels. "luma" compares brightness, see
        :func:`peak_signal_noise_ratio`.
    crop_border : int, default=0
        Width of the border that is left out on every side, in pixels; it is cut off first.
    data_range : float, default=255
        The largest value that a pixel can have. It is 65535 for 16 bits.

    Returns
    -------
    ssim : float
        At most one, which means that nothing differs.

    Raises
    ------
    ValueError
        As in :func:`peak_signal_noise_ratio`, and if the border leaves less than a window.

    See Also
    --------
    peak_signal_noise_ratio : Compares pixel by pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir.image import structural_similarity
    >>> target = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> structural_similarity(target, target)
    1.0
    """
    target, image, peak = _prepare(target, image, channel, crop_border, data_range)
    if min(target.shape[:2]) < _WINDOW:
        raise ValueError(
            f"SSIM needs at least {_WINDOW} x {_WINDOW} pixels, and a `crop_border` of "
            f"{crop_border} leaves {sizes(target.shape[:2])}."
        )
    channels = zip(_channels(target), _channels(image), strict=True)
    return float(np.mean([_ssim(x, y, peak) for x, y in channels]))


def _channels(image: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the channels of an image, each as an array of its own."""
    planes = np.atleast_3d(image)
    return [np.ascontiguousarray(planes[..., channel]) for channel in range(planes.shape[2])]


def _ssim(x: NDArray[Any], y: NDArray[Any], peak: float) -> float:
    """Return the mean SSIM over the whole windows of one channel, in double precision.

    The Gaussian window is a product of two lines, so that 22 products stand for 121.
    """
    cv2 = import_optional("cv2", "structural_similarity")
    line = cv2.getGaussianKernel(_WINDOW, _SIGMA, cv2.CV_64F)
    margin = _WINDOW // 2  # where windows reach beyond the image

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        with lack_of_memory(cv2.error):
            filtered: NDArray[Any] = cv2.sepFilter2D(values, -1, line, line)
        return filtered[margin:-margin, margin:-margin]

    # Variances are small differences of large squares, which are smaller around the mean.
    middle = x.mean()
    x, y = x - middle, y - middle
    mean_x, mean_y = mean(x), mean(y)
    covariance = mean(x * y) - mean_x * mean_y
    variances = mean(x * x + y * y) - (mean_x * mean_x + mean_y * mean_y)  # only the sum counts
    mean_x, mean_y = mean_x + middle, mean_y + middle
    c1, c2 = ((share * peak) ** 2 for share in _SHARES)
    brightness = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return float(np.mean(brightness * ((2 * covariance + c2) / (variances + c2))))


def _prepare(
    target: ArrayLike, image: ArrayLike, channel: str, crop_border: int, data_range: float
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Check the arguments, cut the border off and convert to double precision or luma.

    The peak comes in double precision too: of NumPy's narrow floats even the squares overflow.
    """
    target, image = as_array(target, "target"), as_array(image, "image")
    check_option(channel, "channel", ("rgb", "luma"))
    check_whole(crop_border, "crop_border")
    check_number(data_range, "data_range", minimum=_SMALLEST_RANGE, maximum=_LARGEST_RANGE)
    if target.shape != image.shape:
        raise ValueError(f"target has shape {target.shape} and image {image.shape}, must be equal.")
    check_axes(target)
    if channel == "luma" and target.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"channel == 'luma' needs grey or RGB, but target has shape {target.shape}."
        )
    inner = tuple(slice(crop_border, size - crop_border) for size in target.shape[:2])
    if not target[inner].size:
        raise ValueError(
            f"A `crop_border` of {shown(crop_border)} leaves nothing of "
            f"{sizes(target.shape[:2])} pixels."
        )
    for name, array in (("target", target), ("image", image)):
        if array.dtype.kind == "f" and not np.isfinite(array[inner]).all():
            raise ValueError(f"{name} has NaN or infinity, must be finite.")
        largest = max(abs(float(array[inner].min())), float(array[inner].max()))
        most = _LARGEST_RANGE if array.dtype.kind == "f" else _LARGEST_WHOLE
        if largest > most:
            raise ValueError(f"{name} has values up to {largest:.3g}, must be up to {most:.3g}.")
    if target.dtype.kind in "iu" and target.max() > data_range:
        raise ValueError(
            f"data_range == {data_range}, but target has values up to {target.max()}; 16 bits "
            "have a data_range of 65535."
        )
    if target.dtype.kind == "f" and 0 < target.max() <= 1 and data_range >= 16:
        raise ValueError(
            f"data_range == {data_range}, but target has values up to {target.max():.3g}; values "
            "from 0 to 1 have a data_range of 1."
        )
    target, image = target[inner].astype(np.float64), image[inner].astype(np.float64)
    peak = float(data_range)
    if channel == "luma" and target.ndim == 3:
        target, image = (_LUMA_OFFSET * peak + part @ _LUMA for part in (target, image))
    return target, image, peak
