r"""
==================================
Cells and weights in one dimension
==================================

Two models predict the same quantity. One is good where it is small, the other where it is large,
and neither knows which it is. :class:`~skensir.EnsIRRegressor` cuts the predictions into bins, and
learns in each cell of these bins whom to believe. Here all that it learns is drawn.
"""

# %%
# Two models of one signal
# ------------------------
#
# The truth goes up and down between 0 and 255. The noise of the first model grows with the truth,
# that of the second one falls.

import matplotlib.pyplot as plt
import numpy as np

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.display import CellDisplay

rng = np.random.default_rng(0)
NAMES, COLOURS = ("first model", "second model"), ("#0072B2", "#D55E00")


def noise_levels(y):
    """Return the standard deviation of each model's error where the truth is y."""
    return np.stack([2 + y / 12, 2 + (255 - y) / 12], axis=-1)


def draw_rows(t):
    """Return what the models predict at times t, and the truth."""
    y = 127.5 + 90 * np.sin(t) + 37.5 * np.sin(2.3 * t + 1)
    return y[:, None] + noise_levels(y) * rng.normal(size=(len(t), 2)), y


time = np.linspace(0, 4 * np.pi, 500)
X_test, y_test = draw_rows(time)

BIN_WIDTH = 32
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for lower in range(-32, 320, 2 * BIN_WIDTH):
    axes.axhspan(lower, lower + BIN_WIDTH, color="0.94", linewidth=0)
for model, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True)):
    axes.plot(time, X_test[:, model], ".", color=colour, markersize=4, label=name)
axes.plot(time, y_test, color="black", linewidth=1.5, label="truth")
axes.set(xlabel="time", ylabel="value", xlim=(0, time[-1]), ylim=(-32, 288))
axes.set_yticks(range(-32, 289, BIN_WIDTH))
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
plt.show()

# %%
# The stripes are the bins, 32 wide. Black is what is to be predicted, from the two dots alone.
#
# A table
# -------
#
# The reference set is 20,000 other rows whose truth is known. Each row falls into a cell: the bin
# of what the first model says, and the bin of what the second one says. Since the models agree more
# or less, the occupied cells lie along the diagonal. Each has weights of its own, here those of
# least squared error.

X, y = draw_rows(rng.uniform(0, 60 * np.pi, size=20_000))
model = EnsIRRegressor(BIN_WIDTH, objective="squared_error", shrinkage=30, shrink_to="parent")
model.fit(X, y)

print(f"{len(model.cells_)} cells are occupied, of {np.prod(np.ptp(model.cells_, axis=0) + 1)}")

# %%
# ``cells_`` has the bin indices of each cell, ``weights_`` its weights, ``cell_counts_`` how many
# rows it has, ``bin_edges_`` the edges of the bins.

place = tuple((model.cells_ - model.cells_.min(axis=0)).T)
weights, counts = np.full((2, *np.ptp(model.cells_, axis=0) + 1), np.nan)
weights[place], counts[place] = model.weights_[:, 0], model.cell_counts_

figure, axes = plt.subplots(figsize=(7.4, 6), layout="constrained")
mesh = axes.pcolormesh(
    *model.bin_edges_, weights.T, cmap="RdBu", vmin=0, vmax=1, edgecolor="0.7", linewidth=0.5
)
first, second = ((edges[:-1] + edges[1:]) / 2 for edges in model.bin_edges_)
for column, row in zip(*place, strict=True):
    dark = abs(weights[column, row] - 0.5) > 0.3
    axes.text(
        first[column], second[row], f"{counts[column, row]:.0f}", ha="center", va="center",
        fontsize=7.5, color="white" if dark else "black",
    )  # fmt: skip
axes.set(xlabel="prediction of the first model", ylabel="prediction of the second model")
axes.set(aspect="equal", xticks=model.bin_edges_[0][::2], yticks=model.bin_edges_[1][::2])
figure.colorbar(mesh, label="weight of the first model", shrink=0.7)
plt.show()

# %%
# Numbers are rows. Where both predictions are small the first model is believed (blue), where both
# are large the second (red). Cells far from the diagonal have few rows: with ``shrink_to="parent"``
# they borrow from the cells around them, as :ref:`sphx_glr_auto_examples_plot_hierarchy.py` draws.
#
# The weights along the diagonal
# ------------------------------
#
# Where both models say the same there is one dimension left, in which the weights are steps. The
# best weights are known here: they are in inverse proportion to the variances of the errors. The
# paper's objective, the likelihood, is another one than the squared error, and so are its weights.

same = np.linspace(0, 255, 1021)
variances = noise_levels(same) ** 2
figure, axes = plt.subplots(figsize=(7.4, 4), layout="constrained")
best = variances[:, 1] / variances.sum(axis=1)
axes.plot(same, best, color="black", linestyle="--", label="inverse variance")
for objective, colour in {"squared_error": "#0072B2", "likelihood": "#009E73"}.items():
    table = EnsIRRegressor(BIN_WIDTH, objective=objective).fit(X, y)
    steps = table.predict_weights(np.stack([same, same], axis=-1))[:, 0]
    axes.plot(same, steps, color=colour, label=objective)
axes.set(xlabel="what both models say", ylabel="weight of the first model", ylim=(0, 1))
axes.set(xlim=(0, 256), xticks=range(0, 257, BIN_WIDTH))
axes.grid(axis="x", color="0.9")
axes.legend(frameon=False)
plt.show()

# %%
# What the likelihood sees of a cell is the histogram of the truth in it, and a mixture of as many
# normal distributions as there are models, each around the mean of a model's predictions. The
# weights are their shares in the mixture.

CellDisplay.from_estimator(table, X, y, model_names=NAMES)
plt.show()

# %%
# What it gains
# -------------
#
# On rows that were not fitted on, the combination errs least, whatever the truth is.
# :class:`~skensir.EnsIRRegressorCV` finds bins and shrinkage for itself.

X_test, y_test = draw_rows(rng.uniform(0, 60 * np.pi, size=50_000))
predictions = {
    "first model": X_test[:, 0],
    "second model": X_test[:, 1],
    "average": X_test.mean(axis=1),
    "EnsIRRegressor, as drawn": model.predict(X_test),
    "EnsIRRegressorCV": EnsIRRegressorCV().fit(X, y).predict(X_test),
}
edges = np.linspace(y_test.min(), y_test.max(), 17)
bins = np.digitize(y_test, edges[1:-1])
figure, axes = plt.subplots(figsize=(7.4, 4), layout="constrained")
styles = ("#0072B2", "-"), ("#D55E00", "-"), ("0.5", ":"), ("#009E73", "--"), ("black", "-")
for (name, prediction), (colour, line) in zip(predictions.items(), styles, strict=True):
    squares = (prediction - y_test) ** 2
    error = np.sqrt(np.bincount(bins, squares) / np.bincount(bins))
    axes.plot((edges[:-1] + edges[1:]) / 2, error, line, color=colour, label=name)
    print(f"{name:26}{np.sqrt(squares.mean()):6.2f}")
axes.set(xlabel="truth", ylabel="error (RMS)", xlim=(0, 255), ylim=(0, None))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()
# sphinx_gallery_thumbnail_number = 2
