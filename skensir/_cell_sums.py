"""Sums of cells that something else than an estimator has made, such as a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skensir._checks import shown
from skensir._core.cross_validation import Grid
from skensir._core.folds import FoldSums
from skensir._sums.linear import LinearMoments
from skensir._sums.statistics import CellStatistics
from skensir._text import plural
from skensir._typing import FloatArray
from skensir._units import unit_of


@dataclass(frozen=True, eq=False, repr=False)
class CellSums:
    """The sums of the rows in each occupied cell, from which estimators are made.

    :func:`skensir.interop.frames.cell_sums` makes them, and `from_cell_sums` of
    :class:`~skensir.EnsIRRegressor` and :class:`~skensir.EnsIRRegressorCV` takes them. They hold no
    rows, and can be pickled. What they are made of may change from version to version.

    Parameters
    ----------
    models : tuple of str
        Names of the base models.
    data_range : float
        Range of the predictions, in their unit.
    pixels : bool
        Whether the predictions have 8 or 16 bits, which tells a search what to try.
    folds : list or None
        Values of the fold of a row, in order; None where rows have none.
    statistics : list of list of CellStatistics
        A line per fold, or one line, with the sums on each kind of axes, in alphabetical order.

    Examples
    --------
    >>> import polars as pl
    >>> from skensir import EnsIRRegressor
    >>> from skensir.interop.frames import cell_sums
    >>> frame = pl.DataFrame({"A": [10, 90, 95], "B": [20, 80, 99], "truth": [12, 82, 96]})
    >>> sums = cell_sums(
    ...     frame, models=["A", "B"], target="truth", bin_width=32.0, data_range=255
    ... )
    >>> sums
    CellSums of 2 models: 3 cells of predictions
    """

    models: tuple[str, ...]
    data_range: float
    pixels: bool
    folds: list[Any] | None
    statistics: list[list[CellStatistics]]

    @property
    def bin_widths(self) -> dict[str, float]:
        """Bin width on each kind of axes, in the unit of the predictions."""
        return {sums.axes.kind: sums.bin_width for sums in self.statistics[0]}

    def __repr__(self) -> str:
        cells = (
            f"{plural(sums.n_cells, 'cell')} of {sums.axes.kind}"
            for sums in (self._total(kind) for kind in self.bin_widths)
        )
        folds = "" if self.folds is None else f" in {plural(len(self.folds), 'fold')}"
        return f"CellSums of {plural(len(self.models), 'model')}: {', '.join(cells)}{folds}"

    def _kind(self, axes: str | None = None, **_: Any) -> str:
        """Return the kind of axes of a single table, which need not be given where it is clear."""
        widths = self.bin_widths
        if axes is None and len(widths) > 1:
            raise ValueError(f"axes has to be given: the sums are on {', '.join(widths)}.")
        kind = next(iter(widths)) if axes is None else axes
        if not isinstance(kind, str) or kind not in widths:
            raise ValueError(
                f"axes == {shown(kind)}, must be one of {', '.join(map(repr, widths))}, on which "
                "the rows are summed up."
            )
        return kind

    def _total(self, kind: str) -> CellStatistics:
        """Return the sums of all folds on one kind of axes, without what only a search uses."""
        place = list(self.bin_widths).index(kind)
        return CellStatistics.merge([line[place] for line in self.statistics])._replace(linear=None)

    def _on(self, grids: Sequence[Grid]) -> FoldSums:
        """Return the sums of each fold with what these grids ask for, as far as it is there."""
        of_kind = {grid.axes.kind: grid for grid in grids}
        kinds = [kind for kind in self.bin_widths if kind in of_kind]
        folds = []
        for line in self.statistics:
            on_kind = dict(zip(self.bin_widths, line, strict=True))
            # Moments are of all rows, whatever their cells: the last kind of axes has them here.
            linear = line[-1].linear
            folds.append([_as_asked(on_kind[kind], of_kind[kind], linear) for kind in kinds])
        return FoldSums(list(self.folds or ()), folds)

    def _widths_up_to_range(self) -> dict[str, list[float]] | None:
        """Return what a search tries by itself: the widest bins halved, down to those of the sums.

        None where the bins of the sums are none of these.
        """
        widest, found = 256 * unit_of(self.data_range), {}
        for kind, width in self.bin_widths.items():
            halvings = np.log2(widest / width)
            if halvings < 0 or halvings % 1 or widest / 2**halvings != width:
                return None
            found[kind] = [widest / 2**i for i in range(1 + int(halvings))]
        return found

    def _attributes(self) -> dict[str, Any]:
        """Return what an estimator knows of rows beside their sums."""
        names: FloatArray = np.array(self.models, dtype=object)
        return {"n_features_in_": len(self.models), "feature_names_in_": names}


def _as_asked(sums: CellStatistics, grid: Grid, linear: LinearMoments | None) -> CellStatistics:
    """Return sums of a fold with what a grid asks for and without what it does not."""
    if not grid.with_errors:
        sums = sums.without_errors()
    return sums._replace(
        truth=None if grid.target_resolution is None else sums.truth,
        linear=linear if grid.with_linear else None,
    )
