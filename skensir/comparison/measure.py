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
from skensir.comparison.scores import score
from skensir.comparison.tables import ORACLE, SECONDS, Row, Scores, mean_numbers
from skensir.comparison.text import explain_methods, explain_numbers
from skensir.image import ReferenceSet
from skensir.image.files import Image
from skensir.image.inputs import INPUT_MODEL
from skensir.image.perceptual import Perceptual
from skensir.image.pixel_format import PixelFormat, check_pixel_format, pixel_format_of
from skensir.image.progress import progress
from skensir.image.reference_set import Scene

INPUT = "Input"


# The name of a row, an image, and the seconds that it took; None where nobody knows.
Made: TypeAlias = tuple[str, Image, float | None]


class ComparedScene(TypedDict):
    """A test scene with the images of all rows of the table."""

    name: str
    target: Image  # the truth: (height, width) or (height, width, n_channels), 1 or 3 channels
    images: dict[str, Image]  # by the name of the row: like the target, not rounded nor clipped
    # By the names of the row and of the model: (height, width), 0 to 1, mean over the channels.
    weight_maps: dict[str, dict[str, Image]]
    scores: dict[str, dict[str, float]]  # by the name of the row: "psnr" in dB, "ssim" and the like
    data_range: float  # the largest value that a pixel can have, such as 255 or 65535


@dataclass(frozen=True)
class Comparison:
    """What came out, and all that is needed to look at single scenes."""

    rows: list[Row]  # in the order of the table
    scores: Scores
    reference: ReferenceSet
    test: ReferenceSet
    fitted: list[Fitted]  # those that were measured on this test set
    convention: dict[str, Any]  # of PSNR and SSIM: channel, crop_border and data_range
    perceptual: tuple[str, ...]  # keys of further measures
    no_input: str | None  # why the inputs of the test set are not measured, None where they are
    no_row: str | None  # why they are no model

    @property
    def with_input(self) -> bool:
        """Whether the inputs of the test set are measured too."""
        return self.no_input is None

    @property
    def methods(self) -> str:
        """Paragraphs on the rows, the same for all images."""
        return explain_methods(self.fitted, len(self.reference))

    @property
    def notes(self) -> str:
        """How the numbers were measured, in paragraphs."""
        return explain_each([self])

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return as_dicts(self.rows)

    def scenes(self, names: Sequence[str] | None = None) -> Iterator[ComparedScene]:
        """Yield test scenes with the images of all rows, one scene in memory at a time.

        They are those of the names, in this order, or all.
        """
        for scene in self.test if names is None else self.test.subset(names):
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


def as_dicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as dictionaries, without the measures that none of them has."""
    always = ("name", "psnr", "ssim", *SECONDS)
    keys = [k for k in Row._fields if k in always or any(getattr(r, k) is not None for r in rows)]
    return [{key: getattr(row, key) for key in keys} for row in rows]


def measure(
    scenes: ReferenceSet,
    pixel_format: PixelFormat,
    images_of: Callable[[Scene], Iterator[Made]],
    label: str,
    convention: dict[str, Any],
    scores: Scores,
    perceptual: Perceptual | None = None,
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
            of_scene = scores.setdefault(scene.name, {})
            of_scene[name] = score(target, image, convention, perceptual)
    return [_mean_row(name, scores, durations) for name, durations in seconds.items()]


def _mean_row(name: str, scores: Scores, seconds: Sequence[float | None]) -> Row:
    """Return the means over the scenes of what was measured."""
    times = [duration for duration in seconds if duration is not None]
    of_image = float(np.mean(times)) if times else None
    return Row(name, seconds_image=of_image, **mean_numbers(scores, name))


def compare_sets(reference: ReferenceSet, test: ReferenceSet, **options: Any) -> Comparison:
    """Fit ensembles on one reference set and measure them, and base models, on another.

    Parameters
    ----------
    reference : ReferenceSet
        What the ensembles are fitted on.
    test : ReferenceSet
        What is measured on; of the same base models.
    **options
        Those of `compare_with_each`.

    Returns
    -------
    Comparison
        The rows of the table, and what they come from.
    """
    [comparison] = compare_with_each(reference, [test], **options)
    return comparison


def compare_with_each(
    reference: ReferenceSet,
    tests: Sequence[ReferenceSet],
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    bin_width: float | None = None,
    trees: bool = True,
    perceptual: Perceptual | None = None,
) -> list[Comparison]:
    """Fit ensembles once, and measure them, and base models, on several test sets.

    Parameters
    ----------
    reference : ReferenceSet
        What the ensembles are fitted on.
    tests : sequence of ReferenceSet
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
    perceptual : dict, default=None
        Further measures, as `skensir.image.perceptual.load_perceptual` gives them. None is for
        none.

    Returns
    -------
    list of Comparison
        One for each test set. An ensemble with the input for one more base model is measured where
        the test set has inputs.
    """
    pixel_format = pixel_format_of(reference[0])
    data_range, width = pixel_format.data_range, "auto" if bin_width is None else bin_width
    convention = {"channel": channel, "crop_border": crop_border, "data_range": data_range}
    if not pixel_format.grey:  # grey test sets are measured as their ensembles see them
        tests = [test.in_colour() if pixel_format_of(test[0]).grey else test for test in tests]
    sets = [_TestSet(reference, t, pixel_format, convention, perceptual or {}) for t in tests]
    with_input = any(test_set.no_row is None for test_set in sets)
    methods = make_methods(width, data_range, len(reference), trees=trees, with_input=with_input)
    for test in tests:
        _check_names(reference, test, methods)
    # Before the long work, as it finds out what is wrong with a test set.
    given_rows = [test_set.measure_given() for test_set in sets]
    sample = draw_sample(reference, pixel_format) if trees else None
    fitted = [fit(m, reference, pixel_format, sample) for m in progress(methods, "Fitting")]
    return [test_set.compare(rows, fitted) for test_set, rows in zip(sets, given_rows, strict=True)]


class _TestSet:
    """A test set that is measured twice: before the ensembles are fitted, and with them."""

    def __init__(
        self,
        reference: ReferenceSet,
        scenes: ReferenceSet,
        pixel_format: PixelFormat,
        convention: dict[str, Any],
        perceptual: Perceptual,
    ) -> None:
        self.reference, self.scenes, self.pixel_format = reference, scenes, pixel_format
        self.convention, self.perceptual = convention, perceptual
        self.no_input, self.no_row = _why_without_input(reference, scenes)
        self.scores: Scores = {}

    def _measure(self, images_of: Callable[[Scene], Iterator[Made]], label: str) -> list[Row]:
        settings = self.convention, self.scores, self.perceptual
        return measure(self.scenes, self.pixel_format, images_of, label, *settings)

    def measure_given(self) -> list[Row]:
        """Return the rows of the input and the base models."""

        def images_of(scene: Scene) -> Iterator[Made]:
            degraded = None if self.no_input else read_input(self.scenes, scene)
            return given(self.scenes.models, scene, degraded)

        return self._measure(images_of, "Measuring")

    def compare(self, rows: list[Row], fitted: list[Fitted]) -> Comparison:
        """Return all rows: those that are there, and those of the ensembles and the oracle."""
        if self.no_row:
            fitted = [one for one in fitted if not one.method.include_input]

        def images_of(scene: Scene) -> Iterator[Made]:
            degraded = None if self.no_row else read_input(self.scenes, scene)
            return combine(fitted, scene, degraded)

        rows = [*rows, *self._measure(images_of, "Combining")]
        seconds = {method.name: of_fit for method, _, of_fit in fitted}
        return Comparison(
            [row._replace(seconds_fit=seconds.get(row.name)) for row in rows],
            self.scores,
            self.reference,
            self.scenes,
            fitted,
            self.convention,
            tuple(self.perceptual),
            self.no_input,
            self.no_row,
        )


def explain_each(comparisons: Sequence[Comparison]) -> str:
    """Return the notes of comparisons that one fit led to, in paragraphs."""
    first = max(comparisons, key=lambda comparison: len(comparison.fitted))
    tests = [comparison.test for comparison in comparisons]
    sentences = [explain_numbers(first.reference, tests, first.convention, first.perceptual)]
    for comparison in comparisons:
        if comparison.no_row:
            name = INPUT if comparison.no_input else WITH_INPUT
            place = f" on {comparison.test.folder}" if len(tests) > 1 else ""
            sentences.append(f"{name} is left out{place}, as {comparison.no_row}.")
    return f"{' '.join(sentences)}\n\n{first.methods}"


def _why_without_input(
    reference: ReferenceSet, test: ReferenceSet
) -> tuple[str | None, str | None]:
    """Say why the inputs are not measured, and why they are no model; None where they are."""
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
