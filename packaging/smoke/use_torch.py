"""The extra `torch`: a fitted ensemble as a module."""

import numpy as np
import torch

from skensir.image import ImageEnsemble
from skensir.interop.torch import EnsembleModule

rng = np.random.default_rng(0)
target = rng.integers(10, 245, size=(64, 48, 3)).astype(np.uint8)
noise = [rng.integers(-n, n + 1, target.shape) for n in (2, 4, 8)]
predictions = np.stack([(target + part).astype(np.uint8) for part in noise])
model = ImageEnsemble().fit([predictions], [target])
module = EnsembleModule.from_estimator(model)
images = [torch.from_numpy(image).permute(2, 0, 1)[None].to(torch.float64) for image in predictions]
found = module(images)[0].permute(1, 2, 0).numpy()
np.testing.assert_allclose(found, model.predict([predictions])[0], rtol=1e-9)
