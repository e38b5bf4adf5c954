"""The degraded input as one more base model, and what it has to be like for that."""

from __future__ import annotations

import numpy as np

from skensir._text import bits, sizes
from skensir.image.files import Image

# What the input is called among the base models.
INPUT_MODEL = "input"


class UnfitInputError(ValueError):
    """An input that cannot be one more model: `number` is that of its image, `reason` a clause."""

    def __init__(self, name: str, number: int, error: ValueError) -> None:
        sentence = str(error).rstrip(".")
        super().__init__(f"{name}: {sentence}.")
        self.number, self.reason = number, sentence.partition(";")[0]


def find_mismatch(image: Image, prediction: Image) -> str | None:
    """Say in what an input differs from the prediction of a base model, None if in nothing.

    Floats fit to whole numbers of either depth, as they do everywhere.
    """
    if image.shape != prediction.shape:
        return f"the input is {sizes(image.shape)}, but each prediction {sizes(prediction.shape)}"
    depths = {part.dtype for part in (image, prediction) if part.dtype.kind == "u"}
    if len(depths) > 1:
        return f"the input is {bits(image.dtype)}, but the predictions are {bits(prediction.dtype)}"
    return None


def add_input(predictions: Image, image: Image) -> Image:
    """Return the predictions of a scene with its input as the last model, or say what is wrong."""
    mismatch = find_mismatch(image, predictions[0])
    if mismatch is not None:
        raise ValueError(
            f"{mismatch}; give it their size and depth, or fit with include_input=False"
        )
    return np.concatenate([predictions, image[np.newaxis]])
