"""The extra `frames`: sums by a GROUP BY of data frames, and prediction by a database."""

import duckdb
import numpy as np
import polars as pl

from skensir import EnsIRRegressor
from skensir.interop.frames import cell_sums, to_sql

rng = np.random.default_rng(0)
y = rng.integers(0, 256, size=6000).astype(float)
X = np.clip(y[:, None] + rng.normal(size=(6000, 3)).round() * [2, 4, 8], 0, 255)
frame = pl.DataFrame(dict(zip("ABC", X.T, strict=True)) | {"truth": y})
sums = cell_sums(frame, models=list("ABC"), target="truth", bin_width=32.0, data_range=255)
model = EnsIRRegressor.from_cell_sums(sums)
expected = EnsIRRegressor(32.0, data_range=255).fit(X, y)
np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-9)

query = to_sql(model, "duckdb", table="frame", models=list("ABC"))
predicted = duckdb.sql(query).pl()["prediction"].to_numpy()
np.testing.assert_allclose(np.sort(predicted), np.sort(model.predict(X)), rtol=1e-9)
