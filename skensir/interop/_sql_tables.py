"""A lookup table in SQL: its lines as values, and the bins of a row as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from skensir._core.lookup import Lookup
from skensir._ensir import EnsIRRegressor
from skensir._sums.axes import Axes
from skensir._typing import FloatArray
from skensir.interop._dialects import Dialect


class SqlTable:
    """A lookup table under a name, for columns in double precision.

    Line by line it holds how often the bins of a cell were doubled, the bins, and the weights of
    all models but the first, followed by the intercept where there are any.
    """

    def __init__(
        self, model: EnsIRRegressor, name: str, columns: Sequence[str], dialect: Dialect
    ) -> None:
        self.name, self._columns, self._sql = name, columns, dialect
        self._lookup: Lookup = model._lookup()
        self._axes: Axes = self._lookup.axes
        levels = np.concatenate([np.zeros(len(model.cells_), np.int64), model.ancestor_levels_])
        self._cells = np.concatenate([model.cells_, model.ancestor_cells_]).astype(np.int64)
        self._levels = levels.astype(np.int64)
        self._low, self._high = model.cells_.min(axis=0), model.cells_.max(axis=0)
        self._has_intercepts = self._lookup.has_intercepts
        self._convex = self._lookup.is_convex and not self._has_intercepts
        self._names = [f"weight{i}" for i in range(2, len(columns) + 1)]
        self._values: FloatArray = self._lookup.weights[:, 1:]
        if self._has_intercepts:
            self._names.append("intercept")
            self._values = np.column_stack([self._values, self._lookup.intercepts])

    @cached_property
    def _levels_with_lines(self) -> list[int]:
        return sorted(set(self._levels.tolist()))

    def values(self) -> str:
        """Return the common table expression that holds the lines, but that of unseen cells."""
        names = ["level", *(f"bin{i + 1}" for i in range(self._cells.shape[1])), *self._names]
        whole = np.column_stack([self._levels, self._cells]).tolist()
        lines = [
            ", ".join([*map(str, bins), *map(self._sql.value, weights)])
            for bins, weights in zip(whole, self._values[:-1].tolist(), strict=True)
        ]
        rows = ",\n".join(f"  ({line})" for line in lines)
        return f"{self.name} ({', '.join(names)}) AS (VALUES\n{rows}\n)"

    def joins(self) -> list[str]:
        """Return the joins that find the line of a row, one per level."""
        return list(map(self._join, self._levels_with_lines))

    def _join(self, level: int) -> str:
        alias = self._alias(level)
        bins = enumerate(self._bins(level), start=1)
        conditions = [f"{alias}.level = {level}", *(f"{alias}.bin{i} = {bin}" for i, bin in bins)]
        on = "\n  AND ".join(conditions)
        return f"LEFT JOIN {self.name} AS {alias}\n  ON {on}"

    def _alias(self, level: int) -> str:
        return f"{self.name}_level{level}"

    def prediction(self) -> str:
        """Return the weighted sum, in the order in which the estimator adds it up."""
        sql, columns = self._sql, self._columns
        first, terms = columns[0], [columns[0]]
        for number, name in enumerate(self._names):
            found = [f"{self._alias(level)}.{name}" for level in self._levels_with_lines]
            unseen = sql.value(float(self._values[-1, number]))
            value = sql.cast(f"COALESCE({', '.join([*found, unseen])})")
            away = f"({columns[number + 1]} - {first}) * " if name != "intercept" else ""
            terms.append(f"{away}{value}")
        total = "\n    + ".join(terms)
        if not self._convex or len(columns) == 1:
            return total
        least, most = (sql.extreme(f, columns) for f in (sql.least, sql.greatest))
        return sql.between(total, least, most)

    def _bins(self, level: int) -> list[str]:
        """Return the bin index on each axis, of bins that were doubled so often."""
        axes, columns, n_models = self._axes, self._columns, len(self._columns)
        if axes.kind == "predictions":
            return self._floors(columns, axes.bin_width, level)
        first, own = columns[0], float(n_models)
        away = [f"({column} - {first})" for column in columns[1:]]
        total = f"({' + '.join(away)})" if away else self._sql.number(0)
        divisor, times = n_models * axes.bin_width, self._sql.number(own)
        if axes.kind == "deviations":
            multiples = [self._sql.number(0), *(f"{times} * {value}" for value in away)]
            values = [f"({multiple} - {total})" for multiple in multiples]
            return self._floors(values, divisor, level)
        mean = self._floors([f"({times} * {first} + {total})"], divisor, level)
        squares = " + ".join(f"{value} * {value}" for value in away) or self._sql.number(0)
        return [*mean, self._spread(f"{times} * ({squares}) - {total} * {total}", level)]

    def _floors(self, values: Sequence[str], divisor: float, level: int) -> list[str]:
        """Return the floors of quotients; beyond the end bins they are those of the end bins.

        Halving is exact, so that the bin around a bin follows from the same quotient.
        """
        sql, found = self._sql, []
        for value, low, high in zip(values, self._low, self._high, strict=False):
            quotient = f"{value} / {sql.exact(divisor)}"
            inside = sql.between(quotient, sql.number(float(low)), sql.number(float(high)))
            found.append(sql.floor(f"{inside} / {sql.number(2.0**level)}" if level else inside))
        return found

    def _spread(self, squares: str, level: int) -> str:
        """Return the bin of the spread, by where it begins: logarithms are rounded anyhow."""
        low, high = int(self._low[1]) >> level, int(self._high[1]) >> level
        bins = np.arange(low + 1, high + 1)
        edges = self._axes.spread_edges(bins << level, len(self._columns))
        cases = [
            f"WHEN {squares} < {self._sql.exact(edge)} THEN {bin - 1}"
            for bin, edge in zip(bins.tolist(), edges.tolist(), strict=True)
        ]
        return f"CASE {' '.join(cases)} ELSE {high} END" if cases else str(high)
