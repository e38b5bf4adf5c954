"""What a cross-validated search tries: candidates, bin widths, and what "auto" stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from skensir._checks import (
    check_automatic,
    check_n_jobs,
    check_number,
    check_option,
    check_verbosity,
)
from skensir._core.cross_validation import Grid
from skensir._core.selection import SELECT
from skensir._core.solve import OBJECTIVES
from skensir._ensir import SHRINK_TO, EnsIRRegressor
from skensir._fitted_table import PLAIN_PARAMS
from skensir._incremental import IncrementalRegressor
from skensir._sample import Sample
from skensir._search.candidates import (
    SCORINGS,
    find_grids,
    is_list,
    listed,
    make_candidates,
    nested_widths,
)
from skensir._sums.axes import KINDS
from skensir._sums.histogram import auto_resolution
from skensir._sums.scale import dtype_range
from skensir._typing import AnyArray, FloatArray
from skensir._units import BIN_WIDTHS_TO_TRY, unit_of

# The objective that knows cells within wider cells.
NESTED = "squared_error"
# What "auto" stands for: of predictions in 8 or 16 bits, which are pixels, ...
AUTO_PIXELS: dict[str, Any] = {
    "axes": ("deviations", "predictions"),
    "shrinkages": (100,),
    "positive": True,
    "fit_intercept": (False, True),
}
# of all others, ...
_AUTO: dict[str, Any] = {
    "axes": ("deviations", "predictions", "summary"),
    "shrinkages": (30, 300),
    "positive": (True, False),
    "fit_intercept": (False, True),
}
# and where cells are shrunk to all rows at once, as in version 0.1.
_AUTO_POOLED: dict[str, Any] = {
    "axes": ("predictions",),
    "shrinkages": (0, 1e2, 1e3, 1e4, 1e5, 1e6),
    "positive": True,
    "fit_intercept": False,
}


class SearchSpace(IncrementalRegressor):
    """What an estimator tries, by its parameters and what it has seen of the predictions."""

    # Parameters of the estimator.
    bin_widths: str | ArrayLike
    axes: str | Sequence[str]
    shrinkages: str | ArrayLike
    shrink_to: str
    positive: str | bool | Sequence[bool]
    fit_intercept: str | bool | Sequence[bool]
    objectives: Sequence[str]
    scoring: str
    select: str
    target_resolution: float | str

    _regressor: type[EnsIRRegressor] = EnsIRRegressor
    _pixels: bool = False  # whether predictions have 8 or 16 bits
    _widths: dict[str, list[float]]  # to try, of each kind of axes, none of those without use

    def _check_search(self) -> None:
        """Raise an error that names the argument if one that only the search has is wrong."""
        check_automatic(self.data_range, "data_range")
        check_n_jobs(self.n_jobs)
        check_verbosity(self.verbose)
        check_option(self.scoring, "scoring", SCORINGS)
        check_option(self.select, "select", SELECT)
        check_option(self.shrink_to, "shrink_to", SHRINK_TO)
        if isinstance(self.bin_widths, str):
            check_option(self.bin_widths, "bin_widths", ("auto",))
        for kind in listed(self._value("axes"), "axes"):
            check_option(kind, "axes", KINDS)
        for objective in listed(self.objectives, "objectives"):
            check_option(objective, "objective", OBJECTIVES)

    def _value(self, name: str) -> Any:
        """Return a parameter, or what "auto" stands for."""
        value = getattr(self, name)
        if not isinstance(value, str) or value != "auto":
            return [value] if name == "axes" and not is_list(value) else value
        if self.shrink_to != "parent":
            return _AUTO_POOLED[name]
        return (AUTO_PIXELS if self._pixels else _AUTO)[name]

    def _find_widths(
        self, look: Callable[[], Sample | None], may_grow: bool = False
    ) -> dict[str, list[float]]:
        """Return the bin widths to try on each kind of axes, for rows that `look` may look at."""
        kinds: list[str] = listed(self._value("axes"), "axes")
        if self.shrink_to != "parent" or not isinstance(self.bin_widths, str):
            return {kind: self._plain_widths() for kind in kinds}
        sample = look()
        data_range = self._current_range()
        found = {kind: nested_widths(kind, data_range, sample, may_grow=may_grow) for kind in kinds}
        if not any(found.values()):  # there is nothing else to take than the widest
            found[kinds[0]] = nested_widths(kinds[0], data_range, None, may_grow=True)[:1]
        return found

    def _plain_widths(self) -> list[float]:
        """Return the bin widths to try of tables whose cells have no parents."""
        if not isinstance(self.bin_widths, str):
            widths = listed(self.bin_widths, "bin_widths")
            for width in widths:
                check_number(width, "bin_widths")
            return widths
        return [width * unit_of(self._current_range()) for width in BIN_WIDTHS_TO_TRY]

    def _check_params(self, n_models: int) -> None:
        self._check_search()
        # Since the rows were summed up, parameters may have been set.
        found = vars(self).get("_widths", {}) if isinstance(self.bin_widths, str) else {}
        self._widths = {
            kind: found.get(kind, widths)
            for kind, widths in self._find_widths(lambda: None).items()
        }
        self._candidates()

    def _adopt_range(self, other: Any) -> None:
        super()._adopt_range(other)
        if not self._has_rows():  # by which widths are found
            self._widths, self._pixels = other._widths, other._pixels

    def _begin(
        self, rows: tuple[AnyArray, AnyArray, FloatArray | None], *, may_grow: bool = False
    ) -> None:
        """Check the parameters, and find the range and the widths to try in the first rows."""
        self._check_search()
        self._forget_range()
        self._pixels = dtype_range(rows[0].dtype) is not None
        self._look_at(*rows)
        self._widths = self._find_widths(lambda: Sample.of(*rows), may_grow)
        self._candidates()  # which are checked before the long work

    def _candidates(self) -> tuple[list[EnsIRRegressor], list[dict[str, Any]]]:
        """Return an estimator for each point of the grid, and the points, all checked."""
        objectives = listed(self.objectives, "objectives")
        tried = {"shrinkage": listed(self._value("shrinkages"), "shrinkages")}
        for name in ("positive", "fit_intercept"):
            if is_list(self._value(name)):
                tried[name] = listed(self._value(name), name)
        own = (
            "bin_widths",
            "shrinkages",
            "objectives",
            "scoring",
            "select",
            "cv",
            "n_jobs",
            "verbose",
        )
        fixed = {
            name: self._value(name) if name in _AUTO else value
            for name, value in self.get_params(deep=False).items()
            if name not in (*own, *tried)
        }
        kinds = {kind: widths for kind, widths in self._widths.items() if widths}
        fixed |= {"data_range": self._current_range(), "axes": next(iter(kinds))}
        if len(self._widths) > 1 or is_list(self.axes):
            tried["axes"] = list(kinds)
        grids = []
        others = [objective for objective in objectives if objective != NESTED]
        if self.shrink_to != "parent":
            others, objectives = [], [objectives]
        else:
            objectives = [[NESTED]] if NESTED in objectives else []
        for of_grid in objectives:
            for kind, widths in kinds.items():
                of_kind = {**tried, "objective": of_grid, "bin_width": widths}
                grids.append((of_kind | ({"axes": [kind]} if "axes" in tried else {}), fixed))
        if others:
            # They know no other cells than these, and no parents.
            plain = {name: [value] for name, value in PLAIN_PARAMS.items() if name in tried}
            of_kind = {**tried, **plain, "objective": others, "bin_width": self._plain_widths()}
            grids.append((of_kind, fixed | PLAIN_PARAMS))
        candidates, points = make_candidates(self._regressor, grids)
        for candidate in candidates:
            candidate._check_params(self.n_features_in_)
        return candidates, points

    def _grids(self, resolution: Callable[[float], float]) -> list[Grid]:
        """Return what the rows are to be summed up by."""
        return find_grids(self._candidates()[0], resolution)

    def _partial_resolution(self, bin_width: float) -> float:
        """Return the target resolution of rows that come in parts, whatever they hold."""
        if isinstance(self.target_resolution, str):
            return auto_resolution(bin_width, whole=False)
        return float(self.target_resolution)
