"""The extra `plot`: displays, drawn without a screen."""

from pathlib import Path

import numpy as np

from skensir import EnsIRRegressor
from skensir.display import CellDisplay, WeightMapDisplay

rng = np.random.default_rng(0)
truth = np.tile(np.arange(256.0), (64, 1))
predictions = truth + np.stack([truth, 255 - truth]) / 32 * rng.normal(size=(2, 64, 256))
model = EnsIRRegressor().fit(predictions.reshape(2, -1).T, truth.ravel())
WeightMapDisplay.from_estimator(model, predictions).figure_.savefig("weights.png")
rows = predictions.reshape(2, -1).T, truth.ravel()
CellDisplay.from_estimator(model, *rows, cell=(3, 3)).figure_.savefig("cell.png")
assert all(Path(name).stat().st_size > 5000 for name in ("weights.png", "cell.png"))
