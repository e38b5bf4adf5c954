"""The extra `dask`: fit and predict by chunks, on arrays and data frames."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd

from skensir import EnsIRRegressor
from skensir.interop.dask import DaskEnsIRRegressor

rng = np.random.default_rng(0)
y = rng.integers(0, 256, size=6000).astype(float)
X = np.clip(y[:, None] + rng.normal(size=(6000, 3)).round() * [2, 4, 8], 0, 255)
expected = EnsIRRegressor(data_range=255).fit(X, y)

chunks = da.from_array(X, chunks=(1000, 3)), da.from_array(y, chunks=1000)
model = DaskEnsIRRegressor(data_range=255).fit(*chunks)
predicted = model.predict(chunks[0])
assert isinstance(predicted, da.Array)
np.testing.assert_allclose(predicted.compute(), expected.predict(X), rtol=1e-9)

frame = dd.from_pandas(pd.DataFrame(X, columns=["A", "B", "C"]).assign(truth=y), npartitions=3)
model = DaskEnsIRRegressor(data_range=255).fit(frame[["A", "B", "C"]], frame["truth"])
np.testing.assert_allclose(model.weights_, expected.weights_, rtol=1e-6)
