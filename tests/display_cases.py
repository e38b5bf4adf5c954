"""Models, a search and images that the displays are tested with."""

import numpy as np

from skensir import EnsIRRegressor, EnsIRRegressorCV

NAMES = ["dark", "middle", "light"]
COLOR = (3, 12, 17, 3)
GREY = (3, 12, 17)


def stacked(n_rows=6000, seed=0):
    """Return predictions of three models, each best at other values of the truth."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    level = 2 + 14 * np.abs(y[:, None] / 255 - [0, 0.5, 1])
    X = np.rint(y[:, None] + level * rng.standard_normal((n_rows, 3)))
    return np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8)


X, Y = stacked()
MODEL = EnsIRRegressor(64.0).fit(X, Y)
SEARCH = EnsIRRegressorCV(
    [16, 64, 256], shrinkages=[0, 1000], objectives=["squared_error", "likelihood"], cv=4
).fit(X, Y)


def predictions(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
