"""A lookup table as fitted attributes, plain arrays all, and prediction by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skensir._base import whole_or_nothing
from skensir._checks import shown
from skensir._core.lookup import Lookup
from skensir._core.objective import Objective
from skensir._core.solve import Settings, solve_table
from skensir._core.table import FIELDS, LookupTable
from skensir._incremental import IncrementalRegressor
from skensir._jobs import count_threads
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import KINDS, Axes
from skensir._sums.cells import CellIndex, index_of_table
from skensir._sums.histogram import auto_resolution, resolve_target_resolution
from skensir._sums.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray
from skensir._units import make_axes, range_of_summary

# What these parameters are where the objective is not the squared error, and were in version 0.1.
PLAIN_PARAMS: dict[str, Any] = {
    "axes": KINDS[0],
    "shrink_to": "pooled",
    "positive": True,
    "fit_intercept": False,
}


class FittedTable(IncrementalRegressor):
    """What an estimator does with its one table, and rows that are added to it."""

    bin_width_: float
    cells_: IntArray
    cell_counts_: FloatArray
    weights_: FloatArray
    cell_origin_: AnyArray
    cell_rmse_: FloatArray
    means_: FloatArray
    variances_: FloatArray
    n_iter_: IntArray
    converged_: BoolArray
    default_weights_: FloatArray
    default_rmse_: float
    axes_: str
    intercepts_: FloatArray
    default_intercept_: float
    ancestor_levels_: IntArray
    ancestor_cells_: IntArray
    ancestor_weights_: FloatArray
    ancestor_intercepts_: FloatArray
    ancestor_rmse_: FloatArray

    _index: CellIndex

    # Parameters of the estimator.
    axes: str
    objective: str
    fit_intercept: bool
    target_resolution: float | str

    _solved_attributes = (*(f"{name}_" for name in FIELDS), "_index", "calibration_")

    def _objective(self) -> Objective:
        """Return the objective with the parameters that it knows."""
        raise NotImplementedError

    def _settings(self, n_models: int) -> Settings:
        """Return the parameters that say how statistics become a table."""
        raise NotImplementedError

    def _find_bin_width(self) -> float:
        """Return the bin width, given or that of the range."""
        raise NotImplementedError

    def _own_axes(self) -> Axes:
        """Return what the cells of rows are made of."""
        return make_axes(self._find_bin_width(), self.axes, self._current_range())

    def _sum_up(
        self,
        X: AnyArray,
        y: AnyArray,
        sample_weight: FloatArray | None,
        track: Track = untracked,
    ) -> CellStatistics:
        """Return the sufficient statistics of validated rows."""
        bin_width, resolution = self._find_bin_width(), None
        if self._objective().needs_truth:
            resolution = resolve_target_resolution(
                self.target_resolution, y, sample_weight, bin_width
            )
        return accumulate(
            X,
            y,
            sample_weight,
            axes=self._own_axes(),
            target_resolution=resolution,
            with_errors=self.fit_intercept,
            track=track,
            n_threads=count_threads(self.n_jobs),
        )

    def _solve_in_unit_of(
        self,
        scale: float,
        X: AnyArray,
        y: AnyArray,
        sample_weight: FloatArray | None,
        track: Track,
    ) -> LookupTable:
        """Return the table of rows whose squares no float may hold, of which no sums are kept."""
        self.__dict__.pop("_statistics", None)
        plain = type(self)(**self.get_params(deep=False))
        plain.data_range = self._current_range() / scale
        for name in ("bin_width", "target_resolution"):
            if not isinstance(length := getattr(self, name), str):
                setattr(plain, name, length / scale)
        statistics = plain._sum_up(X / scale, y / scale, sample_weight, track)
        return solve_table(statistics, plain._settings(X.shape[1]), track).in_unit_of(scale)

    def _check_statistics(self, part: CellStatistics) -> CellStatistics:
        """Return the sums that the objective needs, if rows were summed up as parameters say."""
        bin_width = self._find_bin_width()
        if not part.n_cells:  # it has sums of other kinds, but none of them of any row
            none = np.empty((0, part.n_models))
            return self._sum_up(none, none[:, 0], None)._replace(truth=None)
        if part.bin_width != bin_width:
            found = ", or give all of them the same data_range" if self._bins_follow() else ""
            raise ValueError(
                f"bin_width == {bin_width}, must be {part.bin_width} as in other rows that are "
                f"already summed up: fit the estimators alike{found}."
            )
        if part.axes.kind != (own := self._own_axes()).kind:
            raise ValueError(
                f"axes == {shown(self.axes)}, must be {part.axes.kind!r} as in other rows that are "
                "already summed up: fit the estimators alike."
            )
        if part.axes != own:  # the scale of a summary follows from the range, its bin width or not
            raise ValueError(
                f"data_range == {self._current_range():.15g}, must be "
                f"{range_of_summary(part.axes.unit):.15g} as in other rows that are already summed "
                "up on axes == 'summary': fit the estimators alike, with the same data_range given "
                "to each."
            )
        if self.fit_intercept and part.errors is None:
            raise ValueError(
                "fit_intercept == True needs the sums of the errors, which rows summed up without "
                "intercepts do not have: fit the estimators alike."
            )
        if not self.fit_intercept:
            part = part.without_errors()
        if not self._objective().needs_truth:
            return part._replace(truth=None)
        if part.truth is None:
            raise ValueError(
                f"objective == {self.objective!r} needs the histogram of the truth, which rows "
                "summed up for another objective may not have: fit the estimators alike."
            )
        if isinstance(self.target_resolution, str):
            allowed = {auto_resolution(bin_width, whole=whole) for whole in (False, True)}
        else:
            allowed = {float(self.target_resolution)}
        if part.truth.resolution not in allowed:
            raise ValueError(
                f"target_resolution == {self.target_resolution!r}, must be "
                f"{part.truth.resolution} as in other rows that are already summed up: fit the "
                "estimators alike."
            )
        return part

    @whole_or_nothing
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those seen so far; without any, begin.

        The table is the one of `fit` on all these rows, however they are split and in whatever
        order. `predict` and whatever else needs it solves it, and `solve` does nothing else; until
        then its attributes are not there. So many small batches cost little more than one large.
        Threads must not call it on one estimator at a time: give each thread one of its own, and
        `merge` them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : EnsIRRegressor
            The estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range, or `bin_width`, `axes`, `target_resolution`, the
            number of models or, on axes of a summary, the range is not that of the rows before. The
            rows seen so far are kept.

        Warns
        -----
        UserWarning
            If these rows leave by far the range that was found in the first ones.
        """
        return self._add_statistics([self._sums_of(X, y, sample_weight)])

    def _sums_of(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> CellStatistics:
        """Check rows that are to be added, and return their sums."""
        rows = self._validate_rows(
            X, y, sample_weight, reset=not self._has_statistics("partial_fit")
        )
        self._check_params(rows[0].shape[1])
        self._look_at(*rows)
        return self._sum_up(*rows)

    def _lookup(self) -> Lookup:
        """Return the table, made ready; its attributes may have been set since."""
        return Lookup.of(self._table(), self._table_axes(), self._index)

    def _table(self) -> LookupTable:
        """Return the table that the attributes hold."""
        return LookupTable(**{name: getattr(self, f"{name}_") for name in FIELDS})

    def _table_axes(self) -> Axes:
        """Return what the cells of the table are made of."""
        return make_axes(self.bin_width_, self.axes_, self.data_range_)

    def _set_table(
        self,
        table: LookupTable,
        data_range: float,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        """Publish a lookup table as fitted attributes."""
        self.__dict__.pop("calibration_", None)  # of another table
        self.data_range_ = data_range
        self.n_features_in_ = table.weights.shape[1]
        if feature_names is not None:
            self.feature_names_in_ = np.array(feature_names, dtype=object)
        for name in FIELDS:
            setattr(self, f"{name}_", getattr(table, name))
        self._index = self._make_index()

    def _make_index(self) -> CellIndex:
        """Return the index of the cells, and of their ancestors where there are any."""
        return index_of_table(self.cells_, self.ancestor_cells_, self.ancestor_levels_)

    def _attributes_since(self, attributes: dict[str, Any]) -> dict[str, Any]:
        since = super()._attributes_since(attributes) | PLAIN_PARAMS
        if "weights_" in attributes:
            known = [name for name in FIELDS if f"{name}_" in attributes]
            table = LookupTable.simple(**{name: attributes[f"{name}_"] for name in known})
            since |= {f"{name}_": value for name, value in table._asdict().items()}
        return since

    def _take_state(self, state: dict[str, Any]) -> None:
        super()._take_state(state)
        if self._is_solved():
            table = self._table()
            table.check_arrays(self.n_features_in_)
            table.check(convex=False)
            if not 0 < self.data_range_ < np.inf:
                raise ValueError(
                    f"data_range_ == {self.data_range_}, must be finite and above zero."
                )
            self._index = self._make_index()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state["attributes"].pop("_index", None)  # follows from the cells
        return state

    @property
    def bin_edges_(self) -> list[FloatArray]:
        """Lower and upper edges of the bins that occur, one array per axis."""
        axes, edges = self._table_axes(), []
        for axis, bins in enumerate(self.cells_.T):
            edges.append(axes.lower_edges(axis, np.union1d(bins, bins + 1)))
        return edges
