"""`skensir figure`: the figure of a paper, with the same part of all images side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from skensir._files import write_whole
from skensir._text import wrap
from skensir.cli.arguments import SCORING, Command
from skensir.cli.common import (
    CommandError,
    check_files,
    check_installed,
    load_ensemble,
    print_files,
)
from skensir.cli.reading import READING, open_set
from skensir.comparison.figure import FORMATS, draw_figure, encode_figure
from skensir.comparison.scores import explain_convention
from skensir.comparison.shown_scenes import (
    INPUT,
    TRUTH,
    Box,
    Result,
    Shown,
    ShownScene,
    result_of_ensemble,
    result_of_folder,
)
from skensir.comparison.tables import short_names
from skensir.image import ReferenceSet

N_SCENES = 3  # that are shown where none is named


def figure(
    folder: Path,
    *,
    output: list[Path],
    ensembles: list[str] | None = None,
    show: list[str] | None = None,
    box: list[str] | None = None,
    errors: bool = False,
    weights: bool = False,
    width: float = 7.0,
    channel: str = "rgb",
    crop_border: int = 0,
    **reading: Any,
) -> None:
    """Draw the same part of all images of some scenes.

    Parameters
    ----------
    folder : Path
        Folder as `skensir.image.ReferenceSet` reads it.
    output : list of Path
        Where the figure goes: PNG or PDF by the suffix.
    ensembles : list of str, default=None
        What `skensir fit` or `skensir import-released` has written, and folders of images. A name
        to be shown may stand before them, with an equals sign.
    show : list of str, default=None
        Names of the scenes. None takes three, see `skensir.comparison.shown_scenes.Shown.choose`.
    box : list of str, default=None
        The part that is shown, x,y,width,height in pixels; one for all scenes, or for each one.
        None finds it, see `skensir.comparison.shown_scenes.Shown.take`.
    errors, weights : bool, default=False
        Whether maps of the errors and of the weights are shown.
    width : float, default=7
        Of the figure in inches.
    channel, crop_border
        As in `skensir.image.peak_signal_noise_ratio`.
    **reading
        As in `skensir.cli.reading.open_set`.
    """
    check_installed("skensir figure", "matplotlib", "cv2", "tifffile", "tqdm")
    check_files(output, FORMATS, "the figure is a picture of this format")
    if not 2 <= width <= 40:
        raise CommandError(f"--width is {width:g}, must be from 2 to 40 inches.")
    boxes = _read_boxes(box or [], len(show or ()))
    scenes = open_set(folder, **reading)
    results = _read_results(ensembles or [], scenes, weights=weights)
    shown = Shown(scenes, results, {"channel": channel, "crop_border": crop_border})
    names = scenes.subset(show).names if show else shown.choose(N_SCENES)
    rows = list(shown.take(names, boxes, weights=weights))
    drawn = draw_figure(rows, errors=errors, width=width)
    for file in output:
        write_whole(file, encode_figure(drawn, file.suffix.lower()))
    chosen = not show and len(rows) < len(scenes)
    print(wrap(_explain(shown, rows, chosen=chosen, found=not boxes, errors=errors)))
    print_files({"Figure": output})


def _read_boxes(texts: list[str], n_scenes: int) -> list[Box]:
    """Return the boxes that the user names: one, or one for each of the scenes that are named."""
    boxes = []
    for text in texts:
        numbers = re.fullmatch(",".join([r"(\d{1,9})"] * 4), text)
        box = Box(*map(int, numbers.groups())) if numbers else Box(0, 0, 0, 0)
        if not box.width or not box.height:
            raise CommandError(
                f"--box is {text!r}, must be left,top,width,height in pixels from 0 on, such as "
                "40,25,64,64."
            )
        boxes.append(box)
    if len(boxes) > 1 and len(boxes) != n_scenes:
        raise CommandError(
            f"--box has {len(boxes)} boxes; give one for all scenes, or one for each that --show "
            "names."
        )
    return boxes


def _read_results(ensembles: list[str], scenes: ReferenceSet, *, weights: bool) -> list[Result]:
    """Return what is shown beside the base models, in the order that the user names it."""
    named = [_named(text) for text in ensembles]
    short = short_names([path.with_suffix("") for _, path in named])
    results = []
    taken = {INPUT, TRUTH, *scenes.models}
    for (own, path), name in zip(named, short, strict=True):
        result = _read_result(own or name, path, scenes)
        if result.name in taken:
            raise CommandError(
                f"{path} would be shown as {result.name!r}, which is the name of other images; "
                f"name it by --ensembles NAME={path}."
            )
        taken.add(result.name)
        results.append(result)
    if weights and not any(result.weights_of for result in results):
        raise CommandError(
            "--weights shows the weights of ensembles that `skensir fit` wrote; name such a file "
            "by --ensembles."
        )
    return results


def _named(text: str) -> tuple[str | None, Path]:
    """Return name and path of NAME=PATH, or of a path alone."""
    if text and Path(text).exists():
        return None, Path(text)
    name, equals, path = text.partition("=")
    if not (path if equals else text):
        raise CommandError(f"--ensembles is {text!r}, must be the path of a file or folder.")
    if not equals or not Path(path).exists():
        raise CommandError(f"{path or text} is neither a file nor a folder.")
    return name, Path(path)


def _read_result(name: str, path: Path, scenes: ReferenceSet) -> Result:
    """Return what a file of an ensemble makes of the scenes, or what lies in a folder."""
    if path.is_dir():
        files = scenes.files_in(path)
        for scene in scenes.names:
            if scene not in files:
                raise CommandError(f"{path} has no image of the scene {scene!r}.")
        return result_of_folder(name, files, crop=scenes.crop)
    ensemble = load_ensemble(path)
    known = ensemble.model_names_ or ()
    for model in known[:-1] if ensemble.include_input else known:
        if model not in scenes.models:
            raise CommandError(
                f"{path} combines {', '.join(known)}, but {scenes.folder} has no images of "
                f"{model}, or --models leaves it out."
            )
    if ensemble.include_input and not scenes.has_inputs:
        raise CommandError(
            f"{path} needs the images before restoration as one more model, but {scenes.folder} "
            f"has no sub-folder {scenes.input!r}; name it by --input."
        )
    return result_of_ensemble(name, ensemble, scenes.models)


def _explain(
    shown: Shown, rows: list[ShownScene], *, chosen: bool, found: bool, errors: bool
) -> str:
    """Return what belongs into the caption of the figure, and how scenes and boxes were chosen."""
    compared = explain_convention(**shown.convention, data_range=255).partition(", with peak")[0]
    sentences = [
        f"Below the images: PSNR in dB and SSIM of the whole images, {compared}; the best bold, "
        "the second underlined."
    ]
    if errors:
        sentences.append("Errors are means over the channels, on a scale where white is 255.")
    if chosen:
        gain = "an ensemble gains most over the best base model"
        telling = gain if shown.results else "the base models differ most"
        sentences.append(f"Shown are the scenes in which {telling} in PSNR, not average ones.")
    if found:
        difference = "the ensembles differ most from the best base model"
        telling = difference if shown.results else "the base models differ most"
        sentences.append(f"Boxes are where {telling}.")
    small = [row.name for row in rows if shown.has_inputs and INPUT not in row.parts]
    if small:
        sentences.append(
            f"{INPUT} is left out in {', '.join(small)}, as its size is no whole part of the "
            "truth's."
        )
    places = "; ".join(f"{row.name} {row.box}" for row in rows)
    return f"{' '.join(sentences)}\n\nBoxes (left,top,width,height): {places}"


COMMAND = Command(
    figure,
    "Draw the same part of all images of some scenes side by side, as papers do.",
    {
        "folder TEST_SET": "folder with one sub-folder per base model, gt with the truth, and lq "
        "with the input if you like",
        "-o/--output FILE": "the figure, .png or .pdf; may be given several times",
        "--ensembles ENSEMBLE": "files that `skensir fit` wrote, and folders of images that "
        "`skensir predict` wrote; NAME=FILE says what stands below",
        "--show SCENE": f"scenes to show (default: the {N_SCENES} in which an ensemble gains most "
        "over the best base model)",
        "--box X,Y,W,H": "part to show, in pixels from the top left corner: one for all scenes, or "
        "one for each (default: a square where the ensembles differ most from the best base "
        "model)",
        "--errors": "show maps of the absolute errors too",
        "--weights": "show the weights of the base models too, where an ensemble has them",
        "--width INCHES": "of the figure (default: %(default)s)",
        **READING,
        **SCORING,
    },
    passes_to=(open_set,),
)
