"""Error on new rows by bin width, with parents and without, for few rows and for many."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from _style import DARK, LIGHT, Colors, style

from skensir import EnsIRRegressor, EnsIRRegressorCV

WIDTHS = (4, 8, 16, 32, 64, 128)
COUNTS = (1000, 20_000)


def draw_rows(n_rows, seed):
    """Return the predictions of three models, each good elsewhere, and the truth."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    spread = np.select([y[:, None] < 64, y[:, None] < 160], [[4, 12, 24], [24, 4, 12]], [12, 24, 4])
    return (y[:, None] + rng.normal(size=(n_rows, 3)) * spread).clip(0, 255), y


def errors(n_rows):
    """Return the error by bin width of tables without parents and with them, and of the search."""
    X, y = draw_rows(n_rows, 0)
    X_test, y_test = draw_rows(20_000, 1)

    def error(model):
        return np.sqrt(np.mean((model.fit(X, y).predict(X_test) - y_test) ** 2))

    common = {"objective": "squared_error", "shrinkage": 30}
    with warnings.catch_warnings():  # of thin cells, which is the point here
        warnings.simplefilter("ignore", UserWarning)
        alone = [error(EnsIRRegressor(width, **common)) for width in WIDTHS]
    parents = [error(EnsIRRegressor(width, shrink_to="parent", **common)) for width in WIDTHS]
    return alone, parents, error(EnsIRRegressorCV())


def plot(colors: Colors) -> None:
    """Draw a panel for each number of rows."""
    with style(colors):
        _, panels = plt.subplots(
            2, 1, figsize=(4.6, 6), layout="constrained", sharex=True, sharey=True
        )
        for axes, n_rows in zip(panels, COUNTS, strict=True):
            alone, parents, search = errors(n_rows)
            axes.plot(WIDTHS, alone, "s--", color=colors.second, label="without parents")
            axes.plot(WIDTHS, parents, "o-", color=colors.first, label="with parents")
            axes.axhline(search, color=colors.third, label="EnsIRRegressorCV()")
            axes.set(title=f"{n_rows:,} rows", ylabel="error on new rows", ylim=(0, None))
        axes.set_xscale("log", base=2)
        axes.set(xlabel="bin width", xticks=WIDTHS, xticklabels=WIDTHS)
        axes.minorticks_off()
        axes.legend()


def light() -> None:
    """Draw on a light page."""
    plot(LIGHT)


def dark() -> None:
    """Draw on a dark page."""
    plot(DARK)


if __name__ == "__main__":
    for count in COUNTS:
        alone, parents, search = errors(count)
        for name, values in (("without parents", alone), ("with parents", parents)):
            print(f"{count:6} rows, {name:15}", *(f"{value:6.2f}" for value in values))
        print(f"{count:6} rows, EnsIRRegressorCV() {search:.2f}")
