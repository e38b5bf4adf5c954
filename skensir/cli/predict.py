"""`skensir predict`: from outputs of the base models to better images."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import CommandError, check_installed, check_parent
from skensir.cli.reading import CROP, INPUT
from skensir.image import ImageEnsemble, ReferenceSet, write_image
from skensir.image.metrics import peak_of
from skensir.image.pixel_format import on_scale
from skensir.image.progress import progress
from skensir.image.reference_set import Images
from skensir.persistence import load_table

WEIGHT_MAPS = "weight_maps"


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to, whose files go to `folder` when all of them are there."""
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder} is a file; give the name of a folder.")
    check_parent(folder)
    parent = folder if folder.is_dir() else folder.absolute().parent
    try:
        # In the folder itself if there is one: it may be a file system of its own.
        with tempfile.TemporaryDirectory(prefix=".skensir-", dir=parent) as name:
            partial = Path(name)
            yield partial
            written = [path for path in sorted(partial.rglob("*")) if path.is_file()]
            finals = [folder / path.relative_to(partial) for path in written]
            for final in finals:
                if final.is_dir():
                    raise CommandError(f"{final} is a folder, where an image is to be written.")
                final.parent.mkdir(parents=True, exist_ok=True)
            for path, final in zip(written, finals, strict=True):
                path.replace(final)
    except OSError as error:
        # Nobody knows the folder of the unfinished files by name.
        hidden = re.search(r"\.skensir-[^/\\]*[/\\]?(.*)", str(error.filename))
        if hidden is None:
            raise
        raise OSError(error.errno, error.strerror, str(folder / hidden[1])) from error


def predict(
    model: Path,
    folder: Path,
    output: Path,
    *,
    bits: int | None = None,
    weight_maps: bool = False,
    input: str = "auto",
    crop: bool = False,
) -> None:
    """Combine the images of a folder and write the results to another.

    Parameters
    ----------
    model : Path
        What `skensir fit` has written.
    folder : Path
        Folder with one sub-folder per base model.
    output : Path
        Folder for the images, made if it is not there.
    bits : {8, 16}, default=None
        Of the files. None takes those of the base models' images. Whole numbers of the other depth
        are scaled, so that white stays white.
    weight_maps : bool, default=False
        Whether to write the weight of each base model as a grey image too: black is 0, white 1.
    input, crop
        As in `skensir.image.ReferenceSet`. The former is needed where the input is one of the
        models.
    """
    check_installed("skensir predict", "cv2", "tifffile", "tqdm")
    ensemble = load_table(model)
    if not isinstance(ensemble, ImageEnsemble):
        raise CommandError(
            f"{model} holds a single table and not one of images, as `skensir fit` writes; use it "
            "in Python with skensir.load_table."
        )
    if ensemble.model_names_ is None:
        raise CommandError(f"{model} does not name its base models; fit it by `skensir fit`.")
    names = list(ensemble.model_names_)
    outputs = names[:-1] if ensemble.include_input else names
    scenes = ReferenceSet(folder, outputs, None, input=input, crop=crop)
    if ensemble.include_input:
        if not scenes.has_inputs:
            raise CommandError(
                f"{model} needs the images before restoration as one more model, but {folder} has "
                f"no sub-folder {input!r}; name it by --input."
            )
        _ = scenes.inputs  # none of them is missing
    # What lies in there are base models, the truth and the input.
    if folder.resolve() in (output.resolve(), *output.resolve().parents):
        raise CommandError(f"{output} is in {folder}, which is read; name a folder outside of it.")
    with written_whole(output) as partial:
        for number in progress(range(len(scenes)), "Predicting"):
            scene = scenes.predictions[number : number + 1].through(on_scale)
            _write_combined(ensemble, scene, partial, bits, weight_maps=weight_maps)
    print(f"Combined {', '.join(names)} in {plural(len(scenes), 'scene')}: {output}")


def _write_combined(
    ensemble: ImageEnsemble, scene: Images, folder: Path, bits: int | None, *, weight_maps: bool
) -> None:
    """Write the combination of a single scene, and the weights of its models."""
    [name], [prediction] = scene.names, scene
    # Read once, and still under their names.
    images = scene.through(lambda _: [prediction])
    inputs = list(scene.inputs.through(on_scale)) if ensemble.include_input else None
    [image] = ensemble.predict(images, inputs)
    if prediction.dtype.kind == "u":
        bits = bits or 8 * prediction.dtype.itemsize
        image = image * (peak_of(f"uint{bits}") / peak_of(prediction.dtype))
    if bits is None:
        write_image(folder / f"{name}.tif", image.astype(np.float32))
    else:
        write_image(folder / f"{name}.png", image, bits)
    if weight_maps:
        [weights] = ensemble.predict_weights(images, inputs)
        for model, weight in zip(ensemble.model_names_ or (), weights, strict=True):
            maps = folder / WEIGHT_MAPS / model
            maps.mkdir(parents=True, exist_ok=True)
            mean = weight if weight.ndim == 2 else weight.mean(axis=-1)
            write_image(maps / f"{name}.png", 255 * mean, 8)


COMMAND = Command(
    predict,
    "Combine the outputs of the base models, scene by scene.",
    {
        "model MODEL": "file that `skensir fit` wrote",
        "folder FOLDER": "folder with one sub-folder per base model",
        "-o/--output OUT": "folder for the images",
        "--bits {8,16}": "bits per channel of the PNGs (default: those of the models); 16 keeps "
        "fractions of 8-bit values, scaled by 257",
        "--weight-maps": "write the weights of the models as images too, to "
        f"OUT/{WEIGHT_MAPS}/<model>",
        **INPUT,
        **CROP,
    },
)
