"""`skensir fit`: from a folder of images to a file of lookup tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import (
    CommandError,
    channel_names,
    check_installed,
    check_output_file,
)
from skensir.cli.reading import HOLD_OUT, READING, open_set, reading_options, split
from skensir.cli.worth import about_clips, describe_held_out, describe_worth
from skensir.image import ImageEnsemble, ReferenceSet, Worth, fit_and_hold_out
from skensir.image.files import Image
from skensir.image.inputs import UnfitInputError
from skensir.image.pixel_format import pixel_format_of
from skensir.image.progress import progress
from skensir.image.reference_set import Images, Scene
from skensir.image.search import search_for_images
from skensir.persistence import save_table


def make_regressor(
    *,
    bin_width: float | None = None,
    cv: bool = False,
    objective: str | None = None,
    shrinkage: float | None = None,
    published: bool = False,
    n_scenes: int = 2,
    data_range: float | str = "auto",
) -> EnsIRRegressor | EnsIRRegressorCV:
    """Return the regressor that the options ask for, or say which of them exclude each other."""
    values = {"--bin-width": bin_width, "--objective": objective, "--shrinkage": shrinkage}
    given = {name for name, value in values.items() if value is not None}
    if published:
        given.add("--published")
    if cv and (excluded := given - {"--objective"}):
        raise CommandError(f"--cv chooses the settings itself, so {min(excluded)} does not fit.")
    if published and (excluded := given - {"--bin-width", "--published"}):
        raise CommandError(f"--published sets the rest itself, so {min(excluded)} does not fit.")
    if cv:
        return search_for_images(n_scenes, data_range, (objective or "squared_error",))
    params: dict[str, Any] = REFERENCE_PARAMS
    if not published:
        params = {"objective": objective or "likelihood", "shrinkage": shrinkage or 0.0}
    width = "auto" if bin_width is None else bin_width
    return EnsIRRegressor(width, data_range=data_range, **params)


def describe(regressor: EnsIRRegressor | EnsIRRegressorCV) -> str:
    """Return in a few words what a fitted regressor is."""
    if isinstance(regressor, EnsIRRegressor):
        names, counts = np.unique(regressor.cell_origin_, return_counts=True)
        origins = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
        return f"{plural(len(regressor.cells_), 'cell')} ({origins})"
    several = len(regressor.estimators_) > 1
    tables = [
        (f"{share:.0%} " if several else "")
        + f"{table.axes_} in bins of {table.bin_width_:g}, {plural(len(table.cells_), 'cell')}"
        for share, table in zip(regressor.shares_, regressor.estimators_, strict=True)
    ]
    n_candidates = int(np.count_nonzero(regressor.cv_results_["share"]))
    if n_candidates == 1:
        return f"{tables[0]}, shrinkage {regressor.shrinkage_:g}"
    return f"{'; '.join(tables)}; the average of {n_candidates} candidates"


def fit(
    reference_set: Path,
    output: Path,
    *,
    no_input: bool = False,
    hold_out: str | None = None,
    **options: Any,
) -> None:
    """Fit one table per channel on the images of a folder, and write them to a file.

    Parameters
    ----------
    reference_set : Path
        Folder with one sub-folder per base model, and one with the truth.
    output : Path
        File that the tables go to.
    no_input : bool, default=False
        Whether to leave out the input, which is one more model with `--cv` where it fits.
    hold_out : str, default=None
        Scenes not to fit on, as in `skensir.cli.reading.split_names`, but to measure on.
    **options
        Those of `skensir.cli.reading.open_set` and of `make_regressor`.
    """
    check_installed("skensir fit", "cv2", "tifffile", "tqdm")
    reading_of = reading_options(options)
    _check_options(no_input, options)
    check_output_file(output)
    scenes = open_set(reference_set, **reading_of)
    held_out = None
    if hold_out is not None:
        scenes, held_out = split(scenes, hold_out)
    first = scenes[0]
    pixel_format = pixel_format_of(first)
    regressor = make_regressor(**options, n_scenes=len(scenes), data_range=pixel_format.data_range)
    start = time.perf_counter()
    reading = _Reading(scenes, first)
    del first
    uses_input, about_input = _decide_on_input(
        scenes, wanted=bool(options.get("cv")) and not no_input
    )
    axis = None if pixel_format.grey else -1
    ensemble = ImageEnsemble(regressor, channel_axis=axis, include_input=uses_input, n_jobs=-1)
    worth, why_not = reading.fit(ensemble)
    about_input = why_not or about_input
    lines = [describe(fitted) for fitted in ensemble.regressors_]
    seconds = time.perf_counter() - start
    save_table(ensemble, output)
    print(
        f"Fitted {', '.join(ensemble.model_names_ or ())} on {plural(len(scenes), 'scene')} of "
        f"{reference_set} in {seconds:.1f} s."
    )
    if about_input:
        print(about_input)
    for channel, line in zip(channel_names(ensemble), lines, strict=True):
        print(f"  {channel}: {line}")
    print(f"Model: {output}\n")
    print(describe_worth(worth, ensemble.regressors_[0], len(scenes)))
    print(end="" if held_out else about_clips(scenes.names))
    if held_out:
        print(f"\n{describe_held_out(ensemble, held_out, pixel_format.data_range)}")


def _check_options(no_input: bool, options: dict[str, Any]) -> None:
    """Raise an error before the work begins if options exclude each other."""
    make_regressor(**options)
    if no_input and not options.get("cv"):
        raise CommandError("--no-input is of use with --cv only, as no other fit has the input.")


class _Reading:
    """Reads each scene once for a fit: the first has been read already."""

    def __init__(self, scenes: ReferenceSet, first: Scene) -> None:
        self.scenes = scenes
        self._first = {"predictions": first.predictions, "targets": np.asarray(first.target)}

    def fit(self, ensemble: ImageEnsemble) -> tuple[Worth, str | None]:
        """Fit an ensemble, without the input if that cannot be used, and tell what it is worth.

        The other is what to say of an input that is not used.
        """
        try:
            return self._fit(ensemble), None
        except UnfitInputError as error:
            ensemble.include_input = False
            scene = self.scenes.names[error.number]
            return self._fit(ensemble), _without_input(f"in scene {scene!r} {error.reason}")

    def _fit(self, ensemble: ImageEnsemble) -> Worth:
        scenes, with_bar = self.scenes, partial(progress, label="Fitting")
        return fit_and_hold_out(
            ensemble,
            scenes.predictions.through(self._all).through(with_bar),
            scenes.targets.through(self._all),
            scenes.inputs if ensemble.include_input else None,
        )

    def _all(self, images: Images) -> Iterator[Image]:
        """Yield the images, the first as it was read before, which is forgotten then."""
        if images.part in self._first:
            yield self._first.pop(images.part)
            images = images[1:]
        yield from images


def _decide_on_input(scenes: ReferenceSet, *, wanted: bool) -> tuple[bool, str | None]:
    """Tell whether the input is to be one more model, and what to say of that, None for nothing.

    Whether sizes and depths fit is found out where the images are read.
    """
    if not wanted or not scenes.has_inputs:
        return False, None
    try:
        _ = scenes.inputs
    except ValueError as error:
        return False, _without_input(str(error).partition(";")[0])
    return True, f"The input, {scenes.folder / scenes.input}, is one more model."


def _without_input(reason: str) -> str:
    return f"The input is not used, as {reason}."


COMMAND = Command(
    fit,
    "Estimate the weights on a folder of images and write them to a file.",
    {
        "reference_set REFERENCE_SET": "folder with one sub-folder per base model, and one with "
        "the truth, such as gt",
        "-o/--output MODEL": "file to write",
        **READING,
        **HOLD_OUT,
        "--bin-width W": "in the unit of the pixels (default: 32 for 8 bits, 8224 for 16)",
        "--cv": "choose the tables by cross-validation, leaving one scene out; the images before "
        "restoration are one more model then, if they are there in the size and depth of the "
        "outputs",
        "--no-input": "leave them out with --cv too",
        "--objective {likelihood,squared_error}": "default: likelihood as in the paper; "
        "squared_error with --cv",
        "--shrinkage S": "pseudo-rows of the pooled data that are added to each cell (default: 0)",
        "--published": "follow the published program, not the paper",
    },
    details="Files belong to one scene if their names agree, but for the suffix and for what all "
    "files of a folder add.",
    passes_to=(open_set, make_regressor),
)
