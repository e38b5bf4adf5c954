"""A table of few cells that lie far apart is not made into a large one."""

import numpy as np
import pytest

from skensir._core.lookup import Lookup
from skensir._core.portable import portable_tables
from skensir._core.table import LookupTable
from skensir._sums.axes import Axes


def lookup_of(cells):
    """Return a table of a summary with these cells, which holds what else it needs."""
    cells, n_cells = np.array(cells, dtype=np.int64), len(cells)
    table = LookupTable.simple(
        bin_width=1e-9,
        axes="summary",
        cells=cells,
        default_rmse=1.0,
        weights=np.full((n_cells, 3), 1 / 3),
        default_weights=np.full(3, 1 / 3),
        cell_origin=np.full(n_cells, "fitted"),
    )
    table.check()
    return Lookup.of(table, Axes(table.bin_width, table.axes))


def test_bins_of_the_spread_that_are_too_many_are_told():
    with pytest.raises(ValueError, match="makes 1073741824 bins of the spread, and at most 1677"):
        portable_tables(lookup_of([[0, 0], [0, 2**30]]))
    (table,) = portable_tables(lookup_of([[0, 0], [2**30, 5]]))
    assert len(table.spread_edges) == 8
