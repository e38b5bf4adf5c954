"""EnsIR on dask arrays and data frames: each chunk is summed up where it lies.

What leaves a chunk are its sufficient statistics, which are added up in a tree. So neither the
rows nor the predictions ever come together in one place.
"""

from __future__ import annotations

from typing import Any, Self

from skensir._base import whole_or_nothing
from skensir._core.cross_validation import Grid, Pass
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._sums.histogram import WHOLE_FLOATS, auto_resolution
from skensir._sums.scale import dtype_range
from skensir._sums.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir.interop._chunks import (
    compute_sum,
    dtype_of,
    is_lazy,
    like_rows,
    line_up,
    map_chunks,
    rows_of_chunk,
)
from skensir.interop._folds import LazyRows, check_splitter, look_for_range, merge_samples
from skensir.interop._lazy_prediction import LazyPrediction

__all__ = ["DaskEnsIRRegressor", "DaskEnsIRRegressorCV"]


def _sum_up_chunk(
    X: Any, estimator: EnsIRRegressor, y: Any, sample_weight: Any
) -> list[CellStatistics]:
    """Return the sufficient statistics of a chunk in a list, which is empty as the chunk is."""
    rows = rows_of_chunk(estimator, X, y, sample_weight)
    return [] if rows is None else [estimator._sum_up(*rows)]


def _merge_statistics(parts: list[list[CellStatistics]]) -> list[CellStatistics]:
    """Add up statistics of chunks, in a list where there are any."""
    statistics = [statistics for part in parts for statistics in part]
    return [CellStatistics.merge(statistics)] if statistics else []


class DaskEnsIRRegressor(LazyPrediction, EnsIRRegressor):
    """`EnsIRRegressor` on dask arrays and data frames.

    `fit` sums each chunk of rows up where it lies, and adds the sums up in a tree. What comes
    together is no more than the sums of the occupied cells, and a worker needs the memory of the
    chunks that it works on. Where neither the dtype nor `data_range` tells the range of the
    predictions, a look at some rows of every chunk goes before. The table is that of
    :class:`~skensir.EnsIRRegressor`. `predict` and `predict_weights` are lazy and return dask
    arrays in the chunks of `X`; compute a prediction and its standard deviation together, so that
    the rows are visited once. Works with all schedulers of dask: threads, processes and
    `distributed`.

    `y` and `sample_weight` are dask arrays or series, and are brought into the chunks of `X`. Where
    the lengths of chunks are unknown, as in most data frames, the chunks have to line up. Rows
    are matched by their order, not by the index of a data frame. NumPy arrays and pandas data
    frames are taken too, and treated as :class:`~skensir.EnsIRRegressor` treats them.

    Read more in the :ref:`User Guide <distributed>`.

    Parameters
    ----------
    bin_width, data_range, axes, objective, shrinkage, shrink_to : object
        As in :class:`~skensir.EnsIRRegressor`, with the same defaults.
    positive, fit_intercept, default_weights, min_samples_cell : object
        As in :class:`~skensir.EnsIRRegressor`, with the same defaults.
    variance_center, max_iter, tol, reg_var : object
        As in :class:`~skensir.EnsIRRegressor`, with the same defaults.
    target_resolution, n_jobs, verbose : object
        As in :class:`~skensir.EnsIRRegressor`, with the same defaults.

    See Also
    --------
    skensir.EnsIRRegressor : The same in memory, with all attributes explained.
    DaskEnsIRRegressorCV : Chooses bin width, shrinkage and objective by cross-validation.

    Examples
    --------
    >>> import dask.array as da
    >>> from skensir.interop.dask import DaskEnsIRRegressor
    >>> rng = da.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=50_000, chunks=10_000)
    >>> X = y[:, None] + rng.normal(size=(50_000, 3), chunks=(10_000, 3)) * [2, 4, 8]
    >>> model = DaskEnsIRRegressor(objective="squared_error").fit(X, y)
    >>> model.predict(X)
    dask.array<getitem, shape=(50000,), dtype=float64, chunksize=(10000,), chunktype=numpy.ndarray>
    >>> type(model.to_local()).__name__
    'EnsIRRegressor'
    """

    @whole_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Estimate the weights of every occupied cell.

        Parameters
        ----------
        X : dask array or data frame of shape (n_samples, n_models)
            Predictions of the base models. Single precision and integers stay as they are.
        y : dask array or series of shape (n_samples,)
            Truth.
        sample_weight : dask array or series of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : DaskEnsIRRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range or the lengths differ; the message names it. What a
            chunk holds, such as NaN, is found out when it is summed up, which is before `fit`
            returns.
        """
        if not is_lazy(X):
            return super().fit(X, y, sample_weight)
        X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=True)
        self._check_params(X.shape[1])
        self._forget_range()
        self._look_at(X, y, sample_weight)
        statistics = self._sum_up(X, y, sample_weight)
        if not statistics.n_cells:
            raise ValueError("sample_weight is zero for every sample; some must be positive.")
        self._statistics = [statistics]
        return self._solve_and_publish()

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, Any, Any]:
        """Check what needs no data, where the rows are still to be computed."""
        if not is_lazy(X):
            return super()._validate_rows(X, y, sample_weight, reset=reset)
        return line_up(self, X, y, sample_weight, reset=reset)

    def _look_at(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Find the range of lazy rows where it is to be found: that takes a pass over them."""
        if not is_lazy(X):
            super()._look_at(X, y, sample_weight)
        elif "data_range_" not in vars(self):
            known, sample = self._known_range(dtype_of(X)), None
            if known is None:
                parts = map_chunks(look_for_range, X, EnsIRRegressor(), y, sample_weight)
                sample = compute_sum(merge_samples, parts)
            self._learn_from(sample, known)

    def _sum_up(
        self, X: Any, y: Any, sample_weight: Any, track: Track = untracked
    ) -> CellStatistics:
        """Return the sufficient statistics of rows: compute them, if they are lazy."""
        if not is_lazy(X):
            return super()._sum_up(X, y, sample_weight, track)
        plain = EnsIRRegressor(**self.get_params(deep=False))
        plain.data_range_ = self._current_range()
        parts: list[CellStatistics] = compute_sum(
            _merge_statistics, map_chunks(_sum_up_chunk, X, plain, y, sample_weight)
        )
        if not parts:
            raise ValueError("X has no rows; at least one is needed.")
        return parts[0]

    def to_local(self) -> EnsIRRegressor:
        """Return the plain estimator, to save it or to use it without dask.

        Returns
        -------
        local : EnsIRRegressor
            With the same parameters and, if this one is fitted, fitted alike: `partial_fit` and
            `merge` go on from here.
        """
        local = EnsIRRegressor(**self.get_params(deep=False))
        local.__dict__.update(self.__dict__)
        return local


class DaskEnsIRRegressorCV(LazyPrediction, EnsIRRegressorCV):
    """`EnsIRRegressorCV` on dask arrays and data frames.

    With the same folds the results are those of :class:`~skensir.EnsIRRegressorCV`. One pass over
    the chunks sums up each fold on all grids that do not follow from narrower ones; where the range
    of the predictions, lengths of chunks or sizes of groups have to be known first, another one
    goes before. What comes together are the sums of the occupied cells of each fold.

    Data are taken as by :class:`DaskEnsIRRegressor`. If making the chunks is dear and they fit
    into the memory of the workers, ``persist`` them, so that they are made once.

    Read more in the :ref:`User Guide <distributed>`.

    Parameters
    ----------
    bin_widths, data_range, axes, shrinkages, shrink_to : object
        As in :class:`~skensir.EnsIRRegressorCV`, with the same defaults.
    positive, fit_intercept, objectives, scoring, select : object
        As in :class:`~skensir.EnsIRRegressorCV`, with the same defaults.
    cv : int, KFold, LeaveOneGroupOut or GroupKFold, default=None
        None for five folds of neighbouring rows, less those whose rows all have weight zero; the
        number of such folds, which then all need some weight; or a splitter that keeps the rows of
        one value of `groups` together. Nothing is shuffled.
    default_weights, min_samples_cell, variance_center, max_iter : object
        As in :class:`~skensir.EnsIRRegressorCV`, with the same defaults.
    tol, reg_var, target_resolution, n_jobs, verbose : object
        As in :class:`~skensir.EnsIRRegressorCV`, with the same defaults.

    See Also
    --------
    skensir.EnsIRRegressorCV : The same in memory, with all attributes explained.
    DaskEnsIRRegressor : The estimator whose parameters are chosen, and class of `estimators_`.

    Examples
    --------
    >>> import dask.array as da
    >>> from skensir.interop.dask import DaskEnsIRRegressorCV
    >>> rng = da.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=50_000, chunks=10_000)
    >>> X = y[:, None] + rng.normal(size=(50_000, 3), chunks=(10_000, 3)) * [2, 4, 8]
    >>> model = DaskEnsIRRegressorCV().fit(X, y)
    >>> model.gains_["average"]["is_gain"]
    True
    """

    _regressor = DaskEnsIRRegressor

    @whole_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Choose the parameters and fit the estimator with them on all rows.

        Parameters
        ----------
        X : dask array or data frame of shape (n_samples, n_models)
            Predictions of the base models.
        y : dask array or series of shape (n_samples,)
            Truth.
        sample_weight : dask array or series of shape (n_samples,), default=None
            Weights of the rows, in fitting and in the scores.
        groups : dask array or series of shape (n_samples,), default=None
            Group of each row, such as the number of its image; for splitters that use it.

        Returns
        -------
        self : DaskEnsIRRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range or the lengths differ; the message names it.
        """
        if not is_lazy(X):
            return super().fit(X, y, sample_weight, groups)
        splitter = check_splitter(self.cv, groups)
        X, y, sample_weight = line_up(self, X, y, sample_weight, reset=True)
        if groups is not None:
            groups = like_rows(X, groups, "groups")
        rows = LazyRows(X, y, sample_weight, groups)
        self._check_search()
        self._forget_range()
        self._pixels = dtype_range(dtype_of(X)) is not None
        # Parameters are checked before any row is computed.
        self._widths = self._find_widths(lambda: None)
        self._candidates()
        known = self._known_range(dtype_of(X))
        self._learn_from(rows.look.sample if known is None else None, known)
        self._widths = self._find_widths(lambda: rows.look.sample)
        self._candidates()
        folds, labels = rows.deal_out(splitter)
        self.__dict__.pop("_statistics", None)

        def resolution(bin_width: float) -> float:
            if not isinstance(self.target_resolution, str):
                return float(self.target_resolution)
            whole = y.dtype.kind in "iub" or (bin_width <= WHOLE_FLOATS and rows.look.whole)
            return auto_resolution(bin_width, whole=whole)

        def sum_up(grids: list[Grid]) -> list[Pass]:
            sums = rows.sum_up(folds, labels, grids)
            if self.cv is None and sums.n_cells:  # a splitter counts rows without weight too
                sums = sums.occupied()
            self._statistics = [sums]
            return sums.passes()

        return self._choose(sum_up, resolution, whole=dtype_of(X).kind in "iu")

    def to_local(self) -> EnsIRRegressorCV:
        """Return the plain estimator, to save it or to use it without dask.

        Returns
        -------
        local : EnsIRRegressorCV
            With the same parameters and, if this one is fitted, fitted alike.
        """
        local = EnsIRRegressorCV(**self.get_params(deep=False))
        local.__dict__.update(self.__dict__)
        if self._is_solved():
            local.estimators_ = [model.to_local() for model in self.estimators_]
            if len(local.estimators_) == 1:
                local.best_estimator_ = local.estimators_[0]
        return local
