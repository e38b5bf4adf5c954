"""Images with predictions of several models, and an estimator whose parts add up."""

import numpy as np

from skensir._incremental import IncrementalRegressor
from skensir.baselines import ConvexRegressor

SIZES = ((24, 30), (31, 20), (16, 16), (22, 25))


def images(sizes=SIZES, *, n_models=3, n_channels=3, dtype=np.uint8, seed=0):
    """Return predictions and targets; which model is good depends on value and channel."""
    rng = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max
    predictions, targets = [], []
    for size in sizes:
        shape = size if n_channels is None else (*size, n_channels)
        target = rng.integers(0, peak, shape, dtype=dtype, endpoint=True)
        models = np.arange(n_models).reshape(-1, *[1] * target.ndim)
        channels = np.arange(n_channels or 1)
        spread = np.where(target < peak / 2, models, n_models - 1 - models) + 1 + channels
        noisy = target + peak / 200 * spread * rng.standard_normal((n_models, *shape))
        predictions.append(np.clip(np.rint(noisy), 0, peak).astype(dtype))
        targets.append(target)
    return predictions, targets


class Adding(ConvexRegressor, IncrementalRegressor):
    """An estimator of skensir whose parts add up, and that remembers how it was fitted."""

    _solved_attributes = ("weights_",)

    def fit(self, X, y, sample_weight=None):
        self.parts_ = ["fit"]
        return super().fit(X, y, sample_weight)

    def partial_fit(self, X, y, sample_weight=None):
        before = getattr(self, "_rows", (X[:0], y[:0]))
        self._rows = np.concatenate([before[0], X]), np.concatenate([before[1], y])
        parts = getattr(self, "parts_", [])
        self.fit(*self._rows)
        self.parts_ = [*parts, len(y)]
        return self

    def _combiner(self, predictions):
        return None  # it has no table
