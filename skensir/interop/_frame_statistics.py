"""What a GROUP BY has returned becomes statistics, those of each fold."""

from __future__ import annotations

from typing import Any

import numpy as np

from skensir._base import check_weight_range
from skensir._sums.accumulate import check_sums
from skensir._sums.binning import check_bin_indices
from skensir._sums.cells import CellIndex
from skensir._sums.histogram import TruthHistogram, check_places
from skensir._sums.linear import LinearMoments
from skensir._sums.pairs import symmetric
from skensir._sums.statistics import CellStatistics
from skensir._typing import IntArray
from skensir.interop._frame_rows import FrameRows
from skensir.interop._frame_sums import Lines, Query

_SUMS = "offset", "square", "product", "error"  # in the order of `CellStatistics`


def check_lines(lines: Lines, rows: FrameRows) -> None:
    """Raise an error that names the column if a row held what cannot be summed up."""
    if not lines.n_lines:
        kind = "rows" if rows.sample_weight is None else "rows of positive sample_weight"
        raise ValueError(f"frame has no {kind}; at least one is needed.")
    if lines.columns["bad"].any():
        rows.say_what_is_no_number()
    if rows.sample_weight is not None:
        least, most = lines.columns["least"].min(), lines.columns["most"].max()
        if least < 0:
            raise ValueError(
                f"Negative values in sample_weight {rows.sample_weight!r}, such as {least}; "
                "must be zero or more."
            )
        check_weight_range(least, most, f"sample_weight {rows.sample_weight!r}")
    check_sums(lines.stack(["weight", *(n for n in lines.columns if n.startswith(_SUMS))]))


def statistics_of(lines: Lines, query: Query) -> CellStatistics:
    """Return the sums of lines as statistics, each cell once."""
    names = [name for name in lines.columns if name.startswith(_SUMS)]
    sums = lines.stack(["weight", *names])
    return CellStatistics(
        query.axes, _cells_of(lines, query), sums, None, query.n_models
    ).gathered()


def with_truth(
    statistics: CellStatistics, lines: Lines, query: Query, resolution: float
) -> CellStatistics:
    """Return statistics with the histogram of the truth that lines are."""
    number = CellIndex(statistics.cells).find(_cells_of(lines, query).T)
    place = lines.columns["place"]
    check_places(place, resolution)
    weight, excess = lines.columns["weight"], lines.columns["excess"]
    truth = TruthHistogram(resolution, number, place.astype(np.int64), weight, excess)
    return statistics._replace(truth=TruthHistogram.merge([truth]))


def with_linear(statistics: CellStatistics, lines: Lines, center: float) -> CellStatistics:
    """Return statistics with the moments of a linear regression.

    They follow from the errors and from the truth, measured from a center: a prediction is the sum
    of both.
    """
    assert statistics.errors is not None
    weight = float(statistics.weight.sum())
    errors = np.append(statistics.errors.sum(axis=1), 0.0)
    products = np.zeros((len(errors), len(errors)))
    pooled = statistics.error_products.sum(axis=1, keepdims=True)
    products[:-1, :-1] = symmetric(pooled, statistics.n_models)[0]
    truth, squares = lines.columns["z"].sum(), lines.columns["zz"].sum()
    crossed = lines.stack([f"ze{i}" for i in range(statistics.n_models)]).sum(axis=1)
    crossed = np.append(crossed, 0.0)
    sums = errors + truth
    scatter = products + np.add.outer(crossed, crossed) + squares - np.outer(sums, sums) / weight
    return statistics._replace(linear=LinearMoments(weight, center + sums / weight, scatter))


def _cells_of(lines: Lines, query: Query) -> IntArray:
    """Return the cell of each line, (n_lines, n_axes)."""
    bins = lines.stack(query.bins)
    if query.axes.kind == "summary":
        near = lines.columns["near"]
        known = near >= 0
        bins[1, known] = query.axes.bins_of_spread(near[known], query.n_models)
    check_bin_indices(bins, query.axes.bin_width)
    return np.ascontiguousarray(bins.T.astype(np.int64))


def by_fold(lines: Lines, column: str) -> dict[Any, Lines]:
    """Return the lines of each fold, in the order of the folds; those of None, where none are."""
    if lines.folds is None:
        return {None: lines}
    chosen: dict[Any, list[int]] = {}
    for number, fold in enumerate(lines.folds):
        if fold is None or (isinstance(fold, float) and fold % 1):  # as NaN has too
            raise ValueError(
                f"frame[{column!r}] holds {fold}, must be whole numbers or names of folds."
            )
        chosen.setdefault(int(fold) if isinstance(fold, float) else fold, []).append(number)
    return {fold: lines.select(np.array(chosen[fold])) for fold in sorted(chosen)}
