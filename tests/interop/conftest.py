"""How dask computes in these tests."""

import pytest


@pytest.fixture
def in_this_thread():
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield
