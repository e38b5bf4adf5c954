"""The extra `frames`: sums by a GROUP BY of data frames, and prediction by a database."""

import sqlite3

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
combined = model.predict(frame.select("A", "B", "C"))
np.testing.assert_allclose(combined, expected.predict(X), rtol=1e-9)

database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE outputs (A REAL, B REAL, C REAL)")
database.executemany("INSERT INTO outputs VALUES (?, ?, ?)", X.tolist())
rows = database.execute(to_sql(model, "sqlite", table="outputs", models=list("ABC"))).fetchall()
predicted = np.array([row[-1] for row in rows])
np.testing.assert_allclose(np.sort(predicted), np.sort(combined), rtol=1e-9)
