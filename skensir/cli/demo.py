"""`skensir demo`: EnsIR beside other ensembles, on photographs that come with scikit-image."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skensir._files import write_whole
from skensir._text import wrap
from skensir.cli.common import CommandError, Commands, check_installed, check_picture_file
from skensir.comparison.text import format_table
from skensir.demo.picture import draw_picture
from skensir.demo.results import (
    explain_photographs,
    explain_picture,
    explain_task,
    make_picture_row,
    run_task,
)
from skensir.demo.tasks import TASKS


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
        A new folder in which the images are kept, one sub-folder per task with a reference set and
        a test set. None keeps none.
    """
    check_installed("The demo", "matplotlib", "skimage", "cv2", "tqdm", extra="demo")
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
        rows = []
        for name in tasks:
            comparison = run_task(name, sets / name)
            rows.append(make_picture_row(name, comparison))
            print(f"{explain_task(name)}\n\n{format_table(comparison.rows)}\n", flush=True)
        if folder is not None:
            sets.rename(folder)
    write_whole(output, draw_picture(rows, explain_picture(rows)))
    print(f"{wrap(explain_photographs())}\n\n{wrap(comparison.methods)}\n\nPicture: {output}")
    if folder is not None:
        print(
            f"Images: {folder}, for example for\n"
            f"skensir compare {folder / tasks[0] / 'reference'} {folder / tasks[0] / 'test'}"
        )


def add_parser(commands: Commands) -> None:
    """Add the command to the parsers of `skensir`."""
    description = "Compare EnsIR with other ensembles on real photographs, in about a minute."
    parser = commands.add_parser(
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
