"""Arrays of what images come in: NumPy's own, lists of numbers, and tensors of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skensir.image.files import Image, in_native_order


def as_array(image: ArrayLike) -> Image:
    """Return an image as an array of NumPy, in the byte order of this machine.

    A tensor may be on any device, ask for gradients, or have numbers that NumPy does not know; an
    image may be a list of them, one per model.
    """
    if isinstance(image, list | tuple) and any(map(_is_tensor, image)):
        return np.stack([as_array(part) for part in image])
    try:
        return in_native_order(np.asarray(_from_tensor(image) if _is_tensor(image) else image))
    except (TypeError, RuntimeError) as error:  # of other libraries, from other devices
        reason = str(error).rstrip(".")
        raise ValueError(
            f"an image is a {type(image).__name__}, which NumPy cannot read: {reason}"
        ) from error


def _is_tensor(image: Any) -> bool:
    """Tell whether an image is a tensor of PyTorch, which need not be installed."""
    return hasattr(image, "detach") and hasattr(image, "cpu")


def _from_tensor(tensor: Any) -> Any:
    """Return a tensor that NumPy can read, whose numbers are not copied where they need not be."""
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype).endswith("bfloat16") else tensor
