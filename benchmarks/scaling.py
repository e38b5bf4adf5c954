"""What fit and predict cost as rows, models and bins grow: `speed.py` prints it.

Rows are 8-bit predictions, or real ones, drawn batch by batch: the whole never exists. Times are
those of `partial_fit` and `predict` alone, without the drawing. Memory is the largest resident set
of a fresh process beyond what it had after the first batch, which includes the batch itself, the
libraries and the table.
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np

from skensir import EnsIRRegressor

BATCH = 1_000_000
KINDS = "8-bit", "real"  # predictions and truth


def draw(n_rows, n_models=3, *, kind="8-bit", seed=0):
    """Return predictions and truth."""
    rng = np.random.default_rng(seed)
    if kind == "real":
        y = rng.uniform(0, 255, n_rows)
        return y[:, None] + rng.normal(0, 3, (n_rows, n_models)), y
    y = rng.integers(0, 256, n_rows, dtype=np.int16)
    common = rng.integers(-4, 5, (n_rows, 1), dtype=np.int16)  # models of one truth err alike
    own = rng.integers(-2, 3, (n_rows, n_models), dtype=np.int16)
    return np.clip(y[:, None] + common + own, 0, 255).astype(np.uint8), y.astype(np.uint8)


def peak_memory():
    """Return the largest resident set of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def stream(n_rows, kind):
    """Fit and predict so many rows in batches; print seconds and memory as JSON."""
    model, fit, predict, before = EnsIRRegressor(), 0.0, 0.0, 0
    for number, start in enumerate(range(0, n_rows, BATCH)):
        X, y = draw(min(BATCH, n_rows - start), kind=kind, seed=number)
        begin = time.perf_counter()
        model.partial_fit(X, y)
        fit += time.perf_counter() - begin
        if not number:
            model.predict(X)  # the table is solved, and libraries are loaded
            before = peak_memory()
        del X, y  # before the next batch is drawn
    begin = time.perf_counter()
    model.solve()
    fit += time.perf_counter() - begin
    X, _ = draw(min(BATCH, n_rows), kind=kind)
    begin = time.perf_counter()
    model.predict(X)
    predict = (time.perf_counter() - begin) / len(X) * n_rows
    print(json.dumps({"fit": fit, "predict": predict, "memory": peak_memory() - before}))


def measure_rows(largest):
    """Return {kind: (rows, seconds to fit, seconds to predict, bytes beyond the first batch)}."""
    sizes = [10**power for power in range(5, 10) if 10**power <= largest]
    results = {}
    for kind in KINDS:
        lines = []
        for n_rows in sizes:
            # Two runs, of which the faster counts for the time and the larger for the memory.
            runs = []
            for _ in range(2):
                command = [sys.executable, __file__, "--stream", str(n_rows), kind]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                runs.append(json.loads(output))
            line = (
                n_rows,
                min(run["fit"] for run in runs),
                min(run["predict"] for run in runs),
                max(run["memory"] for run in runs),
            )
            lines.append(line)
            print(f"{kind:6} {n_rows:>11,} rows  fit {line[1]:8.3f} s  predict {line[2]:8.3f} s  "
                  f"memory {line[3] / 1e6:6.1f} MB", flush=True)  # fmt: skip
        results[kind] = np.array(lines).T
    return results


def seconds_a_row(function, n_rows, repetitions=5):
    """Return the median, after one call to warm up."""
    function()
    spent = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        function()
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent)) / n_rows


def measure(cases, n_rows=1_000_000):
    """Return nanoseconds per row of fit, predict and np.mean for each (models, bin width)."""
    results = []
    for n_models, bin_width in cases:
        X, y = draw(n_rows, n_models)
        make = EnsIRRegressor(bin_width, objective="squared_error")
        model = make.fit(X, y)
        line = [
            seconds_a_row(lambda X=X, y=y, make=make: make.fit(X, y), n_rows),
            seconds_a_row(lambda X=X, model=model: model.predict(X), n_rows),
            seconds_a_row(lambda X=X: np.mean(X, axis=1), n_rows),
        ]
        results.append([1e9 * value for value in line])
        fit, predict, mean = results[-1]
        print(f"{n_models:3} models, bin width {bin_width:3}: {len(model.cells_):>7,} cells, ns a "
              f"row: fit {fit:7.1f}, predict {predict:6.1f}, mean {mean:5.1f}",
              flush=True)  # fmt: skip
    return np.array(results).T


if __name__ == "__main__":
    stream(int(sys.argv[2]), sys.argv[3])
