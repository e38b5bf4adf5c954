"""`skensir predict`: from outputs of the base models to better images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import CommandError, check_installed, check_parent, load_tables
from skensir.cli.interruption import Interrupted, Interruption
from skensir.cli.outputs import is_in
from skensir.cli.prediction import Outcome, Prediction
from skensir.cli.reading import CROP, INPUT, NAMES, SCENES, open_set
from skensir.cli.sentences import tell
from skensir.image import ReferenceSet
from skensir.image.combining import CombinesImages
from skensir.image.progress import in_parallel
from skensir.image.scene_files import WEIGHT_MAPS


def predict(
    model: Path,
    folder: Path,
    output: Path,
    *,
    bits: int | None = None,
    weight_maps: bool = False,
    resume: bool = False,
    keep_going: bool = False,
    jobs: int | None = None,
    **reading: Any,
) -> None:
    """Combine the images of a folder and write the results to another, scene by scene.

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
    resume : bool, default=False
        Whether to leave out scenes of which `output` has the results of this model and these
        options, whole and no older than what they are made of.
    keep_going : bool, default=False
        Whether to leave out scenes that cannot be read and to name them at the end, with exit
        code 1. Otherwise the first of them ends the run.
    jobs : int, default=None
        How many scenes to work on at a time; each is in memory. None is one for each core.
    **reading
        As in `skensir.cli.reading.open_set`, but for `models` and `target`. The input is needed
        where it is one of the models.
    """
    check_installed("skensir predict", "cv2", "tqdm")
    ensemble = load_tables(model)
    scenes = _open(folder, ensemble, model, reading)
    if output.exists() and not output.is_dir():
        raise CommandError(f"{output} is a file; give the name of a folder.")
    check_parent(output)
    # What lies in there are base models, the truth and the input.
    if is_in(output, folder):
        raise CommandError(f"{output} is in {folder}, which is read; name a folder outside of it.")
    with Interruption() as interruption:
        prediction = Prediction(
            ensemble, model, scenes, output, bits, weight_maps, resume, keep_going, interruption
        )
        _report(prediction, _run(prediction, jobs))


def _open(
    folder: Path, ensemble: CombinesImages, model: Path, reading: dict[str, Any]
) -> ReferenceSet:
    """Return the scenes of a folder, of which there is all that the ensemble needs."""
    names = list(ensemble.model_names_ or ())
    outputs = names[:-1] if ensemble.include_input else names
    scenes = open_set(folder, models=outputs, target=None, **reading)
    if ensemble.n_channels_ > 1:
        scenes = scenes.in_colour()
    if ensemble.include_input:
        if not scenes.has_inputs:
            raise CommandError(
                f"{model} needs the images before restoration as one more model, but {folder} has "
                f"no sub-folder {scenes.input!r}; name it by --input."
            )
        _ = scenes.inputs  # none of them is missing
    return scenes


def _run(prediction: Prediction, jobs: int | None) -> list[Outcome]:
    """Combine the scenes; whatever ends that early, say how many are done."""
    names, output = prediction.scenes.names, prediction.output
    outcomes: list[Outcome] = []
    is_new = not output.exists()
    prediction.prepare()
    check = prediction.interruption.check
    try:
        for outcome in in_parallel(prediction.combine, names, "Predicting", jobs, check=check):
            outcomes.append(outcome)
    except BaseException as error:
        if is_new:
            prediction.remove_empty_folders()
        if prediction.done or isinstance(error, Interrupted):
            n_done = f"{len(prediction.done)} of {plural(len(names), 'scene')}"
            done = f"{n_done} done: {output}; --resume goes on from there."
            tell(f"skensir: note: {done}")
        if isinstance(error, Interrupted):
            raise SystemExit(prediction.interruption.exit_code) from None
        raise
    return outcomes


def _report(prediction: Prediction, outcomes: list[Outcome]) -> None:
    """Print what was done, what else lies there, and which scenes are left out."""
    output = prediction.output
    left_out = [outcome for outcome in outcomes if outcome.error is not None]
    names = ", ".join(prediction.ensemble.model_names_ or ())
    n_there = sum(outcome.was_there for outcome in outcomes)
    there = f"; {n_there} already there" if n_there else ""
    if n_others := sum(outcome.was_other for outcome in outcomes):
        there += f"; {n_others} made anew, in place of results of another model, other options or "
        there += "sources, or damaged ones"
    n_done = len(outcomes) - len(left_out)
    if n_there and n_there == len(outcomes):
        print(f"Nothing to do: {plural(n_there, 'scene')} already in {output}")
    else:
        print(f"Combined {names} in {plural(n_done, 'scene')}: {output}{there}")
    if others := prediction.others({path for outcome in outcomes for path in outcome.files}):
        verb = "is" if len(others) == 1 else "are"
        print(
            f"{output} has {plural(len(others), 'other image')}, such as "
            f"{others[0].relative_to(output)}, which {verb} not of this run."
        )
    if left_out:
        left = f"{len(left_out)} of {plural(len(outcomes), 'scene')}"
        tell(f"skensir: {left} could not be combined:")
        for outcome in left_out:
            tell(f"  {outcome.name}: {outcome.error}")
        raise SystemExit(1)


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
        "--resume": "leave out scenes whose results are there, whole, of this model and these "
        "options, and no older than what they are made of",
        "--keep-going": "leave out scenes that cannot be read; they are named at the end, with "
        "exit code 1",
        "--jobs JOBS": "work on so many scenes at a time, each of which is in memory (default: one "
        "for each core)",
        **INPUT,
        **NAMES,
        **SCENES,
        **CROP,
    },
    passes_to=(open_set,),
)
