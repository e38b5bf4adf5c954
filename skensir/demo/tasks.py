"""The tasks of the demo: how photographs are degraded, and what restores them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skensir._checks import check_option, check_whole
from skensir.demo import deblurring, deraining, super_resolution
from skensir.demo.photographs import FITTING, TESTING, crop_centre, load_photograph, to_8_bits
from skensir.image import write_image
from skensir.image.files import Image
from skensir.image.progress import progress

LARGEST_SIDE = 320  # height and width of a photograph at most, pixels
SMALLEST_SIDE = 16  # of which networks and filters make something


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
        super_resolution.NOTE,
    ),
    "deblurring": Task(deblurring.degrade, deblurring.RESTORERS, "rgb", 0, deblurring.NOTE),
    "deraining": Task(deraining.degrade, deraining.RESTORERS, "luma", 0, deraining.NOTE),
}


@dataclass(frozen=True)
class RestoredPhotograph:
    """A photograph, its degraded version and what the base models make of that, all 8-bit.

    Attributes
    ----------
    name : str
        Of the photograph.
    truth : ndarray of shape (height, width, 3)
        The photograph.
    degraded : ndarray of shape (height, width, 3)
        The input of the base models; smaller than the photograph in super-resolution.
    predictions : ndarray of shape (n_models, height, width, 3)
        In the order of the task's `restorers`.
    seconds : tuple of float
        What each base model took.
    """

    name: str
    truth: Image
    degraded: Image
    predictions: Image
    seconds: tuple[float, ...]


def restore_photograph(
    name: str, *, seed: int, side: int = LARGEST_SIDE, task: str = "deblurring"
) -> RestoredPhotograph:
    """Load a photograph, degrade it and restore it with every base model.

    Parameters
    ----------
    name : str
        Of `FITTING` or `TESTING`.
    seed : int
        Seed of noise and rain; it should differ between photographs.
    side : int, default=320
        Largest height and width, in pixels. The centre is kept.
    task : str, default="deblurring"
        A key of `TASKS`.

    Returns
    -------
    RestoredPhotograph
        The photograph with all that was made of it.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range; the message names it.
    """
    check_option(name, "name", (*FITTING, *TESTING))
    check_option(task, "task", TASKS)
    check_whole(seed, "seed", maximum=2**32 - 1)
    check_whole(side, "side", SMALLEST_SIDE, 2**32 - 1)
    truth = crop_centre(load_photograph(name), side)
    # A smaller version has whole pixels.
    height, width = (size // super_resolution.SCALE for size in truth.shape[:2])
    truth = truth[: height * super_resolution.SCALE, : width * super_resolution.SCALE]
    degraded = TASKS[task].degrade(truth, seed)
    predictions, seconds = [], []
    for restorer in TASKS[task].restorers.values():
        start = time.perf_counter()
        predictions.append(to_8_bits(255 * restorer(degraded / 255)))
        seconds.append(time.perf_counter() - start)
    return RestoredPhotograph(name, truth, degraded, np.stack(predictions), tuple(seconds))


def make_sets(task: str, folder: Path, side: int = LARGEST_SIDE) -> dict[str, float]:
    """Degrade and restore the photographs and write a reference set and a test set.

    Parameters
    ----------
    task : str
        A key of `TASKS`.
    folder : Path
        A folder; its sub-folders `reference` and `test` are made, with the degraded photographs
        in `lq` and the truth in `gt`.
    side : int, default=320
        Largest height and width of the photographs, in pixels. The centre is kept.

    Returns
    -------
    dict of str to float
        Seconds per photograph that each base model took, mean over the test set.
    """
    models = tuple(TASKS[task].restorers)
    seconds = []
    # The seeds go on, so that no two photographs have the same noise.
    for seed, name in enumerate(progress((*FITTING, *TESTING), f"Restoring, {task}")):
        restored = restore_photograph(name, seed=seed, side=side, task=task)
        images = {"gt": restored.truth, "lq": restored.degraded}
        images.update(zip(models, restored.predictions, strict=True))
        for sub_folder, image in images.items():
            part = folder / ("reference" if name in FITTING else "test") / sub_folder
            part.mkdir(parents=True, exist_ok=True)
            write_image(part / f"{name}.png", image)
        if name in TESTING:
            seconds.append(restored.seconds)
    return dict(zip(models, np.mean(seconds, axis=0).tolist(), strict=True))
