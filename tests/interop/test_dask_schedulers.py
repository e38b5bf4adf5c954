"""Every scheduler of dask gives the same table and holds a few chunks at a time."""

import os
import signal
import weakref

import numpy as np
import pytest
from dask_chunks import assert_same_table, da, dask, stacked

from skensir import EnsIRRegressor
from skensir.interop.dask import DaskEnsIRRegressor

pytestmark = pytest.mark.usefixtures("in_this_thread")

# Chunks of rows that are alive in this process, and the most that were so at a time.
ALIVE, MOST_ALIVE = set(), [0]
N_CHUNKS, CHUNK = 24, 5000


def make_rows(what, accident=None, block_info=None):
    """Make a chunk of X or y, of rows that exist nowhere else, and count those of X."""
    number = block_info[None]["chunk-location"][0]
    if number == N_CHUNKS // 2 and accident and not os.path.exists(accident):
        with open(accident, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    X, y, _ = stacked(CHUNK, seed=number)
    if what == "y":
        return y
    ALIVE.add(id(X))
    MOST_ALIVE[0] = max(MOST_ALIVE[0], len(ALIVE))
    weakref.finalize(X, ALIVE.discard, id(X))
    return X


def generated(accident=None):
    rows = (CHUNK,) * N_CHUNKS
    X = da.map_blocks(make_rows, "X", accident, chunks=(rows, (3,)), meta=np.empty((0, 0)))
    return X, da.map_blocks(make_rows, "y", chunks=(rows,), meta=np.empty(0))


@pytest.fixture(scope="module")
def plain_of_generated():
    with dask.config.set(scheduler="synchronous"):
        return EnsIRRegressor().fit(*dask.compute(*generated()))


def most_alive():
    return MOST_ALIVE[0]


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_local_schedulers_give_the_same_table(scheduler, plain_of_generated):
    MOST_ALIVE[0] = 0
    with dask.config.set(scheduler=scheduler, num_workers=2):
        model = DaskEnsIRRegressor().fit(*generated())
        assert_same_table(model, plain_of_generated)
        if scheduler == "threads":
            assert 1 <= MOST_ALIVE[0] <= 4  # of 24: two are worked on


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed", reason="distributed is not installed here")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_worker_processes_give_the_same_table_and_hold_a_few_chunks(client, plain_of_generated):
    X, y = generated()
    with dask.config.set(scheduler="distributed"):
        assert_same_table(DaskEnsIRRegressor().fit(X, y), plain_of_generated)
        mean = plain_of_generated.predict(X.compute(scheduler="synchronous")).mean()
        model = DaskEnsIRRegressor().merge(plain_of_generated)
        assert model.predict(X).mean().compute() == pytest.approx(mean, rel=1e-12)
    for most in client.run(most_alive).values():
        assert 1 <= most <= 4  # of 24


def test_a_worker_that_dies_half_way_changes_nothing(client, plain_of_generated, tmp_path):
    accident = tmp_path / "accident"
    X, y = generated(str(accident))
    with dask.config.set(scheduler="distributed"):
        model = DaskEnsIRRegressor().fit(X, y)
    assert accident.exists()
    assert_same_table(model, plain_of_generated)


def test_errors_come_back_from_worker_processes(client):
    X, y = generated()
    with (
        dask.config.set(scheduler="distributed"),
        pytest.raises(ValueError, match="Input X contains NaN"),
    ):
        DaskEnsIRRegressor().fit(da.where(X > 250, np.nan, X), y)
