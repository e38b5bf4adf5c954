"""EnsIR where the rows lie: sums of cells by a GROUP BY, and prediction as a JOIN.

What leaves a data frame library or a database are the sums of the occupied cells, however many rows
there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skensir._cell_sums import CellSums
from skensir._checks import check_automatic, check_names, check_number, check_option, shown
from skensir._core.solve import OBJECTIVES
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._sample import Sample
from skensir._sums.axes import KINDS
from skensir._sums.histogram import WHOLE_FLOATS, auto_resolution
from skensir._sums.statistics import CellStatistics
from skensir._units import auto_bin_width, make_axes
from skensir.interop._frame_rows import FrameRows
from skensir.interop._frame_statistics import (
    by_fold,
    check_lines,
    statistics_of,
    with_linear,
    with_truth,
)
from skensir.interop._frame_sums import Lines, Query
from skensir.interop._sql import to_sql

__all__ = ["CellSums", "cell_sums", "to_sql"]

# So many of the first rows tell which bins are too narrow, as those of a first batch would.
_FIRST_ROWS = 2**15


def cell_sums(
    frame: Any,
    *,
    models: Sequence[str],
    target: str,
    bin_width: float | str | Mapping[str, float],
    axes: str | Sequence[str] = "auto",
    data_range: float | str = "auto",
    objective: str = "auto",
    target_resolution: float | str = "auto",
    sample_weight: str | None = None,
    folds: str | None = None,
) -> CellSums:
    """Sum up the rows of each cell where they lie, by a GROUP BY per kind of axes.

    Cells are those of `fit`; the :ref:`User Guide <frames>` tells more.

    Parameters
    ----------
    frame : data frame or lazy frame
        Whatever narwhals reads: of Polars, DuckDB, pandas, PyArrow, Spark and others.
    models : sequence of str
        Columns with the predictions of the base models: numbers of any type, all finite.
    target : str
        Column with the truth.
    bin_width : float, "auto" or mapping of str to float
        In the unit of the predictions, of all axes or by their kind. "auto" is that of
        `EnsIRRegressor`, and with `folds` the narrowest that `EnsIRRegressorCV` would try.
    axes : "auto", str or sequence of str, default="auto"
        Kinds of axes. "auto" is "predictions", and with `folds` what the search tries.
    data_range : float or "auto", default="auto"
        Range of the predictions; "auto" is for UInt8 and UInt16, whose type tells it.
    objective : {"auto", "likelihood", "squared_error"}, default="auto"
        "likelihood" needs the histogram of the truth, one more GROUP BY, and serves both.
        "auto" is "likelihood", and with `folds` "squared_error".
    target_resolution : float or "auto", default="auto"
        Grid step of that histogram, as in the estimator.
    sample_weight, folds : str, default=None
        Columns with non-negative weights, and with whole numbers or names of folds.

    Returns
    -------
    sums : CellSums
        What `from_cell_sums` of the estimators takes.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, or a column cannot be summed up; they name it.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"A": [10, 90], "B": [20, 80], "truth": [12, 82]})
    >>> cell_sums(frame, models=["A", "B"], target="truth", bin_width=32.0, data_range=255)
    CellSums of 2 models: 2 cells of predictions
    """
    rows = FrameRows(frame, models, target, sample_weight, folds)
    return _sum_up(rows, bin_width, axes, data_range, objective, target_resolution)


def _sum_up(
    rows: FrameRows,
    bin_width: Any,
    axes: Any,
    data_range: Any,
    objective: Any,
    target_resolution: Any,
) -> CellSums:
    """Do so, once the columns are known."""
    check_automatic(data_range, "data_range")
    check_automatic(target_resolution, "target_resolution")
    check_option(objective, "objective", ("auto", *OBJECTIVES))
    length = _find_range(rows, data_range)
    widths = _find_widths(rows, bin_width, axes, length)
    if objective == "likelihood" and KINDS[0] not in widths:
        raise ValueError(
            f"objective == 'likelihood' needs axes {KINDS[0]!r}, and they are "
            f"{', '.join(map(repr, widths))}."
        )
    # Nothing else than the likelihood on such axes has a use for the truth.
    needs_truth = objective == "likelihood" or (objective == "auto" and rows.folds is None)
    found: dict[Any, list[CellStatistics]] = {}
    for kind in sorted(widths):
        query = Query(rows, make_axes(widths[kind], kind, length))
        resolution = target_resolution if needs_truth and kind == KINDS[0] else None
        for fold, statistics in _sum_up_axes(query, resolution, last=kind == max(widths)).items():
            found.setdefault(fold, []).append(statistics)
    labels = None if rows.folds is None else list(found)
    return CellSums(rows.models, length, rows.pixel_range is not None, labels, list(found.values()))


def _find_range(rows: FrameRows, data_range: float | str) -> float:
    """Return the range of the predictions, given or that of their type."""
    if not isinstance(data_range, str):
        return float(data_range)
    if rows.pixel_range is None:
        raise ValueError(
            "data_range == 'auto' takes the range from columns of UInt8 or UInt16, which the "
            "models are not: give it, as 255 for predictions from 0 to 255."
        )
    return rows.pixel_range


def _find_widths(
    rows: FrameRows, bin_width: Any, axes: str | Sequence[str], data_range: float
) -> dict[str, float]:
    """Return the bin width on each kind of axes."""
    if isinstance(bin_width, Mapping):
        if not isinstance(axes, str) or axes != "auto":
            raise ValueError(
                f"axes == {shown(axes)}, must be 'auto' where bin_width is a mapping of axes."
            )
        if not bin_width:
            raise ValueError("bin_width == {}, must have a width for at least one kind of axes.")
        for kind, width in bin_width.items():
            check_option(kind, "axes of bin_width", KINDS)
            check_number(width, f"bin_width[{kind!r}]")
        return {kind: float(width) for kind, width in bin_width.items()}
    check_automatic(bin_width, "bin_width")
    if rows.folds is None:
        kinds = _listed(KINDS[0] if isinstance(axes, str) and axes == "auto" else axes)
        width = auto_bin_width(data_range) if isinstance(bin_width, str) else float(bin_width)
        return dict.fromkeys(kinds, width)
    search = EnsIRRegressorCV(axes=axes, data_range=data_range)
    search._pixels = rows.pixel_range is not None
    search._check_search()
    if not isinstance(bin_width, str):
        return dict.fromkeys(search._find_widths(lambda: None), float(bin_width))

    def look() -> Sample:
        first = rows.first(_FIRST_ROWS)
        return Sample(first, first[:, 0], np.ones(len(first)))

    widths = search._find_widths(look, may_grow=True)
    return {kind: min(of_kind) for kind, of_kind in widths.items() if of_kind}


def _listed(axes: str | Sequence[str]) -> list[str]:
    """Return kinds of axes as a list, all of them known."""
    kinds = check_names([axes] if isinstance(axes, str) else axes, "axes")
    if not kinds:
        raise ValueError(f"axes == {shown(axes)}, must be at least one kind of axes.")
    for kind in kinds:
        check_option(kind, "axes", KINDS)
    return kinds


def _sum_up_axes(
    query: Query, target_resolution: float | str | None, *, last: bool
) -> dict[Any, CellStatistics]:
    """Return the sums of each fold, those of None where there are none.

    The last of several kinds of axes has what a search compares its tables with.
    """
    rows, bin_width = query.rows, query.axes.bin_width
    column = rows.folds or ""
    may_be_whole = target_resolution == "auto" and rows.folds is None
    with_broken = may_be_whole and not rows.truth_is_integer and bin_width <= WHOLE_FLOATS
    lines = query.sums(with_broken=with_broken)
    check_lines(lines, rows)
    found = {fold: statistics_of(own, query) for fold, own in by_fold(lines, column).items()}
    if target_resolution is not None:
        resolution = _find_resolution(lines, rows, bin_width, target_resolution, may_be_whole)
        for fold, own in by_fold(query.places_of_truth(resolution), column).items():
            found[fold] = with_truth(found[fold], own, query, resolution)
    if last and rows.folds is not None:
        center = float(lines.columns["truth"].sum() / lines.columns["weight"].sum())
        for fold, own in by_fold(query.moments_of_truth(center), column).items():
            found[fold] = with_linear(found[fold], own, center)
    return found


def _find_resolution(
    lines: Lines,
    rows: FrameRows,
    bin_width: float,
    target_resolution: float | str,
    may_be_whole: bool,
) -> float:
    """Return the grid step of the truth, as `fit` would choose it, of folds as `partial_fit`."""
    if not isinstance(target_resolution, str):
        return float(target_resolution)
    whole = may_be_whole and (
        rows.truth_is_integer or ("broken" in lines.columns and not lines.columns["broken"].any())
    )
    return auto_resolution(bin_width, whole=whole)
