"""What becomes of a task of the demo: its comparison, its row of the picture, and the notes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from skensir._text import plural, wrap
from skensir.comparison.ensembles import CROSS_VALIDATED, WITH_INPUT
from skensir.comparison.measure import INPUT, Comparison, compare_sets
from skensir.comparison.scores import explain_convention
from skensir.comparison.text import BEST
from skensir.demo.picture import PictureRow
from skensir.demo.super_resolution import SCALE
from skensir.demo.tasks import LARGEST_SIDE, TASKS, make_sets
from skensir.image import ReferenceSet
from skensir.image.inputs import INPUT_MODEL
from skensir.image.sample_set import CREDITS, copy_samples

# The tasks of the demo. The first is that of the sample set, whose base models are networks; the
# others are of TASKS, those whose base models err apart as networks do.
NETWORKS = "super-resolution"
SHOWN_TASKS = (NETWORKS, "deraining")
# Rows of the picture: the first that a task has.
SHOWN_ENSEMBLES = (WITH_INPUT, CROSS_VALIDATED)


def run_task(name: str, folder: Path) -> Comparison:
    """Make the images of a task in a folder, and compare what can be made of them."""
    if name == NETWORKS:
        copy_samples(folder)
        models, seconds, convention = None, {}, ("luma", SCALE)
    else:
        task = TASKS[name]
        seconds = make_sets(name, folder, LARGEST_SIDE)
        models, convention = list(task.restorers), (task.channel, task.crop_border)
    comparison = compare_sets(
        ReferenceSet(folder / "reference", models),
        ReferenceSet(folder / "test", models),
        channel=convention[0],
        crop_border=convention[1],
    )
    rows = [
        row._replace(seconds_image=seconds.get(row.name, row.seconds_image))
        for row in comparison.rows
    ]
    return replace(comparison, rows=rows)


def shown_ensemble(comparison: Comparison) -> str:
    """Return the row of the ensemble that the picture shows."""
    names = {fitted.method.name for fitted in comparison.fitted}
    return next(row for row in SHOWN_ENSEMBLES if row in names)


def find_gains(comparison: Comparison) -> dict[str, float]:
    """Return by how much the shown ensemble is above the best base model of each photograph, dB."""
    ensemble = shown_ensemble(comparison)
    gains = {}
    for name in comparison.test.names:
        psnr = {row: scores["psnr"] for row, scores in comparison.scores[name].items()}
        gains[name] = psnr[ensemble] - max(psnr[model] for model in comparison.test.models)
    return gains


def choose_photograph(gains: dict[str, float]) -> str:
    """Return the photograph whose gain is nearest the mean gain.

    Of those equally near, as two always are, it is the first in alphabetical order.
    """
    mean = np.mean(list(gains.values()))
    return min(sorted(gains), key=lambda name: round(abs(gains[name] - mean), 6))


def make_picture_row(name: str, comparison: Comparison) -> PictureRow:
    """Return the task's row of the picture."""
    gains = find_gains(comparison)
    photograph, ensemble = choose_photograph(gains), shown_ensemble(comparison)
    shown = [fitted for fitted in comparison.fitted if fitted.method.name == ensemble]
    test = comparison.test.subset([photograph])
    scene = next(replace(comparison, test=test, fitted=shown).scenes())
    weights = scene["weight_maps"][ensemble]
    [degraded] = test.inputs
    images = {INPUT: degraded}
    for row in (*test.models, ensemble):
        title = f"{row}\n{scene['scores'][row]['psnr']:.2f} dB"
        images[f"{title} ({gains[photograph]:+.2f})" if row == ensemble else title] = scene[
            "images"
        ][row]
    images["Truth"] = scene["target"]
    model = max(weights, key=lambda name: float(np.std(weights[name])))
    title = f"EnsIR's weight of\n{'the input' if model == INPUT_MODEL else model}"
    note = f"{photograph}, {gains[photograph]:+.2f} dB (mean {np.mean(list(gains.values())):+.2f})"
    credit = f"{photograph} by {CREDITS[photograph]}" if name == NETWORKS else None
    return PictureRow(
        name.capitalize(), images, title, weights[model], 1 / len(weights), note, credit
    )


def explain_task(name: str, comparison: Comparison) -> str:
    """Return what stands above the table of a task."""
    reference, test = (", ".join(s.names) for s in (comparison.reference, comparison.test))
    convention = comparison.convention
    if name == NETWORKS:
        what = (
            f"photographs enlarged by {SCALE} in height and width by "
            f"{plural(len(comparison.test.models), 'real network')}, the sample set of skensir"
        )
    else:
        what = (
            f"photographs of scikit-image {TASKS[name].note}, cut to {LARGEST_SIDE} x "
            f"{LARGEST_SIDE} pixels at most, and restored by classical methods whose parameters "
            "were chosen on the photographs for fitting"
        )
    return wrap(
        f"{name.capitalize()}: {what}. The ensembles are fitted on {reference} and tested on "
        f"{test}. PSNR and SSIM compare "
        f"{explain_convention(convention['channel'], convention['crop_border'], 255)}"
    )


def explain_numbers() -> str:
    """Say what all tables have in common."""
    return (
        f"{BEST} Every number is the mean over the photographs for testing. Images of base models "
        "are rounded to 8 bits, those of the ensembles are not. Seconds are those of this machine, "
        "without reading files."
    )


def explain_credits() -> str:
    """Name the authors of the photographs of the sample set."""
    authors = "; ".join(f"{name}: {credit}" for name, credit in CREDITS.items())
    return f"Photographs of the sample set: {authors}. Networks: K. Scott, 2022, MIT licence."
