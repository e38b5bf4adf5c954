"""`skensir fit`: from a folder of images to a file of lookup tables."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir._text import plural
from skensir.cli.arguments import READING, Command
from skensir.cli.common import CommandError, check_installed, check_output_file
from skensir.image import ImageEnsemble, ReferenceSet
from skensir.image.pixel_format import on_scale, pixel_format_of
from skensir.image.progress import progress
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
        # A single scene cannot be left out; its rows are split.
        splitter = LeaveOneGroupOut() if n_scenes > 1 else None
        objectives = (objective or "squared_error",)
        return EnsIRRegressorCV(data_range=data_range, objectives=objectives, cv=splitter)
    params: dict[str, Any] = REFERENCE_PARAMS
    if not published:
        params = {"objective": objective or "likelihood", "shrinkage": shrinkage or 0.0}
    width = "auto" if bin_width is None else bin_width
    return EnsIRRegressor(width, data_range=data_range, **params)


def describe(regressor: EnsIRRegressor | EnsIRRegressorCV) -> str:
    """Return in a few words what a fitted regressor is."""
    is_chosen = isinstance(regressor, EnsIRRegressorCV)
    table: EnsIRRegressor = regressor.best_estimator_ if is_chosen else regressor
    names, counts = np.unique(table.cell_origin_, return_counts=True)
    origins = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    chosen = f"bin width {table.bin_width:g}, shrinkage {table.shrinkage:g}, " if is_chosen else ""
    return f"{chosen}{plural(len(table.cells_), 'cell')} ({origins})"


def fit(
    reference_set: Path,
    output: Path,
    *,
    models: list[str] | None = None,
    target: str = "gt",
    crop: bool = False,
    **options: Any,
) -> None:
    """Fit one table per channel on the images of a folder, and write them to a file.

    Parameters
    ----------
    reference_set : Path
        Folder with one sub-folder per base model, and one with the truth.
    output : Path
        File that the tables go to.
    models, target, crop
        As in `skensir.image.ReferenceSet`.
    **options
        Those of `make_regressor`.
    """
    check_installed("skensir fit", "cv2", "skimage", "tifffile", "tqdm")
    make_regressor(**options)  # options that exclude each other are told first
    check_output_file(output)
    scenes = ReferenceSet(reference_set, models, target, crop=crop)
    pixel_format = pixel_format_of(scenes[0])
    regressor = make_regressor(**options, n_scenes=len(scenes), data_range=pixel_format.data_range)
    start = time.perf_counter()
    ensemble = ImageEnsemble(regressor, channel_axis=None if pixel_format.grey else -1)
    with_bar = partial(progress, label="Fitting")
    ensemble.fit(
        scenes.predictions.through(on_scale).through(with_bar), scenes.targets.through(on_scale)
    )
    lines = [describe(fitted) for fitted in ensemble.regressors_]
    seconds = time.perf_counter() - start
    save_table(ensemble, output)
    print(
        f"Fitted {', '.join(scenes.models)} on {plural(len(scenes), 'scene')} of {reference_set} "
        f"in {seconds:.1f} s."
    )
    for number, line in enumerate(lines):
        print(f"  channel {number}: {line}" if len(lines) > 1 else f"  {line}")
    print(f"Model: {output}")


COMMAND = Command(
    fit,
    "Estimate the weights on a folder of images and write them to a file.",
    {
        "reference_set REFERENCE_SET": "folder with one sub-folder per base model, and gt with "
        "the truth",
        "-o/--output MODEL": "file to write",
        **READING,
        "--bin-width W": "in the unit of the pixels (default: 32 for 8 bits, 8224 for 16)",
        "--cv": "choose bin width and shrinkage by cross-validation, leaving one scene out",
        "--objective {likelihood,squared_error}": "default: likelihood as in the paper; "
        "squared_error with --cv",
        "--shrinkage S": "pseudo-rows of the pooled data that are added to each cell (default: 0)",
        "--published": "follow the published program, not the paper",
    },
    details="Files belong to one scene if their names agree but for the suffix.",
    passes_to=make_regressor,
)
