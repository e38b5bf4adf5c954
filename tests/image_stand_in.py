"""The image ensemble, or a minimal one where `skensir.image` does not exist yet."""

import sys
import types

import numpy as np
from sklearn.base import BaseEstimator, clone

from skensir import EnsIRRegressor

try:
    from skensir.image.ensemble import ImageEnsemble
except ModuleNotFoundError:

    class ImageEnsemble(BaseEstimator):
        """Arrays (n_models, height, width, n_channels) in, images out."""

        def __init__(self, regressor=None, *, per_channel=True, channel_axis=-1):
            self.regressor = regressor
            self.per_channel = per_channel
            self.channel_axis = channel_axis

        def fit(self, predictions, targets):
            self.n_models_, *_, self.n_channels_ = predictions[0].shape
            regressor = EnsIRRegressor() if self.regressor is None else self.regressor
            X = np.concatenate(
                [p.reshape(self.n_models_, -1, self.n_channels_) for p in predictions], 1
            )
            y = np.concatenate([t.reshape(-1, self.n_channels_) for t in targets])
            self.regressors_ = []
            for channel in range(self.n_channels_) if self.per_channel else [slice(None)]:
                rows = X[..., channel].reshape(self.n_models_, -1).T
                self.regressors_.append(clone(regressor).fit(rows, y[..., channel].ravel()))
            return self

        def predict(self, predictions):
            images = []
            for stack in predictions:
                image = np.empty(stack.shape[1:])
                for channel in range(self.n_channels_):
                    regressor = self.regressors_[channel if self.per_channel else 0]
                    rows = stack[..., channel].reshape(self.n_models_, -1).T
                    image[..., channel] = regressor.predict(rows).reshape(image.shape[:-1])
                images.append(image)
            return images

    module = types.ModuleType("skensir.image.ensemble")
    module.ImageEnsemble = ImageEnsemble
    sys.modules["skensir.image"] = types.ModuleType("skensir.image")
    sys.modules["skensir.image.ensemble"] = module
