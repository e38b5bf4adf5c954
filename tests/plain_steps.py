"""The plain steps of a look-up, done by NumPy, which may be asked for nothing but what they say."""

import numpy as np

from skensir._core.lookup import Lookup
from skensir._core.portable import combine, find_line, portable_tables, weigh
from skensir._core.table import LookupTable


class InNumpy:
    """The operations in NumPy, for arrays of any shape."""

    floor, root = staticmethod(np.floor), staticmethod(np.sqrt)
    where, divide = staticmethod(np.where), staticmethod(np.divide)

    def within(self, sums, columns):
        return np.clip(sums, np.min(columns, axis=0), np.max(columns, axis=0))

    def clip(self, values, low, high):
        assert low <= high
        return np.clip(values, low, high)

    def whole(self, values):
        with np.errstate(invalid="ignore"):  # of what is no number
            return values.astype(np.int64)

    def place(self, values, size):
        unknown = np.isnan(values)
        places = self.whole(np.where(unknown, 0, values))
        assert places.min() >= 0
        assert places.max() < size
        return np.where(unknown, size - 1, places)

    def double(self, values):
        return values.astype(np.float64)

    def take(self, table, places):
        assert table.ndim == 1
        return table[places]

    def take_lines(self, table, places, n_columns):
        assert table.shape[1] == n_columns
        return [table[places, column] for column in range(n_columns)]


def predict_in_steps(lookup, X):
    """Return predictions and weights of the plain steps."""
    columns, tables = list(X.T.astype(np.float64)), portable_tables(lookup)
    lines = [find_line(InNumpy(), table, columns) for table in tables]
    weights = np.stack(weigh(InNumpy(), tables, lines), axis=1)
    return combine(InNumpy(), tables, columns, lines), weights


def lookup_of(cells, axes, n_models):
    """Return the lookup of a table that has these cells, whose errors are their numbers.

    Models weigh the same in all of them.
    """
    cells = np.array(cells, dtype=np.int64)
    table = LookupTable.simple(
        bin_width=axes.bin_width,
        axes=axes.kind,
        cells=cells,
        cell_rmse=np.arange(float(len(cells))),
        default_rmse=float(len(cells)),
        weights=np.full((len(cells), n_models), 1 / n_models),
        default_weights=np.full(n_models, 1 / n_models),
        cell_origin=np.full(len(cells), "fitted"),
    )
    table.check()
    return Lookup.of(table, axes)
