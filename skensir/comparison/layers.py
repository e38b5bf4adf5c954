"""The pictures of a scene for the report, each as small as it gets without loss."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skensir._optional import import_optional
from skensir._text import sizes
from skensir._threads import in_threads
from skensir.comparison.measure import ComparedScene
from skensir.image.files import Image
from skensir.image.memory import lack_of_memory
from skensir.image.metrics import error_map
from skensir.image.progress import n_cores

# Weights are told apart by their colours, of which nobody sees more steps: with 255 of them they
# would take twice the room.
WEIGHT_STEPS = 32
_ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # ends of colour scales, but for powers of ten
_LOSSLESS = 101  # what OpenCV takes for WebP without loss: a quality above 100


def scene_data(names: Sequence[str], lead: str | None, scene: ComparedScene) -> dict[str, Any]:
    """Return what the report needs of a scene, for JSON.

    Its `layers` are one dictionary for the truth and one for each row of the table, with the
    `image` and the `weights`, one of each model; None where there is none. A picture has a `type`
    and `data`. Has it `plus` too, its bytes are to be added modulo 256 to those of the image of
    this row: the images of a scene differ by little, so the differences are smaller files.

    Errors are not stored, as the page takes them from the images; `top` is where their colours end.
    """
    weight_maps, data_range = scene["weight_maps"], scene["data_range"]
    for name in (*scene["images"], *weight_maps):
        if name not in names:
            raise ValueError(f"there is something of {name!r}, which is not in the table")
    if not 0 < data_range < math.inf:
        raise ValueError(f"data_range == {data_range}, must be positive and finite")
    target = _checked_image(scene["target"], "the target")
    shown_target = _to_bytes(target, data_range)
    shown = {
        name: _to_bytes(_checked_image(image, repr(name), target.shape), data_range)
        for name, image in scene["images"].items()
    }
    errors = [error_map(shown_target, image) * (data_range / 255) for image in shown.values()]
    models = list(dict.fromkeys(model for weights in weight_maps.values() for model in weights))

    # What the others differ from.
    base = lead if lead in shown else next(iter(shown), None)
    rows = {name: number for number, name in enumerate(names, 1)}
    layers: list[dict[str, Any]] = [
        {"image": None, "weights": [None] * len(models)} for _ in range(1 + len(names))
    ]
    # Each picture: the list or layer that holds it, where, and what it is made of.
    drawn: list[tuple[Any, Any, Image, tuple[int, Image] | None]] = []
    for row, image in ((0, shown_target), *((rows[name], shown[name]) for name in shown)):
        other = None if base is None or row == rows[base] else (rows[base], shown[base])
        drawn.append((layers[row], "image", image, other))
    for name, weights in weight_maps.items():
        for model, values in weights.items():
            weight = np.rint(_checked_weight(values, model, target) * WEIGHT_STEPS)
            place = layers[rows[name]]["weights"], models.index(model)
            drawn.append((*place, _to_bytes(weight, WEIGHT_STEPS), None))
    # OpenCV lets other threads run.
    pictures = in_threads(lambda one: _picture(*one[2:]), drawn, n_cores())
    for (holder, place, *_), picture in zip(drawn, pictures, strict=True):
        holder[place] = picture
    return {
        "range": float(data_range),
        "channels": ["grey"] if target.ndim == 2 else ["R", "G", "B"],
        "top": _scale_end(errors),
        "models": models,
        "layers": layers,
    }


def _to_bytes(image: Image, largest: float) -> Image:
    """Clip and round to 8 bits, whose largest value stands for that of the image."""
    return np.rint(image * (255 / largest)).clip(0, 255).astype(np.uint8)


def _picture(image: Image, base: tuple[int, Image] | None = None) -> dict[str, Any]:
    """Encode 8 bits without loss, as WebP or PNG, whichever is smaller.

    The image itself is encoded, or its difference from the base, the number of a row and its
    image: what is smaller as a PNG, as WebP takes its time.
    """
    cv2 = import_optional("cv2", "Writing the images of a report")

    def encode(image: Image, suffix: str, *options: int) -> bytes:
        with lack_of_memory(cv2.error):
            image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
            is_encoded, data = cv2.imencode(suffix, image, options)
        if not is_encoded:  # without an error; and the picture of no bytes would be the smallest
            raise MemoryError(f"OpenCV has no {suffix} of an image of {sizes(image.shape)}.")
        return bytes(data)

    stored: list[tuple[Image, dict[str, int]]] = [(image, {})]
    if base is not None:
        stored.append((image - base[1], {"plus": base[0]}))
    smallest, values, plus = min(
        ((encode(values, ".png"), values, plus) for values, plus in stored),
        key=lambda one: len(one[0]),
    )
    kind = "png"
    if max(image.shape) < 1 << 14:  # WebP has no larger ones
        webp = encode(values, ".webp", cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS)
        if len(webp) < len(smallest):
            smallest, kind = webp, "webp"
    return {"type": kind, "data": base64.b64encode(smallest).decode("ascii"), **plus}


def _checked_image(values: ArrayLike, name: str, of_target: tuple[int, ...] | None = None) -> Image:
    """Return (height, width) or (height, width, 3) in double precision."""
    image = np.asarray(values, dtype=np.float64)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
        raise ValueError(
            f"{name} has shape {image.shape}, must be (height, width) or (height, width, 3)"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"{name} has NaN or infinity, must be finite")
    if of_target not in (None, image.shape):
        raise ValueError(f"{name} has shape {image.shape}, but the target {of_target}")
    return image


def _checked_weight(values: ArrayLike, model: str, target: Image) -> Image:
    """Return a weight map, whose values may miss 0 and 1 by rounding."""
    weight = np.asarray(values, dtype=np.float64)
    if weight.shape != target.shape[:2]:
        raise ValueError(
            f"a weight map of {model!r} has shape {weight.shape}, must be {target.shape[:2]}"
        )
    if not ((weight >= -1e-6) & (weight <= 1 + 1e-6)).all():
        raise ValueError(f"a weight map of {model!r} has values that are not from 0 to 1")
    return weight


def _scale_end(errors: Sequence[Image]) -> float:
    """Return a round number up to which the colours of a scene's error maps reach.

    It lies above the 99.5th percentile of the result that is the median in this respect, so that an
    input with large errors does not take the contrast from the results.
    """
    end = float(np.median([np.percentile(error, 99.5) for error in errors])) if errors else 0.0
    if end == 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(end))
    rounded = next((number for number in _ROUND if number * power >= end), _ROUND[-1])
    return float(f"{rounded * power:.2g}")
