"""Whether models come back from every format as they were: ``python benchmarks/round_trips.py``.

Each kind of table, of 1 to 40 models, is fitted here, written in every format, and read in a new
process, where 300,000 rows are predicted, half of them on an edge of a bin or one step beside.
Printed are by format the largest deviation from the prediction here, and how many rows lie in
another cell: each cell has an intercept of its own there, which no other makes up for. Needs the
extras for tests, onnxruntime and PyTorch.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import deployed

N_ROWS = 300_000
N_MODELS = 1, 2, 3, 5, 8, 16, 40
DTYPES = "float64", "float32", "uint8"
RANGE = 255.0
# Largest deviation that is allowed, in units of the range.
ALLOWED = {"onnx float32": 2e-5, "torch float32": 2e-5}
DOUBLE = ("onnx float64", "torch float64", "onnx uint8", "torch uint8")
ALLOWED |= dict.fromkeys(DOUBLE, 1e-12)


def write(model, folder):
    """Write a model in every format."""
    import onnx
    import skops.io

    from skensir import save_table
    from skensir.interop.onnx import to_onnx

    joblib.dump(model, folder / "model.joblib")
    skops.io.dump(model, folder / "model.skops")
    save_table(model, folder / "model.table")
    for dtype in DTYPES:
        onnx.save(to_onnx(model, dtype=dtype), folder / f"{dtype}.onnx")


def predictions(folder, X):
    """Return by format what is predicted of rows by files, read in this process."""
    import onnxruntime
    import skops.io
    import torch

    from skensir import load_table
    from skensir.interop.skops import TRUSTED
    from skensir.interop.torch import EnsembleModule

    dtype = X.dtype.name
    session = onnxruntime.InferenceSession(folder / f"{dtype}.onnx")
    module = EnsembleModule.from_table(folder / "model.table")
    columns = [torch.from_numpy(column) for column in np.ascontiguousarray(X.T)]
    return {
        "joblib": joblib.load(folder / "model.joblib").predict(X),
        "skops": skops.io.load(folder / "model.skops", trusted=TRUSTED).predict(X),
        "table file": load_table(folder / "model.table").predict(X),
        f"onnx {dtype}": session.run(None, {"X": X})[0],
        f"torch {dtype}": module(columns).numpy(),
    }


def check(folder):
    """Print as JSON what comes of the files in a folder."""
    rows = np.load(folder / "rows.npz")
    for dtype in DTYPES:
        X = rows[dtype]
        for numbered in (False, True):
            part = folder / ("numbered" if numbered else "plain")
            expected = np.load(part / f"{dtype}.npy").astype(np.float64)
            for name, found in predictions(part, X).items():
                away = np.abs(found.astype(np.float64) - expected)
                if numbered:
                    # Intercepts differ by 4096, and single precision has 24 bits.
                    value = int(np.count_nonzero(away > 1 + 1e-6 * np.abs(expected)))
                else:
                    value = float(away.max()) / RANGE
                print(json.dumps([name, numbered, value]))


def main():
    """Print a line per format."""
    largest, n_elsewhere, n_looked_at = {}, {}, {}
    for kind in deployed.KINDS:
        for n_models in N_MODELS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                model = deployed.fit(kind, n_models)
                rows = {dtype: deployed.on_edges(model, N_ROWS, dtype) for dtype in DTYPES}
                np.savez(folder / "rows.npz", **rows)
                for part in ("plain", "numbered"):
                    (folder / part).mkdir()
                    if part == "numbered":
                        deployed.with_numbered_cells(model)
                    write(model, folder / part)
                    for dtype, X in rows.items():
                        np.save(folder / part / f"{dtype}.npy", model.predict(X))
                command = [sys.executable, __file__, "--check", str(folder)]
                output = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True
                ).stdout
            for line in output.splitlines():
                name, numbered, value = json.loads(line)
                if numbered:
                    n_elsewhere[name] = n_elsewhere.get(name, 0) + value
                    n_looked_at[name] = n_looked_at.get(name, 0) + N_ROWS
                else:
                    largest[name] = max(largest.get(name, 0.0), value)
            print(f"{kind}, {n_models} models", file=sys.stderr, flush=True)
    print(f"{'':14}{'largest deviation':>18}{'allowed':>10}{'rows elsewhere':>16}{'of rows':>14}")
    for name, value in largest.items():
        print(
            f"{name:14}{value:18.1e}{ALLOWED.get(name, 0.0):10.0e}{n_elsewhere[name]:16,}"
            f"{n_looked_at[name]:14,}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(Path(sys.argv[2]))
    else:
        main()
