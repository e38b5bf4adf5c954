"""The estimator: validates, calls the core, publishes the lookup table as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from inspect import signature
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar

from skensir._base import (
    check_default_weights,
    check_number,
    check_option,
    warn_user,
    whole_or_nothing,
)
from skensir._callbacks import CallbackSupportMixin, fit_progress, with_callbacks
from skensir._core.accumulate import accumulate
from skensir._core.cells import CellIndex
from skensir._core.combine import combine, find_cells, with_unseen
from skensir._core.histogram import auto_resolution, resolve_target_resolution
from skensir._core.objective import Objective
from skensir._core.statistics import CellStatistics
from skensir._core.table import FIELDS, FITTED, OBJECTIVES, LookupTable, Settings, solve_table
from skensir._incremental import IncrementalRegressor
from skensir._track import Track, untracked
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

REFERENCE_PARAMS: dict[str, Any] = {
    "objective": "likelihood",
    "shrinkage": 0.0,
    "default_weights": "inverse_deviation",
    "min_samples_cell": 100,
    "variance_center": "responsibility",
    "max_iter": 1000,
    "tol": 1e-5,
    "reg_var": 1e-6,
    "target_resolution": "auto",
}
"""Arguments of `EnsIRRegressor` that reproduce the tables published with the paper."""


class EnsIRRegressor(CallbackSupportMixin, IncrementalRegressor):  # type: ignore[misc]
    r"""Combine the predictions of several models by a lookup table of weights.

    A row of `X` holds what the base models predict for one sample or pixel. Each prediction
    falls into a bin, :math:`\lfloor x / b \rfloor` with bin width :math:`b`, and the bins of all
    models name the row's *cell*. `fit` estimates convex weights for every occupied cell and keeps
    them as a lookup table (LUT); `predict` looks the weights up and sums:

    .. math:: \hat y = \sum_m w_{c(x), m} \, x_m .

    With the objective ``"likelihood"`` the truth in a cell is taken for a Gaussian mixture with
    one component per model, whose weights expectation-maximisation (EM) estimates, as in the
    paper [1]_. With ``"squared_error"`` the weights are the convex ones of least squared error in
    the cell: an exact quadratic programme. Choose it where mean squared error or PSNR is the
    goal. `fit` passes over the rows once; the rest is work on sums, for all cells at once.

    Read more in the :ref:`User Guide <method>`.

    Parameters
    ----------
    bin_width : float, default=32.0
        Width of the bins, in the unit of the predictions. The paper uses 32 on values from 0 to
        255. Narrow bins let the weights depend more on the predictions and need more rows.
    objective : {"likelihood", "squared_error"}, default="likelihood"
        What the weights of a cell optimise: the likelihood of the mixture of the paper (Eq. 9 to
        11), or the mean squared error, over all convex weights, exactly.
    shrinkage : float, default=0.0
        How strongly a cell is drawn to all others, in rows: a cell of as many rows lies half-way.
        With the squared error the cell gets that many pseudo-rows whose errors are distributed
        like those of all rows. With the likelihood they are a Dirichlet-like prior on the
        weights, with mean `default_weights_`.
    default_weights : str or array-like of shape (n_models,), default="auto"
        Weights of thin, degenerate and unseen cells; they also start EM.

        - "inverse_deviation": the softmax over models of ``1 / (1e-10 + rmse)``, with rmse the
          root mean squared distance of a model from the average of the models, in the cell; over
          all rows for unseen cells. Its sharpness depends on the unit of the predictions.
        - "uniform": plain averaging.
        - "pooled": the convex weights of least squared error over all rows.
        - "auto": "inverse_deviation" for the likelihood, "pooled" for the squared error.
    min_samples_cell : float, default=100
        A cell is thin, and gets default weights, if it has fewer rows than this, or less sample
        weight. The pseudo-rows of `shrinkage` count as rows.
    variance_center : {"model", "responsibility"}, default="model"
        In the M-step a variance is taken about the fixed mean of the component ("model", Eq. 11)
        or about the responsibility-weighted mean of the truth ("responsibility", as the published
        program has it). Only with "model" does the likelihood never fall.
    max_iter : int, default=1000
        Largest number of EM steps.
    tol : float, default=1e-5
        A cell has converged when its mean log-likelihood rises by less.
    reg_var : float, default=1e-6
        Floor of the variances, in squared units of the predictions. With
        ``variance_center="responsibility"`` it is added to them.
    target_resolution : float or "auto", default="auto"
        Grid step on which EM sees the truth. "auto" is 1 for whole numbers, which loses
        nothing, and ``bin_width / 256`` otherwise: what falls into one step counts as its mean.
        "auto" never cuts a bin into more than 65536 steps.
    verbose : int, default=0
        1 prints what `fit` found, 2 its progress as well. With scikit-learn 1.9 or later,
        callbacks such as :class:`~sklearn.callback.ProgressBar` show the progress too.

    Attributes
    ----------
    cells_ : ndarray of shape (n_cells, n_models)
        Bin indices of the occupied cells, in lexicographic order.
    weights_ : ndarray of shape (n_cells, n_models)
        Their weights: non-negative, each line sums to one.
    cell_counts_ : ndarray of shape (n_cells,)
        Number of rows in each cell; the sum of their sample weights where these were given.
    cell_origin_ : ndarray of shape (n_cells,) of str
        How the weights came about: "fitted", "thin" (too few rows) or "degenerate" (EM lost a
        component). The latter two have default weights. "released" are the weights of a published
        table, of which nothing else is known.
    cell_rmse_ : ndarray of shape (n_cells,)
        Root mean squared error of the combination on the rows of the cell, with as many pooled
        rows added as `shrinkage` says, or as are missing to `min_samples_cell`.
    means_, variances_ : ndarray of shape (n_cells, n_models)
        Means and variances of the mixture's components. The means are those of the predictions;
        so are the variances in cells that were not fitted.
    n_iter_ : ndarray of shape (n_cells,)
        EM steps; 0 in thin cells, 1 with the squared error.
    converged_ : ndarray of shape (n_cells,) of bool
        False where EM came to `max_iter`.
    default_weights_ : ndarray of shape (n_models,)
        Weights of rows in no occupied cell.
    default_rmse_ : float
        Root mean squared error of these weights over all rows.
    bin_width_ : float
        Width of the bins of this table.
    bin_edges_ : list of ndarray
        Lower and upper edges of the bins that occur, one array per model.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    EnsIRRegressorCV : Chooses bin width, shrinkage and objective by cross-validation.
    skensir.baselines.AverageRegressor : The mean of the models.
    skensir.baselines.ZZPMRegressor : One weight per model for a whole batch.

    Notes
    -----
    A value beyond the bins seen in fitting counts to the nearest end bin of its model. Memory
    follows the occupied cells, for any number of models.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> noise = rng.normal(size=(5000, 3))
    >>> X = y[:, None] + noise * np.where(y[:, None] < 128, [2, 4, 8], [8, 4, 2])
    >>> model = EnsIRRegressor().fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    >>> float(model.weights_[0].round(1).sum())
    1.0
    """

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

    _solved_attributes = (*(f"{name}_" for name in FIELDS), "_index")

    def __init__(
        self,
        bin_width: float = 32.0,
        *,
        objective: str = "likelihood",
        shrinkage: float = 0.0,
        default_weights: str | ArrayLike = "auto",
        min_samples_cell: float = 100,
        variance_center: str = "model",
        max_iter: int = 1000,
        tol: float = 1e-5,
        reg_var: float = 1e-6,
        target_resolution: float | str = "auto",
        verbose: int = 0,
    ) -> None:
        self.bin_width = bin_width
        self.objective = objective
        self.shrinkage = shrinkage
        self.default_weights = default_weights
        self.min_samples_cell = min_samples_cell
        self.variance_center = variance_center
        self.max_iter = max_iter
        self.tol = tol
        self.reg_var = reg_var
        self.target_resolution = target_resolution
        self.verbose = verbose

    @whole_or_nothing  # outside, so that callbacks end before attributes are put back
    @with_callbacks
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate the weights of every occupied cell.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models. 8- and 16-bit integers and single precision are taken
            as they are, without a converted copy.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. A weight of two equals the row given twice, zero equals the row left out.

        Returns
        -------
        self : EnsIRRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range; the message names it. The estimator is then as it
            was before, as after any other error.
        """
        rows = self._validate_fit(X, y, sample_weight)
        self._check_params(rows[0].shape[1])
        n_stages = 1 + self._objective().n_stages
        with fit_progress(self, n_stages, X=rows[0], y=rows[1]) as track:
            self._statistics = [self._sum_up(*rows, track)]
            return self._solve_and_publish(track)

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        predictions = self._validate_predictions(X)
        self.solve()
        if return_std and np.isnan(self.default_rmse_):
            raise ValueError("return_std == True, but a released table holds no errors.")
        weights = with_unseen(self.weights_, self.default_weights_)
        combined = combine(predictions, self._index, self.bin_width_, weights)
        if not return_std:
            return combined
        rmse = with_unseen(self.cell_rmse_, self.default_rmse_)
        return combined, rmse[find_cells(predictions, self._index, self.bin_width_)]

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        cells = find_cells(self._validate_predictions(X), self.solve()._index, self.bin_width_)
        return with_unseen(self.weights_, self.default_weights_)[cells]

    def _objective(self) -> Objective:
        """Return the objective with the parameters that it knows."""
        part = OBJECTIVES[self.objective]
        return part(**{field.name: getattr(self, field.name) for field in fields(part)})

    def _sum_up(
        self,
        X: AnyArray,
        y: AnyArray,
        sample_weight: FloatArray | None,
        track: Track = untracked,
    ) -> CellStatistics:
        """Return the sufficient statistics of validated rows."""
        bin_width, resolution = float(self.bin_width), None
        if self._objective().needs_truth:
            resolution = resolve_target_resolution(
                self.target_resolution, y, sample_weight, bin_width
            )
        return accumulate(
            X, y, sample_weight, bin_width=bin_width, target_resolution=resolution, track=track
        )

    def _check_statistics(self, part: CellStatistics) -> CellStatistics:
        """Return the sums that the objective needs, if rows were summed up as parameters say."""
        bin_width = float(self.bin_width)
        if part.bin_width != bin_width:
            raise ValueError(
                f"bin_width == {bin_width}, must be {part.bin_width} as in other rows that are "
                "already summed up: fit the estimators alike."
            )
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

    def _check_params(self, n_models: int) -> None:
        """Raise an error that names the argument if one is out of its range."""
        check_number(self.bin_width, "bin_width")
        check_option(self.objective, "objective", OBJECTIVES)
        check_number(self.shrinkage, "shrinkage", zero_allowed=True)
        check_number(self.min_samples_cell, "min_samples_cell", zero_allowed=True)
        check_option(self.variance_center, "variance_center", ("model", "responsibility"))
        check_scalar(self.max_iter, "max_iter", Integral, min_val=1)
        check_number(self.tol, "tol", zero_allowed=True)
        check_number(self.reg_var, "reg_var")
        if not isinstance(self.target_resolution, str):
            check_number(self.target_resolution, "target_resolution")
        elif self.target_resolution != "auto":
            raise ValueError(
                f"target_resolution == {self.target_resolution!r}, must be 'auto' or a number "
                "above zero."
            )
        check_default_weights(self.default_weights, n_models)
        check_scalar(self.verbose, "verbose", Integral, min_val=0)

    def _settings(self, n_models: int) -> Settings:
        """Return the parameters that say how statistics become a table."""
        default_weights = check_default_weights(self.default_weights, n_models)
        return Settings(self._objective(), default_weights, float(self.min_samples_cell))

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Set the fitted attributes that follow from the statistics of all rows."""
        statistics = CellStatistics.merge(self._statistics)
        # Since the rows were summed up, parameters may have been set.
        self._check_params(statistics.n_models)
        statistics = self._check_statistics(statistics)
        table = solve_table(statistics, self._settings(statistics.n_models), track)
        self._statistics = [statistics]
        self._set_table(table)
        unfinished = np.count_nonzero(~table.converged & (table.cell_origin == FITTED))
        # Fewer steps than that are what a callback has asked for.
        if unfinished and table.n_iter.max() >= self.max_iter:
            warn_user(
                f"EM came to max_iter={self.max_iter} in {unfinished} of {len(table.cells)} "
                "cells before the log-likelihood rose by less than tol="
                f"{self.tol}. Raise max_iter or tol.",
                ConvergenceWarning,
            )
        if self.verbose:
            names, counts = np.unique(table.cell_origin, return_counts=True)
            origins = ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))
            print(
                f"[{type(self).__name__}] {table.cell_counts.sum():.10g} rows in "
                f"{len(table.cells)} cells ({origins}); at most {table.n_iter.max()} EM steps"
            )
        return self

    def _set_table(self, table: LookupTable, feature_names: Sequence[str] | None = None) -> None:
        """Publish a lookup table as fitted attributes."""
        self.n_features_in_ = table.cells.shape[1]
        if feature_names is not None:
            self.feature_names_in_ = np.array(feature_names, dtype=object)
        for name in FIELDS:
            setattr(self, f"{name}_", getattr(table, name))
        self._index = CellIndex(table.cells)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._is_solved():
            self._index = CellIndex(self.cells_)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state["attributes"].pop("_index", None)  # follows from the cells
        return state

    @property
    def bin_edges_(self) -> list[FloatArray]:
        """Lower and upper edges of the bins that occur, one array per model."""
        occupied = [np.unique(bins) for bins in self.cells_.T]
        return [np.union1d(bins, bins + 1) * self.bin_width_ for bins in occupied]


# In the order of the constructor, which table files keep.
PARAMS = tuple(signature(EnsIRRegressor).parameters)
