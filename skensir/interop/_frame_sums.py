"""The sums of cells as queries: bins, what is summed up, and a GROUP BY over both.

Bins are those of NumPy to the last row. So all is computed in double precision and in the order of
`Axes`, and nothing is divided by a constant: Polars multiplies by its inverse, which is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skensir._sums.axes import SPREADS_PER_UNIT, Axes
from skensir._sums.pairs import model_pairs
from skensir._typing import AnyArray, IntArray
from skensir.interop._frame_rows import Frame, FrameRows, added, import_narwhals

# Of a spread in bins: so close to an edge the logarithm of an engine may lie on the other side.
_CLOSE = 1e-6
# Of bins beyond this the rounding of a logarithm is not small any more.
_FAR = 1e8


class Lines(NamedTuple):
    """What a GROUP BY has returned, a line per group and part of the rows.

    Attributes
    ----------
    folds : list or None
        Value of the fold of each line.
    columns : dict of str to ndarray
        All others.
    """

    folds: list[Any] | None
    columns: dict[str, AnyArray]

    @property
    def n_lines(self) -> int:
        return len(self.columns["weight"])

    def stack(self, names: Sequence[str]) -> AnyArray:
        """Return some columns as the lines of an array."""
        return np.array([self.columns[name] for name in names])

    def select(self, chosen: IntArray) -> Lines:
        """Return some of the lines, without their fold."""
        return Lines(None, {name: column[chosen] for name, column in self.columns.items()})


class Query:
    """Sums of rows in cells on some axes, in the words of narwhals."""

    def __init__(self, rows: FrameRows, axes: Axes) -> None:
        self.rows, self.axes, self.n_models = rows, axes, rows.n_models
        self._nw = import_narwhals()
        self.bins = [f"bin{i}" for i in range(axes.n_axes(rows.n_models))]
        self._by_fold = [] if rows.folds is None else ["fold"]
        self._keys = [*self._by_fold, *self.bins, *(["near"] if axes.kind == "summary" else [])]

    def sums(self, *, with_broken: bool) -> Lines:
        """Return the sums that `CellStatistics` holds, and "truth", the sum of that.

        Some libraries leave NaN out of sums, so "bad" says how many rows have what is no number.
        `with_broken` asks for the weight of the rows whose truth is no whole number, as "broken".
        """
        nw, models = self._nw, range(self.n_models)

        def query(frame: Frame) -> Frame:
            columns = [(nw.col(f"x{i}") - nw.col("y")).alias(f"e{i}") for i in models]
            sums: dict[str, Any] = {}
            if self.axes.kind == "predictions":
                edges = [nw.col(name) * self.axes.bin_width for name in self.bins]
                columns += [(nw.col(f"x{i}") - edges[i]).alias(f"o{i}") for i in models]
                sums |= {f"offset{i}": nw.col(f"o{i}") for i in models}
                sums |= {f"square{i}": nw.col(f"o{i}") * nw.col(f"o{i}") for i in models}
            pairs = zip(*model_pairs(self.n_models), strict=True)
            sums |= {f"product{i}_{j}": nw.col(f"e{i}") * nw.col(f"e{j}") for i, j in pairs}
            sums |= {f"error{i}": nw.col(f"e{i}") for i in models}
            sums["truth"] = nw.col("y")
            if with_broken:
                sums["broken"] = (nw.col("y") != nw.col("y").floor()).cast(nw.Float64)
            good = (nw.col("zero") == 0).fill_null(False)
            counts = {"bad": nw.when(good).then(0.0).otherwise(1.0)}
            frame = self._with_bins(frame).with_columns(*columns)
            return self._group(frame, self._keys, sums, counts)

        return self._collect(query)

    def places_of_truth(self, resolution: float) -> Lines:
        """Return the weight at each "place" of the truth in each cell, and "excess" there."""
        nw = self._nw

        def query(frame: Frame) -> Frame:
            place = self._divided(nw.col("y"), resolution).floor()
            frame = self._with_bins(frame).with_columns(place.alias("place"))
            excess = nw.col("y") - nw.col("place") * resolution
            return self._group(frame, [*self._keys, "place"], {"excess": excess}, {})

        return self._collect(query)

    def moments_of_truth(self, center: float) -> Lines:
        """Return for each fold the sums of the truth, from a center, of its square and with errors.

        They are called "z", "zz" and "ze0", "ze1", ...
        """
        nw = self._nw

        def query(frame: Frame) -> Frame:
            frame = frame.with_columns((nw.col("y") - center).alias("distance"))
            distance = nw.col("distance")
            errors = {f"ze{i}": nw.col(f"x{i}") - nw.col("y") for i in range(self.n_models)}
            sums = {"z": distance, "zz": distance * distance}
            sums |= {name: error * distance for name, error in errors.items()}
            return self._group(frame, self._by_fold, sums, {})

        return self._collect(query)

    def _with_bins(self, frame: Frame) -> Frame:
        """Add the bin indices, which are whole numbers in double precision."""
        nw, models, n_models = self._nw, range(self.n_models), float(self.n_models)
        if self.axes.kind == "predictions":
            return self._with_floors(frame, [nw.col(f"x{i}") for i in models], self.axes.bin_width)
        frame = frame.with_columns(
            *((nw.col(f"x{i}") - nw.col("x0")).alias(f"d{i}") for i in models)
        )
        frame = frame.with_columns(added([nw.col(f"d{i}") for i in models]).alias("total"))
        divisor = self.n_models * self.axes.bin_width
        if self.axes.kind == "deviations":
            away = [nw.col(f"d{i}") * n_models - nw.col("total") for i in models]
            return self._with_floors(frame, away, divisor)
        mean = nw.col("x0") * n_models + nw.col("total")
        return self._with_spread(self._with_floors(frame, [mean], divisor))

    def _with_floors(self, frame: Frame, values: Sequence[Any], divisor: float) -> Frame:
        """Add the bin indices of values."""
        floors = [self._divided(value, divisor).floor() for value in values]
        return frame.with_columns(
            *(floor.alias(f"bin{i}") for i, floor in enumerate(floors))  # in the order of the axes
        )

    def _with_spread(self, frame: Frame) -> Frame:
        """Add the bin of the spread, and, where that is close to an edge, the spread itself.

        Engines do not round a logarithm as NumPy does, which is left to say what is "near".
        """
        nw, models, n_models = self._nw, range(self.n_models), float(self.n_models)
        squares = added([nw.col(f"d{i}") * nw.col(f"d{i}") for i in models]) * n_models
        frame = frame.with_columns((squares - nw.col("total") * nw.col("total")).alias("squares"))
        squares = nw.when(nw.col("squares") > 0).then(nw.col("squares")).otherwise(0.0)
        spreads = squares.sqrt() * (SPREADS_PER_UNIT / self.axes.unit / n_models) + 1.0
        frame = frame.with_columns(
            (spreads.log(2) * self.axes.scale_of_spread).alias("octaves"),
        ).with_columns(nw.col("octaves").floor().alias("bin1"))
        above = nw.col("octaves") - nw.col("bin1")
        near = (above < _CLOSE) | (above > 1 - _CLOSE) | (nw.col("octaves") > _FAR)
        return frame.with_columns(
            nw.when(near).then(nw.col("squares")).otherwise(-1.0).alias("near")
        )

    def _divided(self, values: Any, divisor: float) -> Any:
        """Return quotients that are rounded once: the divisor is a column."""
        return values / (self._nw.col("zero") + divisor)

    def _group(
        self, frame: Frame, keys: Sequence[str], sums: dict[str, Any], counts: dict[str, Any]
    ) -> Frame:
        """Return sums over the rows that agree in the keys, by their weight, and counts."""
        nw, used = self._nw, [*keys]
        weights = [nw.len().alias("weight")]
        if self.rows.sample_weight is not None:
            sums = {name: value * nw.col("w") for name, value in sums.items()}
            used.append("w")
            w = nw.col("w")
            weights = [w.sum().alias("weight"), w.min().alias("least"), w.max().alias("most")]
        sums = sums | counts
        names = {f"{name}_": name for name in sums}
        frame = frame.with_columns(*(sums[name].alias(own) for own, name in names.items()))
        if isinstance(frame, nw.DataFrame):
            # In one piece: pandas warns of a hundred columns that are arrays of their own.
            frame = frame.select(*used, *names).clone()
        lines = frame.group_by(*keys).agg(*weights, nw.col(*names).sum())
        return lines.rename(names)

    def _collect(self, query: Callable[[Frame], Frame]) -> Lines:
        """Return what a query makes of all rows."""
        folds: list[Any] = []
        columns: dict[str, list[AnyArray]] = {"weight": []}
        for frame in self.rows.collect(query):
            for name in frame.columns:
                if name == "fold":
                    folds += frame[name].to_list()
                else:
                    numbers = frame[name].to_numpy().astype(np.float64)
                    columns.setdefault(name, []).append(numbers)
        arrays = {name: np.concatenate([np.empty(0), *parts]) for name, parts in columns.items()}
        return Lines(folds if self._by_fold else None, arrays)
