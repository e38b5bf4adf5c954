"""The search: candidates are measured on held-out sums, and become the tables that predict."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skensir._callbacks import fit_progress, with_callbacks
from skensir._core.calibration import N_PLACES, count_ratios
from skensir._core.cross_validation import RIVALS, Grid, Pass, Passes, needed_grids
from skensir._core.folds import FoldSums
from skensir._core.lookup import average_lookups
from skensir._core.selection import share_with_rivals
from skensir._ensir import EnsIRRegressor
from skensir._fitted_table import PLAIN_PARAMS
from skensir._search.averaged_tables import AveragedTables
from skensir._search.candidates import (
    SCORINGS,
    Results,
    Rows,
    count_held_out,
    find_grids,
    fit_tables,
    is_constant,
    make_constant,
    measure_candidates,
    most_cells,
)
from skensir._search.gains import (
    MIN_ROWS_OF_LOSS,
    describe_gains,
    find_gains,
    find_rivals,
    held_out_ratio,
    say_loss,
)
from skensir._search.space import NESTED, SearchSpace
from skensir._sums.axes import KINDS, Axes
from skensir._sums.histogram import auto_resolution
from skensir._sums.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir._typing import FloatArray

# So many of the rows that a split holds out are enough for quantiles.
MAX_CALIBRATED = 2**14

# What is chosen: the attribute has an underscore behind the name of the parameter.
CHOSEN = ("bin_width", "shrinkage", "objective", "axes", "positive", "fit_intercept")


class TableSearch(SearchSpace, AveragedTables):
    """Chooses, or averages, tables by the sums of held-out rows."""

    bin_width_: float
    shrinkage_: float
    objective_: str
    axes_: str
    positive_: bool
    fit_intercept_: bool
    best_params_: dict[str, Any]
    best_score_: float
    best_index_: int
    cv_results_: dict[str, Any]
    plain_shares_: dict[str, float]
    gains_: dict[str, dict[str, Any]]
    held_out_mse_: float
    _held_out_mses: FloatArray  # of each split
    n_splits_: int

    verbose: int  # a parameter of the estimator

    _solved_attributes = (
        "estimators_",
        "shares_",
        "best_estimator_",
        *(f"{name}_" for name in CHOSEN),
        "best_params_",
        "best_score_",
        "best_index_",
        "cv_results_",
        "plain_shares_",
        "gains_",
        "held_out_mse_",
        "_held_out_mses",
        "n_splits_",
        "n_iter_",
        "calibration_",
    )

    def _attributes_since(self, attributes: dict[str, Any]) -> dict[str, Any]:
        since = super()._attributes_since(attributes) | PLAIN_PARAMS
        since |= {"scoring": SCORINGS[1], "select": "best"}
        if "best_estimator_" not in attributes:
            return since
        best: EnsIRRegressor = attributes["best_estimator_"]
        results = attributes["cv_results_"]
        shares = (np.arange(len(results["params"])) == attributes["best_index_"]).astype(float)
        since |= {f"{name}_": value for name, value in PLAIN_PARAMS.items()}
        since |= {"estimators_": [best], "shares_": np.ones(1)}
        since["plain_shares_"] = dict.fromkeys(RIVALS, 0.0)
        return since | {"cv_results_": results | {"share": shares}}

    def _unnamed_fold(self) -> tuple[str, int]:
        """Return a label that no fold has yet, nor can be given by users."""
        parts: list[FoldSums] = vars(self).get("_statistics", [])
        numbers = [n[1] for part in parts for n in part.labels if isinstance(n, tuple)]
        return "", 1 + max(numbers, default=-1)

    def _parts_of(self, other: Any) -> list[FoldSums]:
        """Return the sums of another search, whose folds without a name are none of these."""
        first = self._unnamed_fold()[1]
        return [
            part._replace(
                labels=[(n[0], n[1] + first) if isinstance(n, tuple) else n for n in part.labels]
            )
            for part in other._statistics
        ]

    def _check_statistics(self, part: FoldSums) -> FoldSums:
        """Return the sums of folds with rows, if these were summed up as the parameters say."""
        part = part.occupied()
        grids = needed_grids(self._grids(self._partial_resolution), whole=False)
        if isinstance(self.target_resolution, str):
            part = part._replace(folds=[list(map(_as_of_parts, fold)) for fold in part.folds])
        for fold in part.folds:
            if len(fold) != len(grids) or not all(map(_serves, fold, grids)):
                raise ValueError(
                    "Rows that are already summed up have other bin_widths, axes, objectives, "
                    "fit_intercept, target_resolution or data_range: fit the estimators alike, "
                    "with the same data_range given to each."
                )
        return part

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Choose anew, from the sums of folds."""
        self._check_params(self.n_features_in_)
        sums = self._check_statistics(FoldSums.merge(self._statistics)).in_order()
        if len(sums.labels) < 2:
            [label] = sums.labels
            fold = "one fold" if isinstance(label, tuple) else f"fold {label!r}"
            raise ValueError(
                f"All rows lie in {fold}; at least two folds are needed, one "
                "to hold out from the other: give partial_fit the groups of rows, or several parts."
            )
        self._statistics = [sums]
        return self._choose(lambda _: sums.passes(), self._partial_resolution, whole=False)

    @with_callbacks
    def _choose(
        self,
        sum_up: Callable[[list[Grid]], list[Pass]],
        resolution: Callable[[float], float],
        *,
        whole: bool,
        held_out: Callable[[int], Rows] | None = None,
    ) -> Self:
        """Set the fitted attributes, from passes over the data.

        Parameters are as in `Passes`; `resolution` gives the target resolution for a bin width,
        and `held_out` some of the rows that a split has held out.
        """
        candidates, points = self._candidates()
        grids = find_grids(candidates, resolution)
        found = []
        tried: dict[Axes, Pass] = {}
        nested_kinds: list[str] = []  # of which there is one width, where widths are automatic
        with fit_progress(self, n_stages=1) as track:
            passes = Passes(grids, sum_up, whole=whole)
            for grid in track(grids, "bin widths"):
                if self._is_known(grid, nested_kinds):
                    continue
                sums = passes.on(grid)
                no_nested = self._has_other_cells(grid, sums.total, nested_kinds)
                of_grid = [
                    i
                    for i, candidate in enumerate(candidates)
                    if candidate._own_axes() == grid.axes
                    and not (no_nested and candidate.shrink_to == "parent")
                ]
                if any(candidates[i].shrink_to == "parent" for i in of_grid):
                    nested_kinds.append(grid.axes.kind)
                if of_grid:
                    tried[grid.axes] = sums
                    measured = measure_candidates([candidates[i] for i in of_grid], sums)
                    found.append((of_grid, *measured))
        results = self._put_in_order(candidates, points, found)
        # The rivals have no cells; in version 0.1 they were measured on the widest.
        last = next(reversed(tried.values()))
        splits = (last.pooled() if self.shrink_to == "parent" else last).splits
        rivals = find_rivals(splits)
        ratio = held_out_ratio(splits)
        candidates, shares = self._keep_results(results, rivals, ratio, last.total)
        self._held_out_mses, self.gains_ = find_gains(results, rivals, self.select, splits)
        self.held_out_mse_ = float(self._held_out_mses.mean())
        totals = {axes: sums.total for axes, sums in tried.items()}
        self._set_tables(*fit_tables(candidates, shares, totals, self._prepare))
        if last.total.weight.sum() >= MIN_ROWS_OF_LOSS:
            self._advise("loss", say_loss(self.gains_, self.n_splits_))
        if held_out is not None:
            self.calibration_ = self._count_held_out(candidates, shares, tried, held_out)
            if len(self.estimators_) == 1:
                self.best_estimator_.calibration_ = self.calibration_
        if self.verbose:
            print(self.summary())
        return self

    def _put_in_order(
        self, candidates: Sequence[EnsIRRegressor], points: Sequence[Any], found: Sequence[Any]
    ) -> Results:
        """Return what was found grid by grid, the candidates in their own order."""
        numbers = np.concatenate([of_grid for of_grid, _, _ in found])
        order = np.argsort(numbers)
        return Results(
            [candidates[i] for i in numbers[order]],
            [points[i] for i in numbers[order]],
            np.concatenate([errors for _, errors, _ in found])[order],
            np.concatenate([seconds for _, _, seconds in found], axis=1)[:, order],
            self.scoring,
        )

    def _count_held_out(
        self,
        candidates: Sequence[EnsIRRegressor],
        shares: FloatArray,
        tried: Mapping[Axes, Pass],
        held_out: Callable[[int], Rows],
    ) -> FloatArray:
        """Count the errors of the tables on rows that splits have held out from them."""
        chosen = [candidates[i] for i in np.flatnonzero(shares).tolist()]
        if all(candidate.shrink_to == "parent" or is_constant(candidate) for candidate in chosen):
            return count_held_out(candidates, shares, tried, held_out)
        counts = np.zeros(N_PLACES)
        for number in range(self.n_splits_):
            trains = {axes: sums.splits[number].train for axes, sums in tried.items()}
            tables, their_shares = fit_tables(candidates, shares, trains, self._prepare)
            average = average_lookups([table._lookup() for table in tables], their_shares)
            X, y, sample_weight = held_out(number)
            counts += count_ratios(y - average.combine(X), average.errors(X), sample_weight)
        return counts

    def _is_known(self, grid: Grid, nested_kinds: list[str]) -> bool:
        """Tell whether all that would be tried on a grid are nested tables, which are found."""
        others = any(objective != NESTED for objective in self.objectives)
        plain = others and grid.axes.kind == KINDS[0]
        automatic = self.shrink_to == "parent" and isinstance(self.bin_widths, str)
        return automatic and not plain and grid.axes.kind in nested_kinds

    def _has_other_cells(self, grid: Grid, total: CellStatistics, known: list[str]) -> bool:
        """Tell whether nested tables on a grid are not tried, given the kinds of those that are.

        Of those that are given no widths only one is: the narrowest that has enough rows for its
        cells. Wider ones hardly differ, as cells are shrunk to wider ones anyway.
        """
        if not isinstance(self.bin_widths, str):
            return False
        if grid.axes.kind not in self._widths:  # of tables that are not nested
            return True
        widest = grid.axes.bin_width == max(self._widths[grid.axes.kind])
        usable = total.n_cells <= most_cells(float(total.weight.sum()), total.n_models)
        return grid.axes.kind in known or not (usable or widest)

    def _keep_results(
        self,
        results: Results,
        rivals: dict[str, FloatArray],
        ratio: float,
        total: CellStatistics,
    ) -> tuple[list[EnsIRRegressor], FloatArray]:
        """Set what is known of the candidates; return those that may have a share, and the shares.

        Behind the candidates come rivals without a table, as tables that are the same everywhere.
        """
        self.n_splits_ = results.errors.shape[1]
        self.best_index_ = best = results.best_index(results.scores)
        plain = np.array([rivals[name] for name in RIVALS])
        shares, of_rivals = share_with_rivals(results.errors, plain, best, self.select, ratio)
        self.plain_shares_ = dict(zip(RIVALS, of_rivals.tolist(), strict=True))
        self.cv_results_ = results.lay_out(shares)
        self.best_score_ = float(self.cv_results_["mean_test_score"][best])
        self.best_params_ = results.points[best]
        for name in CHOSEN:
            setattr(self, f"{name}_", getattr(results.candidates[best], name))
        moments = total.pooled_error_moments()
        constant = [
            make_constant(results.candidates[best], find(moments)) for find in RIVALS.values()
        ]
        return [*results.candidates, *constant], np.concatenate([shares, of_rivals])

    def _prepare(self, estimator: EnsIRRegressor) -> None:
        """Set what an estimator has of the rows beside its table."""
        estimator.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            estimator.feature_names_in_ = self.feature_names_in_
        estimator.data_range_ = self._current_range()
        estimator._advised = ["thin"]  # its cells, thin or not, do best on held-out rows

    def summary(self) -> str:
        """Return in a few lines what was chosen and what it gains on held-out rows.

        Returns
        -------
        text : str
            The chosen parameters, and the root mean squared error on held-out rows, in the unit of
            `y`, beside that of the average, of the best base model, of one convex weight vector and
            of ridge regression. Behind each stands the share of its squared error that is saved,
            plus or minus one standard error: a "gain" where `gains_` says so, a "loss" where it is
            as clearly below zero, by Student's t, and "no clear gain" otherwise.
        """
        check_is_fitted(self)
        self.solve()
        if "cv_results_" not in vars(self):
            raise ValueError("This EnsIRRegressorCV is of a table file, which holds no search.")
        chosen = (
            f"EnsIRRegressorCV chose bin_width={self.bin_width_:g}, shrinkage={self.shrinkage_:g}, "
            f"objective={self.objective_!r}, axes={self.axes_!r}"
        )
        n_tables = np.count_nonzero(self.cv_results_["share"])
        if n_tables > 1:
            chosen += f", averaged with {n_tables - 1} other{'s' if n_tables > 2 else ''}"
        if plain := sum(self.plain_shares_.values()):
            chosen += f", and with a share of {plain:.0%} for what needs no table"
        lines = [
            *textwrap.wrap(chosen, 79, subsequent_indent="    ", break_on_hyphens=False),
            "root mean squared error on held-out rows "
            f"(splits: {self.n_splits_}), squared error saved:",
        ]
        return "\n".join([*lines, *describe_gains(self.held_out_mse_, self.gains_, self.n_splits_)])


def _as_of_parts(sums: CellStatistics) -> CellStatistics:
    """Return sums whose truth was all whole as if they had been told of it part by part."""
    truth = sums.truth
    if truth is None or truth.resolution != auto_resolution(sums.bin_width, whole=True):
        return sums
    return sums.on_grid_of_reals()


def _serves(sums: CellStatistics, grid: Grid) -> bool:
    """Tell whether rows were summed up by a grid, or by one that tells more."""
    resolution = None if sums.truth is None else sums.truth.resolution
    return (
        sums.axes == grid.axes
        and (sums.errors is not None) >= grid.with_errors
        and grid.target_resolution in (None, resolution)
    )
