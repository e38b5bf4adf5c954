"""Too little memory is told, and leaves the estimator as it was, in any number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

import skensir

IS_LONG = settings.get_current_profile_name() == "thorough"
# Megabytes beyond what is in use.
EXTRAS = ("0", "0.2", "1", "2", "4", "6", "9", "14", "20", "30") if IS_LONG else ("0", "0.5")
SCRIPT = """
import faulthandler, os, pickle, resource, sys
import numpy as np
from skensir import EnsIRRegressor, EnsIRRegressorCV, _jobs
from skensir.image import ImageEnsemble
from skensir.image.progress import in_parallel, side_by_side

faulthandler.dump_traceback_later(240, exit=True)  # of what waits for ever
n_jobs, extras = int(sys.argv[1]), [float(extra) for extra in sys.argv[2:]]
_jobs._n_cores = lambda: 4
rng = np.random.default_rng(0)
y = rng.uniform(0, 255, 120_000).astype("f4")
X = (y[:, None] + rng.normal(size=(len(y), 6)) * [2, 4, 8, 3, 5, 6]).astype("f4")
images = [[rng.integers(0, 256, (300, 300, 3), np.uint8) for _ in range(3)] for _ in range(2)]
truth = [rng.integers(0, 256, (300, 300, 3), np.uint8) for _ in range(2)]
table = EnsIRRegressor(n_jobs=n_jobs).fit(X[:9000], y[:9000])
search = EnsIRRegressorCV([64.0], axes=["predictions"], n_jobs=n_jobs).fit(X[:9000], y[:9000])
ensemble = ImageEnsemble(n_jobs=n_jobs).fit(images[:1], truth[:1])
copy = lambda number: X[number::100].copy()
TASKS = {
    "fit": (table, lambda: table.fit(X, y)),
    "partial_fit": (table, lambda: table.partial_fit(X, y)),
    "predict": (table, lambda: table.predict(X)),
    "search": (search, lambda: search.fit(X, y)),
    "image fit": (ensemble, lambda: ensemble.fit(images, truth)),
    "image predict": (ensemble, lambda: ensemble.predict(images)),
    "steps": (table, lambda: list(in_parallel(copy, range(30), "Copying", 3))),
    "side by side": (table, lambda: side_by_side(copy, range(5))),
}


def state(model):
    attributes = model.__getstate__()["attributes"]
    return {name: pickle.dumps(value) for name, value in attributes.items()}


def attempt(model, call, extra):
    before = state(model)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(extra * 2**20), resource.RLIM_INFINITY))
    told = False
    try:
        call()
    except MemoryError:
        told = True
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    assert not told or state(model) == before
    return told


for name, (model, call) in TASKS.items():
    call()  # loads what is compiled: where LLVM finds no memory, it ends the process
    n_told = 0
    for extra in extras:
        if not (process := os.fork()):
            code = 1
            try:
                code = 20 + attempt(model, call, extra)
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert code in (20, 21), (name, extra, code)
        n_told += code - 20
    print(name, n_told, "of", len(extras), flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")
@pytest.mark.parametrize("n_jobs", [1, 3] if IS_LONG else [1])
def test_too_little_memory_is_an_error_and_nothing_else(n_jobs):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(n_jobs), *EXTRAS],
        capture_output=True,
        text=True,
        env=os.environ
        | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])}
        | {"MALLOC_MMAP_THRESHOLD_": "65536"},  # what is free does not stay with the process
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(run.stdout.splitlines()) == 8
    assert n_jobs > 1 or "search 0" not in run.stdout  # other threads bring memory of their own
