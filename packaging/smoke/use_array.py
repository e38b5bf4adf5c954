"""The extra `array`: predictions stay in the library of their arrays."""

import array_api_strict as xp
import numpy as np

from skensir import EnsIRRegressor

rng = np.random.default_rng(0)
y = rng.uniform(0, 255, size=5000)
X = y[:, None] + rng.normal(size=(5000, 3)) * [2, 4, 8]
model = EnsIRRegressor().fit(X, y)
predicted = model.predict(xp.asarray(X))
assert type(predicted) is type(xp.asarray(X))
np.testing.assert_array_equal(np.asarray(predicted), model.predict(X))
