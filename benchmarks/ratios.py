"""Fit and predict as ratios to what everybody knows, in one run; prints a table for the docs.

usage: python benchmarks/ratios.py [repetitions]

The rows are those of one 1280 x 720 RGB image, with three 8-bit models. A ratio says more than a
time: the machine cancels, roughly. Medians of the repetitions, all jobs in turn in one process.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from skensir import EnsIRRegressor

N_ROWS = 1280 * 720 * 3


def median_seconds(functions, repetitions):
    """Call the functions in turn, so that a busy spell of the machine meets them all."""
    spent = {name: [] for name in functions}
    for repetition in range(repetitions + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if repetition:  # the first is to warm up
                spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in spent.items()}


def measure(repetitions):
    """Return median seconds of each job."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, N_ROWS)
    X = np.clip(y[:, None] + rng.integers(-6, 7, (N_ROWS, 3)), 0, 255).astype(np.uint8)
    y = np.clip(y + rng.integers(-3, 4, N_ROWS), 0, 255).astype(np.uint8)
    real = X.astype(np.float64)
    model = EnsIRRegressor().fit(X, y)
    squared = EnsIRRegressor(objective="squared_error")
    some = rng.choice(N_ROWS, 200_000, replace=False)
    trees = HistGradientBoostingRegressor(random_state=0).fit(X[some], y[some])
    seconds = median_seconds(
        {
            "mean": lambda: np.mean(X, axis=1, dtype=np.float32),
            "predict": lambda: model.predict(X),
            "predict_real": lambda: model.predict(real),
            "fit": lambda: EnsIRRegressor().fit(X, y),
            "fit_squared": lambda: squared.fit(X, y),
        },
        repetitions,
    )
    return seconds | median_seconds({"trees": lambda: trees.predict(real)}, 1)


def ratios(seconds):
    """Return the lines of the table: what, and how it compares."""
    mean = seconds["mean"]
    return {
        "predict, 8-bit: np.mean takes": mean / seconds["predict"],
        "predict, double precision: np.mean (8-bit) takes": mean / seconds["predict_real"],
        "predict: HistGradientBoostingRegressor.predict takes": seconds["trees"]
        / seconds["predict"],
        "fit, likelihood, takes of np.mean": seconds["fit"] / mean,
        "fit, squared error, takes of np.mean": seconds["fit_squared"] / mean,
    }


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    if "--measure" in sys.argv:
        print(json.dumps(ratios(measure(repetitions))))
        return
    columns = {}
    for name, environment in (("NumPy", {"SKENSIR_NO_NUMBA": "1"}), ("as installed", {})):
        output = subprocess.run(
            [sys.executable, __file__, str(repetitions), "--measure"],
            env=os.environ | environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        columns[name] = json.loads(output)
    width = max(map(len, columns["NumPy"]))
    print(f"{'times as long':{width}} " + " ".join(f"{name:>13}" for name in columns))
    for line in columns["NumPy"]:
        print(f"{line:{width}} " + " ".join(f"{column[line]:13.2f}" for column in columns.values()))


if __name__ == "__main__":
    main()
