"""Rows in the plane of two models, the cells that bins cut it into, and the table of weights."""

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style

from skensir import EnsIRRegressor

WIDTH = 64
CELL = (2, 2)  # the cell that is pointed out


def draw_rows(n_rows=4000):
    """Return the predictions of two models and the truth; each is good on another half."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    noise = rng.normal(size=(n_rows, 2)) * np.where(y[:, None] < 128, [8, 24], [24, 8])
    return (y[:, None] + noise).clip(0, 255), y


def plot(colors: Colors) -> None:
    """Draw the rows above, the table below."""
    X, y = draw_rows()
    table = EnsIRRegressor(WIDTH, objective="squared_error", min_samples_cell=5).fit(X, y)
    ticks = np.arange(0, 257, WIDTH)
    with style(colors):
        _, (rows, weights) = plt.subplots(2, 1, figsize=(4.6, 8.4), layout="constrained")
        some = slice(0, 700)
        rows.scatter(*X[some].T, s=6, color=colors.first, alpha=0.6, linewidth=0)
        rows.set_title("Rows, and the bins of both models")
        norm = plt.Normalize(0, 1)
        color_map = plt.get_cmap(colors.weights)
        for cell, weight, count in zip(
            table.cells_, table.weights_[:, 0], table.cell_counts_, strict=True
        ):
            corner = cell * WIDTH
            face = color_map(norm(weight))
            weights.add_patch(plt.Rectangle(corner, WIDTH, WIDTH, facecolor=face))
            ink = "white" if abs(weight - 0.5) > 0.3 else "black"
            text = f"{weight:.2f}\n{1 - weight:.2f}"
            size = 11 if count >= 20 else 9
            weights.annotate(
                text, corner + WIDTH / 2, ha="center", va="center", color=ink, fontsize=size
            )
        weights.set_title("The lookup table: a weight per model")
        for axes in (rows, weights):
            axes.set(
                xlim=(0, 256), ylim=(0, 256), xticks=ticks, yticks=ticks, aspect="equal",
                xlabel="prediction of the first model", ylabel="prediction of the second model",
            )  # fmt: skip
            axes.grid(color=colors.faint)
            axes.set_axisbelow(axes is weights)
            corner = np.multiply(CELL, WIDTH)
            axes.add_patch(
                plt.Rectangle(corner, WIDTH, WIDTH, fill=False, edgecolor=colors.ink, linewidth=2.4)
            )


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)
