r"""
=================================
Intervals, and whether they hold
=================================

Where the models err much, so does their combination, and it depends on the row how much that is.
``predict_interval`` says so: it returns an interval that holds the truth with a given probability.
Here the intervals are drawn, and counted on new rows.
"""

# %%
# Rows with heavy tails
# ---------------------
#
# Three models whose errors grow with the truth, and are far from normal: Student's t with three
# degrees of freedom has outliers.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skensir import EnsIRRegressor, EnsIRRegressorCV

rng = np.random.default_rng(0)


def draw_rows(n_rows):
    """Return predictions of three models, and the truth."""
    y = rng.uniform(0, 255, n_rows)
    noise = rng.standard_t(3, size=(n_rows, 3)) * [1.0, 1.5, 2.0]
    return y[:, None] + noise * (1 + (y[:, None] / 64) ** 2), y


X, y = draw_rows(20_000)
X_test, y_test = draw_rows(50_000)

# %%
# Where the truth lies
# --------------------
#
# :class:`~skensir.EnsIRRegressorCV` learns from the rows that it holds out how wide intervals have
# to be. The width follows the cell that a row falls into.

model = EnsIRRegressorCV().fit(X, y)
prediction = model.predict(X_test)
lower, upper = model.predict_interval(X_test, coverage=0.9)
covered = (lower <= y_test) & (y_test <= upper)
print(f"intervals of 90 % hold {covered.mean():.1%} of the truth")

shown = rng.choice(len(X_test), 150, replace=False)
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for inside, colour, label in ((True, "#0072B2", "inside"), (False, "#D55E00", "outside")):
    rows = shown[covered[shown] == inside]
    around, ends = (
        prediction[rows],
        (lower[rows] - prediction[rows], upper[rows] - prediction[rows]),
    )
    axes.vlines(around, *ends, color=colour, alpha=0.3, linewidth=2.5)
    label = f"truth {label} ({len(rows)})"
    axes.plot(around, y_test[rows] - around, ".", color=colour, label=label)
axes.set(xlabel="prediction", ylabel="intervals of 90 %, less the prediction")
axes.legend(frameon=False)
plt.show()

# %%
# Calibration
# -----------
#
# The same for all probabilities: which share of the truth do the intervals hold? One table,
# :class:`~skensir.EnsIRRegressor`, has no held-out rows of its own, so that ``calibrate`` is given
# some. ``predict(X, return_std=True)`` returns a standard deviation. A multiple of it, as if errors
# were normal, is what intervals from it would be without calibration.

half = len(X) // 2
table = EnsIRRegressor(objective="squared_error", shrinkage=30, shrink_to="parent")
table.fit(X[:half], y[:half]).calibrate(X[half:], y[half:])
mean, std = model.predict(X_test, return_std=True)


def normal_interval(level):
    """Return what would hold normal errors with this probability."""
    reach = norm.ppf((1 + level) / 2) * std
    return mean - reach, mean + reach


def share_inside(interval, truth):
    """Return the share of the truth that an interval holds."""
    return np.mean((interval[0] <= truth) & (truth <= interval[1]))


levels = np.array([0.05, *np.arange(0.1, 0.91, 0.1), 0.95, 0.99])
makers = {
    "EnsIRRegressorCV": lambda level: model.predict_interval(X_test, level),
    "EnsIRRegressor, calibrate": lambda level: table.predict_interval(X_test, level),
    "normal, from return_std": normal_interval,
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
left.plot([0, 1], [0, 1], color="0.6", linewidth=1)
right.axhline(0, color="0.6", linewidth=1)
for (label, make), style in zip(makers.items(), ("o-", "s--", "D:"), strict=True):
    colour = {"o-": "#0072B2", "s--": "#009E73", "D:": "#D55E00"}[style]
    held = np.array([share_inside(make(level), y_test) for level in levels])
    left.plot(levels, held, style, color=colour, label=label, markersize=5)
    right.plot(levels, 100 * (held - levels), style, color=colour, markersize=5)
    print(f"{label:26} largest difference {100 * np.abs(held - levels).max():4.1f} points")
left.set(xlabel="asked for", ylabel="share of the truth that intervals hold", aspect="equal")
right.set(xlabel="asked for", ylabel="difference (percentage points)")
left.legend(frameon=False)
plt.show()

# %%
# On average, not everywhere
# --------------------------
#
# The probability is one over rows like those of calibration. It need not be the same in each part
# of them, although it is nearly so here, as the width follows the cell. And where rows are not like
# those any more, it does not hold: below, the errors of all models are half as large again.

noisier = y_test[:, None] + 1.5 * (X_test - y_test[:, None])
cases = {
    "rows as in fit": (X_test, "o-", "#0072B2"),
    "errors larger by half": (noisier, "s--", "#D55E00"),
}
figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
axes.axhline(90, color="0.6", linewidth=1)
for label, (rows, line, colour) in cases.items():
    interval = model.predict_interval(rows, coverage=0.9)
    parts = np.array_split(model.predict(rows).argsort(), 20)
    held = [share_inside(np.take(interval, part, axis=1), y_test[part]) for part in parts]
    middles = [np.median(model.predict(rows)[part]) for part in parts]
    axes.plot(middles, 100 * np.array(held), line, color=colour, label=label, markersize=5)
    print(f"{label:22} {share_inside(interval, y_test):.1%}")
axes.set(xlabel="prediction", ylabel="held by intervals of 90 % (%)", ylim=(60, 100))
axes.legend(frameon=False, loc="lower right")
plt.show()
# sphinx_gallery_thumbnail_number = 3

# %%
# For images, count on differences from one to the next: :ref:`uncertainty` has figures.
