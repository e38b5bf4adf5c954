"""How many threads a parameter `n_jobs` stands for."""

from __future__ import annotations

import os
from functools import cache

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend

from skensir._checks import check_n_jobs


def count_threads(n_jobs: int | None) -> int:
    """Return the number of threads: scikit-learn's meaning of `n_jobs`, but in a worker of joblib.

    None is one, unless `joblib.parallel_config` says another number, -1 is one per core, and there
    are never more. A worker of joblib, such as in a search over a grid, has the cores to itself
    that joblib leaves to libraries there: mostly one.
    """
    check_n_jobs(n_jobs)
    n_threads = int(effective_n_jobs(n_jobs))
    if n_threads < 2:
        return 1
    if get_active_backend()[0].nesting_level:
        left = os.environ.get("OMP_NUM_THREADS", "1")
        return min(n_threads, int(left) if left.isdecimal() else 1) or 1
    return min(n_threads, _n_cores())


@cache
def _n_cores() -> int:
    """Return the number of cores that this process may use, which takes a while to find out."""
    return int(cpu_count())
