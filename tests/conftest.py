"""How many cases hypothesis draws, and helpers whose assertions say what differs."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite(
    "commands",
    "dask_chunks",
    "frames",
    "report_pages",
    "sums",
    "table_files",
    "tables",
    "torch_files",
)

settings.register_profile(
    "quick",
    max_examples=40,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
# pytest --hypothesis-profile=thorough
settings.register_profile(
    "thorough", settings.get_profile("quick"), max_examples=1000, derandomize=False
)
settings.load_profile("quick")
