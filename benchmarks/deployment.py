"""What one table takes in every format: ``python benchmarks/deployment.py [FOLDER]``.

Two tables of three models of 8 bits, of 512 cells and of some 30,000: the kilobytes of each format,
what it takes to read it, and to predict 2,764,800 rows, the pixels of a 1280 x 720 image in colour.
Times are medians of seven. With a folder, the table is also written there as CSV, for the
documentation. Needs the extras for tests, onnxruntime and PyTorch.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import onnx
import onnxruntime
import skops.io
import torch
from safetensors.torch import load_file, save_file

from skensir import EnsIRRegressor, load_table, save_table
from skensir.interop.frames import to_sql
from skensir.interop.onnx import to_onnx
from skensir.interop.skops import TRUSTED
from skensir.interop.torch import EnsembleModule

N_PIXELS = 1280 * 720 * 3
NAMES = ["A", "B", "C"]
TABLES = {"512": 32.0, "30,000": 8.0}  # cells: bin width


def median(function, n_runs=7):
    """Return the median of the seconds that a function takes, after a first call."""
    function()
    times = []
    for _ in range(n_runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def fit(bin_width):
    """Fit a table on predictions that are anywhere."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (400_000, 3)).astype(np.uint8)
    y = X.mean(axis=1)
    model = EnsIRRegressor(bin_width, objective="squared_error", min_samples_cell=1)
    return model.fit(X, y).forget_rows()


def formats(model, folder, X):
    """Return by format the file, what reads it, and what predicts all rows."""
    paths = {
        name: folder / f"model.{name}"
        for name in ("joblib", "skops", "table", "safetensors", "sql")
    }
    joblib.dump(model, paths["joblib"])
    skops.io.dump(model, paths["skops"])
    save_table(model, paths["table"])
    module = EnsembleModule.from_estimator(model)
    save_file(module.state_dict(), paths["safetensors"])
    paths["sql"].write_text(to_sql(model, "duckdb", table="rows", models=NAMES), encoding="utf-8")
    images = [torch.from_numpy(np.ascontiguousarray(column)) for column in X.T]
    compiled = torch.compile(module)

    def combine(function):
        with torch.no_grad():
            return function(images)

    yield "joblib", paths["joblib"], lambda: joblib.load(paths["joblib"]), model.predict
    yield "skops", paths["skops"], lambda: skops.io.load(paths["skops"], trusted=TRUSTED), None
    yield "table file", paths["table"], lambda: load_table(paths["table"]), None
    for dtype in ("uint8", "float32"):
        path = folder / f"{dtype}.onnx"
        onnx.save(to_onnx(model, dtype=dtype), path)
        session, given = onnxruntime.InferenceSession(path), X.astype(dtype)
        yield (
            f"ONNX, {dtype}",
            path,
            lambda path=path: onnxruntime.InferenceSession(path),
            lambda _, session=session, given=given: session.run(None, {"X": given}),
        )
    yield (
        "PyTorch",
        paths["safetensors"],
        lambda: module.load_state_dict(load_file(paths["safetensors"])),
        lambda _: combine(module),
    )
    yield "PyTorch, compiled", None, None, lambda _: combine(compiled)
    yield "SQL", paths["sql"], None, None


def main():
    """Print the table, and write it where that is asked for."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 256, N_PIXELS)
    X = np.clip(y[:, None] + rng.integers(-6, 7, (N_PIXELS, 3)), 0, 255).astype(np.uint8)
    lines = {}
    with tempfile.TemporaryDirectory() as folder:
        for bin_width in TABLES.values():
            model = fit(bin_width)
            for name, path, read, predict in formats(model, Path(folder), X):
                size = "" if path is None else f"{path.stat().st_size / 1e3:,.0f}"
                load = "" if read is None else f"{median(read) * 1e3:.1f}"
                took = "" if predict is None else f"{median(lambda p=predict: p(X)) * 1e3:.0f}"
                lines.setdefault(name, []).extend([size, load, took])
            print(f"{len(model.cells_)} cells", flush=True)
    for name, line in lines.items():
        print(f"{name:20}" + "".join(f"{value:>10}" for value in line))
    if len(sys.argv) > 1:
        with Path(sys.argv[1], "formats.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([n, *v] for n, v in lines.items())


if __name__ == "__main__":
    main()
