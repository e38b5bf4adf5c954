"""Which cases hypothesis draws, and helpers whose assertions say what differs."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite(
    "commands",
    "dask_chunks",
    "drawn",
    "frames",
    "report_pages",
    "rows_beside",
    "search_results",
    "sums",
    "table_files",
    "tables",
    "torch_files",
    "witnesses",
)

# What plain `pytest` draws is the same each time, so that no change fails by chance;
# `pytest --hypothesis-profile=thorough` looks for what it has missed, elsewhere each time.
settings.register_profile(
    "quick",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    settings.get_profile("quick"),
    max_examples=1000,
    derandomize=False,
    print_blob=True,
)
settings.load_profile("quick")
