"""LPIPS and DISTS, by packages that are no part of skensir: pyiqa or lpips, where installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any, TypeAlias

import numpy as np

from skensir._text import sizes
from skensir.image.files import Image

# What compares an image with the truth, the first argument: both (3, height, width), from 0 to 1.
_Distance: TypeAlias = Callable[[Image, Image], float]
Perceptual: TypeAlias = "dict[str, PerceptualMeasure]"


class PerceptualMeasure:
    """A distance of what networks see in two images; the lower, the more alike they look.

    Parameters
    ----------
    name : str
        Of the measure, for errors.
    distance : callable
        What computes it of two arrays (3, height, width) from 0 to 1, the truth first.
    """

    def __init__(self, name: str, distance: _Distance) -> None:
        self.name = name
        self.distance = distance

    def __call__(
        self, target: Image, image: Image, *, crop_border: int = 0, data_range: float = 255
    ) -> float:
        """Return the distance of an image from the truth.

        Both are (height, width) or (height, width, 3); grey ones are taken for colour images whose
        channels are equal. Values are clipped to the range, as networks expect it.
        """
        try:
            pair = (_channels_first(part, crop_border, data_range) for part in (target, image))
            return self.distance(*pair)
        except Exception as error:  # networks refuse in their own ways, such as small images
            size = sizes(np.shape(image)[:2])
            raise ValueError(
                f"{self.name} of an image of {size} pixels cannot be computed: {_reason(error)}."
            ) from error


def load_perceptual() -> Perceptual:
    """Return the perceptual measures whose packages are installed, by the keys of their numbers.

    LPIPS and DISTS are those of pyiqa; without it, LPIPS is that of lpips. Both take AlexNet for
    LPIPS. Their weights are downloaded at the first use.

    Raises
    ------
    ValueError
        If a package is installed and cannot be used, for example as its weights cannot be
        downloaded. The message is one sentence.
    """
    for package, make in (("pyiqa", _of_pyiqa), ("lpips", _of_lpips)):
        try:
            # They talk while they load, on a stream that is kept for results.
            with redirect_stdout(StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return make(import_module(package))
        except ModuleNotFoundError as error:
            if error.name != package:
                raise _cannot_be_used(package, error) from error
        except Exception as error:
            raise _cannot_be_used(package, error) from error
    return {}


def _cannot_be_used(package: str, error: Exception) -> ValueError:
    return ValueError(f"{package} is installed but cannot be used: {_reason(error)}.")


def _reason(error: Exception) -> str:
    """Return the first line of what an error says, without a full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(" .")


def _channels_first(image: Image, crop_border: int, data_range: float) -> Image:
    """Return (3, height, width) from 0 to 1, without the border."""
    height, width = image.shape[:2]
    image = image[crop_border : height - crop_border, crop_border : width - crop_border]
    image = (image / data_range).clip(0, 1).astype(np.float32)
    image = np.moveaxis(image if image.ndim == 3 else image[..., np.newaxis], -1, 0)
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])))


def _of_pyiqa(pyiqa: Any) -> Perceptual:
    torch, device = _torch_and_device()
    return {
        key: _with_torch(key, pyiqa.create_metric(key, device=device), torch, device)
        for key in ("lpips", "dists")
    }


def _of_lpips(lpips: Any) -> Perceptual:
    torch, device = _torch_and_device()
    network = lpips.LPIPS(net="alex", verbose=False).to(device)

    def compare(image: Any, target: Any) -> Any:
        return network(2 * image - 1, 2 * target - 1)

    return {"lpips": _with_torch("lpips", compare, torch, device)}


def _torch_and_device() -> tuple[Any, Any]:
    """Return torch, which both packages need, and what it computes on."""
    torch = import_module("torch")
    return torch, torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _with_torch(
    key: str, compare: Callable[[Any, Any], Any], torch: Any, device: Any
) -> PerceptualMeasure:
    """Return a measure that compares tensors (1, 3, height, width), the image first."""

    def distance(target: Image, image: Image) -> float:
        with torch.no_grad():
            tensors = [torch.from_numpy(part[np.newaxis]).to(device) for part in (image, target)]
            return float(compare(*tensors).item())

    return PerceptualMeasure(key.upper(), distance)
