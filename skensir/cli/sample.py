"""`skensir sample`: the images that lie in the package, in a folder to try the commands on."""

from __future__ import annotations

import shlex
from pathlib import Path

from skensir._files import partial_folder
from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import check_new_folder
from skensir.image.sample_set import copy_samples, load_super_resolution


def sample(folder: Path) -> None:
    """Copy photographs, and what three networks made of them, to a new folder.

    Parameters
    ----------
    folder : Path
        A new folder, which gets a reference set and a test set, and a file that names the authors.
    """
    check_new_folder(folder)
    # Beside the folder, to be renamed when all is there.
    with partial_folder(folder.absolute().parent) as temporary:
        copy_samples(temporary)
        temporary.rename(folder)
    reference, test, _ = load_super_resolution()
    scenes = plural(len(reference), "photograph"), plural(len(test), "other")
    compared = shlex.join(str(folder / part) for part in ("reference", "test"))
    print(
        f"{folder} has {scenes[0]} to fit on and {scenes[1]} to test on, enlarged four times by\n"
        f"{plural(len(reference.models), 'network')}. "
        f"Authors and licences: {folder / 'README.txt'}\n\n"
        "Try for example\n"
        f"skensir compare {compared} --channel luma --crop-border 4"
    )


COMMAND = Command(
    sample,
    "Copy a sample set to a new folder: photographs enlarged by three networks.",
    {"folder OUT": "new folder, for `reference` and `test`"},
    details="They are for trying the other commands on.",
)
