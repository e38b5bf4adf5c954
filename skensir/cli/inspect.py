"""`skensir inspect`: what a file of lookup tables holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skensir import EnsIRRegressor
from skensir._text import plural, printable
from skensir.cli.arguments import Command
from skensir.cli.common import (
    channel_names,
    check_installed,
    check_picture_file,
    write_picture,
)
from skensir.cli.weight_plot import Panel, draw_weights
from skensir.display._figure import check_model_names
from skensir.image import ImageEnsemble
from skensir.persistence import load_table

# What the bins are of, where it is not the predictions.
_AXES = {"deviations": "deviations from the mean", "summary": "mean and spread"}


class Inspected(NamedTuple):
    """A table with what it is of: the channel, and its share where several are averaged."""

    table: EnsIRRegressor
    channel: str | None
    share: float | None

    @property
    def title(self) -> str:
        """What stands before what is told of it."""
        share = None if self.share is None else f"share {self.share:.1%}"
        return ", ".join(filter(None, (self.channel, share)))


def find_tables(loaded: Any) -> list[Inspected]:
    """Return the tables of what `load_table` returned."""
    found = []
    is_ensemble = isinstance(loaded, ImageEnsemble)
    regressors = loaded.regressors_ if is_ensemble else [loaded]
    channels = channel_names(loaded) if is_ensemble else [None]
    for channel, regressor in zip(channels, regressors, strict=True):
        tables = getattr(regressor, "estimators_", [regressor])
        shares = regressor.shares_.tolist() if len(tables) > 1 else [None]
        pairs = zip(tables, shares, strict=True)
        found += [Inspected(table, channel, share) for table, share in pairs]
    return found


def describe_settings(table: EnsIRRegressor) -> str:
    """Return a line about how a table was made.

    Tables that a search has averaged have ancestors, and no single shrinkage.
    """
    parts = [f"bin width {table.bin_width_:g}", f"objective {table.objective}"]
    if table.axes_ != "predictions":
        parts[0] += f" on {_AXES[table.axes_]}"
    if table.shrink_to == "parent":
        parts.append("drawn to wider cells")
    elif not is_nested(table):
        parts.append(f"shrinkage {table.shrinkage:g}")
    if not table.positive:
        parts.append("signed weights")
    if table.fit_intercept:
        parts.append("with intercepts")
    return ", ".join(parts)


def is_nested(table: EnsIRRegressor) -> bool:
    """Tell whether cells have wider ones around them, which serve rows in unseen cells."""
    return len(table.ancestor_levels_) > 0


def describe_table(table: EnsIRRegressor, names: list[str]) -> list[str]:
    """Return lines about one table: occupancy, weights, iterations, and how cells came about."""
    counts, origin = table.cell_counts_, table.cell_origin_
    n_possible = int(np.prod([len(np.unique(bins)) for bins in table.cells_.T], dtype=object))
    known = np.isfinite(counts).all()
    rows = plural(counts.sum(), "row") if known else "an unknown number of rows"
    lines = [
        describe_settings(table),
        f"{plural(len(counts), 'occupied cell')} of {n_possible:,} that its bins make; {rows}",
    ]
    if is_nested(table):
        lines.append(
            f"{plural(len(table.ancestor_levels_), 'wider cell')} for rows in unseen ones, with "
            f"bins doubled up to {table.ancestor_levels_.max()} times"
        )
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
    return [*lines, *describe_weights(table, names)]


def describe_weights(table: EnsIRRegressor, names: list[str]) -> list[str]:
    """Return lines about the weights of each model."""
    counts = table.cell_counts_
    known = np.isfinite(counts).all()
    shares = counts / counts.sum() if known else np.full(len(counts), 1 / len(counts))
    lines = ["weights, by the rows of their cells:" if known else "weights:"]
    elsewhere = "in no cell" if is_nested(table) else "unseen cells"
    width = max(map(len, (*names, "unseen cells")))
    lines.append(f"  {'':{width}}   mean    min    max  {elsewhere:>12}")
    for name, weight, default in zip(names, table.weights_.T, table.default_weights_, strict=True):
        lines.append(
            f"  {name:{width}}  {weight @ shares:5.3f}  {weight.min():5.3f}  {weight.max():5.3f}  "
            f"{default:12.3f}"
        )
    return lines


def arrange(tables: list[Inspected]) -> list[Panel]:
    """Return where the tables stand in the plot: those of a channel side by side."""
    places: dict[str | None, int] = {}
    panels = []
    for inspected in tables:
        row = len({*places, inspected.channel}) - 1
        column = places.get(inspected.channel, 0)
        places[inspected.channel] = column + 1
        title = inspected.title
        if inspected.share is not None:
            title += f", by {_AXES.get(inspected.table.axes_, 'the predictions')}"
        panels.append(Panel(inspected.table, title, (row, column)))
    return panels


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
    tables = find_tables(loaded)
    names = [*map(printable, check_model_names(None, tables[0].table.n_features_in_, loaded))]
    print(f"{model}: {plural(len(tables), 'table')} of {', '.join(names)}")
    if getattr(loaded, "include_input", False):
        print(f"The model {names[-1]!r} is the image before restoration.")
    for inspected in tables:
        title = f"{inspected.title}: " if inspected.title else ""
        first, *others = describe_table(inspected.table, names)
        print("\n".join(["", f"{title}{first}", *others]))
    if plot is not None:
        write_picture(plot, draw_weights(arrange(tables), names))
        print(f"\nPlot: {plot}")


COMMAND = Command(
    inspect,
    "Tell what a model file holds: cells, weights, and how they came about.",
    {
        "model MODEL": "file of lookup tables",
        "--plot FILE": "PNG of the weights to write: their means from dark to bright, and from "
        "where models agree to where they differ; needs skensir[plot]",
    },
)
