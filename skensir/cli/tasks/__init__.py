"""The tasks of the demo: how photographs are degraded, and what restores them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skensir.cli.common import progress
from skensir.cli.tasks import deblurring, deraining, super_resolution
from skensir.cli.tasks.photographs import (
    FITTING,
    TESTING,
    Image,
    crop_centre,
    load_photograph,
    to_8_bits,
)
from skensir.image import write_image

SIDE = 320  # largest height and width of a photograph, pixels


@dataclass(frozen=True)
class Task:
    """A task with its base models and the field's convention of measuring.

    Attributes
    ----------
    degrade : callable
        Makes the 8-bit input of an 8-bit photograph; its second argument is a seed.
    restorers : mapping of str to callable
        The base models. They take and return images of values from 0 to 1.
    channel : {"rgb", "luma"}
        What PSNR and SSIM compare.
    crop_border : int
        Border that they leave out, pixels.
    note : str
        What was done to the photographs.
    """

    degrade: Callable[[Image, int], Image]
    restorers: Mapping[str, Callable[[Image], Image]]
    channel: str
    crop_border: int
    note: str


TASKS = {
    "super-resolution": Task(
        super_resolution.degrade,
        super_resolution.RESTORERS,
        "luma",
        super_resolution.SCALE,
        f"made smaller by {super_resolution.SCALE} in height and width, bicubic",
    ),
    "deblurring": Task(
        deblurring.degrade,
        deblurring.RESTORERS,
        "rgb",
        0,
        f"blurred by a Gaussian of standard deviation {deblurring.BLUR:g} pixels, with Gaussian "
        f"noise of standard deviation {deblurring.NOISE:g}",
    ),
    "deraining": Task(
        deraining.degrade,
        deraining.RESTORERS,
        "luma",
        0,
        f"under streaks of rain {deraining.LENGTH} pixels long, slanted by up to "
        f"{deraining.SLANT:g} degrees",
    ),
}


def make_sets(name: str, folder: Path, side: int = SIDE) -> dict[str, float]:
    """Degrade and restore the photographs and write a reference set and a test set.

    Parameters
    ----------
    name : str
        Of the task.
    folder : Path
        A folder; its sub-folders `reference` and `test` are made, with the degraded photographs
        in `lq` and the truth in `gt`.
    side : int, default=320
        Largest height and width of the photographs, in pixels. The centre is kept.

    Returns
    -------
    dict of str to float
        Seconds a photograph that each base model took, mean over the test set.
    """
    task = TASKS[name]
    seconds: dict[str, list[float]] = {model: [] for model in task.restorers}
    # The seeds go on, so that no two photographs have the same noise.
    for seed, photograph in enumerate(progress((*FITTING, *TESTING), f"Restoring, {name}")):
        part = folder / ("reference" if photograph in FITTING else "test")
        truth = crop_centre(load_photograph(photograph), side)
        # Super-resolution needs whole pixels.
        truth = truth[
            tuple(slice(size - size % super_resolution.SCALE) for size in truth.shape[:2])
        ]
        degraded = task.degrade(truth, seed)
        images = {"gt": truth, "lq": degraded}
        for model, restorer in task.restorers.items():
            start = time.perf_counter()
            images[model] = to_8_bits(255 * restorer(degraded / 255))
            if photograph in TESTING:
                seconds[model].append(time.perf_counter() - start)
        for sub_folder, image in images.items():
            (part / sub_folder).mkdir(parents=True, exist_ok=True)
            write_image(part / sub_folder / f"{photograph}.png", image)
    return {model: float(np.mean(of_model)) for model, of_model in seconds.items()}
