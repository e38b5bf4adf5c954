"""The estimator: validates, calls the core, keeps plain arrays."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skensir._base import StackedRegressor, check_number, check_option
from skensir._callbacks import CallbackSupportMixin, fit_progress, with_callbacks
from skensir._core.accumulate import accumulate
from skensir._core.cells import CellIndex
from skensir._core.combine import combine, find_cells
from skensir._core.histogram import auto_resolution, resolve_target_resolution
from skensir._core.progress import untracked
from skensir._core.statistics import CellStatistics
from skensir._core.table import FITTED, solve_table

OBJECTIVES = ("likelihood", "squared_error")
DEFAULT_WEIGHTS = ("auto", "inverse_deviation", "uniform", "pooled")

# What follows from the statistics, and is made when it is first asked for.
TABLE_ATTRIBUTES = frozenset(
    {
        "bin_width_",
        "cells_",
        "cell_counts_",
        "weights_",
        "cell_origin_",
        "cell_rmse_",
        "means_",
        "variances_",
        "n_iter_",
        "converged_",
        "default_weights_",
        "default_rmse_",
        "_index",
    }
)

REFERENCE_PARAMS = {
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


def check_default_weights(default_weights, n_models):
    """Return the option, or an array of `n_models` convex weights."""
    if isinstance(default_weights, str) or default_weights is None:
        check_option(default_weights, "default_weights", DEFAULT_WEIGHTS)
        return default_weights
    try:
        weights = np.asarray(default_weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"default_weights == {default_weights!r}, must be one of "
            f"{', '.join(map(repr, DEFAULT_WEIGHTS))} or {n_models} numbers."
        ) from None
    if weights.shape != (n_models,):
        raise ValueError(
            f"default_weights == {default_weights!r} has shape {weights.shape}, must be one of "
            f"{', '.join(map(repr, DEFAULT_WEIGHTS))} or one weight for each of the {n_models} "
            "models."
        )
    if not (weights >= 0).all() or not np.isclose(weights.sum(), 1, atol=1e-6):
        raise ValueError(
            f"default_weights == {default_weights!r}, must be non-negative and sum to one."
        )
    return weights / weights.sum()


class EnsIRRegressor(CallbackSupportMixin, StackedRegressor):
    r"""Combine the predictions of several models by a lookup table of weights.

    A row of `X` holds what the base models predict for one sample or pixel. Each prediction
    falls into a bin, :math:`\lfloor x / b \rfloor` with bin width :math:`b`, and the bins of all
    models name the row's *cell*. `fit` estimates convex weights for every occupied cell and keeps
    them as a lookup table (LUT); `predict` looks the weights up and sums:

    .. math:: \hat y = \sum_m w_{c(x), m} \, x_m .

    With the objective ``"likelihood"`` the truth in a cell is taken for a Gaussian mixture with
    one component a model, whose weights expectation-maximisation (EM) estimates, as in the
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
        Lower and upper edges of the bins that occur, one array a model.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    EnsIRRegressorCV : Chooses bin width, shrinkage and objective by cross-validation.
    skensir.baselines.AverageRegressor : The mean of the models.
    skensir.baselines.ZZPMRegressor : One weight a model for a whole batch.

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

    def __init__(
        self,
        bin_width=32.0,
        *,
        objective="likelihood",
        shrinkage=0.0,
        default_weights="auto",
        min_samples_cell=100,
        variance_center="model",
        max_iter=1000,
        tol=1e-5,
        reg_var=1e-6,
        target_resolution="auto",
        verbose=0,
    ):
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

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
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
            If an argument is out of its range; the message names it.
        """
        X, y, sample_weight = self._validate_fit(X, y, sample_weight)
        self._check_params(X.shape[1])
        n_stages = 2 if self.objective == "likelihood" else 1
        with fit_progress(self, n_stages, X=X, y=y) as track:
            self._statistics = [self._sum_up(X, y, sample_weight, track)]
            return self._solve_and_keep(track)

    def partial_fit(self, X, y, sample_weight=None):
        """Add rows to those seen so far; without any, begin.

        The table is the one of `fit` on all these rows, however they are split and in whatever
        order. It is not solved before it is asked for, by `predict` or by reading an attribute,
        so that many small batches cost little more than one large. Threads must not call it on one
        estimator at a time: give each thread one of its own, and `merge` them.

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
            If an argument is out of its range, or `bin_width`, `target_resolution` or the number
            of models is not that of the rows before. The rows seen so far are kept.
        """
        X, y, sample_weight = self._validate_rows(
            X, y, sample_weight, reset=not self._has_statistics("partial_fit")
        )
        self._check_params(X.shape[1])
        self._add_statistics([self._sum_up(X, y, sample_weight)])
        return self

    def merge(self, other):
        """Add the rows that another estimator has seen, such as a part of the data.

        Estimators that were fitted on parts of the data, in other processes or on other machines,
        merge to the one that `fit` makes of the whole.

        Parameters
        ----------
        other : EnsIRRegressor
            Fitted with the same bin width on predictions of the same models. It stays as it is.

        Returns
        -------
        self : EnsIRRegressor
            The estimator. It need not be fitted before.

        Raises
        ------
        ValueError
            If the estimators differ in bin width, target resolution or models. Then nothing has
            changed.
        """
        if not isinstance(other, EnsIRRegressor):
            raise TypeError(f"other == {other!r}, must be an EnsIRRegressor.")
        check_is_fitted(other)
        other._has_statistics("merge")
        fitted = self._has_statistics("merge")
        if fitted:
            for name in ("n_features_in_", "feature_names_in_"):
                mine, theirs = getattr(self, name, None), getattr(other, name, None)
                if not np.array_equal(mine, theirs):
                    raise ValueError(f"{name} of other is {theirs}, must be {mine}.")
        self._check_params(other.n_features_in_)
        self._add_statistics(other._statistics)
        if not fitted:
            self.n_features_in_ = other.n_features_in_
            if hasattr(other, "feature_names_in_"):
                self.feature_names_in_ = other.feature_names_in_
        return self

    def _sum_up(self, X, y, sample_weight, track=untracked):
        """Return the sufficient statistics of validated rows."""
        resolution = None
        if self.objective == "likelihood":
            resolution = resolve_target_resolution(
                self.target_resolution, y, sample_weight, float(self.bin_width)
            )
        return accumulate(
            X,
            y,
            sample_weight,
            bin_width=float(self.bin_width),
            target_resolution=resolution,
            track=track,
        )

    def _has_statistics(self, method):
        """Tell whether rows have been seen whose sums `method` can add to."""
        if "_statistics" in vars(self):
            return True
        if "weights_" in vars(self):
            raise ValueError(
                f"{method} needs the statistics of the rows seen before, which a lookup table "
                "from a file does not hold: fit the estimator anew."
            )
        return False

    def _add_statistics(self, parts):
        """Keep the statistics of more rows; the table is then to be solved anew."""
        parts = [*vars(self).get("_statistics", []), *parts]
        for part in parts:
            self._check_statistics(part)
            if part.n_models != parts[0].n_models:
                raise ValueError(
                    f"X has {part.n_models} models, must have {parts[0].n_models} as other rows "
                    "that are already summed up."
                )
        if self.objective == "squared_error":
            parts = [part._replace(truth=None) for part in parts]
        # To wait for as many sums as there are keeps the cost of a batch that of its own sums.
        if sum(part.size for part in parts) > 2 * parts[0].size:
            parts = [CellStatistics.merge(parts)]
        self._statistics = parts
        for name in TABLE_ATTRIBUTES:
            vars(self).pop(name, None)

    def _check_statistics(self, part):
        """Raise a ValueError unless a part of the rows was summed up as the parameters say."""
        bin_width = float(self.bin_width)
        if part.bin_width != bin_width:
            raise ValueError(
                f"bin_width == {bin_width}, must be {part.bin_width} as in other rows that are "
                "already summed up: fit the estimators alike."
            )
        if self.objective == "squared_error":
            return
        if part.truth is None:
            raise ValueError(
                "objective == 'likelihood' needs the histogram of the truth, which rows summed up "
                "for 'squared_error' do not have: fit the estimators alike."
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

    def _has_rows(self):
        """Tell whether rows have been seen that have weight, and their sums are here."""
        return any(part.n_cells for part in vars(self).get("_statistics", ()))

    def __sklearn_is_fitted__(self):
        return "weights_" in vars(self) or self._has_rows()

    def __getattr__(self, name):
        # Only asked where there is no such attribute: after partial_fit or merge, whose table is
        # still to be solved.
        if name in TABLE_ATTRIBUTES and self._has_rows():
            self._solve_and_keep()
            return vars(self)[name]
        if name == "bin_edges_" and self.__sklearn_is_fitted__():
            # No property: what displays an estimator reads all of these, and would solve the table.
            occupied = [np.unique(bins) for bins in self.cells_.T]
            return [np.union1d(bins, bins + 1) * self.bin_width_ for bins in occupied]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _check_params(self, n_models):
        """Raise an error that names the argument if one is out of its range."""
        check_number(self.bin_width, "bin_width")
        check_option(self.objective, "objective", OBJECTIVES)
        check_number(self.shrinkage, "shrinkage", zero_allowed=True)
        check_number(self.min_samples_cell, "min_samples_cell", zero_allowed=True)
        check_option(self.variance_center, "variance_center", ("model", "responsibility"))
        check_scalar(self.max_iter, "max_iter", Integral, min_val=1)
        check_number(self.tol, "tol", zero_allowed=True)
        check_number(self.reg_var, "reg_var")
        if isinstance(self.target_resolution, str):
            if self.target_resolution != "auto":
                raise ValueError(
                    f"target_resolution == {self.target_resolution!r}, must be 'auto' or a number "
                    "above zero."
                )
        else:
            check_number(self.target_resolution, "target_resolution")
        check_default_weights(self.default_weights, n_models)
        check_scalar(self.verbose, "verbose", Integral, min_val=0)

    def _solve(self, statistics, convex_weights=None, track=untracked):
        """Return the lookup table that follows from sufficient statistics."""
        return solve_table(
            statistics,
            objective=self.objective,
            shrinkage=float(self.shrinkage),
            default_weights=check_default_weights(self.default_weights, statistics.n_models),
            min_samples_cell=float(self.min_samples_cell),
            variance_center=self.variance_center,
            max_iter=self.max_iter,
            tol=self.tol,
            reg_var=self.reg_var,
            convex_weights=convex_weights,
            track=track,
        )

    def _solve_and_keep(self, track=untracked):
        """Set the fitted attributes that follow from the statistics of all rows."""
        statistics = CellStatistics.merge(self._statistics)
        # Since the rows were summed up, parameters may have been set.
        self._check_params(statistics.n_models)
        self._check_statistics(statistics)
        self._statistics = [statistics]
        table = self._solve(statistics, track=track)
        self.bin_width_ = statistics.bin_width
        self.cells_ = statistics.cells
        self.cell_counts_ = statistics.weight
        self.weights_ = table.weights
        self.cell_origin_ = table.origin
        self.cell_rmse_ = table.rmse
        self.means_ = statistics.mean_offsets() + statistics.corners
        self.variances_ = table.variances
        self.n_iter_ = table.n_iter
        self.converged_ = table.converged
        self.default_weights_ = table.default_weights
        self.default_rmse_ = table.default_rmse
        self._index = CellIndex(self.cells_)
        unfinished = np.count_nonzero(~self.converged_ & (self.cell_origin_ == FITTED))
        # Fewer steps than that are what a callback has asked for.
        if unfinished and self.n_iter_.max() >= self.max_iter:
            warnings.warn(
                f"EM came to max_iter={self.max_iter} in {unfinished} of {len(self.cells_)} "
                "cells before the log-likelihood rose by less than tol="
                f"{self.tol}. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if self.verbose:
            names, counts = np.unique(self.cell_origin_, return_counts=True)
            origins = ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))
            print(
                f"[{type(self).__name__}] {self.cell_counts_.sum():.10g} rows in "
                f"{len(self.cells_)} cells ({origins}); at most {self.n_iter_.max()} EM steps"
            )
        return self

    def predict(self, X, return_std=False):
        """Combine predictions with the weights of their cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, in the order they had in `fit`.
        return_std : bool, default=False
            Whether to return the standard deviation as well.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The combination, between the smallest and the largest prediction of each row.
        std : ndarray of shape (n_samples,)
            Root mean squared error in the row's cell on the reference set, in the unit of the
            predictions. Only with `return_std`.
        """
        X = self._validate_predictions(X)
        if return_std and np.isnan(self.default_rmse_):
            raise ValueError("return_std == True, but a released table holds no errors.")
        weights = np.vstack([self.weights_, self.default_weights_])
        combined = combine(X, self._index, self.bin_width_, weights)
        if not return_std:
            return combined
        rmse = np.append(self.cell_rmse_, self.default_rmse_)
        return combined, rmse[find_cells(X, self._index, self.bin_width_)]

    def predict_weights(self, X):
        """Return the weights that `predict` gives to the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_models)
            Non-negative, each line sums to one.
        """
        X = self._validate_predictions(X)
        cells = find_cells(X, self._index, self.bin_width_)
        return np.vstack([self.weights_, self.default_weights_])[cells]
