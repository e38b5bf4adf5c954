r"""
==================================
Bin width, hierarchy and averaging
==================================

The bin width is the main setting of the paper's method. Wide bins leave weights that hardly depend
on the predictions, narrow bins leave few rows to estimate the weights of a cell from, and which
width is best depends on how many rows there are. Here three answers are set beside each other:
cells that are drawn to all rows, cells that are drawn to wider cells, and the average of several
such tables.
"""

# %%
# Rows
# ----
#
# Three models, each of them good in another third of the values, blending into each other.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor

rng = np.random.default_rng(0)


def draw_rows(n_rows):
    """Return predictions of three models, and the truth."""
    y = rng.uniform(0, 255, n_rows)
    levels = 4 + 20 * np.sin(np.pi * (y[:, None] / 255 - [0.0, 0.5, 1.0])) ** 2
    return y[:, None] + levels * rng.normal(size=(n_rows, 3)), y


X_test, y_test = draw_rows(30_000)


def error_of(model):
    """Return the error of a fitted model on rows that it has not seen."""
    return np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2))


# %%
# Bin width against rows
# ----------------------
#
# From 300 to 30,000 rows to fit on. The paper leaves cells of less than a hundred rows at default
# weights. With the squared error these are one vector for all rows; where cells may hold fewer
# rows, they are drawn to that vector by a shrinkage of 30 rows, or else to the cell of twice the
# width. Where most rows lie in cells of few, ``fit`` warns; that is the aim here.

warnings.filterwarnings("ignore", "Most rows")
bin_widths = [256, 128, 64, 32, 16, 8, 4]
tables = {
    "cells of 100 rows or more": ({}, "s--", "#D55E00"),
    "drawn to all rows": ({"shrinkage": 30, "min_samples_cell": 0}, "D-.", "#E69F00"),
    "drawn to wider cells": ({"shrinkage": 30, "shrink_to": "parent"}, "o-", "#0072B2"),
}
numbers = (300, 3000, 30_000)
samples = [draw_rows(n_rows) for n_rows in numbers]
figure, panels = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained", sharey=True)
for axes, n_rows, (X, y) in zip(panels, numbers, samples, strict=True):
    for label, (settings, line, colour) in tables.items():
        errors = [
            error_of(EnsIRRegressor(width, objective="squared_error", **settings).fit(X, y))
            for width in bin_widths
        ]
        axes.plot(bin_widths, errors, line, color=colour, label=label, markersize=5)
    for label, rival, line in (
        ("plain averaging", AverageRegressor(), ":"),
        ("one convex vector", ConvexRegressor(), "--"),
        ("EnsIRRegressorCV", EnsIRRegressorCV(), "-"),
    ):
        axes.axhline(error_of(rival.fit(X, y)), color="black", linestyle=line, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(bin_widths, labels=map(str, bin_widths))
    axes.set(title=f"{n_rows:,} rows", xlabel="bin width")
panels[0].set_ylabel("error on new rows (RMS)")
figure.legend(
    *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
)
plt.show()

# %%
# Cells of their own are good at one width, and which one that is depends on the rows. Drawn to all
# rows, narrow cells do less harm. Drawn to wider cells they hardly do any: the curve stays flat to
# the left, so that the width need not be searched. :class:`~skensir.EnsIRRegressorCV` takes one
# that is narrow enough for each kind of axes, and searches what is left.
#
# Averaging
# ---------
#
# What it searches are the axes that cells are made of, the shrinkage, and whether weights are
# signed and cells have intercepts. Held-out rows hardly tell many of these candidates apart. So it
# averages them, with shares that fall with their distance from the best score.

model = EnsIRRegressorCV().fit(*samples[0])
results = model.cv_results_
loss = results["mean_test_score"].max() - results["mean_test_score"]
figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
for kind, marker, colour in (
    ("predictions", "o", "#0072B2"), ("deviations", "s", "#D55E00"), ("summary", "D", "#009E73")
):  # fmt: skip
    of_kind = results["param_axes"] == kind
    axes.plot(
        100 * loss[of_kind], 100 * results["share"][of_kind], marker, color=colour, label=kind,
        markersize=7, alpha=0.8,
    )  # fmt: skip
axes.set(xlabel="held-out squared error above that of the best candidate (%)", ylabel="share (%)")
axes.legend(title="cells of", frameon=False)
plt.show()
# sphinx_gallery_thumbnail_number = 2
print(f"shares of the tables: {model.shares_.round(2)}, of what needs none: {model.plain_shares_}")

# %%
# With few rows the average is better than the one candidate that came out best, though one draw of
# the rows need not show it. Here are twelve draws of 300:

gains = []
for _ in range(12):
    X, y = draw_rows(300)
    chosen, averaged = (
        error_of(EnsIRRegressorCV(select=select).fit(X, y)) for select in ("best", "auto")
    )
    gains.append(100 * (1 - averaged**2 / chosen**2))
standard_error = np.std(gains, ddof=1) / np.sqrt(len(gains))
print(f"squared error saved by averaging: {np.mean(gains):.1f} % ± {standard_error:.1f} %")
print(" ".join(f"{gain:+.1f}" for gain in gains))
