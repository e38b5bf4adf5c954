"""Base models and ensembles side by side, measured on scenes that were not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import Any, TypeAlias, TypedDict

import numpy as np

from skensir.comparison.ensembles import (
    NOTHING,
    WITH_INPUT,
    Fitted,
    Method,
    draw_sample,
    fit,
    make_methods,
)
from skensir.comparison.text import ORACLE, Row, explain_methods, explain_numbers
from skensir.image import ReferenceSet, peak_signal_noise_ratio, structural_similarity
from skensir.image.files import Image
from skensir.image.inputs import INPUT_MODEL
from skensir.image.pixel_format import PixelFormat, check_pixel_format, pixel_format_of
from skensir.image.progress import progress
from skensir.image.reference_set import Scene

INPUT = "Input"


# The name of a row, an image, and the seconds that it took; None where nobody knows.
Made: TypeAlias = tuple[str, Image, float | None]

# What was measured of each scene, by its name: by the row's name, "psnr" and "ssim".
Scores: TypeAlias = dict[str, dict[str, dict[str, float]]]


class ComparedScene(TypedDict):
    """A test scene with the images of all rows of the table."""

    name: str
    target: Image  # the truth: (height, width) or (height, width, n_channels), 1 or 3 channels
    images: dict[str, Image]  # by the name of the row: like the target, not rounded nor clipped
    # By the names of the row and of the model: (height, width), 0 to 1, mean over the channels.
    weight_maps: dict[str, dict[str, Image]]
    scores: dict[str, dict[str, float]]  # by the name of the row: "psnr" in dB, and "ssim"
    data_range: float  # the largest value that a pixel can have, such as 255 or 65535


@dataclass(frozen=True)
class Comparison:
    """What came out, and all that is needed to look at single scenes."""

    rows: list[Row]  # in the order of the table
    scores: Scores
    measured: str  # a paragraph on what the numbers are
    methods: str  # paragraphs on the rows, the same for all images
    test: ReferenceSet
    fitted: list[Fitted]
    convention: dict[str, Any]  # of PSNR and SSIM: channel, crop_border and data_range
    with_input: bool  # whether the inputs of the test set are measured too

    @property
    def notes(self) -> str:
        """How the numbers were measured, in paragraphs."""
        return f"{self.measured}\n\n{self.methods}"

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return [row._asdict() for row in self.rows]

    def scenes(self) -> Iterator[ComparedScene]:
        """Yield the test scenes with the images of all rows, one scene in memory at a time."""
        for scene in self.test:
            degraded = read_input(self.test, scene) if self.with_input else None
            images = chain(
                given(self.test.models, scene, degraded), combine(self.fitted, scene, degraded)
            )
            yield {
                "name": scene.name,
                "target": np.asarray(scene.target),
                "images": {name: image for name, image, _ in images},
                "weight_maps": weight_maps(self.fitted, self.test.models, scene, degraded),
                "scores": self.scores[scene.name],
                "data_range": self.convention["data_range"],
            }


def oracle(scene: Scene) -> Image:
    """Return the best convex combinations: in each value what comes closest to the truth."""
    lowest, highest = scene.predictions.min(axis=0), scene.predictions.max(axis=0)
    return np.asarray(scene.target).clip(lowest, highest)


def given(models: Sequence[str], scene: Scene, degraded: Image | None) -> Iterator[Made]:
    """Yield what is there before any ensemble: the input, if there is one, and the base models."""
    if degraded is not None:
        yield INPUT, degraded, None
    for model, image in zip(models, scene.predictions, strict=True):
        yield model, image, None


def combine(fitted: Sequence[Fitted], scene: Scene, degraded: Image | None) -> Iterator[Made]:
    """Yield what the methods make of a scene, and at last the oracle."""
    for method, ensemble, _ in fitted:
        inputs = [degraded] if method.include_input and degraded is not None else None
        start = perf_counter()
        [image] = ensemble.predict([scene.predictions], inputs)
        yield method.name, image, perf_counter() - start
    yield ORACLE, oracle(scene), None


def weight_maps(
    fitted: Sequence[Fitted], models: Sequence[str], scene: Scene, degraded: Image | None
) -> dict[str, dict[str, Image]]:
    """Return where which model counts, for each method whose weights depend on the pixel."""
    maps = {}
    for method, ensemble, _ in fitted:
        if method.fitted_on != NOTHING and hasattr(ensemble, "predict_weights"):
            inputs = [degraded] if method.include_input and degraded is not None else None
            [weights] = ensemble.predict_weights([scene.predictions], inputs)
            weights = weights.reshape(*weights.shape[:3], -1).mean(axis=-1)
            names = (*models, INPUT_MODEL) if method.include_input else models
            maps[method.name] = dict(zip(names, weights, strict=True))
    return maps


def read_input(scenes: ReferenceSet, scene: Scene) -> Image:
    """Return the input of a scene."""
    [image] = scenes.subset([scene.name]).inputs
    return image


def measure(
    scenes: ReferenceSet,
    pixel_format: PixelFormat,
    images_of: Callable[[Scene], Iterator[Made]],
    label: str,
    convention: dict[str, Any],
    scores: Scores,
) -> list[Row]:
    """Compare the images of each scene with the truth; return the means over the scenes.

    What each scene has goes to `scores`.
    """
    seconds: dict[str, list[float | None]] = {}
    for scene in progress(scenes, label):
        check_pixel_format(scenes, scene, pixel_format)
        target = np.asarray(scene.target)
        for name, image, duration in images_of(scene):
            seconds.setdefault(name, []).append(duration)
            scores.setdefault(scene.name, {})[name] = {
                "psnr": peak_signal_noise_ratio(target, image, **convention),
                "ssim": structural_similarity(target, image, **convention),
            }
    return [_mean_row(name, scores, durations) for name, durations in seconds.items()]


def _mean_row(name: str, scores: Scores, seconds: Sequence[float | None]) -> Row:
    """Return the means over the scenes of what was measured."""
    of_scenes = [of_rows[name] for of_rows in scores.values()]
    psnr, ssim = (float(np.mean([scene[key] for scene in of_scenes])) for key in ("psnr", "ssim"))
    times = [duration for duration in seconds if duration is not None]
    return Row(name, psnr, ssim, None, float(np.mean(times)) if times else None)


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
    data_range, width = pixel_format.data_range, "auto" if bin_width is None else bin_width
    convention = {"channel": channel, "crop_border": crop_border, "data_range": data_range}
    no_input, no_row = _why_without_input(reference, test)
    methods = make_methods(width, data_range, len(reference), trees=trees, with_input=not no_row)
    _check_names(reference, test, methods)

    def given_images(scene: Scene) -> Iterator[Made]:
        return given(test.models, scene, None if no_input else read_input(test, scene))

    def combined_images(scene: Scene) -> Iterator[Made]:
        return combine(fitted, scene, None if no_row else read_input(test, scene))

    # Before the long work, as it finds out what is wrong with the test set.
    scores: Scores = {}
    rows = measure(test, pixel_format, given_images, "Measuring", convention, scores)
    sample = draw_sample(reference, pixel_format) if trees else None
    fitted = [fit(m, reference, pixel_format, sample) for m in progress(methods, "Fitting")]
    rows += measure(test, pixel_format, combined_images, "Combining", convention, scores)
    seconds = {method.name: of_fit for method, _, of_fit in fitted}
    rows = [row._replace(seconds_fit=seconds.get(row.name)) for row in rows]
    measured = explain_numbers(reference, test, convention)
    if test.has_inputs and no_row:
        measured += f" {INPUT if no_input else WITH_INPUT} is left out, as {no_row}."
    explained = measured, explain_methods(fitted, len(reference))
    return Comparison(rows, scores, *explained, test, fitted, convention, no_input is None)


def _why_without_input(
    reference: ReferenceSet, test: ReferenceSet
) -> tuple[str | None, str | None]:
    """Say why the input is not measured, and why it is no model; None where it is."""
    if test.has_inputs:
        _ = test.inputs  # raises an error if one is missing
    no_input = test.why_without_input()
    return no_input, no_input or reference.why_without_input()


def _check_names(reference: ReferenceSet, test: ReferenceSet, methods: Sequence[Method]) -> None:
    """Raise an error if a base model has the name of another row of the table."""
    with_input = [INPUT_MODEL for method in methods if method.include_input]
    for name in (INPUT, ORACLE, *with_input, *(method.name for method in methods)):
        if name in test.models:
            raise ValueError(
                f"A base model has the name {name!r} of another row of the table; rename "
                f"{reference.folder / name} and {test.folder / name}."
            )
