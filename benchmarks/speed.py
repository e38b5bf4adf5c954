"""What fit and predict cost beside the limit and beside rivals, in one run: the tables of the docs.

usage: python benchmarks/speed.py [FOLDER] [--quick]

Prints every table, and writes it to FOLDER (``docs/speed``) as CSV. The limit is to copy the input
once and to write single-precision output once. Rows are those of one 1280 x 720 RGB image, 2.76
million, with three 8-bit models; scenes are such images. Medians of calls in turn in one process:
a busy spell of the machine meets all jobs, and ratios say more than times. ``--quick`` repeats
less and stops at a million rows.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scaling import measure, measure_rows
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble

SIZE = (720, 1280, 3)
N_ROWS = 720 * 1280 * 3
N_SCENES = 10
# What version 0.1 searched: six bin widths by six shrinkages to all rows.
SEARCH = EnsIRRegressorCV(
    shrink_to="pooled", select="best", scoring="neg_mean_squared_error", cv=LeaveOneGroupOut()
)
LOOPS = {"NumPy": {"SKENSIR_NO_NUMBA": "1"}, "numba": {"SKENSIR_NO_NUMBA": ""}}
# Seconds per image of the published program and of HGBT, Tables 1 and 6 of the paper.
PUBLISHED = {"EnsIR, bins of 32": 0.1709, "EnsIR, bins of 16": 1.2460, "HGBT": 0.1773}
MODELS = (2, 3, 4, 6, 8, 12, 16, 24, 40)
WIDTHS = (128, 64, 32, 16, 8, 4)


def medians(jobs, repetitions):
    """Call the jobs in turn and return the median seconds of each."""
    spent = {name: [] for name in jobs}
    for repetition in range(repetitions + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if repetition:  # the first is to warm up
                spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in spent.items()}


def rows(seed=0):
    """Return 8-bit predictions and truth of an image's rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, N_ROWS)
    X = np.clip(y[:, None] + rng.integers(-6, 7, (N_ROWS, 3)), 0, 255).astype(np.uint8)
    return X, np.clip(y + rng.integers(-3, 4, N_ROWS), 0, 255).astype(np.uint8)


def time_rows(repetitions):
    """Return the median seconds of jobs on the rows of one image."""
    X, y = rows()
    real, out = X.astype(np.float64), np.empty(N_ROWS, np.float32)
    jobs = {
        "limit": lambda: (X.copy(), out.fill(0)),
        "limit, float64": lambda: (real.copy(), out.fill(0)),
        "np.mean": lambda: np.mean(X, axis=1),
    }
    for n_jobs in (1, 2):
        model = EnsIRRegressor(32, n_jobs=n_jobs).fit(X, y)
        squared = EnsIRRegressor(32, objective="squared_error", n_jobs=n_jobs).fit(X, y)
        deviations = clone(squared).set_params(axes="deviations").fit(X, y)
        jobs |= {
            f"predict, {n_jobs}": lambda model=model: model.predict(X),
            f"predict float64, {n_jobs}": lambda model=model: model.predict(real),
            f"predict deviations, {n_jobs}": lambda model=deviations: model.predict(X),
            f"fit likelihood, {n_jobs}": lambda model=model: clone(model).fit(X, y),
            f"fit squared error, {n_jobs}": lambda model=squared: clone(model).fit(X, y),
            f"fit deviations, {n_jobs}": lambda model=deviations: clone(model).fit(X, y),
        }
    seconds = medians(jobs, repetitions)
    some = np.random.default_rng(0).choice(N_ROWS, 200_000, replace=False)
    trees = HistGradientBoostingRegressor(random_state=0).fit(X[some], y[some])
    return seconds | medians({"HGBT": lambda: trees.predict(real)}, 1)


def time_scenes(repetitions):
    """Return the median seconds per scene of jobs on ten of them."""
    rng = np.random.default_rng(0)
    truths = [rng.integers(0, 256, SIZE).astype(np.uint8) for _ in range(N_SCENES)]
    scenes = [
        np.clip(truth + rng.integers(-6, 7, (3, *SIZE)), 0, 255).astype(np.uint8)
        for truth in truths
    ]
    once = {"np.mean": lambda: np.mean(scenes[0], axis=0)}
    all_scenes = {}
    for n_jobs in (1, 2):
        ensemble = ImageEnsemble(n_jobs=n_jobs).fit(scenes, truths)
        search = ImageEnsemble(SEARCH, n_jobs=n_jobs)
        once[f"predict, {n_jobs}"] = lambda ensemble=ensemble: ensemble.predict(scenes[:1])
        all_scenes |= {
            f"fit, {n_jobs}": lambda ensemble=ensemble: clone(ensemble).fit(scenes, truths),
            f"cross-validated fit, {n_jobs}": lambda search=search: search.fit(scenes, truths),
        }
    seconds = medians(once, repetitions)
    per_fit = medians(all_scenes, max(1, repetitions // 3))
    return seconds | {name: value / N_SCENES for name, value in per_fit.items()}


def time_loading():
    """Return seconds of a first call in a fresh process: loops compiled, kept, and warm."""
    X, y = rows()
    spent = []
    for _ in range(2):
        start = time.perf_counter()
        EnsIRRegressor(32).fit(X, y).predict(X)
        spent.append(time.perf_counter() - start)
    return {"first": spent[0], "second": spent[1]}


def in_process(function, repetitions, environment):
    """Return what a function measures in a fresh process."""
    command = [sys.executable, __file__, "--measure", function.__name__, str(repetitions)]
    run = subprocess.run(
        command, env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return json.loads(run.stdout)


def row_table(measured):
    """Return lines: job, threads, and for each kind of loops times of the limit and of rivals."""
    yield ["", "threads", *(f"{loops}: {what}" for loops in measured for what in ("ms", "limits"))]
    for job in ("predict", "predict float64", "predict deviations", "fit likelihood",
                "fit squared error", "fit deviations"):  # fmt: skip
        for n_jobs in (1, 2):
            line = [job, n_jobs]
            for seconds in measured.values():
                limit = seconds["limit, float64" if "float64" in job else "limit"]
                taken = seconds[f"{job}, {n_jobs}"]
                line += [f"{1e3 * taken:.1f}", f"{taken / limit:.1f}"]
            yield line


def rival_table(measured):
    """Return lines: how many times as long rivals take as predict does, by threads."""
    yield ["predict, uint8", *(f"{loops}, {n}" for loops in measured for n in (1, 2))]
    rivals = {"np.mean(X, axis=1) takes": "np.mean", "HGBT takes": "HGBT"}
    for name, rival in rivals.items():
        yield [name, *(f"{seconds[rival] / seconds[f'predict, {n}']:.1f}"
                       for seconds in measured.values() for n in (1, 2))]  # fmt: skip
    for name, published in PUBLISHED.items():
        yield [f"{name}, in the paper, takes",
               *(f"{published / seconds[f'predict, {n}']:.0f}"
                 for seconds in measured.values() for n in (1, 2))]  # fmt: skip


def scene_table(measured):
    """Return lines: job, threads, and milliseconds per scene, beside the mean of the models."""
    yield [
        "per scene",
        "threads",
        *(f"{loops}: {what}" for loops in measured for what in ("ms", "means")),
    ]
    for job in ("predict", "fit", "cross-validated fit"):
        for n_jobs in (1, 2):
            line = [job, n_jobs]
            for seconds in measured.values():
                taken = seconds[f"{job}, {n_jobs}"]
                line += [f"{1e3 * taken:.1f}", f"{taken / seconds['np.mean']:.2f}"]
            yield line


def loading_table(repetitions):
    """Return lines: seconds of the first fit and prediction of a process, and of the second."""
    yield ["", "first (s)", "second (s)"]
    with tempfile.TemporaryDirectory() as empty:
        cases = {
            "NumPy": LOOPS["NumPy"],
            "numba, compiling": LOOPS["numba"] | {"NUMBA_CACHE_DIR": empty},
            "numba, kept from before": LOOPS["numba"] | {"NUMBA_CACHE_DIR": empty},
        }
        for name, environment in cases.items():
            seconds = in_process(time_loading, repetitions, environment)
            yield [name, f"{seconds['first']:.2f}", f"{seconds['second']:.2f}"]


def cost_table(name, values, cases):
    """Return lines: nanoseconds per row of fit, predict and np.mean."""
    yield [name, "fit", "predict", "np.mean"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cells with few rows
        found = measure(cases)
    for value, line in zip(values, found.T, strict=True):
        yield [value, *(f"{nanoseconds:.0f}" for nanoseconds in line)]


def size_table(largest):
    """Return lines: seconds and memory of rows in batches of a million."""
    yield ["rows", "kind", "fit (s)", "predict (s)", "memory beyond the first batch (MB)"]
    for kind, columns in measure_rows(largest).items():
        for n_rows, fit, predict, memory in columns.T:
            yield [f"{n_rows:,.0f}", kind, f"{fit:.3f}", f"{predict:.3f}", f"{memory / 1e6:.0f}"]


def show(name, lines, folder):
    """Print a table, and write it where a folder is given."""
    lines = [list(map(str, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{name}")
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    if folder is not None:
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    if arguments[:1] == ["--measure"]:
        functions = {function.__name__: function for function in (time_rows, time_scenes)}
        name, repetitions = arguments[1], int(arguments[2])
        found = functions[name](repetitions) if name in functions else time_loading()
        print(json.dumps(found))
        return
    folder = Path(arguments[0]) if arguments else None
    if folder is not None:
        folder.mkdir(exist_ok=True)
    repetitions, largest = (3, 1e6) if "--quick" in sys.argv else (9, 1e8)
    of_rows, of_scenes = (
        {loops: in_process(function, repetitions, env) for loops, env in LOOPS.items()}
        for function in (time_rows, time_scenes)
    )
    show("rows", row_table(of_rows), folder)
    show("rivals", rival_table(of_rows), folder)
    show("scenes", scene_table(of_scenes), folder)
    show("loading", loading_table(repetitions), folder)
    show("models", cost_table("models", MODELS, [(n, 64) for n in MODELS]), folder)
    show("widths", cost_table("bin width", WIDTHS, [(3, width) for width in WIDTHS]), folder)
    show("sizes", size_table(largest), folder)


if __name__ == "__main__":
    main()
