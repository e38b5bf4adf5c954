"""Whether sums of cells, which may have been pickled and sent around, are what they should be."""

from __future__ import annotations

from typing import Any

from skensir._cell_sums import CellSums
from skensir._checks import check_flag, check_names, check_number, shown
from skensir._sums.statistics import CellStatistics
from skensir._text import plural


def check_cell_sums(sums: Any) -> CellSums:
    """Return the sums, if that is what they are."""
    if not isinstance(sums, CellSums):
        raise TypeError(
            f"sums == {shown(sums)}, must be what skensir.interop.frames.cell_sums returns."
        )
    try:
        _check_parts(sums)
    except ValueError as error:
        raise ValueError(f"sums are not as cell_sums makes them: {error}") from error
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(
            "sums are not as cell_sums makes them: they hold values of other types."
        ) from error
    return sums


def _check_parts(sums: CellSums) -> None:
    """Raise an error unless all parts are what they should be and fit together."""
    n_models, n_lines = len(check_names(sums.models, "models")), len(sums.statistics)
    check_number(sums.data_range, "data_range")
    check_flag(sums.pixels, "pixels")
    n_folds = 1 if sums.folds is None else len(set(sums.folds))
    if not n_lines or n_lines != n_folds or n_lines != len(sums.folds or (None,)):
        raise ValueError(
            f"folds == {shown(sums.folds)} with {plural(n_lines, 'line')} of statistics, must be "
            "distinct, with a line each."
        )
    for line in sums.statistics:
        kinds = [part.axes.kind for part in line]
        if not kinds or kinds != sorted(set(kinds)):
            raise ValueError(f"axes == {shown(kinds)}, must be distinct and in alphabetical order.")
        for part in line:
            part.check()
            if part.n_models != n_models:
                raise ValueError(f"n_models == {part.n_models}, must be {n_models}: one per name.")
        if list(map(_what_is_summed, line)) != list(map(_what_is_summed, sums.statistics[0])):
            raise ValueError("statistics must be of the same sums in every fold.")


def _what_is_summed(part: CellStatistics) -> tuple[Any, ...]:
    """Return what the sums of each fold have in common."""
    resolution = None if part.truth is None else part.truth.resolution
    return part.axes, part.errors is None, resolution, part.linear is None
