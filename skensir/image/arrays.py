"""Arrays of what images come in: NumPy's own, lists of numbers, and tensors of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skensir._checks import in_one_line
from skensir.image.files import Image, in_native_order


def as_array(image: ArrayLike, name: str = "an image") -> Image:
    """Return an image as an array of NumPy, in the byte order of this machine.

    A tensor may be on any device, ask for gradients, or have numbers that NumPy does not know; an
    image may be a list of them, one per model. `name` says in errors what it is.
    """
    if isinstance(image, list | tuple) and any(map(_is_tensor, image)):
        return np.stack([as_array(part, name) for part in image])
    try:
        array = np.asarray(_from_tensor(image) if _is_tensor(image) else image)
    except (TypeError, ValueError, RuntimeError) as error:  # of other libraries or devices, ragged
        reason = in_one_line(str(error).rstrip("."))
        raise ValueError(
            f"{name}: a {type(image).__name__}, which NumPy cannot read: {reason}"
        ) from error
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name}: of dtype {array.dtype}, must be of numbers")
    if np.ma.is_masked(image):
        raise ValueError(f"{name}: with masked values, must have none")
    return in_native_order(array)


def _is_tensor(image: Any) -> bool:
    """Tell whether an image is a tensor of PyTorch, which need not be installed."""
    return hasattr(image, "detach") and hasattr(image, "cpu")


def _from_tensor(tensor: Any) -> Any:
    """Return a tensor that NumPy can read, whose numbers are not copied where they need not be."""
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype).endswith("bfloat16") else tensor
