"""The ensembles that are compared, those of the paper's tables, and how they are fitted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir.baselines import AverageRegressor, ConvexRegressor, ZZPMRegressor
from skensir.image import ImageEnsemble, ReferenceSet
from skensir.image.files import Image
from skensir.image.pixel_format import PixelFormat, check_pixel_format
from skensir.image.reference_set import Images
from skensir.image.search import search_for_images

MAX_SAMPLES = 100_000
SHRINKAGE = 1000
CROSS_VALIDATED = "EnsIR, cross-validated"
WITH_INPUT = "EnsIR, with the input"

# What a method is fitted on.
PIXELS = "all pixels, one regressor per channel"
SAMPLE = "values drawn from all channels, one regressor"
NOTHING = "nothing, as the weights do not depend on the truth"


class Method(NamedTuple):
    """A row of the table that is to be fitted."""

    name: str
    regressor: BaseEstimator
    fitted_on: str = PIXELS
    include_input: bool = False  # as one more base model


class Fitted(NamedTuple):
    """A fitted method and the seconds that it took, None where nothing is to be fitted."""

    method: Method
    ensemble: ImageEnsemble
    seconds: float | None


def make_methods(
    bin_width: float | str,
    data_range: float,
    n_scenes: int,
    *,
    trees: bool = True,
    with_input: bool = False,
) -> list[Method]:
    """Return the methods in the order of the table, none of them fitted.

    The bin width is that of EnsIR where it is not chosen by cross-validation. `with_input` adds a
    row that has the input for one more base model, which no rival gets.
    """
    # Here, as it takes a tenth of a second, for which no other command should wait.
    from sklearn import ensemble

    of_trees = [
        Method("Bagging", ensemble.BaggingRegressor(random_state=0), SAMPLE),
        Method("AdaBoost", ensemble.AdaBoostRegressor(random_state=0), SAMPLE),
        Method("RForest", ensemble.RandomForestRegressor(n_jobs=-1, random_state=0), SAMPLE),
        Method("GBDT", ensemble.GradientBoostingRegressor(random_state=0), SAMPLE),
        Method("HGBT", ensemble.HistGradientBoostingRegressor(random_state=0), SAMPLE),
    ]
    published = EnsIRRegressor(bin_width, data_range=data_range, **REFERENCE_PARAMS)
    squared_error = EnsIRRegressor(
        bin_width, objective="squared_error", shrinkage=SHRINKAGE, data_range=data_range
    )
    cross_validated = search_for_images(n_scenes, data_range)
    return [
        Method("Average", AverageRegressor(), NOTHING),
        Method("ZZPM", ZZPMRegressor(data_range=data_range), NOTHING),
        *(of_trees if trees else []),
        Method("Convex", ConvexRegressor()),
        Method("EnsIR, as published", published),
        Method("EnsIR, squared error", squared_error),
        Method(CROSS_VALIDATED, cross_validated),
        *([Method(WITH_INPUT, cross_validated, include_input=True)] if with_input else []),
    ]


def draw_sample(
    reference: ReferenceSet,
    pixel_format: PixelFormat,
    max_samples: int = MAX_SAMPLES,
    seed: int = 0,
) -> tuple[Image, Image]:
    """Draw values of all scenes, as many of each channel, with one scene in memory at a time.

    There are at most `max_samples` of them, all channels together.

    Returns
    -------
    predictions : ndarray of shape (n_models, n_pixels, 1, n_channels)
        Like an image one pixel wide; without the last axis for grey images. The channels are drawn
        each by itself, so those of a pixel come from different places.
    target : ndarray of shape (n_pixels, 1, n_channels)
        The truth at the same places.
    """
    n_channels = 1 if pixel_format.grey else 3
    n_pixels = max_samples // n_channels
    random = np.random.default_rng(seed)
    # Each value gets a random number; those with the lowest numbers are the sample.
    numbers = np.empty((0, n_channels))
    values = np.empty((len(reference.models) + 1, 0, n_channels), np.uint8)
    for scene in reference:
        check_pixel_format(reference, scene, pixel_format)
        images = np.stack([*scene.predictions, np.asarray(scene.target)])
        images = images.reshape(len(images), -1, n_channels)
        values = np.concatenate([values, images], axis=1)
        numbers = np.concatenate([numbers, random.random(images.shape[1:])])
        if len(numbers) > n_pixels:
            lowest = np.argpartition(numbers, n_pixels, axis=0)[:n_pixels]
            numbers = np.take_along_axis(numbers, lowest, axis=0)
            values = np.take_along_axis(values, lowest[np.newaxis], axis=1)
    # Grey: the only channel becomes the width.
    values = values if pixel_format.grey else values[:, :, np.newaxis]
    return values[:-1], values[-1]


def _timed(seconds: list[float], images: Images) -> Iterator[Image]:
    """Yield the images, and note how long it takes until each is there."""
    start = perf_counter()
    for image in images:
        seconds.append(perf_counter() - start)
        yield image
        del image  # before the next is read
        start = perf_counter()


def fit(
    method: Method,
    reference: ReferenceSet,
    pixel_format: PixelFormat,
    sample: tuple[Image, Image] | None = None,
) -> Fitted:
    """Fit a method, and measure the seconds without those of reading the files.

    `sample` is what `draw_sample` returns, for the methods that are fitted on a sample.
    """
    ensemble = ImageEnsemble(
        method.regressor,
        per_channel=method.fitted_on == PIXELS,
        channel_axis=None if pixel_format.grey else -1,
        include_input=method.include_input,
    )
    # One scene is enough to learn the number of models and channels.
    scenes = reference[:1] if method.fitted_on == NOTHING else reference
    of_reading: list[float] = []
    timed = partial(_timed, of_reading)
    start = perf_counter()
    if method.fitted_on == SAMPLE and sample is not None:
        ensemble.fit(*([images] for images in sample))
    else:
        inputs = scenes.inputs.through(timed) if method.include_input else None
        ensemble.fit(scenes.predictions.through(timed), scenes.targets.through(timed), inputs)
    for regressor in ensemble.regressors_:
        getattr(regressor, "weights_", None)  # tables are solved when they are asked for
    seconds = perf_counter() - start - sum(of_reading)
    return Fitted(method, ensemble, None if method.fitted_on == NOTHING else seconds)
