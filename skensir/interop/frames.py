"""EnsIR where the rows lie: sums of cells by a GROUP BY, and prediction as a JOIN.

What leaves a data frame library or a database are the sums of the occupied cells, however many rows
there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skensir._cell_sums import CellSums
from skensir._checks import check_automatic, check_number, check_option, shown
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
    """Sum up the rows of each cell where they lie, in a data frame or a database.

    The library or the engine that has the rows groups them by the bin indices of their predictions.
    So rows that are larger than the memory stay where they are. Each kind of axes is one GROUP BY,
    the histogram of the truth another one, and with `folds` there is a last one for what a search
    compares with. Weights are those of :meth:`~skensir.EnsIRRegressor.fit`, but for the rounding
    of sums in another order; no row lies in another cell.

    Read more in the :ref:`User Guide <frames>`.

    Parameters
    ----------
    frame : data frame or lazy frame
        Whatever narwhals reads: of Polars, DuckDB, pandas, PyArrow and others. Lazy frames and
        those of Polars are left to their engine, others are grouped in slices of their rows.
    models : sequence of str
        Names of the columns with the predictions of the base models: numbers of any type, which
        are taken as double precision.
    target : str
        Name of the column with the truth.
    bin_width : float, "auto" or mapping of str to float
        Width of the bins, in the unit of the predictions; a mapping from each kind of axes to a
        width. "auto" is that of :class:`~skensir.EnsIRRegressor`, and with `folds` the narrowest
        that :class:`~skensir.EnsIRRegressorCV` would try, for which it looks at the first 32768
        rows.
    axes : "auto", str or sequence of str, default="auto"
        What is cut into bins: one or several of "predictions", "deviations" and "summary". "auto"
        is "predictions", and with `folds` what :class:`~skensir.EnsIRRegressorCV` tries.
    data_range : float or "auto", default="auto"
        Range of the predictions, as 255 for values from 0 to 255. "auto" takes it from the type of
        the columns, where that is of unsigned integers of 8 or 16 bits, and is an error for others.
    objective : {"auto", "likelihood", "squared_error"}, default="auto"
        What the sums are for: "likelihood" needs the histogram of the truth too, and serves both.
        "auto" is what estimators have by default: "likelihood", and with `folds` "squared_error".
    target_resolution : float or "auto", default="auto"
        Grid step of that histogram, as in the estimator that is to be made.
    sample_weight : str, default=None
        Name of a column with non-negative weights of the rows. Rows of weight zero are left out,
        whatever they hold.
    folds : str, default=None
        Name of a column with the fold of each row, a whole number or a name such as that of its
        image. The sums of each fold are kept apart, which a search needs.

    Returns
    -------
    sums : CellSums
        What `from_cell_sums` of the estimators takes.

    Raises
    ------
    ValueError
        If an argument is out of its range, a column is missing or holds what is null, NaN or
        infinite, or there are no rows. The message names it.
    TypeError
        If `frame` is no data frame, or a column holds no numbers.
    ModuleNotFoundError
        If narwhals is not installed.

    See Also
    --------
    skensir.EnsIRRegressor.from_cell_sums : Make an estimator of the sums.
    skensir.EnsIRRegressorCV.from_cell_sums : Make a search of the sums of folds.
    to_sql : Predict where the rows lie.

    Examples
    --------
    >>> import numpy as np
    >>> import polars as pl
    >>> from skensir import EnsIRRegressor
    >>> from skensir.interop.frames import cell_sums
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> frame = pl.LazyFrame({"A": y + rng.normal(size=5000), "B": y + 4.0, "truth": y})
    >>> sums = cell_sums(
    ...     frame, models=["A", "B"], target="truth", bin_width=32.0, data_range=255
    ... )
    >>> EnsIRRegressor.from_cell_sums(sums).solve().feature_names_in_.tolist()
    ['A', 'B']
    """
    check_automatic(data_range, "data_range")
    check_automatic(target_resolution, "target_resolution")
    check_option(objective, "objective", ("auto", *OBJECTIVES))
    rows = FrameRows(frame, models, target, sample_weight, folds)
    length = _find_range(rows, data_range)
    widths = _find_widths(rows, bin_width, axes, length)
    needs_truth = objective == "likelihood" or (objective == "auto" and folds is None)
    if needs_truth and KINDS[0] not in widths:
        if objective != "auto":
            raise ValueError(
                f"objective == 'likelihood' needs axes 'predictions', and axes == {shown(axes)}."
            )
        needs_truth = False
    resolution = target_resolution if needs_truth else None
    found: dict[Any, list[CellStatistics]] = {}
    for kind in sorted(widths):
        query = Query(rows, make_axes(widths[kind], kind, length))
        truth = resolution if kind == KINDS[0] else None
        last = kind == max(widths) and folds is not None
        for fold, statistics in _sum_up(query, truth, with_linear_moments=last).items():
            found.setdefault(fold, []).append(statistics)
    labels = None if folds is None else list(found)
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
        if axes != "auto":
            raise ValueError(
                f"axes == {shown(axes)}, must be 'auto' where bin_width is a mapping of axes."
            )
        if not bin_width:
            raise ValueError("bin_width == {}, must have a width for at least one kind of axes.")
        for kind, width in bin_width.items():
            check_option(kind, "axes", KINDS)
            check_number(width, f"bin_width[{kind!r}]")
        return {kind: float(width) for kind, width in bin_width.items()}
    check_automatic(bin_width, "bin_width")
    if rows.folds is None:
        kinds = _listed(KINDS[0] if axes == "auto" else axes)
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
    kinds = [axes] if isinstance(axes, str) else list(axes)
    if not kinds:
        raise ValueError(f"axes == {shown(axes)}, must be at least one kind of axes.")
    for kind in kinds:
        check_option(kind, "axes", KINDS)
    return kinds


def _sum_up(
    query: Query, target_resolution: float | str | None, *, with_linear_moments: bool
) -> dict[Any, CellStatistics]:
    """Return the sums of each fold, those of None where there are none."""
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
    if with_linear_moments:
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
