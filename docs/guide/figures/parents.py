"""Cells on one axis, how far two models lie apart, and the wider cells that they borrow from."""

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style

from skensir import EnsIRRegressor

WIDTH = 8
LEVELS = 3


def draw_rows(n_rows=1200):
    """Return two models' predictions and the truth; the first leaves bright streaks."""
    rng = np.random.default_rng(0)
    y = rng.uniform(40, 200, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, 2)) * [5, 12]
    streaks = rng.random(n_rows) < 0.1
    X[streaks, 0] += rng.exponential(40, streaks.sum())
    return X, y


def plot(colors: Colors) -> None:
    """Draw the cells of each level as a line of boxes, the widest on top."""
    X, y = draw_rows()
    table = EnsIRRegressor(
        WIDTH, axes="deviations", objective="squared_error", shrinkage=30, shrink_to="parent"
    ).fit(X, y)
    levels = [(table.cells_[:, 0], table.weights_[:, 0])]
    for level in range(1, LEVELS):
        lines = table.ancestor_levels_ == level
        levels.append((table.ancestor_cells_[lines, 0], table.ancestor_weights_[lines, 0]))
    color_map = plt.get_cmap(colors.weights)
    deviation = X[:, 0] - X.mean(axis=1)
    low, high = -3 * WIDTH, 8 * WIDTH
    with style(colors):
        _, axes = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
        for level, (cells, weights) in enumerate(levels):
            wide = WIDTH << level
            for cell in range(low // wide, -(-high // wide)):
                known = np.flatnonzero(cells == cell)
                left, right = max(cell * wide, low), min((cell + 1) * wide, high)
                count = int(((deviation >= cell * wide) & (deviation < (cell + 1) * wide)).sum())
                if len(known):
                    weight = weights[known[0]]
                    face, ink = color_map(weight), "white" if abs(weight - 0.5) > 0.3 else "black"
                    text = f"{weight:.2f}\n{count}"
                else:
                    face, ink, text = "none", colors.ink, "0"
                axes.add_patch(
                    plt.Rectangle(
                        (left, level), right - left, 0.72, facecolor=face, edgecolor=colors.ink
                    )
                )
                axes.annotate(
                    text, ((left + right) / 2, level + 0.36), ha="center", va="center",
                    color=ink, fontsize=9,
                )  # fmt: skip
            axes.annotate(
                f"bins of {wide}",
                (low, level + 0.75),
                va="bottom",
                fontsize=10,
                annotation_clip=False,
            )
        whole = table.default_weights_[0]
        for place, weight, name in ((LEVELS, whole, "all rows"), (LEVELS + 1, 0.5, "root")):
            axes.add_patch(
                plt.Rectangle(
                    (low, place),
                    high - low,
                    0.72,
                    facecolor=color_map(weight),
                    edgecolor=colors.ink,
                )
            )
            ink = "white" if abs(weight - 0.5) > 0.3 else "black"
            text = f"{name}: {weight:.2f}" + (f", {len(y)}" if name == "all rows" else "")
            axes.annotate(
                text, ((low + high) / 2, place + 0.36), ha="center", va="center", color=ink,
                fontsize=10,
            )  # fmt: skip
        axes.set(
            xlim=(low, high), ylim=(0, LEVELS + 1.8), yticks=[], xticks=range(low, high + 1, 16),
            xlabel="first model less the mean of both",
        )  # fmt: skip
        axes.spines["left"].set_visible(False)


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)
