"""What a figure shows of scenes: which of them, which part, and what was made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skensir.comparison.scores import on_scale_of, score
from skensir.image import ReferenceSet, peak_signal_noise_ratio, read_image
from skensir.image.files import Image
from skensir.image.metrics import error_map
from skensir.image.pixel_format import pixel_format_of
from skensir.image.progress import progress
from skensir.image.reference_set import Scene
from skensir.image.scale import check_scale

if TYPE_CHECKING:
    from skensir.image import ImageEnsemble

INPUT, TRUTH = "Input", "Truth"

# Of a box that nobody named: its side as a part of the shorter side, and its limits in pixels.
_SHARE, _SMALLEST, _LARGEST = 4, 32, 128

Weights = dict[str, Image]  # by the name of the base model: (height, width), from 0 to 1


class Box(NamedTuple):
    """A part of an image, in pixels from its top left corner."""

    x: int
    y: int
    width: int
    height: int

    def of(self, image: Image) -> Image:
        """Return this part of an image."""
        part: Image = image[self.y : self.y + self.height, self.x : self.x + self.width]
        return part

    def __str__(self) -> str:
        return ",".join(map(str, self))


class Result(NamedTuple):
    """What is shown beside the base models.

    Attributes
    ----------
    name : str
        Below its images.
    image_of : callable
        Returns the image of a scene, whose input is the second argument, or None.
    weights_of : callable or None
        Likewise the weights of the base models, the means over the channels.
    needs_input : bool
        Whether there must be inputs.
    """

    name: str
    image_of: Callable[[Scene, Image | None], Image]
    weights_of: Callable[[Scene, Image | None], Weights] | None = None
    needs_input: bool = False


@dataclass
class ShownScene:
    """A row of a figure: all images are of 8 bits per channel, (height, width, 3)."""

    name: str
    whole: Image  # the truth
    box: Box
    parts: dict[str, Image] = field(default_factory=dict)  # in the box; the truth is the last one
    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # of the whole images
    errors: dict[str, Image] = field(default_factory=dict)  # in the box, on a scale up to 255
    weights: dict[str, Weights] = field(default_factory=dict)  # in the box, by result


def result_of_ensemble(name: str, ensemble: ImageEnsemble, models: Sequence[str]) -> Result:
    """Return the result of a fitted ensemble whose base models are among those of the scenes."""
    names = list(ensemble.model_names_ or models)
    outputs = names[:-1] if ensemble.include_input else names
    places = [models.index(model) for model in outputs]

    def arguments(scene: Scene, degraded: Image | None) -> tuple[list[Image], list[Any] | None]:
        return [scene.predictions[places]], [degraded] if ensemble.include_input else None

    def image_of(scene: Scene, degraded: Image | None) -> Image:
        [image] = ensemble.predict(*arguments(scene, degraded))
        return image

    def weights_of(scene: Scene, degraded: Image | None) -> Weights:
        [weights] = ensemble.predict_weights(*arguments(scene, degraded))
        weights = weights.reshape(*weights.shape[:3], -1).mean(axis=-1)
        titles = [*outputs, INPUT] if ensemble.include_input else outputs
        return dict(zip(titles, weights, strict=True))

    has_weights = hasattr(ensemble, "predict_weights")
    return Result(name, image_of, weights_of if has_weights else None, ensemble.include_input)


def result_of_folder(name: str, files: Mapping[str, Path], *, crop: bool = False) -> Result:
    """Return the result that lies in a folder: a file for each scene, by its name.

    With `crop`, larger images are cut to the size of the truth, at the bottom and right.
    """

    def image_of(scene: Scene, _: Image | None) -> Image:
        target, path = np.asarray(scene.target), files[scene.name]
        image = on_scale_of(target, read_image(path))
        check_scale(image, str(path))
        if crop:
            image = image[: target.shape[0], : target.shape[1]]
        if image.shape != target.shape:
            raise ValueError(f"{path} is {_describe(image)}, but the truth is {_describe(target)}.")
        return image

    return Result(name, image_of)


def _describe(image: Image) -> str:
    """Return the size of an image and whether it is grey, in words."""
    colours = "grey" if image.ndim == 2 else "RGB"
    return f"{colours}, {image.shape[1]} pixels wide and {image.shape[0]} high"


class Shown:
    """What is to be shown of a set of scenes.

    Parameters
    ----------
    scenes : ReferenceSet
        With the truth, the base models, and the inputs if there are any.
    results : sequence of Result
        What is shown beside the base models, in this order.
    convention : dict
        channel and crop_border of the scores.
    """

    def __init__(
        self, scenes: ReferenceSet, results: Sequence[Result], convention: dict[str, Any]
    ) -> None:
        self.scenes = scenes
        self.results = results
        self.convention = convention
        self.has_inputs = scenes.has_inputs
        if self.has_inputs:
            _ = scenes.inputs  # raises an error if one is missing

    def _images(self, scene: Scene, degraded: Image | None) -> dict[str, Image]:
        """Return the images of the base models and of the results, by their names."""
        check_scale(scene.predictions, f"Scene {scene.name!r} of {self.scenes.folder}")
        of_results = {result.name: result.image_of(scene, degraded) for result in self.results}
        return {**dict(zip(self.scenes.models, scene.predictions, strict=True)), **of_results}

    def _score(self, scene: Scene, image: Image) -> dict[str, float]:
        return score(np.asarray(scene.target), image, self._convention_of(scene))

    def _convention_of(self, scene: Scene) -> dict[str, Any]:
        return {**self.convention, "data_range": pixel_format_of(scene).data_range}

    def _input(self, scene: Scene) -> Image | None:
        """Return the input of a scene, None if there is none."""
        if not self.has_inputs:
            return None
        [degraded] = self.scenes.subset([scene.name]).inputs
        return degraded

    def choose(self, n_scenes: int) -> tuple[str, ...]:
        """Return the scenes that tell most, in their order.

        Where there are results, they are those in which one of these gains most PSNR over the best
        base model; otherwise those in which the PSNR of the base models differs most.
        """
        if len(self.scenes) <= n_scenes:
            return self.scenes.names
        telling = {}
        for scene in progress(self.scenes, "Choosing scenes"):
            images = self._images(scene, self._input(scene) if self._needs_input() else None)
            convention = self._convention_of(scene)
            target = np.asarray(scene.target)
            psnr = [peak_signal_noise_ratio(target, im, **convention) for im in images.values()]
            n_models = len(self.scenes.models)
            given, made = psnr[:n_models], psnr[n_models:]
            gain = max(made) - max(given) if made else max(given) - min(given)
            telling[scene.name] = -math.inf if math.isnan(gain) else gain
        chosen = sorted(telling, key=lambda name: telling[name], reverse=True)[:n_scenes]
        return tuple(name for name in self.scenes.names if name in chosen)

    def _needs_input(self) -> bool:
        return any(result.needs_input for result in self.results)

    def take(
        self, names: Sequence[str], boxes: Sequence[Box], *, weights: bool = False
    ) -> Iterator[ShownScene]:
        """Yield what is shown of some scenes, with one scene in memory at a time.

        Parameters
        ----------
        names : sequence of str
            Of the scenes.
        boxes : sequence of Box
            One for all scenes, or one for each. Without any, they are found: equal squares where
            the mean squared difference of the results from the best base model of the scene is
            largest, or the variance of the base models where there is no result.
        weights : bool, default=False
            Whether the weights are shown too.
        """
        chosen = self.scenes.subset(names)
        each = list(boxes) * (len(names) if len(boxes) == 1 else 1)
        side = None if boxes else self._side(chosen)
        for number, scene in enumerate(progress(chosen, "Drawing")):
            yield self._show(scene, side or each[number], weights=weights)

    def _side(self, chosen: ReferenceSet) -> int:
        """Return the side of the boxes, from the smallest of the images."""
        shorter = min(min(int(n) for n in target.shape[:2]) for target in chosen.targets)
        inside = shorter - 2 * int(self.convention["crop_border"])
        return min(max(shorter // _SHARE, _SMALLEST), _LARGEST, inside)

    def _show(self, scene: Scene, box: Box | int, *, weights: bool) -> ShownScene:
        degraded, target = self._input(scene), np.asarray(scene.target)
        images = self._images(scene, degraded)
        scores = {name: self._score(scene, image) for name, image in images.items()}
        if isinstance(box, int):
            box = self._find_box(images, scores, box)
        height, width = target.shape[:2]
        if box.x + box.width > width or box.y + box.height > height:
            raise ValueError(
                f"Scene {scene.name!r} is {_describe(target)}; the box {box} does not lie in it."
            )
        data_range = pixel_format_of(scene).data_range
        shown = ShownScene(scene.name, _to_8_bits(target, data_range), box)
        if degraded is not None:
            enlarged = _enlarge_to(target, on_scale_of(target, degraded))
            if enlarged is not None:
                images = {INPUT: enlarged, **images}
            if degraded.shape == target.shape and enlarged is not None:
                scores[INPUT] = self._score(scene, enlarged)
        for name, image in images.items():
            shown.parts[name] = _to_8_bits(box.of(image), data_range)
            shown.errors[name] = error_map(box.of(target), box.of(image)) * (255 / data_range)
        shown.parts[TRUTH] = box.of(shown.whole)
        shown.scores = scores
        for result in self.results if weights else ():
            if result.weights_of is not None:
                maps = result.weights_of(scene, degraded)
                shown.weights[result.name] = {name: box.of(part) for name, part in maps.items()}
        return shown

    def _find_box(
        self, images: Mapping[str, Image], scores: Mapping[str, Mapping[str, float]], side: int
    ) -> Box:
        """Return the square that tells most, the first of several from the top."""
        models = self.scenes.models
        if self.results:
            best = images[max(models, key=lambda name: scores[name]["psnr"])].astype(np.float64)
            differences = [(images[result.name] - best) ** 2 for result in self.results]
            telling = np.mean(differences, axis=0)
        else:
            telling = np.var([images[model] for model in models], axis=0)
        telling = telling if telling.ndim == 2 else telling.mean(axis=2)
        border = self.convention["crop_border"]
        inner = tuple(slice(border, length - border) for length in telling.shape)
        sums = _window_sums(telling[inner], side)
        y, x = np.unravel_index(sums.argmax(), sums.shape)
        return Box(int(x) + border, int(y) + border, side, side)


def _window_sums(values: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Return the sum of each square of values, by its top left corner."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    windows: NDArray[np.float64] = (
        sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    )
    return windows


def _to_8_bits(image: Image, data_range: int) -> Image:
    """Return an image as a screen shows it, (height, width, 3)."""
    scaled = np.rint(image * (255 / data_range)).clip(0, 255).astype(np.uint8)
    return scaled if scaled.ndim == 3 else np.repeat(scaled[..., np.newaxis], 3, axis=2)


def _enlarge_to(target: Image, degraded: Image) -> Image | None:
    """Return the input in the size of the truth, by a whole factor; None if there is no such."""
    if degraded.ndim != target.ndim:
        return None
    factor = target.shape[0] // degraded.shape[0]
    enlarged: Image = degraded.repeat(factor, axis=0).repeat(factor, axis=1)
    return enlarged if enlarged.shape == target.shape else None
