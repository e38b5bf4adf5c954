"""A table of few cells that lie far apart is not made into a large one."""

from unittest import mock

import numpy as np
import pytest
from plain_steps import lookup_of

from skensir._core import portable
from skensir._core.portable import portable_tables
from skensir._sums.axes import Axes

AXES = Axes(1e-9, "summary")


def test_bins_of_the_spread_that_are_too_many_are_told():
    with pytest.raises(ValueError, match="makes 1073741824 bins of the spread, and at most 1677"):
        portable_tables(lookup_of([[0, 0], [0, 2**30]], AXES, 3))
    portable_tables(lookup_of([[0, 0], [2**30, 5]], AXES, 3))


def test_as_many_bins_of_the_spread_may_be_as_are_said():
    with mock.patch.object(portable, "_MOST_EDGES", 8):
        portable_tables(lookup_of([[0, 7], [0, 15]], AXES, 3))
        with pytest.raises(ValueError, match="makes 9 bins of the spread, and at most 8 can be"):
            portable_tables(lookup_of([[0, 7], [0, 16]], AXES, 3))


@pytest.mark.parametrize("n_bins", range(1, 18))
def test_edges_are_filled_up_to_a_power_of_two(n_bins):
    (table,) = portable_tables(lookup_of([[0, 3], [0, 2 + n_bins]][-n_bins:], AXES, 3))
    size = next(2**power for power in range(9) if 2**power >= n_bins)
    assert len(table.spread_edges) == size
    assert np.isinf(table.spread_edges[n_bins:]).all()
    assert (np.diff(table.spread_edges[:n_bins]) > 0).all()
