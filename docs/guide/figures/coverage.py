"""Calibration: how many truths intervals hold, on average, and row by row of a kind."""

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style
from scipy.stats import norm

from skensir import EnsIRRegressorCV

WANTED = np.linspace(0.05, 0.98, 20)


def draw_rows(n_rows, seed):
    """Return three models' predictions and the truth; the noise has heavy tails and grows."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    noise = rng.standard_t(3, size=(n_rows, 3))
    return y[:, None] + noise * np.where(y[:, None] < 128, [2, 4, 8], [16, 8, 4]), y


def measure():
    """Return the share of truths inside, by wanted coverage and, at 90 %, by standard deviation."""
    model = EnsIRRegressorCV().fit(*draw_rows(5000, 0))
    X, y = draw_rows(20_000, 1)
    prediction, std = model.predict(X, return_std=True)
    off = np.abs(y - prediction)
    normal = [np.mean(off <= norm.ppf(0.5 + share / 2) * std) for share in WANTED]
    intervals = []
    for share in WANTED:
        lower, upper = model.predict_interval(X, coverage=share)
        intervals.append(np.mean((lower <= y) & (y <= upper)))
    lower, upper = model.predict_interval(X, coverage=0.9)
    inside = (lower <= y) & (y <= upper)
    parts = np.array_split(np.argsort(std), 10)
    return normal, intervals, [(std[part].mean(), inside[part].mean()) for part in parts]


def plot(colors: Colors) -> None:
    """Draw the average coverage above, that of rows of like standard deviation below."""
    normal, intervals, parts = measure()
    with style(colors):
        _, (average, by_std) = plt.subplots(2, 1, figsize=(4.6, 7.6), layout="constrained")
        average.plot([0, 1], [0, 1], color=colors.faint, label="as wanted")
        average.plot(WANTED, normal, "s--", color=colors.second, label="normal, from std", ms=4)
        average.plot(WANTED, intervals, "o-", color=colors.first, label="predict_interval", ms=4)
        average.set(
            title="All rows", xlabel="wanted coverage", ylabel="truths inside", aspect="equal",
            xlim=(0, 1), ylim=(0, 1),
        )  # fmt: skip
        average.legend(loc="lower right")
        std, inside = np.transpose(parts)
        by_std.axhline(0.9, color=colors.faint)
        by_std.plot(std, inside, "o", color=colors.first)
        by_std.set(
            title="Intervals of 90 %, tenths of the rows by std", xlabel="mean standard deviation",
            ylabel="truths inside", ylim=(0.7, 1),
        )  # fmt: skip


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)


if __name__ == "__main__":
    normal, intervals, parts = measure()
    for share, by_std, by_interval in zip(WANTED, normal, intervals, strict=True):
        print(f"wanted {share:.3f}: normal {by_std:.3f}, predict_interval {by_interval:.3f}")
    for std, inside in parts:
        print(f"std {std:5.2f}: {inside:.3f}")
