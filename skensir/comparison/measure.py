"""Base models and ensembles side by side, measured on scenes that were not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from time import perf_counter
from typing import Any, TypedDict

import numpy as np

from skensir.comparison.ensembles import NOTHING, Fitted, draw_sample, fit, make_methods
from skensir.comparison.text import ORACLE, Row, explain_methods, explain_numbers
from skensir.image import ReferenceSet, peak_signal_noise_ratio, structural_similarity
from skensir.image.files import Image
from skensir.image.pixel_format import PixelFormat, check_pixel_format, pixel_format_of
from skensir.image.progress import progress
from skensir.image.reference_set import Images, Scene

INPUT = "Input"
INPUT_FOLDER = "lq"


class ComparedScene(TypedDict):
    """A test scene with the images of all rows of the table."""

    name: str
    target: Image  # the truth: (height, width) or (height, width, n_channels), 1 or 3 channels
    images: dict[str, Image]  # by the name of the row: like the target, not rounded nor clipped
    # By the names of the row and of the model: (height, width), 0 to 1, mean over the channels.
    weight_maps: dict[str, dict[str, Image]]
    data_range: float  # the largest value that a pixel can have, such as 255 or 65535


@dataclass(frozen=True)
class Comparison:
    """What came out, and all that is needed to look at single scenes."""

    rows: list[Row]  # in the order of the table
    measured: str  # a paragraph on what the numbers are
    methods: str  # paragraphs on the rows, the same for all images
    test: ReferenceSet
    fitted: list[Fitted]
    convention: dict[str, Any]  # of PSNR and SSIM: channel, crop_border and data_range

    @property
    def notes(self) -> str:
        """How the numbers were measured, in paragraphs."""
        return f"{self.measured}\n\n{self.methods}"

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return [row._asdict() for row in self.rows]

    def scenes(self) -> Iterator[ComparedScene]:
        """Yield the test scenes with the images of all rows, one scene in memory at a time."""
        given = GivenImages(self.test)
        for scene in self.test:
            images = chain(given(scene), combine(self.fitted, scene))
            yield {
                "name": scene.name,
                "target": np.asarray(scene.target),
                "images": {name: image for name, image, _ in images},
                "weight_maps": weight_maps(self.fitted, scene, self.test.models),
                "data_range": self.convention["data_range"],
            }


def oracle(scene: Scene) -> Image:
    """Return the best convex combinations: in each value what comes closest to the truth."""
    lowest, highest = scene.predictions.min(axis=0), scene.predictions.max(axis=0)
    return np.asarray(scene.target).clip(lowest, highest)


class GivenImages:
    """The images of a scene that are there before any ensemble: the input, the base models.

    Inputs are given if there is a sub-folder of them and the first has the size and depth of the
    truth.
    """

    def __init__(self, scenes: ReferenceSet) -> None:
        self.models = scenes.models
        self.folder = scenes.folder / INPUT_FOLDER
        self.inputs: Images | None = None
        if self.folder.is_dir():
            inputs = ReferenceSet(scenes.folder, [INPUT_FOLDER], scenes.target).predictions
            if self._input(inputs, scenes[0]) is not None:
                self.inputs = inputs

    @staticmethod
    def _input(inputs: Images, scene: Scene) -> Image | None:
        """Return the input of a scene, None if it cannot be compared with the truth."""
        target = np.asarray(scene.target)
        [image] = inputs[inputs.names.index(scene.name)]
        # The truth may have been cut to the part that all images have in common.
        image = image[: target.shape[0], : target.shape[1]]
        return image if (image.shape, image.dtype) == (target.shape, target.dtype) else None

    def __call__(self, scene: Scene) -> Iterator[tuple[str, Image, None]]:
        """Yield names and images; the None stands for the seconds, which nobody knows."""
        if self.inputs is not None:
            image = self._input(self.inputs, scene)
            if image is None:
                raise ValueError(
                    f"The image of scene {scene.name!r} in {self.folder} has not the size or depth "
                    "of the truth, unlike the first."
                )
            yield INPUT, image, None
        for model, image in zip(self.models, scene.predictions, strict=True):
            yield model, image, None


def combine(fitted: Sequence[Fitted], scene: Scene) -> Iterator[tuple[str, Image, float | None]]:
    """Yield names, the images that the methods make, and the seconds; at last the oracle."""
    for method, ensemble, _ in fitted:
        start = perf_counter()
        [image] = ensemble.predict([scene.predictions])
        yield method.name, image, perf_counter() - start
    yield ORACLE, oracle(scene), None


def weight_maps(
    fitted: Sequence[Fitted], scene: Scene, models: Sequence[str]
) -> dict[str, dict[str, Image]]:
    """Return where which model counts, for each method whose weights depend on the pixel."""
    maps = {}
    for method, ensemble, _ in fitted:
        if method.fitted_on != NOTHING and hasattr(ensemble, "predict_weights"):
            [weights] = ensemble.predict_weights([scene.predictions])
            weights = weights.reshape(*weights.shape[:3], -1).mean(axis=-1)
            maps[method.name] = dict(zip(models, weights, strict=True))
    return maps


def measure(
    scenes: ReferenceSet,
    pixel_format: PixelFormat,
    images_of: Callable[[Scene], Iterator[tuple[str, Image, float | None]]],
    label: str,
    convention: dict[str, Any],
) -> list[Row]:
    """Compare the images of each scene with the truth; return the means over the scenes."""
    scores: dict[str, list[tuple[float, float, float | None]]] = {}
    for scene in progress(scenes, label):
        check_pixel_format(scenes, scene, pixel_format)
        target = np.asarray(scene.target)
        for name, image, seconds in images_of(scene):
            psnr = peak_signal_noise_ratio(target, image, **convention)
            ssim = structural_similarity(target, image, **convention)
            scores.setdefault(name, []).append((psnr, ssim, seconds))
    rows = []
    for name, of_scenes in scores.items():
        psnr, ssim = np.mean([of_scene[:2] for of_scene in of_scenes], axis=0).tolist()
        times = [seconds for _, _, seconds in of_scenes if seconds is not None]
        rows.append(Row(name, psnr, ssim, None, float(np.mean(times)) if times else None))
    return rows


def compare_sets(
    reference: ReferenceSet,
    test: ReferenceSet,
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    bin_width: float | None = None,
    trees: bool = True,
) -> Comparison:
    """Fit ensembles on one reference set and measure them, and base models, on another.

    Parameters
    ----------
    reference : ReferenceSet
        What the ensembles are fitted on.
    test : ReferenceSet
        What is measured on; of the same base models.
    channel : {"rgb", "luma"}, default="rgb"
        What PSNR and SSIM compare.
    crop_border : int, default=0
        Border that they leave out, in pixels.
    bin_width : float, default=None
        Of EnsIR where it is not chosen by cross-validation. None is 32 for values from 0 to 255,
        and as much of the range for 16 bits.
    trees : bool, default=True
        Whether the ensembles of trees are among the rivals.

    Returns
    -------
    Comparison
        The rows of the table, and what they come from.
    """
    pixel_format = pixel_format_of(reference[0])
    data_range = pixel_format.data_range
    width = "auto" if bin_width is None else bin_width
    convention = {"channel": channel, "crop_border": crop_border, "data_range": data_range}
    methods = make_methods(width, data_range, len(reference), trees=trees)
    for name in (INPUT, ORACLE, *(method.name for method in methods)):
        if name in test.models:
            raise ValueError(
                f"A base model has the name {name!r} of another row of the table; rename "
                f"{reference.folder / name} and {test.folder / name}."
            )
    # Before the long work, as it finds out what is wrong with the test set.
    given = GivenImages(test)
    rows = measure(test, pixel_format, given, "Measuring", convention)

    sample = draw_sample(reference, pixel_format) if trees else None
    bar = progress(methods, "Fitting")
    fitted = [fit(method, reference, pixel_format, sample) for method in bar]

    rows += measure(test, pixel_format, partial(combine, fitted), "Combining", convention)
    seconds_fit = {method.name: seconds for method, _, seconds in fitted}
    rows = [row._replace(seconds_fit=seconds_fit.get(row.name)) for row in rows]
    measured = explain_numbers(reference, test, convention)
    if (test.folder / INPUT_FOLDER).is_dir() and given.inputs is None:
        measured += f" {INPUT} is left out, as its images have not the size or depth of the truth."
    how = explain_methods(fitted, len(reference))
    return Comparison(rows, measured, how, test, fitted, convention)
