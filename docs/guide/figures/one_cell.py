"""One cell: what the likelihood of the mixture sees, and what the squared error sees."""

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style
from cells import CELL, WIDTH, draw_rows
from scipy.stats import norm

from skensir import EnsIRRegressor


def plot(colors: Colors) -> None:
    """Draw the truth of the cell and the mixture above, the squared error by weight below."""
    X, y = draw_rows()
    inside = (X // WIDTH == CELL).all(axis=1)
    X_cell, y_cell = X[inside], y[inside]
    fits = {
        objective: EnsIRRegressor(WIDTH, objective=objective, min_samples_cell=5).fit(X, y)
        for objective in ("likelihood", "squared_error")
    }
    line = np.flatnonzero((fits["likelihood"].cells_ == CELL).all(axis=1))[0]
    with style(colors):
        _, (truth, error) = plt.subplots(2, 1, figsize=(4.6, 6.8), layout="constrained")
        truth.hist(y_cell, bins=24, density=True, color=colors.faint, label="truth")
        mixture = fits["likelihood"]
        at = np.linspace(y_cell.min() - 10, y_cell.max() + 10, 300)
        parts = mixture.weights_[line] * norm.pdf(
            at[:, None], mixture.means_[line], np.sqrt(mixture.variances_[line])
        )
        for part, color, name in zip(
            parts.T, (colors.first, colors.second), ("first", "second"), strict=True
        ):
            truth.plot(at, part, color=color, label=f"{name} model")
        truth.plot(at, parts.sum(axis=1), "--", color=colors.ink, label="both")
        truth.set(title="Likelihood: which mixture gives this truth?", xlabel="truth", yticks=[])
        truth.set_ylim(0, 1.45 * truth.get_ylim()[1])
        truth.legend(ncols=2, loc="upper center")

        w = np.linspace(0, 1, 101)
        errors = X_cell - y_cell[:, None]
        mse = ((w * errors[:, :1] + (1 - w) * errors[:, 1:]) ** 2).mean(axis=0)
        error.plot(w, mse, color=colors.ink)
        best = fits["squared_error"].weights_[line, 0]
        for weight, name, color, place in (
            (best, "least squared error", colors.third, (max(best, 0.22), 0.08)),
            (mixture.weights_[line, 0], "greatest likelihood", colors.first, (0.72, 0.2)),
            (0.5, "plain averaging", colors.second, (0.32, 0.75)),
        ):
            height = np.interp(weight, w, mse)
            error.plot(weight, height, "o", color=color)
            error.annotate(
                name, (weight, height), (place[0], place[1] * mse.max()), color=color, ha="center",
                arrowprops={"arrowstyle": "-", "color": color}, fontsize=10,
            )  # fmt: skip
        error.set(
            title="Squared error: which weight errs least?", xlabel="weight of the first model",
            ylabel="mean squared error", ylim=(0, None),
        )  # fmt: skip


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)
