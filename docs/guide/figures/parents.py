"""Cells on one axis, how far two models lie apart, and the wider cells that they borrow from."""

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style

from skensir import EnsIRRegressor

WIDTH = 8
LOW, HIGH = -24, 56  # what is drawn of the axis, on which all rows lie
HEIGHT = 0.72  # of a box


def draw_rows(n_rows=1200):
    """Return two models' predictions and the truth; the first leaves bright streaks."""
    rng = np.random.default_rng(0)
    y = rng.uniform(40, 200, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, 2)) * [5, 12]
    streaks = rng.random(n_rows) < 0.1
    X[streaks, 0] += rng.triangular(0, 0, 100, streaks.sum())
    return X, y


def fit():
    """Return the boxes of each level, narrow to wide, and the weight of the first model in all.

    A box has the bin index, the weight of the first model and the number of rows.
    """
    X, y = draw_rows()
    table = EnsIRRegressor(
        WIDTH, axes="deviations", objective="squared_error", shrinkage=30, shrink_to="parent"
    ).fit(X, y)
    bins = np.floor((X[:, 0] - X.mean(axis=1)) / WIDTH).astype(int)
    levels = []
    for level in range(1 + table.ancestor_levels_.max()):
        lines = table.ancestor_levels_ == level
        cells, weights = table.ancestor_cells_[lines, 0], table.ancestor_weights_[lines, 0]
        if level == 0:
            cells, weights = table.cells_[:, 0], table.weights_[:, 0]
        counts = [np.count_nonzero(bins >> level == cell) for cell in cells]
        levels.append(list(zip(cells.tolist(), weights.tolist(), counts, strict=True)))
    return levels, table.default_weights_[0], len(y)


def plot(colors: Colors) -> None:
    """Draw the cells of each level as a line of boxes, the widest on top."""
    levels, whole, n_rows = fit()
    color_map = plt.get_cmap(colors.weights)
    with style(colors):
        _, axes = plt.subplots(figsize=(4.8, 5.4), layout="constrained")

        def draw_box(left, right, place, weight, text):
            left, right = max(left, LOW), min(right, HIGH)
            face = "none" if weight is None else color_map(weight)
            box = plt.Rectangle(
                (left, place), right - left, HEIGHT, facecolor=face, edgecolor=colors.ink
            )
            axes.add_patch(box)
            ink = colors.ink
            if weight is not None:
                ink = "white" if abs(weight - 0.5) > 0.3 else "black"
            middle = ((left + right) / 2, place + HEIGHT / 2)
            axes.annotate(text, middle, ha="center", va="center", color=ink, fontsize=9)

        for level, boxes in enumerate(levels):
            wide = WIDTH << level
            known = {cell: (weight, f"{weight:.2f}\n{count}") for cell, weight, count in boxes}
            for cell in range(LOW // wide, -(-HIGH // wide)):
                draw_box(cell * wide, (cell + 1) * wide, level, *known.get(cell, (None, "0")))
            name = f"bins of {wide}"
            axes.annotate(name, (LOW, level + HEIGHT + 0.03), fontsize=10, annotation_clip=False)
        top = len(levels)
        draw_box(LOW, HIGH, top, whole, f"all rows: {whole:.2f}\n{n_rows}")
        draw_box(LOW, HIGH, top + 1, 0.5, "root: 0.50")
        axes.set(
            xlim=(LOW, HIGH),
            ylim=(0, top + 1 + HEIGHT), xticks=range(LOW, HIGH + 1, 16), yticks=[],
            xlabel="first model less the mean of both",
        )  # fmt: skip
        axes.spines["left"].set_visible(False)


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)


if __name__ == "__main__":
    levels, whole, n_rows = fit()
    for level, boxes in enumerate(levels):
        for cell, weight, count in boxes:
            print(f"bins of {WIDTH << level:2}: {cell:2}, weight {weight:.2f}, {count} rows")
    print(f"all {n_rows} rows: weight {whole:.2f}")
