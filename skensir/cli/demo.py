"""`skensir demo`: EnsIR beside other ensembles, on the sample set and on other photographs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from skensir._files import partial_folder
from skensir._text import wrap
from skensir.cli.arguments import Command
from skensir.cli.common import check_installed, check_new_folder, check_picture_file, write_picture
from skensir.comparison.text import format_table
from skensir.demo.picture import draw_picture
from skensir.demo.results import (
    NETWORKS,
    SHOWN_TASKS,
    explain_credits,
    explain_numbers,
    explain_task,
    make_picture_row,
    run_task,
)


def demo(output: Path = Path("demo.png"), task: str = "all", folder: Path | None = None) -> None:
    """Compare EnsIR with other ensembles on real photographs; print tables, save a picture.

    Parameters
    ----------
    output : Path, default=Path("demo.png")
        Where the picture goes: a PNG in a folder that exists.
    task : {"super-resolution", "deraining", "all"}, default="all"
        What is to be restored: the sample set of networks, photographs with rain on them, or both.
    folder : Path, default=None
        A new folder in which the images are kept, one sub-folder per task with a reference set and
        a test set. None keeps none.
    """
    check_installed("The demo", "matplotlib", "skimage", "cv2", "tqdm", extra="demo")
    check_picture_file(output)
    if folder is not None:
        check_new_folder(folder)
    names = list(SHOWN_TASKS) if task == "all" else [task]
    # Beside the folder, to be renamed when all is there.
    place = Path(tempfile.gettempdir()) if folder is None else folder.absolute().parent
    with partial_folder(place) as sets:
        rows = []
        for name in names:
            comparison = run_task(name, sets / name)
            rows.append(make_picture_row(name, comparison))
            told = explain_task(name, comparison)
            print(f"{told}\n\n{format_table(comparison.rows)}\n", flush=True)
        if folder is not None:
            sets.rename(folder)
    write_picture(output, draw_picture(rows))
    credits = f"{wrap(explain_credits())}\n\n" if NETWORKS in names else ""
    print(f"{wrap(explain_numbers())}\n\n{wrap(comparison.methods)}\n\n{credits}Picture: {output}")
    if folder is not None:
        print(
            f"Images: {folder}, for example for\n"
            f"skensir compare {folder / names[0] / 'reference'} {folder / names[0] / 'test'}"
        )


COMMAND = Command(
    demo,
    "Compare EnsIR with other ensembles on the outputs of real networks, and on rain.",
    {
        "-o/--output FILE": "where the picture goes (default: %(default)s)",
        f"--task {{{','.join(SHOWN_TASKS)},all}}": "what is to be restored (default: %(default)s)",
        "--folder OUT": "new folder to keep the images in, as reference sets for the other "
        "commands",
    },
    details="Prints tables and saves a picture.",
)
