"""`skensir import-released`: the tables published with the paper, as a model file."""

from __future__ import annotations

from pathlib import Path

from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import channel_names, check_output_file
from skensir.interop.released import read_released
from skensir.persistence import save_table


def import_released(
    weights: Path, output: Path, *, models: list[str] | None = None, bin_width: float | None = None
) -> None:
    """Write a published file of weights as a model file.

    Parameters
    ----------
    weights : Path
        A file that torch.save has written. It is read without torch, and nothing in it is run.
    output : Path
        File to write.
    models : list of str, default=None
        Names of the base models, in the order of the weights. None for those in the file's name.
    bin_width : float, default=None
        As in `skensir.interop.released.read_released`.
    """
    check_output_file(output)
    ensemble = read_released(weights, models, bin_width)
    save_table(ensemble, output)
    tables = ensemble.regressors_
    table = tables[0]
    print(
        f"Imported {plural(len(tables), 'table')} ({', '.join(channel_names(ensemble))}) of "
        f"{plural(table.n_features_in_, 'model')}, "
        f"bin width {table.bin_width_:g}, {plural(len(table.cells_), 'cell')} each."
    )
    print(f"Model: {output}")
    if ensemble.model_names_ is None:
        print("No base models are named, which `skensir predict` needs: see --models.")
    else:
        source = "" if models else ", as the file's name says"
        print(f"Base models{source}: {', '.join(ensemble.model_names_)}")


COMMAND = Command(
    import_released,
    "Turn a file of weights published with the paper into a model file.",
    {
        "weights WEIGHTS.pth": "the published file",
        "-o/--output MODEL": "file to write",
        "--models NAME": "the base models, in the order of the weights; default: those in the "
        "file's name",
        "--bin-width W": "of the bins (default: that of the edges, or of the file's name where "
        "cells are missing)",
    },
    details="It is read without torch, and nothing in it is run.",
)
