"""`skensir demo`: EnsIR beside other ensembles, on photographs that come with scikit-image."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ZZPMRegressor
from skensir.cli import CommandError
from skensir.cli.deblurring import (
    BLUR,
    FITTING,
    NOISE,
    RESTORERS,
    SIDE,
    TESTING,
    Image,
    Scene,
    make_scene,
)
from skensir.cli.picture import check_picture_file, draw_picture, write_picture

MAX_SAMPLES = 100_000

# What one copy of a regressor is fitted on and predicts at once.
CHANNEL = "one colour channel"
IMAGE = "all channels of an image"
SAMPLE = "pixels drawn from all channels"


class Ensemble(NamedTuple):
    """A row of the table."""

    name: str
    regressor: Any
    scope: str = CHANNEL
    by_photograph: bool = False  # whether fit is told which photograph a pixel is of


ENSEMBLES = (
    Ensemble("Average", AverageRegressor()),
    Ensemble("ZZPM", ZZPMRegressor(), IMAGE),
    Ensemble("Bagging", BaggingRegressor(random_state=0), SAMPLE),
    Ensemble("AdaBoost", AdaBoostRegressor(random_state=0), SAMPLE),
    Ensemble("RandomForest", RandomForestRegressor(n_jobs=-1, random_state=0), SAMPLE),
    Ensemble("GradientBoosting", GradientBoostingRegressor(random_state=0), SAMPLE),
    Ensemble("HistGradientBoosting", HistGradientBoostingRegressor(random_state=0), SAMPLE),
    Ensemble("EnsIR, as published", EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS)),
    Ensemble("EnsIR", EnsIRRegressor(bin_width=32)),
    Ensemble("EnsIR, squared error", EnsIRRegressor(32, objective="squared_error", shrinkage=1000)),
    Ensemble("EnsIR, cross-validated", EnsIRRegressorCV(cv=LeaveOneGroupOut()), CHANNEL, True),
)


@dataclass(frozen=True)
class Result:
    """A line of the table, and the images and regressors behind it."""

    name: str
    images: list[Image]
    psnr: list[float]
    ssim: list[float]
    seconds_image: float | None = None
    seconds_fit: float | None = None
    regressors: Sequence[Any] = ()


def stack_pixels(predictions: Image, channel: int | slice = slice(None)) -> Image:
    """Lay out (n_models, height, width, 3) as rows of (n_pixels, n_models)."""
    return predictions[..., channel].reshape(len(predictions), -1).T


def fit_regressors(ensemble: Ensemble, scenes: Sequence[Scene]) -> tuple[list[Any], float]:
    """Fit one regressor a channel, or one for all, and measure the seconds of `fit`."""
    regressors, seconds = [], 0.0
    for channel in range(3) if ensemble.scope == CHANNEL else [slice(None)]:
        X = np.concatenate([stack_pixels(scene.predictions, channel) for scene in scenes])
        y = np.concatenate([scene.truth[..., channel].ravel() for scene in scenes])
        if ensemble.scope == SAMPLE and len(y) > MAX_SAMPLES:
            rows = np.random.default_rng(0).choice(len(y), MAX_SAMPLES, replace=False)
            X, y = X[rows], y[rows]
        fit_params = {}
        if ensemble.by_photograph:
            sizes = [len(stack_pixels(scene.predictions, channel)) for scene in scenes]
            fit_params["groups"] = np.repeat(np.arange(len(scenes)), sizes)
        start = time.perf_counter()
        regressors.append(clone(ensemble.regressor).fit(X, y, **fit_params))
        seconds += time.perf_counter() - start
    return regressors, seconds


def combine_scene(ensemble: Ensemble, regressors: Sequence[Any], scene: Scene) -> Image:
    """Return the ensemble's image of one scene, not rounded."""
    height, width, _ = scene.truth.shape
    if ensemble.scope == IMAGE:
        combined = regressors[0].predict(stack_pixels(scene.predictions))
        return combined.reshape(height, width, 3)
    of_channel = regressors if ensemble.scope == CHANNEL else [regressors[0]] * 3
    channels = [
        regressor.predict(stack_pixels(scene.predictions, channel)).reshape(height, width)
        for channel, regressor in enumerate(of_channel)
    ]
    return np.stack(channels, axis=-1)


def weight_maps(result: Result, scene: Scene) -> Image:
    """Return (n_models, height, width): an ensemble's weights, mean over the colour channels."""
    weights = [
        regressor.predict_weights(stack_pixels(scene.predictions, channel))
        for channel, regressor in enumerate(result.regressors)
    ]
    return np.mean(weights, axis=0).T.reshape(-1, *scene.truth.shape[:2])


def score(name: str, scenes: Sequence[Scene], images: list[Image], **seconds: Any) -> Result:
    """Compare images with the truth of their scenes."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    # The settings of SSIM's authors, which are not the function's defaults.
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    psnr, ssim = [], []
    for scene, image in zip(scenes, images, strict=True):
        truth, image = scene.truth.astype(np.float64), image.astype(np.float64)
        psnr.append(peak_signal_noise_ratio(truth, image, data_range=255))
        ssim.append(
            structural_similarity(truth, image, data_range=255, channel_axis=-1, **settings)
        )
    return Result(name, images, psnr, ssim, **seconds)


def score_inputs(scenes: Sequence[Scene]) -> list[Result]:
    """Return the rows of the degraded images and of the base models."""
    results = [score("Blurred and noisy", scenes, [scene.degraded for scene in scenes])]
    for model, name in enumerate(RESTORERS):
        images = [scene.predictions[model] for scene in scenes]
        seconds = float(np.mean([scene.seconds[model] for scene in scenes]))
        results.append(score(name, scenes, images, seconds_image=seconds))
    return results


def score_ensemble(
    ensemble: Ensemble, fitting: Sequence[Scene], testing: Sequence[Scene]
) -> Result:
    """Fit an ensemble on some scenes and return its row for others."""
    regressors, seconds_fit = fit_regressors(ensemble, fitting)
    start = time.perf_counter()
    images = [combine_scene(ensemble, regressors, scene) for scene in testing]
    seconds_image = (time.perf_counter() - start) / len(testing)
    return score(
        ensemble.name,
        testing,
        images,
        seconds_image=seconds_image,
        seconds_fit=seconds_fit,
        regressors=regressors,
    )


def format_table(results: Sequence[Result]) -> str:
    """Lay out the results as aligned lines, the best PSNR and SSIM marked by an asterisk."""
    psnr = [f"{np.mean(result.psnr):.3f}" for result in results]
    ssim = [f"{np.mean(result.ssim):.4f}" for result in results]
    best_psnr, best_ssim = max(psnr, key=float), max(ssim, key=float)
    width = max(len(result.name) for result in results)
    lines = [f"{'':{width}}  PSNR (dB)     SSIM    fit (s)  an image (s)"]
    for result, p, s in zip(results, psnr, ssim, strict=True):
        p, s = p + " *"[p == best_psnr], s + " *"[s == best_ssim]
        fit, image = (
            "-" if seconds is None else f"{seconds:.2f}"
            for seconds in (result.seconds_fit, result.seconds_image)
        )
        lines.append(f"{result.name:{width}}  {p:>10} {s:>8} {fit:>9} {image:>13}".rstrip())
    return "\n".join(lines)


def explain(fitting: Sequence[Scene], testing: Sequence[Scene]) -> str:
    """Say what the numbers of the table were measured on."""
    n_pixels = sum(scene.truth.size for scene in fitting) // 3
    n_samples = min(MAX_SAMPLES, 3 * n_pixels)
    names = ", ".join(scene.name for scene in testing)
    fitting_names = ", ".join(scene.name for scene in fitting)
    side = max(max(scene.truth.shape) for scene in (*fitting, *testing))
    paragraphs = (
        "* best of the column. PSNR and SSIM are those of the colour images, with peak 255; SSIM "
        "has a Gaussian window of standard deviation 1.5. Seconds are those of this machine.",
        f"Task: deblurring. Photographs of scikit-image, cut to {side} x {side} pixels at most, "
        f"blurred by a Gaussian of standard deviation {BLUR:g} pixels, with Gaussian noise of "
        f"standard deviation {NOISE:g}. Every number is the mean over the photographs for "
        f"testing: {names}. The ensembles are fitted on others: {fitting_names}.",
        "Base models: a deconvolution and a denoiser of scikit-image each, in the order named, "
        "with parameters chosen on the photographs for fitting. Their results are rounded to 8 "
        "bits, those of the ensembles are not.",
        f"EnsIR has one regressor a colour channel, fitted on all {n_pixels:,} pixels. ZZPM takes "
        "its weights from the whole image that it combines. Bagging, AdaBoost, RandomForest, "
        "GradientBoosting and HistGradientBoosting are scikit-learn's with their defaults: one "
        f"regressor for all channels, fitted on {n_samples:,} values drawn from the "
        f"{3 * n_pixels:,} of all channels. RandomForest and HistGradientBoosting use all cores.",
    )
    return "\n\n".join(textwrap.fill(paragraph, 79) for paragraph in paragraphs)


def compare(
    fitting_names: Sequence[str] = FITTING,
    testing_names: Sequence[str] = TESTING,
    ensembles: Sequence[Ensemble] = ENSEMBLES,
    side: int = SIDE,
) -> tuple[list[Result], list[Scene], list[Scene]]:
    """Restore the photographs and combine what came out, with bars of progress.

    Parameters
    ----------
    fitting_names, testing_names : sequence of str
        The photographs that the ensembles are fitted on, and those they are measured on.
    ensembles : sequence of Ensemble
        The rows of the table below those of the base models.
    side : int
        Largest height and width of the photographs, in pixels.

    Returns
    -------
    results : list of Result
        The rows of the table.
    fitting, testing : list of Scene
        The photographs and what was made of them.
    """
    from tqdm import tqdm

    # disable=None shows a bar on a terminal and nothing in a pipe.
    names = tqdm([*fitting_names, *testing_names], "Restoring", leave=False, disable=None)
    scenes = [make_scene(name, seed=seed, side=side) for seed, name in enumerate(names)]
    fitting, testing = scenes[: len(fitting_names)], scenes[len(fitting_names) :]
    results = score_inputs(testing)
    with tqdm(ensembles, leave=False, disable=None) as bar:
        for ensemble in bar:
            bar.set_description(ensemble.name)
            results.append(score_ensemble(ensemble, fitting, testing))
    return results, fitting, testing


def demo(output: Path = Path("demo.png")) -> None:
    """Compare EnsIR with other ensembles on real photographs; print a table, save a picture.

    Parameters
    ----------
    output : Path, default=Path("demo.png")
        Where the picture goes: a PNG in a folder that exists.

    Raises
    ------
    CommandError
        If the file cannot be written or an optional package is missing.
    """
    for package in ("matplotlib", "skimage", "tqdm"):
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise CommandError(
                f'The demo needs {error.name}, which is not installed: pip install "skensir[demo]".'
            ) from error
    check_picture_file(output)
    results, fitting, testing = compare()
    of_name = {result.name: result for result in results}
    shown = [of_name[name] for name in ("Blurred and noisy", *RESTORERS, "Average", "EnsIR")]
    picture = draw_picture(
        testing[0].name,
        testing[0].truth,
        {result.name: (result.images[0], result.psnr[0]) for result in shown},
        dict(zip(RESTORERS, weight_maps(of_name["EnsIR"], testing[0]), strict=True)),
    )
    write_picture(picture, output)
    print(f"{format_table(results)}\n\n{explain(fitting, testing)}\n\nPicture: {output}")


def add_parser(commands: Any) -> None:
    """Add the command to the parsers of `skensir`."""
    description = "Compare EnsIR with other ensembles on real photographs, in about a minute."
    parser = commands.add_parser(
        "demo",
        help=description,
        description=f"{description} Prints a table and saves a picture.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("demo.png"),
        metavar="FILE",
        help="where the picture goes (default: %(default)s)",
    )
    parser.set_defaults(run=lambda arguments: demo(arguments.output))
