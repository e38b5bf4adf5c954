"""What becomes of a task of the demo: its comparison, its row of the picture, and the notes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from skensir._text import wrap
from skensir.comparison.ensembles import CROSS_VALIDATED, WITH_INPUT
from skensir.comparison.measure import INPUT, Comparison, compare_sets
from skensir.comparison.scores import explain_convention
from skensir.comparison.text import BEST
from skensir.demo.photographs import FITTING, TESTING
from skensir.demo.picture import PICTURED, PictureRow
from skensir.demo.tasks import LARGEST_SIDE, TASKS, make_sets
from skensir.image import ReferenceSet, peak_signal_noise_ratio
from skensir.image.inputs import INPUT_MODEL

# Rows of the picture: the first that a task has.
SHOWN = (WITH_INPUT, CROSS_VALIDATED)


def run_task(name: str, folder: Path) -> Comparison:
    """Make the images of a task in a folder, and compare what can be made of them."""
    task = TASKS[name]
    seconds = make_sets(name, folder, LARGEST_SIDE)
    models = list(task.restorers)
    comparison = compare_sets(
        ReferenceSet(folder / "reference", models),
        ReferenceSet(folder / "test", models),
        channel=task.channel,
        crop_border=task.crop_border,
    )
    rows = [
        row._replace(seconds_image=seconds.get(row.name, row.seconds_image))
        for row in comparison.rows
    ]
    return replace(comparison, rows=rows)


def make_picture_row(name: str, comparison: Comparison) -> PictureRow:
    """Return the task's row of the picture."""
    by_name = {fitted.method.name: fitted for fitted in comparison.fitted}
    shown = next(by_name[row] for row in SHOWN if row in by_name)
    test = comparison.test.subset([PICTURED])
    scene = next(replace(comparison, test=test, fitted=[shown]).scenes())
    weights = scene["weight_maps"][shown.method.name]
    [degraded] = test.inputs
    images = {INPUT: degraded}
    for row in (*test.models, shown.method.name):
        image = scene["images"][row]
        psnr = peak_signal_noise_ratio(scene["target"], image, **comparison.convention)
        images[f"{row}\n{psnr:.2f} dB"] = image
    images["Truth"] = scene["target"]
    model = max(weights, key=lambda name: float(np.std(weights[name])))
    title = f"EnsIR's weight of\n{'the input' if model == INPUT_MODEL else model}"
    return PictureRow(name.capitalize(), images, title, weights[model], 1 / len(weights))


def explain_task(name: str) -> str:
    """Return what stands above the table of a task."""
    task = TASKS[name]
    convention = explain_convention(task.channel, task.crop_border, 255)
    return wrap(f"{name.capitalize()}: photographs {task.note}. PSNR and SSIM of {convention}")


def explain_photographs() -> str:
    """Say what all tables have in common."""
    return (
        f"{BEST} Every number is the mean over the photographs for testing: {', '.join(TESTING)}. "
        f"The ensembles are fitted on others: {', '.join(FITTING)}. All are photographs of "
        f"scikit-image, cut to {LARGEST_SIDE} x {LARGEST_SIDE} pixels at most. Seconds are those "
        "of this machine, without reading files.\n\n"
        "Base models are classical methods with parameters chosen on the photographs for fitting. "
        "Their images are rounded to 8 bits, those of the ensembles are not."
    )
