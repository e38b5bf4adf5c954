"""What the images of an ensemble have in common, and how they are read one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skensir._checks import shown
from skensir._text import bits, sizes
from skensir.image.arrays import as_array
from skensir.image.files import Image
from skensir.image.inputs import UnfitInputError, add_input
from skensir.image.metrics import peak_of
from skensir.image.scale import FAR_BEYOND_ONE, check_scale

# What stands for the images of an argument that has fewer than the others.
_NONE_LEFT = object()

# No image has so many channels beside one that has as few pixels as an image has channels.
_MANY_CHANNELS = 32
_FEW_CHANNELS = (1, 3, 4)

# What all images have in common, and how an error says it of one.
_COMMON = {
    "n_models": "there are {} models",
    "n_channels": "there are {} channels",
    "pixel_dtype": "the pixels are {}",
}


@dataclass
class Layout:
    """What all images of an ensemble have in common; None is not known yet.

    Attributes
    ----------
    axis : int or None
        That of the channels, counted from the end; None for grey images.
    n_models : int or None
        Number of base models, without the input.
    n_channels : int or None
        Number of channels.
    pixel_dtype : dtype or None
        uint8 or uint16 where images have such values.
    like : str
        What else is so.
    """

    axis: int | None
    n_models: int | None = None
    n_channels: int | None = None
    pixel_dtype: np.dtype[Any] | None = None
    like: str = " as before"

    def check(self, prediction: Image, target: Image | None) -> None:
        """Raise an error unless an image fits to its truth and to the layout; add to that."""
        if prediction.ndim != (3 if self.axis is None else 4):
            shape = f"the predictions are {sizes(prediction.shape)}"
            if self.axis is None:
                raise ValueError(
                    f"{shape}, must be models x height x width as images are grey; those in colour "
                    "need channel_axis=-1"
                )
            raise ValueError(
                f"{shape}, must be models x height x width x channels and not grey; grey images "
                "need channel_axis=None"
            )
        if not len(prediction):
            raise ValueError(f"the predictions are {sizes(prediction.shape)}, must have a model")
        if target is not None and target.shape != prediction.shape[1:]:
            raise ValueError(
                f"each prediction is {sizes(prediction.shape[1:])}, but the target "
                f"{sizes(target.shape)}"
            )
        images = [prediction] if target is None else [prediction, target]
        dtypes = [image.dtype for image in images if image.dtype.kind == "u"]
        if len(set(dtypes)) > 1:
            raise ValueError(
                f"the predictions are {bits(dtypes[0])}, but the target is {bits(dtypes[1])}"
            )
        n_channels = self._count_channels(prediction)
        found = (len(prediction), n_channels, dtypes[0] if dtypes else None)
        for name, value in zip(_COMMON, found, strict=True):
            known = getattr(self, name)
            if known is None:
                setattr(self, name, value)
            # Floats fit to either depth; but not to both, one after the other.
            elif value is not None and value != known:
                say: Any = bits if name == "pixel_dtype" else str
                found_here = _COMMON[name].format(say(value))
                raise ValueError(f"{found_here}, must be {say(known)}{self.like}")

    def _count_channels(self, prediction: Image) -> int:
        """Return the number of channels; rows or columns of pixels are not taken for them."""
        if self.axis is None:
            return 1
        shape = prediction.shape[1:]
        n_channels = int(shape[self.axis])
        if not n_channels:
            raise ValueError(f"the predictions have shape {prediction.shape}, without a channel")
        axes = [0, 1, -1]
        axis = self.axis % 3
        other = 2 - axis  # the last for the first, and the other way round
        plainly = n_channels > _MANY_CHANNELS and shape[other] in _FEW_CHANNELS
        if plainly or (n_channels != self.n_channels and shape[other] == self.n_channels):
            raise ValueError(
                f"each prediction has shape {shape}, and channel_axis={axes[axis]} takes "
                f"{n_channels} for the number of channels; it is {shape[other]} with "
                f"channel_axis={axes[other]}"
            )
        return n_channels


def read_images(
    layout: Layout,
    predictions: Iterable[ArrayLike],
    targets: Iterable[ArrayLike] | None = None,
    inputs: Iterable[ArrayLike] | None = None,
    *,
    peak: float | None = None,
) -> Iterator[tuple[Image, Any]]:
    """Yield predictions and truth of each image, None without targets.

    With inputs these are one more model, the last one. With `peak`, about the largest value of the
    pixels, or beside whole numbers, values on another scale are an error.
    """
    n_dimensions = 3 if layout.axis is None else 4
    for name, part, n in (("predictions", predictions, 0), ("inputs", inputs, 1)):
        if getattr(part, "ndim", None) == n_dimensions - n:
            shape = tuple(getattr(part, "shape", ()))
            raise ValueError(
                f"{name} is one array of shape {shape}, must be a sequence with "
                "one array per image; put that of a single image into a list."
            )
    check_given("predictions", predictions)
    if inputs is not None:
        check_given("inputs", inputs)
    describe = getattr(predictions, "describe", "Image {}".format)
    parts = {"predictions": predictions, "targets": targets, "inputs": inputs}
    given = {name: part for name, part in parts.items() if part is not None}
    n_images = 0
    for images in zip_longest(*given.values(), fillvalue=_NONE_LEFT):
        scene: dict[str, Any] = dict(zip(given, images, strict=True))
        del images  # none is to be held on to while the next is read
        _check_all_there(scene, n_images)
        try:
            prediction = as_array(scene.pop("predictions"), "predictions")
            target = scene.pop("targets", None)
            target = None if target is None else as_array(target, "target")
            layout.check(prediction, target)
            _check_finite(prediction, "the predictions have")
            if target is not None:
                _check_finite(target, "the target has")
        except ValueError as error:
            raise ValueError(f"{describe(n_images)}: {error}.") from None
        name = describe(n_images)
        scale = peak
        if layout.pixel_dtype is not None and not (peak and peak < FAR_BEYOND_ONE):
            # Floats beside whole numbers are on their scale, whatever the images before were.
            scale = peak_of(layout.pixel_dtype)
        if scale is not None:
            check_scale(prediction, name, scale)
            if target is not None:
                check_scale(target, f"{name}: the target", scale)
        if scene:
            try:
                prediction = _with_input(prediction, scene.pop("inputs"), scale)
            except ValueError as error:
                raise UnfitInputError(name, n_images, error) from None
        yield prediction, target
        n_images += 1
    if targets is not None and not n_images:
        raise ValueError("predictions has no image, must have at least one.")


def _check_finite(image: Image, what: str) -> None:
    """Raise an error if pixels are no numbers; NaN and infinity would be silent in a table."""
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        bad = image[~np.isfinite(image)]
        raise ValueError(f"{what} {bad.size} values that are not finite, such as {bad[0]}")


def check_given(name: str, images: Iterable[ArrayLike] | None) -> None:
    """Raise an error where what is given for images is none."""
    if isinstance(images, str | bytes | Mapping) or not np.iterable(images):
        raise TypeError(f"{name} == {shown(images)}, must be a sequence with one array per image.")


def _check_all_there(scene: dict[str, Any], number: int) -> None:
    """Raise an error that names the argument which has fewer images than the others."""
    ended = [name for name, image in scene.items() if image is _NONE_LEFT]
    if ended:
        longer = next(name for name, image in scene.items() if image is not _NONE_LEFT)
        raise ValueError(f"{ended[0]} has {number} images only, {longer} has more.")
    for name, image in scene.items():
        if image is None:
            raise ValueError(f"{name} has None at {number}, must have an image.")


def _with_input(prediction: Image, image: ArrayLike, peak: float | None) -> Image:
    """Return the predictions of an image with its input as the last model."""
    image = as_array(image, "the input")
    _check_finite(image, "the input has")
    if peak is not None:
        check_scale(image, "the input", peak)
    return add_input(prediction, image)
