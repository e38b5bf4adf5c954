r"""
========================
Cells within wider cells
========================

Narrow bins let the weights follow the predictions closely, but leave few rows in a cell to
estimate them from. With ``shrink_to="parent"`` a cell borrows from the cell around it, in bins
twice as wide: its parent. That one borrows from its own parent, and so on up to all rows and, at
the root, plain averaging. Here such a table of two models is drawn.
"""

# %%
# A table with parents
# --------------------
#
# The first model is good where the truth is small, the second where it is large. 600 rows in bins
# of width 32 leave most cells with a handful.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection

from skensir import EnsIRRegressor

rng = np.random.default_rng(0)


def draw_rows(n_rows):
    """Return predictions of two models, and the truth."""
    y = rng.uniform(0, 255, n_rows)
    noise = rng.normal(size=(n_rows, 2)) * np.where(y[:, None] < 128, [12, 36], [36, 12])
    return (y[:, None] + noise).clip(0, 255), y


X, y = draw_rows(600)
model = EnsIRRegressor(32, objective="squared_error", shrinkage=30, shrink_to="parent").fit(X, y)
print(f"{len(model.cells_)} cells of {np.median(model.cell_counts_):g} rows in the median")

# %%
# The hierarchy
# -------------
#
# Wider cells stand in ``ancestor_cells_``, level by level, and have weights of their own. The
# colour is the weight of the first model, the number how many rows a cell has. The cell with the
# thick outline has few, and is drawn to its parent, and that to its own. No row fell into the
# dotted cell: rows that do so later get the weights of the narrowest wider cell that is known.

UP, SLANT, FLAT = 0.92, 0.42, 0.62  # between levels, and of a table seen from the side
levels = [(model.cells_, model.weights_)]
for level in (1, 2):
    lines = model.ancestor_levels_ == level
    levels.append((model.ancestor_cells_[lines], model.ancestor_weights_[lines]))


def on_paper(x, y, level):
    """Return where a point of the table stands on paper; a table is one wide and one deep."""
    return np.stack([x + SLANT * y, FLAT * y + UP * level], axis=-1)


def outline(cell, level):
    """Return the corners of a cell, on paper."""
    side = 2**level / 8
    corners = np.add(cell, [[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    return on_paper(*corners.T, level)


def middle(cell, level):
    """Return the middle of a cell, on paper."""
    return outline(cell, level).mean(axis=0)


figure, axes = plt.subplots(figsize=(5.4, 7.4), layout="constrained")
colours = {"cmap": "RdBu", "norm": plt.Normalize(0, 1)}
for level, (cells, weights) in enumerate(levels):
    n_bins = 8 >> level
    empty = [outline(cell, level) for cell in np.ndindex(n_bins, n_bins)]
    axes.add_collection(PolyCollection(empty, facecolor="none", edgecolor="0.85"))
    shapes = PolyCollection(
        [outline(cell, level) for cell in cells], array=weights[:, 0], edgecolor="0.4", **colours
    )
    axes.add_collection(shapes)
    counts = np.zeros((n_bins, n_bins), dtype=int)
    np.add.at(counts, tuple((model.cells_ >> level).T), model.cell_counts_.astype(int))
    for cell, weight in zip(cells, weights[:, 0], strict=True):
        dark = abs(weight - 0.5) > 0.3
        axes.annotate(
            f"{counts[tuple(cell)]}", middle(cell, level), ha="center", va="center", fontsize=8,
            color="white" if dark else "black",
        )  # fmt: skip
    text = f"bins of {32 << level}\n{len(cells)} cells"
    axes.annotate(text, on_paper(1.14, 0.3, level), va="center", fontsize=11)

all_rows, root = on_paper(0.5, 0.45, 2.9), on_paper(0.5, 0.45, 3.35)
weight = model.default_weights_[0]
for place, text in ((all_rows, f"all rows: {weight:.2f}"), (root, "root: plain averaging, 0.5")):
    box = {"boxstyle": "round", "facecolor": plt.colormaps["RdBu"](weight), "edgecolor": "0.4"}
    axes.annotate(text, place, ha="center", va="center", bbox=box)
    weight = 0.5


def draw_chain(cell, level, linestyle):
    """Outline a cell and its ancestors, and draw an arrow to each from what it is the parent of."""
    chain = [np.array(cell) >> up for up in range(3 - level)]
    places = [middle(wide, level + up) for up, wide in enumerate(chain)]
    for up, wide in enumerate(chain):
        style = {"linestyle": linestyle if not up else "-", "linewidth": 2.2}
        axes.add_patch(plt.Polygon(outline(wide, level + up), fill=False, **style))
    for start, end in zip(places, [*places[1:], all_rows], strict=True):
        arrow = {
            "arrowstyle": "-|>",
            "color": "black",
            "shrinkA": 8,
            "shrinkB": 9,
            "linewidth": 1.6,
        }
        axes.annotate("", end, start, arrowprops=arrow)


arrow = {"arrowstyle": "-|>", "color": "black", "shrinkA": 12, "shrinkB": 12, "linewidth": 1.6}
axes.annotate("", root, all_rows, arrowprops=arrow)
few = model.cells_[model.cell_counts_ <= 3]
known = set(map(tuple, model.cells_))
unseen = [
    cell
    for cell in np.ndindex(8, 8)
    if cell not in known and tuple(np.array(cell) >> 1) in set(map(tuple, levels[1][0]))
]
draw_chain(min(few, key=lambda cell: abs(cell - [1, 4]).sum()), 0, "-")
draw_chain(min(unseen, key=lambda cell: abs(np.array(cell) - [6, 3]).sum()), 0, ":")
figure.colorbar(shapes, ax=axes, shrink=0.4, pad=0.01, label="weight of the first model")
axes.set(xlim=(-0.12, 1.7), ylim=(-0.1, 3.5), aspect="equal")
axes.set_axis_off()
axes.annotate("first model →", on_paper(0.5, -0.09, 0), ha="center", va="center")
axes.annotate(
    "second model →", on_paper(-0.07, 0.5, 0), ha="center", va="center",
    rotation=np.degrees(np.arctan2(FLAT, SLANT)),
)  # fmt: skip
plt.show()

# %%
# One number, from the finest table to averaging
# ----------------------------------------------
#
# The shrinkage says how many rows of its parent a cell is given. Zero leaves each cell to itself,
# and a very large one makes all of them what the root is. Drawn to all rows at once, a cell with
# few rows has nothing in between.

X_test, y_test = draw_rows(20_000)
shrinkages = np.concatenate([[0.3], np.logspace(0, 5, 11)])
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
for bin_width, colour in ((8, "#D55E00"), (32, "#0072B2")):
    for shrink_to, style in (("parent", "o-"), ("pooled", "s--")):
        errors = []
        for shrinkage in shrinkages:
            table = EnsIRRegressor(
                bin_width,
                objective="squared_error",
                shrinkage=shrinkage,
                shrink_to=shrink_to,
                min_samples_cell=0,
            ).fit(X, y)
            errors.append(np.sqrt(np.mean((table.predict(X_test) - y_test) ** 2)))
        label = f"bins of {bin_width}, to {'the parent' if shrink_to == 'parent' else 'all rows'}"
        axes.semilogx(shrinkages, errors, style, color=colour, label=label, markersize=4)
average = np.sqrt(np.mean((X_test.mean(axis=1) - y_test) ** 2))
axes.axhline(average, color="0.5", linestyle=":", label="plain averaging")
axes.set(xlabel="shrinkage (rows)", ylabel="error on rows not fitted on (RMS)")
axes.legend(frameon=False, fontsize=9)
plt.show()
# sphinx_gallery_thumbnail_number = 2

# %%
# With parents the two widths end up close to each other, as the narrow cells are drawn to the wide
# ones anyway. So :class:`~skensir.EnsIRRegressorCV` tries a few shrinkages, and one width.
