"""Several lookup tables averaged into one, whose predictions are the average of theirs.

Bins nest, so tables on the same axes, of widths b, 2b, 4b, ..., have a common table on the
narrowest of their cells: each of its lines, those of wider cells included, is the average of the
lines that its rows would look up. Prediction costs one look-up, however many tables there were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skensir._core.hierarchy import Hierarchy
from skensir._core.lookup import table_lines
from skensir._core.table import FITTED, LookupTable
from skensir._sums.cells import CellIndex, NestedCellIndex
from skensir._typing import FloatArray, IntArray


def average_tables(tables: Sequence[LookupTable], shares: FloatArray) -> LookupTable:
    """Return the table that predicts the weighted average of what the given ones predict.

    All are of the same rows and axes, with bins that are a power of two wider than the narrowest.
    The shares sum to one. Errors become an upper bound: the root of the average squared error.
    """
    finest = min(tables, key=lambda table: table.bin_width)
    n_doublings = [round(np.log2(table.bin_width / finest.bin_width)) for table in tables]
    n_levels = 1 + max(
        doublings + int(table.ancestor_levels.max(initial=0))
        for doublings, table in zip(n_doublings, tables, strict=True)
    )
    hierarchy = Hierarchy(finest.cells, n_levels)
    # One line per cell of every level, and one for rows in none of them.
    lines = [
        _lines_of(table, hierarchy, doublings)
        for table, doublings in zip(tables, n_doublings, strict=True)
    ]

    def average(
        name: str, default: str, power: int = 1
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        total = sum(
            share * table_lines(table, name, default)[numbers] ** power
            for table, share, numbers in zip(tables, shares, lines, strict=True)
        )
        assert isinstance(total, np.ndarray)
        total = total ** (1 / power)
        n_own = len(finest.cells)
        return total[:n_own], total[n_own:-1], total[-1]

    weights, ancestor_weights, default_weights = average("weights", "default_weights")
    intercepts, ancestor_intercepts, default_intercept = average("intercepts", "default_intercept")
    rmse, ancestor_rmse, default_rmse = average("cell_rmse", "default_rmse", power=2)
    return finest._replace(
        weights=weights,
        intercepts=intercepts,
        cell_origin=np.full(len(finest.cells), FITTED, dtype="<U10"),
        cell_rmse=rmse,
        default_weights=default_weights,
        default_intercept=float(default_intercept),
        default_rmse=float(default_rmse),
        ancestor_levels=np.repeat(np.arange(1, n_levels), hierarchy.n_wider),
        ancestor_cells=np.concatenate([finest.cells[:0], *hierarchy.cells[1:]]),
        ancestor_weights=ancestor_weights,
        ancestor_intercepts=ancestor_intercepts,
        ancestor_rmse=ancestor_rmse,
    )


def _lines_of(table: LookupTable, hierarchy: Hierarchy, doublings: int) -> IntArray:
    """Return the number of the table's line for every cell of a hierarchy, and for no cell.

    The table's own cells lie `doublings` levels above the finest.
    """
    levels, n_own = table.ancestor_levels, len(table.cells)
    n_lines = n_own + len(levels)
    index = NestedCellIndex(table.cells, table.ancestor_cells, levels)
    numbers = []
    for level, cells in enumerate(hierarchy.cells):
        if level <= doublings:
            numbers.append(index.find((cells >> (doublings - level)).T))
            continue
        # Rows that are served by this level lie in no narrower cell that is known.
        first, last = np.searchsorted(levels, [level - doublings, level - doublings + 1])
        if first == last:
            numbers.append(np.full(len(cells), n_lines))
        else:
            numbers.append(
                n_own + first + CellIndex(table.ancestor_cells[first:last]).find(cells.T)
            )
    return np.concatenate([*numbers, [n_lines]])
