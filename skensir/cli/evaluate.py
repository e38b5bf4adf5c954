"""`skensir evaluate`: PSNR and SSIM of a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from skensir._text import plural
from skensir.cli.arguments import CROP, SCORING, Command
from skensir.cli.common import CommandError, check_installed, print_json
from skensir.image import peak_signal_noise_ratio, read_image, structural_similarity
from skensir.image.metrics import peak_of
from skensir.image.pixel_format import check_scale
from skensir.image.progress import progress
from skensir.image.scene_files import common_part, common_scenes, find_scenes


def evaluate(
    output: Path,
    truth: Path,
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    crop: bool = False,
    json: bool = False,
) -> None:
    """Print PSNR and SSIM of the images in a folder.

    Parameters
    ----------
    output : Path
        Folder of images.
    truth : Path
        Folder of the images to compare with, matched by their names without the suffix.
    channel, crop_border
        As in `skensir.image.peak_signal_noise_ratio`.
    crop : bool, default=False
        Whether images that differ in size are cut to their common top left part.
    json : bool, default=False
        Whether to print JSON instead of a table.
    """
    check_installed("skensir evaluate", "cv2", "skimage", "tifffile", "tqdm")
    for folder in (output, truth):
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
    files, _ = find_scenes([truth, output])
    settings = {"channel": channel, "crop_border": crop_border}
    scenes: list[dict[str, Any]] = []
    for name in progress(common_scenes(files), "Evaluating"):
        pair = [files[folder][name] for folder in (output, truth)]
        scenes.append({"name": name, **_score(name, pair, settings, crop=crop)})
    means = {key: float(np.mean([scene[key] for scene in scenes])) for key in ("psnr", "ssim")}
    if json:
        print_json({**settings, "mean": means, "scenes": scenes})
        return
    width = max(len("mean"), *(len(scene["name"]) for scene in scenes))
    print(f"{'':{width}}  PSNR (dB)    SSIM")
    for line in (*scenes, {"name": "mean", **means}):
        print(f"{line['name']:{width}}  {line['psnr']:9.3f}  {line['ssim']:.4f}")
    border = f", {plural(crop_border, 'pixel')} of border left out" if crop_border else ""
    print(f"\n{channel} of {plural(len(scenes), 'scene')}{border}; SSIM in a Gaussian window.")


def _score(
    name: str, paths: list[Path], settings: dict[str, Any], *, crop: bool
) -> dict[str, float]:
    """Return PSNR and SSIM of a scene; the second file has the truth.

    Whole numbers of 8 and of 16 bits are equally bright if their shares of the peak are. Floats
    have the scale of the truth; floats on both sides are taken for values up to 255.
    """
    images = common_part({path: read_image(path) for path in paths}, crop)
    for path, part in images.items():
        check_scale(part, str(path))
    image, target = (images[path] for path in paths)
    peak = peak_of(target.dtype)
    own_peak = peak_of(image.dtype) if image.dtype.kind == "u" else peak
    if own_peak != peak:
        image = image * (peak / own_peak)
    try:
        return {
            "psnr": peak_signal_noise_ratio(target, image, **settings, data_range=peak),
            "ssim": structural_similarity(target, image, **settings, data_range=peak),
        }
    except ValueError as error:
        raise CommandError(f"Scene {name!r}: {error}") from error


COMMAND = Command(
    evaluate,
    "Compare images with the truth: PSNR and SSIM of each scene, and their means.",
    {
        "output OUT": "folder of images",
        "truth GT": "folder with the truth of each",
        **SCORING,
        **CROP,
        "--json": "print an object with channel, crop_border, mean and scenes; mean and each of "
        "scenes have psnr, null where it is infinite, and ssim",
    },
)
