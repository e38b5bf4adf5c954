"""The ensembles of the paper's tables, and how they are fitted on a reference set."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor, ZZPMRegressor
from skensir.cli.common import check_scale
from skensir.image import ImageEnsemble, ReferenceSet
from skensir.image.metrics import peak_of
from skensir.image.reference_set import Scene

Image = NDArray[Any]

MAX_SAMPLES = 100_000
SHRINKAGE = 1000

# What a method is fitted on.
PIXELS = "all pixels, one regressor a channel"
SAMPLE = "values drawn from all channels, one regressor"
NOTHING = "nothing, as the weights do not depend on the truth"


class Method(NamedTuple):
    """A row of the table that is to be fitted."""

    name: str
    regressor: Any
    fitted_on: str = PIXELS


class Fitted(NamedTuple):
    """A fitted method and the seconds that it took, None where nothing is to be fitted."""

    method: Method
    ensemble: ImageEnsemble
    seconds: float | None


def make_methods(bin_width: float, n_scenes: int, *, trees: bool = True) -> list[Method]:
    """Return the methods in the order of the table.

    Parameters
    ----------
    bin_width : float
        Of EnsIR where it is not chosen by cross-validation, in the unit of the images.
    n_scenes : int
        Number of scenes of the reference set; a single one cannot be left out.
    trees : bool, default=True
        Whether the ensembles of trees are among them.

    Returns
    -------
    list of Method
        None of them fitted.
    """
    # Here, as it takes a tenth of a second, for which no other command should wait.
    from sklearn.ensemble import (
        AdaBoostRegressor,
        BaggingRegressor,
        GradientBoostingRegressor,
        HistGradientBoostingRegressor,
        RandomForestRegressor,
    )

    of_trees = [
        Method("Bagging", BaggingRegressor(random_state=0), SAMPLE),
        Method("AdaBoost", AdaBoostRegressor(random_state=0), SAMPLE),
        Method("RForest", RandomForestRegressor(n_jobs=-1, random_state=0), SAMPLE),
        Method("GBDT", GradientBoostingRegressor(random_state=0), SAMPLE),
        Method("HGBT", HistGradientBoostingRegressor(random_state=0), SAMPLE),
    ]
    squared_error = EnsIRRegressor(bin_width, objective="squared_error", shrinkage=SHRINKAGE)
    cross_validated = EnsIRRegressorCV(cv=LeaveOneGroupOut() if n_scenes > 1 else None)
    return [
        Method("Average", AverageRegressor(), NOTHING),
        Method("ZZPM", ZZPMRegressor(), NOTHING),
        *(of_trees if trees else []),
        Method("Convex", ConvexRegressor()),
        Method("EnsIR, as published", EnsIRRegressor(bin_width, **REFERENCE_PARAMS)),
        Method("EnsIR, squared error", squared_error),
        Method("EnsIR, cross-validated", cross_validated),
    ]


class Kind(NamedTuple):
    """What all scenes of a comparison have in common."""

    grey: bool
    dtype: str

    @property
    def data_range(self) -> int:
        """The largest value that a pixel can have."""
        return peak_of(self.dtype)

    @property
    def bin_width(self) -> float:
        """The paper's bin width: 32 for values from 0 to 255, as much of any other range."""
        return 32 * self.data_range / 255

    def __str__(self) -> str:
        return f"{'grey' if self.grey else 'RGB'} of {self.dtype}"


def kind_of(scene: Scene) -> Kind:
    """Return the kind of a scene, with the dtype of those of its images that are no floats."""
    images = (np.asarray(scene.target), scene.predictions)
    dtype = next((image.dtype.name for image in images if image.dtype.kind == "u"), "floats")
    return Kind(images[0].ndim == 2, dtype)


def check_kind(scenes: ReferenceSet, scene: Scene, kind: Kind) -> None:
    """Raise an error that names the scene unless it is of this kind."""
    check_scale(scene.predictions, f"Scene {scene.name!r} of {scenes.folder}")
    if kind_of(scene) != kind:
        raise ValueError(
            f"Scene {scene.name!r} of {scenes.folder} is {kind_of(scene)}, must be {kind} as the "
            "first of the reference set."
        )


def draw_sample(
    reference: ReferenceSet, kind: Kind, max_samples: int = MAX_SAMPLES, seed: int = 0
) -> tuple[Image, Image]:
    """Draw values of all scenes, as many of each channel, with one scene in memory at a time.

    Parameters
    ----------
    reference : ReferenceSet
        What to draw from.
    kind : Kind
        Of its scenes.
    max_samples : int, default=100_000
        Largest number of values, all channels together.
    seed : int, default=0
        Seed of the random numbers.

    Returns
    -------
    predictions : ndarray of shape (n_models, n_pixels, 1, n_channels)
        Like an image one pixel wide; without the last axis for grey images. The channels are drawn
        each by itself, so those of a pixel come from different places.
    target : ndarray of shape (n_pixels, 1, n_channels)
        The truth at the same places.
    """
    n_channels = 1 if kind.grey else 3
    n_pixels = max_samples // n_channels
    random = np.random.default_rng(seed)
    # Each value gets a random number; those with the lowest numbers are the sample.
    numbers = np.empty((0, n_channels))
    values = np.empty((len(reference.models) + 1, 0, n_channels), np.uint8)
    for scene in reference:
        check_kind(reference, scene, kind)
        images = np.stack([*scene.predictions, scene.target])
        images = images.reshape(len(images), -1, n_channels)
        values = np.concatenate([values, images], axis=1)
        numbers = np.concatenate([numbers, random.random(images.shape[1:])])
        if len(numbers) > n_pixels:
            lowest = np.argpartition(numbers, n_pixels, axis=0)[:n_pixels]
            numbers = np.take_along_axis(numbers, lowest, axis=0)
            values = np.take_along_axis(values, lowest[np.newaxis], axis=1)
    # Grey: the only channel becomes the width.
    values = values if kind.grey else values[:, :, np.newaxis]
    return values[:-1], values[-1]


class _Clocked:
    """Images of a reference set, and the seconds that it took to read them."""

    def __init__(self, images: Any) -> None:
        self.seconds = 0.0
        self._images = images

    def __getattr__(self, name: str) -> Any:
        # Names of scenes and models, which an ensemble asks for.
        return getattr(self._images, name)

    def __iter__(self) -> Iterator[Image]:
        for number in range(len(self._images)):
            # Without a name, for the last image to be forgotten before the next is read.
            yield self._read(number)

    def _read(self, number: int) -> Image:
        start = perf_counter()
        image = self._images[number]
        self.seconds += perf_counter() - start
        return image


def fit(
    method: Method,
    reference: ReferenceSet,
    kind: Kind,
    sample: tuple[Image, Image] | None = None,
) -> Fitted:
    """Fit a method, and measure the seconds without those of reading the files.

    Parameters
    ----------
    method : Method
        A row of the table.
    reference : ReferenceSet
        What it is fitted on.
    kind : Kind
        Of the scenes.
    sample : tuple of ndarray, default=None
        What `draw_sample` returns; used by the methods that are fitted on a sample.

    Returns
    -------
    Fitted
        The method with its ensemble.
    """
    ensemble = ImageEnsemble(
        method.regressor,
        per_channel=method.fitted_on == PIXELS,
        channel_axis=None if kind.grey else -1,
    )
    # One scene is enough to learn the number of models and channels.
    scenes = reference[:1] if method.fitted_on == NOTHING else reference
    predictions, targets = _Clocked(scenes.predictions), _Clocked(scenes.targets)
    start = perf_counter()
    if method.fitted_on == SAMPLE and sample is not None:
        ensemble.fit(*([images] for images in sample))
    else:
        ensemble.fit(predictions, targets)
    for regressor in ensemble.regressors_:
        getattr(regressor, "weights_", None)  # tables are solved when they are asked for
    seconds = perf_counter() - start - predictions.seconds - targets.seconds
    return Fitted(method, ensemble, None if method.fitted_on == NOTHING else seconds)
