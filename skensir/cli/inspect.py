"""`skensir inspect`: what a file of lookup tables holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skensir import EnsIRRegressor
from skensir._text import plural
from skensir.cli.arguments import Command
from skensir.cli.common import check_installed, check_picture_file, write_picture
from skensir.display._figure import check_model_names
from skensir.persistence import load_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def describe_table(table: EnsIRRegressor, names: list[str]) -> list[str]:
    """Return lines about one table: occupancy, weights, iterations, and how cells came about."""
    counts, origin = table.cell_counts_, table.cell_origin_
    n_possible = int(np.prod([len(np.unique(bins)) for bins in table.cells_.T], dtype=object))
    known = np.isfinite(counts).all()
    rows = f"{counts.sum():,.10g} rows" if known else "an unknown number of rows"
    lines = [
        f"bin width {table.bin_width_:g}, objective {table.objective}, "
        f"shrinkage {table.shrinkage:g}",
        f"{plural(len(counts), 'occupied cell')} of {n_possible:,} that its bins make; {rows}",
    ]
    kinds, numbers = np.unique(origin, return_counts=True)
    for kind, number in zip(kinds, numbers, strict=True):
        share = f", {counts[origin == kind].sum() / counts.sum():.2%} of the rows" if known else ""
        lines.append(f"  {kind}: {plural(int(number), 'cell')}{share}")
    if table.n_iter_.max() > 1:
        fitted = table.n_iter_[table.n_iter_ > 0]
        unfinished = int(np.count_nonzero(~table.converged_))
        lines.append(
            f"EM steps per cell: median {np.median(fitted):.0f}, at most {fitted.max()}; "
            f"{unfinished or 'none'} came to the limit of {table.max_iter}"
        )
    shares = counts / counts.sum() if known else np.full(len(counts), 1 / len(counts))
    lines.append("weights, by the rows of their cells:" if known else "weights:")
    width = max(map(len, (*names, "unseen cells")))
    lines.append(f"  {'':{width}}   mean    min    max  unseen cells")
    for name, weight, default in zip(names, table.weights_.T, table.default_weights_, strict=True):
        lines.append(
            f"  {name:{width}}  {weight @ shares:5.3f}  {weight.min():5.3f}  {weight.max():5.3f}  "
            f"{default:12.3f}"
        )
    return lines


def draw(tables: list[EnsIRRegressor], names: list[str]) -> Figure:
    """Return a figure of each table's weights and rows, its cells in order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.6 * len(tables) + 0.4), layout="constrained")
    axes = figure.subplots(len(tables), squeeze=False)[:, 0]
    for number, (ax, table) in enumerate(zip(axes, tables, strict=True)):
        order = np.argsort(table.means_.mean(axis=1), kind="stable")
        counts = table.cell_counts_[order]
        known = bool(np.isfinite(counts).all())
        edges = np.concatenate([[0.0], np.cumsum(counts if known else np.ones(len(counts)))])
        edges /= edges[-1]
        ax.stackplot(
            np.repeat(edges, 2)[1:-1],
            np.repeat(table.weights_[order].T, 2, axis=1),
            labels=names,
        )
        ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="weights")
        if len(tables) > 1:
            ax.set_title(f"channel {number}", loc="left", fontsize="medium")
    what = "share of the rows" if known else "cells"
    axes[-1].set_xlabel(f"{what}, from cells of dark to cells of bright values")
    areas = list(axes[0].collections)
    figure.legend(handles=areas, loc="outside upper center", ncols=min(len(names), 4))
    return figure


def inspect(model: Path, plot: Path | None = None) -> None:
    """Print what the tables of a file are, and save a plot of their weights where asked for.

    Parameters
    ----------
    model : Path
        What `skensir fit` or `skensir.save_table` has written.
    plot : Path, default=None
        PNG to write.
    """
    if plot is not None:
        check_installed("skensir inspect --plot", "matplotlib")
        check_picture_file(plot)
    loaded = load_table(model)
    tables = list(getattr(loaded, "regressors_", [loaded]))
    names = check_model_names(None, tables[0].n_features_in_, loaded)
    print(f"{model}: {plural(len(tables), 'table')} of {', '.join(names)}")
    for number, table in enumerate(tables):
        title = f"channel {number}: " if len(tables) > 1 else ""
        first, *others = describe_table(table, names)
        print("\n".join(["", f"{title}{first}", *others]))
    if plot is not None:
        write_picture(plot, draw(tables, names))
        print(f"\nPlot: {plot}")


COMMAND = Command(
    inspect,
    "Tell what a model file holds: cells, weights, and how they came about.",
    {
        "model MODEL": "file of lookup tables",
        "--plot FILE": "PNG of the weights to write",
    },
)
