"""`skensir demo`: EnsIR beside other ensembles, on photographs that come with scikit-image."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skensir._files import write_whole
from skensir.cli import CommandError
from skensir.cli.common import check_installed, join
from skensir.cli.comparison import INPUT_FOLDER, Comparison, compare_sets
from skensir.cli.picture import Line, check_picture_file, draw_picture
from skensir.cli.table import explain_convention, format_table, wrap
from skensir.cli.tasks import FITTING, SIDE, TASKS, TESTING, make_sets
from skensir.image import ReferenceSet, peak_signal_noise_ratio, read_image

PICTURED = TESTING[0]
SHOWN = "EnsIR, cross-validated"


def run_task(name: str, folder: Path) -> Comparison:
    """Make the images of a task in a folder, and compare what can be made of them."""
    task = TASKS[name]
    seconds = make_sets(name, folder, SIDE)
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


def make_line(name: str, comparison: Comparison) -> Line:
    """Return the task's row of the picture."""
    shown = [fitted for fitted in comparison.fitted if fitted.method.name == SHOWN]
    test = comparison.test.subset([PICTURED])
    scene = next(replace(comparison, test=test, fitted=shown).scenes())
    weights = scene["weight_maps"][SHOWN]
    images = {"Input": read_image(comparison.test.folder / INPUT_FOLDER / f"{PICTURED}.png")}
    for row in (*weights, SHOWN):
        image = scene["images"][row]
        psnr = peak_signal_noise_ratio(scene["target"], image, **comparison.convention)
        images[f"{row}\n{psnr:.2f} dB"] = image
    images["Truth"] = scene["target"]
    model = max(weights, key=lambda name: np.std(weights[name]))
    title = f"EnsIR's weight of\n{model}"
    return Line(name.capitalize(), images, title, weights[model], 1 / len(weights))


def explain_task(name: str) -> str:
    """Return what stands above the table of a task."""
    task = TASKS[name]
    convention = explain_convention(task.channel, task.crop_border, 255)
    return wrap(f"{name.capitalize()}: photographs {task.note}. PSNR and SSIM of {convention}")


def explain_photographs() -> str:
    """Say what all tables have in common."""
    return (
        "* best of the column but for the oracle. Every number is the mean over the photographs "
        f"for testing: {join(TESTING)}. The ensembles are fitted on others: {join(FITTING)}. All "
        f"are photographs of scikit-image, cut to {SIDE} x {SIDE} pixels at most. Seconds are "
        "those of this machine, without reading files.\n\n"
        "Base models are classical methods with parameters chosen on the photographs for fitting. "
        "Their images are rounded to 8 bits, those of the ensembles are not."
    )


def demo(
    output: Path = Path("demo.png"), tasks: Sequence[str] = tuple(TASKS), folder: Path | None = None
) -> None:
    """Compare EnsIR with other ensembles on real photographs; print tables, save a picture.

    Parameters
    ----------
    output : Path, default=Path("demo.png")
        Where the picture goes: a PNG in a folder that exists.
    tasks : sequence of str, default=("super-resolution", "deblurring", "deraining")
        What is to be restored.
    folder : Path, default=None
        A new folder in which the images are kept, one sub-folder a task with a reference set and a
        test set. None keeps none.

    Raises
    ------
    CommandError
        If a file cannot be written or an optional package is missing.
    """
    check_installed("The demo", "demo", "matplotlib", "skimage", "cv2", "tqdm")
    check_picture_file(output)
    if folder is not None:
        if folder.exists():
            raise CommandError(f"{folder} is there already; name a new folder.")
        if not folder.absolute().parent.is_dir():
            raise CommandError(
                f"{folder.parent} is not a folder, so {folder.name} cannot be made there."
            )
    # Beside the folder, to be renamed when all is there.
    place = None if folder is None else folder.absolute().parent
    with tempfile.TemporaryDirectory(prefix=".skensir-demo-", dir=place) as temporary:
        sets = Path(temporary) / "sets"
        lines = []
        for name in tasks:
            comparison = run_task(name, sets / name)
            lines.append(make_line(name, comparison))
            print(f"{explain_task(name)}\n\n{format_table(comparison.rows)}\n", flush=True)
        if folder is not None:
            sets.rename(folder)
    note = (
        f"The centre of the photograph {PICTURED}; PSNR is that of the whole photograph. "
        f"A weight of {lines[0].equal:.2f} is that of plain averaging."
    )
    write_whole(output, draw_picture(lines, note))
    print(f"{wrap(explain_photographs())}\n\n{wrap(comparison.methods)}\n\nPicture: {output}")
    if folder is not None:
        print(
            f"Images: {folder}, for example for\n"
            f"skensir compare {folder / tasks[0] / 'reference'} {folder / tasks[0] / 'test'}"
        )


def add_parser(commands: Any) -> None:
    """Add the command to the parsers of `skensir`."""
    description = "Compare EnsIR with other ensembles on real photographs, in about a minute."
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help=description,
        description=f"{description} Prints tables and saves a picture.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("demo.png"),
        metavar="FILE",
        help="where the picture goes (default: %(default)s)",
    )
    parser.add_argument(
        "--task",
        choices=(*TASKS, "all"),
        default="all",
        help="what is to be restored (default: %(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="OUT",
        help="new folder to keep the images in, as reference sets for the other commands",
    )

    def run(task: str, **options: Any) -> None:
        demo(tasks=tuple(TASKS) if task == "all" else (task,), **options)

    parser.set_defaults(run=run)
