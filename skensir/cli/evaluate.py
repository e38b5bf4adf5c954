"""`skensir evaluate`: PSNR and SSIM of folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skensir._text import plural
from skensir.cli.arguments import PERCEPTUAL, SCORING, TABLES, Command
from skensir.cli.common import (
    CommandError,
    check_installed,
    check_tables,
    perceptual_measures,
    print_files,
    print_json,
)
from skensir.cli.reading import CROP, NAMES, SCENES, open_folders
from skensir.comparison.scores import explain_perceptual, on_scale_of, score
from skensir.comparison.table_files import to_text, write_tables
from skensir.comparison.tables import (
    Row,
    Scores,
    mean_numbers,
    results_table,
    scene_tables,
    short_names,
)
from skensir.image import read_image
from skensir.image.colour import Colour
from skensir.image.metrics import peak_of
from skensir.image.perceptual import Perceptual
from skensir.image.progress import in_parallel
from skensir.image.scale import check_scale
from skensir.image.scene_files import common_part


def evaluate(
    output: list[Path],
    truth: Path,
    *,
    channel: str = "rgb",
    crop_border: int = 0,
    crop: bool = False,
    no_perceptual: bool = False,
    table: list[Path] | None = None,
    scenes_table: list[Path] | None = None,
    json: bool = False,
    **reading: Any,
) -> None:
    """Print PSNR and SSIM of the images in folders.

    Parameters
    ----------
    output : list of Path
        Folders of images. The table of several has a row for each.
    truth : Path
        Folder of the images to compare with, matched by their names.
    channel, crop_border
        As in `skensir.image.peak_signal_noise_ratio`.
    crop : bool, default=False
        Whether images that differ in size are cut to their common top left part.
    no_perceptual : bool, default=False
        Whether to leave out LPIPS and DISTS, which are measured where they are installed.
    table, scenes_table : list of Path, default=None
        Where to write the table and the numbers of each scene, in the formats of the suffixes.
    json : bool, default=False
        Whether to print JSON instead of a table.
    **reading
        As in `skensir.cli.reading.open_folders`.
    """
    check_installed("skensir evaluate", "cv2", "tifffile", "tqdm")
    check_tables(table, scenes_table)
    for folder in (*output, truth):
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
    outputs = dict(zip(short_names(output), output, strict=True))
    files, names = open_folders([truth, *output], **reading)
    perceptual = perceptual_measures(left_out=no_perceptual)
    settings = {"channel": channel, "crop_border": crop_border}
    colour = Colour([files[folder][name] for folder in files for name in names])

    def score_scene(scene: str) -> dict[str, dict[str, float]]:
        paths = {name: files[folder][scene] for name, folder in outputs.items()}
        return _score(scene, paths, files[truth][scene], settings, perceptual, colour, crop=crop)

    n_jobs = 1 if perceptual else None  # networks take all cores themselves
    of_scenes = in_parallel(score_scene, names, "Evaluating", n_jobs)
    scores: Scores = dict(zip(names, of_scenes, strict=True))
    rows = [Row(name, **mean_numbers(scores, name)) for name in outputs]
    write_tables(table, {"": rows}, scenes_table, {"": scores})
    if json:
        _print_json(settings, scores, list(outputs))
    else:
        _print(settings, scores, rows, perceptual)
        print_files({"Table": table, "Scenes": scenes_table})


def _print(
    settings: dict[str, Any], scores: Scores, rows: list[Row], perceptual: Perceptual
) -> None:
    """Print the numbers of each scene, or the means of several folders, and what they are."""
    if len(rows) == 1:
        print(to_text(scene_tables({"": scores})[0]))
    else:
        print(f"{to_text(results_table({'': rows}))}\n\n* best of the column.")
    channel, crop_border = settings["channel"], settings["crop_border"]
    border = f", {plural(crop_border, 'pixel')} of border left out" if crop_border else ""
    print(f"\n{channel} of {plural(len(scores), 'scene')}{border}; SSIM in a Gaussian window.")
    if perceptual:
        print(explain_perceptual(perceptual, channel))


def _score(
    scene: str,
    outputs: dict[str, Path],
    truth: Path,
    settings: dict[str, Any],
    perceptual: Perceptual,
    colour: Colour,
    *,
    crop: bool,
) -> dict[str, dict[str, float]]:
    """Return the numbers of a scene, by the name of the folder.

    Floats have the scale of the truth; floats on both sides are taken for values up to 255.
    """
    scores = {}
    for name, path in outputs.items():
        images = common_part({file: read_image(file) for file in (path, truth)}, crop)
        images = colour.in_common(images, read_image)
        for file, part in images.items():
            check_scale(part, str(file))
        target = images[truth]
        convention = {**settings, "data_range": peak_of(target.dtype)}
        try:
            image = on_scale_of(target, images[path])
            scores[name] = score(target, image, convention, perceptual)
        except ValueError as error:
            raise CommandError(f"Scene {scene!r}: {error}") from error
    return scores


def _print_json(settings: dict[str, Any], scores: Scores, names: list[str]) -> None:
    """Print the numbers of the only folder, or those of each."""
    results = {
        name: {
            "mean": mean_numbers(scores, name),
            "scenes": [{"name": scene, **of[name]} for scene, of in scores.items()],
        }
        for name in names
    }
    print_json({**settings, **(results[names[0]] if len(names) == 1 else {"outputs": results})})


COMMAND = Command(
    evaluate,
    "Compare images with the truth: PSNR and SSIM of each scene, and their means.",
    {
        "output OUT": "folder of images; several get one table of their means",
        "truth GT": "folder with the truth of each",
        **SCORING,
        **NAMES,
        **SCENES,
        "--hold-out N|GLOB": "only the scenes that `skensir fit` with the same option does not "
        "fit on",
        **CROP,
        **PERCEPTUAL,
        **TABLES,
        "--json": "print an object with channel, crop_border, mean and scenes; mean and each of "
        "scenes have psnr, null where it is infinite, and ssim. Of several folders, outputs has "
        "mean and scenes of each",
    },
    passes_to=(open_folders,),
)
