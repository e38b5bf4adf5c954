"""The same rows in data frames of several libraries, and what is made of them.

Where narwhals or a library is not installed the tests that import this are skipped.
"""

import numpy as np
import pandas as pd
import pytest

nw = pytest.importorskip("narwhals.stable.v2", reason="narwhals is not installed here")
duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed here")
pl = pytest.importorskip("polars", reason="Polars is not installed here")
pa = pytest.importorskip("pyarrow", reason="PyArrow is not installed here")


def in_duckdb(columns):
    """Return a relation of DuckDB."""
    return duckdb.from_arrow(pa.table(columns))


MAKERS = {
    "polars": pl.DataFrame,
    "polars, lazy": pl.LazyFrame,
    "duckdb": in_duckdb,
    "pandas": pd.DataFrame,
    "pyarrow": pa.table,
}
LIBRARIES = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)

NAMES = ["MPRNet", "the 2nd; '", "y"]


def columns_of(X, y, sample_weight=None, folds=None):
    """Return the columns of a frame, and the arguments that name them."""
    names = [*NAMES, *(f"model {i}" for i in range(X.shape[1]))][: X.shape[1]]
    columns = dict(zip(names, np.ascontiguousarray(X.T), strict=True)) | {"truth": y}
    arguments = {"models": names, "target": "truth"}
    if sample_weight is not None:
        columns["w"], arguments["sample_weight"] = sample_weight, "w"
    if folds is not None:
        columns["fold"], arguments["folds"] = folds, "fold"
    return columns, arguments


def stacked(n_rows=6000, n_models=3, *, seed=0):
    """Predictions whose best weights depend on their value, truth, sample weights and folds."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    levels = np.where(y[:, None] < 128, np.arange(2, n_models + 2), np.arange(n_models + 1, 1, -1))
    X = y[:, None] + levels * rng.normal(size=(n_rows, n_models))
    return X, y, rng.integers(0, 3, n_rows).astype(float), rng.integers(0, 4, n_rows)


def pixels(*arrays):
    """Return what is in 8 bits of predictions and truth."""
    return [np.clip(np.rint(array), 0, 255).astype(np.uint8) for array in arrays]


def assert_same_sums(sums, expected, *, rtol=1e-12):
    """Compare statistics; a sum of products is small against what it is the sum of."""
    np.testing.assert_array_equal(sums.cells, expected.cells)
    np.testing.assert_allclose(sums.weight, expected.weight, rtol=rtol)
    errors = np.sqrt(np.diagonal(expected.error_moments(), axis1=1, axis2=2)).T
    first, second = np.triu_indices(expected.n_models)
    scales = {"error_products": errors[first] * errors[second], "errors": errors}
    if expected.axes.kind == "predictions":
        scales |= {"offsets": expected.bin_width, "squared_offsets": expected.bin_width**2}
    for name, scale in scales.items():
        difference = np.abs(getattr(sums, name) - getattr(expected, name))
        assert (difference <= rtol * scale * expected.weight).all(), name


def assert_same_histogram(histogram, expected, *, rtol=1e-12):
    assert histogram.resolution == expected.resolution
    for name in ("cell", "step"):
        np.testing.assert_array_equal(getattr(histogram, name), getattr(expected, name), name)
    np.testing.assert_allclose(histogram.weight, expected.weight, rtol=rtol)
    scale = expected.weight * expected.resolution
    assert (np.abs(histogram.excess - expected.excess) <= rtol * scale).all()
