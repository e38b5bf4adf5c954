"""The plot of `skensir inspect`: how the weights change from dark to bright, and with agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skensir import EnsIRRegressor
from skensir._sums.scale import quantiles
from skensir._typing import FloatArray
from skensir.display._figure import model_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Most groups of cells side by side, and of the rows what may lie beyond them at either end.
_N_GROUPS, _TAIL = 32, 0.001
# Inches, with more than one column and with one: of a panel, of a legend, and of a line of it.
_WIDTH, _HEIGHT, _LEGEND = (5.0, 8.0), 2.6, 0.4
# In letters: a line per inch, what stands before a name in the legend, and between two labels.
_LETTERS, _KEY, _GAP = 11, 6, 3
_MAX_LABELS = 9


class Panel(NamedTuple):
    """A table to draw, the title above it, and its row and column."""

    table: EnsIRRegressor
    title: str
    place: tuple[int, int]


class Groups(NamedTuple):
    """Cells put together by their place on an axis: the mean weights of their rows.

    `edges` (n_groups + 1,) are the ends of the groups, in the unit of the predictions; `weights`
    (n_groups, n_models) are NaN in a group without rows; `shares` (n_groups,) are those of the
    rows, None where a table does not know how many it was fitted on.
    """

    edges: FloatArray
    weights: FloatArray
    shares: FloatArray | None
    label: str


def group_cells(table: EnsIRRegressor) -> Groups:
    """Put cells together that are equally bright, or in which models are equally far apart."""
    known = bool(np.isfinite(table.cell_counts_).all())
    n_rows = table.cell_counts_ if known else np.ones(len(table.cells_))
    width = table.bin_width_
    if table.axes_ == "deviations":
        place = width * np.abs(table.cells_ + 0.5).max(axis=1)
        # 0, 1, 2, 3, 4, 6, 8, 12, ...: few rows lie where models differ by much.
        steps = (number for power in count(1) for number in (2**power, 3 * 2 ** (power - 1)))
        last = place.max() / width
        inner = takewhile(lambda step: step < last, steps)
        edges = width * np.unique([0, 1, *inner, np.ceil(last)])
        label = "distance of the model that is farthest from the mean of all"
    else:
        place = width * (table.cells_[:, 0] + 0.5)
        if table.axes_ == "predictions":
            means = table.means_ if known else width * (table.cells_ + 0.5)
            place = means.mean(axis=1)
        lower, upper = quantiles(place, n_rows, (_TAIL, 1 - _TAIL))
        first, last = np.floor(lower / width), np.floor(upper / width) + 1
        if 0 < first < last / 4:
            first = 0.0  # black, so that the channels of an image have the same axis
        step = np.ceil((last - first) / _N_GROUPS)
        edges = width * np.arange(first, last + step, step)
        label = "mean of the models"
    number = np.clip(np.searchsorted(edges, place, side="right") - 1, 0, len(edges) - 2)
    totals = np.bincount(number, n_rows, len(edges) - 1)
    sums = [np.bincount(number, n_rows * weight, len(totals)) for weight in table.weights_.T]
    with np.errstate(invalid="ignore"):  # of groups without rows
        weights = np.stack(sums, axis=1) / totals[:, np.newaxis]
    return Groups(edges, weights, totals / totals.sum() if known else None, label)


def draw_weights(panels: Sequence[Panel], names: Sequence[str]) -> Figure:
    """Return a figure of the mean weights in each table, and of where its rows lie."""
    from matplotlib.figure import Figure

    n_rows, n_columns = (1 + max(panel.place[axis] for panel in panels) for axis in (0, 1))
    width = n_columns * _WIDTH[0] if n_columns > 1 else _WIDTH[1]
    figure = Figure(figsize=(width, _HEIGHT * n_rows + _LEGEND), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.04, hspace=0)  # type: ignore[union-attr, call-arg]
    grid = figure.add_gridspec(n_rows, n_columns)
    colors = model_colors(len(names))
    groups = {panel.place: group_cells(panel.table) for panel in panels}
    for panel in panels:
        row, column = panel.place
        found = groups[panel.place]
        shares = found.shares is not None
        parts: Any = grid[panel.place].subgridspec(
            1 + shares, 1, height_ratios=(6, 1)[: 1 + shares]
        )
        ax, *others = parts.subplots(sharex=True, squeeze=False)[:, 0]
        handles = _draw_groups(ax, found, names, colors)
        ax.set_title(panel.title, loc="left", fontsize="medium")
        if others:
            ax.tick_params(bottom=False)
            _draw_shares(others[0], found)
        if column == 0:
            ax.set_ylabel("mean weight")
        lowest = others[0] if others else ax
        labels = [f"{edge:.5g}" for edge in found.edges]
        room = width / n_columns * _LETTERS // (_GAP + max(map(len, labels)))
        every = math.ceil(len(labels) / min(room, _MAX_LABELS))
        lowest.set_xticks(np.arange(len(labels))[::every], labels[::every])
        below = groups.get((row + 1, column))
        if below is None or below.label != found.label:
            lowest.set_xlabel(found.label)
    n_in_line = max(1, int(width * _LETTERS) // (_KEY + max(map(len, names))))
    n_lines = -(-len(names) // n_in_line)
    figure.legend(handles=handles, loc="outside upper center", ncols=-(-len(names) // n_lines))
    return figure


def _draw_groups(ax: Axes, groups: Groups, names: Sequence[str], colors: Sequence[Any]) -> Any:
    """Draw the weights of each group side by side, one upon the other where none is negative."""
    x = np.arange(len(groups.edges))
    if np.nanmin(groups.weights) < 0:
        handles: list[Any] = [
            ax.stairs(weight, x, label=name, color=color, baseline=None, linewidth=1.5)
            for weight, name, color in zip(groups.weights.T, names, colors, strict=True)
        ]
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    else:
        tops = np.cumsum(groups.weights, axis=1)
        handles = [
            ax.stairs(top, x, label=name, color=color, baseline=top - weight, fill=True)
            for top, weight, name, color in zip(
                tops.T, groups.weights.T, names, colors, strict=True
            )
        ]
        ax.set_ylim(0, 1)
    ax.set_xlim(0, x[-1])
    return handles


def _draw_shares(ax: Axes, groups: Groups) -> None:
    """Draw which share of the rows lies in each group."""
    shares: Any = groups.shares
    largest = float(shares.max())
    ax.stairs(shares, np.arange(len(groups.edges)), fill=True, color="0.5")
    ax.set(ylim=(0, 1.05 * largest), yticks=[largest], yticklabels=[f"{largest:.0%}"])
    ax.set_ylabel("rows", fontsize="small", rotation=0, ha="right", va="bottom", y=0)
    ax.tick_params(axis="y", labelsize="small")
