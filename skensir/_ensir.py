"""The estimator: validates, calls the core, publishes the lookup table as plain arrays."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from skensir._advice import say_thin, say_unfinished
from skensir._base import check_default_weights, whole_or_nothing
from skensir._callbacks import CallbackSupportMixin, fit_progress, with_callbacks
from skensir._checks import (
    LARGEST,
    check_automatic,
    check_flag,
    check_n_jobs,
    check_number,
    check_option,
    check_verbosity,
    check_whole,
    plain,
    shown,
)
from skensir._core.objective import Objective
from skensir._core.solve import OBJECTIVES, Settings, solve_table
from skensir._core.table import THIN, LookupTable
from skensir._fitted_table import PLAIN_PARAMS, FittedTable
from skensir._sums.axes import KINDS
from skensir._sums.scale import scale_of
from skensir._sums.statistics import CellStatistics
from skensir._track import Track, untracked
from skensir._units import auto_bin_width, unit_of
from skensir._warn import warn_user

if TYPE_CHECKING:
    from skensir._cell_sums import CellSums

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
"""Arguments of `EnsIRRegressor` that reproduce the tables published with the paper.

>>> published = EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS)
"""

SHRINK_TO = ("pooled", "parent")


class EnsIRRegressor(CallbackSupportMixin, FittedTable):  # type: ignore[misc]
    r"""Combine the predictions of several models by a lookup table of weights, as in the paper.

    The defaults are those of the paper, and the other parameters make single tables of other kinds.
    To combine predictions as well as can be, take :class:`EnsIRRegressorCV`, which chooses.

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
    bin_width : float or "auto", default="auto"
        Width of the bins, in the unit of the predictions. "auto" is that of the paper: 32 on values
        from 0 to 255, as much of any other range. Narrow bins let the weights depend more on the
        predictions and need more rows.
    data_range : float or "auto", default="auto"
        Range of the predictions; every length that is not given follows from it, and constants are
        in the unit ``data_range / 255``. "auto" is 255 for predictions in uint8 and 65535 for
        uint16. For all else it is 255/256 of the smallest power of two that covers the bulk of the
        predictions, which lies between two quantiles of all of them: outliers and rows of weight
        zero change nothing. With `partial_fit` the first rows of positive weight tell it.
    axes : {"predictions", "deviations", "summary"}, default="predictions"
        What is cut into bins. "predictions" is EnsIR. With "deviations" an axis is how far a model
        is from the mean of all models: who departs from the others, and by how much, wherever the
        predictions lie. With "summary" there are two axes for any number of models: their mean, and
        on a logarithmic scale their standard deviation. The latter two, and all but the defaults of
        `shrink_to`, `positive` and `fit_intercept`, need the squared error.
    objective : {"likelihood", "squared_error"}, default="likelihood"
        What the weights of a cell optimise: the likelihood of the mixture of the paper (Eq. 9 to
        11), or the mean squared error, exactly, over all convex weights, or over all that sum to
        one where `positive` is False.
    shrinkage : float, default=0.0
        How strongly a cell is drawn to all others, in rows: a cell of as many rows lies half-way.
        With the squared error the cell gets that many pseudo-rows whose errors are distributed
        like those of all rows. With the likelihood they are a Dirichlet-like prior on the
        weights, with mean `default_weights_`.
    shrink_to : {"pooled", "parent"}, default="pooled"
        What a cell is drawn to: all rows at once, or the cell around it in bins twice as wide, its
        parent, which is drawn to its own parent, and so on up to all rows and, at the root, plain
        averaging. Then the shrinkage leads from the finest table to averaging, the bin width hardly
        matters, no cell is thin, and rows in unseen cells get the weights of the narrowest wider
        cell that is known. Take a `shrinkage` of some tens of rows or more.
    positive : bool, default=True
        Whether weights are convex. Otherwise they sum to one and may be negative, so that a
        prediction may lie beyond those of the models.
    fit_intercept : bool, default=False
        Whether a cell has a constant that takes out its mean error.
    default_weights : str or array-like of shape (n_models,), default="auto"
        Weights of thin, degenerate and unseen cells; they also start EM. With
        ``shrink_to="parent"`` of rows that lie in no known cell, however wide.

        - "inverse_deviation": the softmax over models of ``1 / (1e-10 + rmse)``, with rmse the
          root mean squared distance of a model from the average of the models, in the cell; over
          all rows for unseen cells, in the unit ``data_range_ / 255``.
        - "uniform": plain averaging.
        - "pooled": the weights of least squared error over all rows.
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
        Floor of the variances, in squared units ``data_range_ / 255``. With
        ``variance_center="responsibility"`` it is added to them.
    target_resolution : float or "auto", default="auto"
        Grid step on which EM sees the truth, in its unit. "auto" is 1 for integers, and for floats
        that are whole where bins are at most 256 wide, which loses nothing. Otherwise it is
        ``bin_width_ / 256``: what falls into one step counts as its mean. "auto" never cuts a bin
        into more than 65536 steps.
    n_jobs : int, default=None
        How many threads sum up rows and predict; None is one unless `joblib.parallel_config` says
        otherwise, -1 one per core. Tables and predictions are the same, to the last bit. Within a
        search that works in parallel itself, the cores are left to that.
    verbose : int, default=0
        1 prints what `fit` found, 2 its progress as well. With scikit-learn 1.9 or later,
        callbacks such as :class:`~sklearn.callback.ProgressBar` show the progress too.

    Attributes
    ----------
    axes_ : str
        What the cells of this table are made of.
    cells_ : ndarray of shape (n_cells, n_axes)
        Bin indices of the occupied cells, in lexicographic order; an axis per model, or the two of
        a summary.
    weights_ : ndarray of shape (n_cells, n_models)
        Their weights: each line sums to one, and is non-negative where `positive` is True.
    intercepts_ : ndarray of shape (n_cells,)
        What is added to the weighted sum; zero without `fit_intercept`.
    cell_counts_ : ndarray of shape (n_cells,)
        Number of rows in each cell; the sum of their sample weights where these were given.
    cell_origin_ : ndarray of shape (n_cells,) of str
        How the weights came about: "fitted", "thin" (too few rows) or "degenerate" (EM lost a
        component). The latter two have default weights. "released" are the weights of a published
        table, of which nothing else is known.
    cell_rmse_ : ndarray of shape (n_cells,)
        Root mean squared error of the combination on the rows of the cell, with as many rows added
        as `shrinkage` says, or as are missing to `min_samples_cell`: rows like all of them, or with
        ``shrink_to="parent"`` like those of the parent.
    means_, variances_ : ndarray of shape (n_cells, n_models)
        Means and variances of the mixture's components. The means are those of the predictions;
        so are the variances in cells that were not fitted. Not a number on other `axes`.
    n_iter_ : ndarray of shape (n_cells,)
        EM steps; 0 in thin cells, 1 with the squared error, or where all cells are thin.
    converged_ : ndarray of shape (n_cells,) of bool
        False where EM came to `max_iter`.
    default_weights_ : ndarray of shape (n_models,)
        Weights of rows in no occupied cell.
    default_intercept_, default_rmse_ : float
        Their intercept, and the root mean squared error over all rows.
    ancestor_levels_ : ndarray of shape (n_ancestors,)
        With ``shrink_to="parent"``, of each wider cell, how often its bins were doubled.
    ancestor_cells_ : ndarray of shape (n_ancestors, n_axes)
        Their bin indices; level by level, in lexicographic order.
    ancestor_weights_ : ndarray of shape (n_ancestors, n_models)
        Their weights, which rows in unseen cells get.
    ancestor_intercepts_, ancestor_rmse_ : ndarray of shape (n_ancestors,)
        Likewise.
    bin_width_ : float
        Width of the bins of this table.
    data_range_ : float
        Range of the predictions, given or found.
    bin_edges_ : list of ndarray
        Lower and upper edges of the bins that occur, one array per axis.
    calibration_ : ndarray of shape (n_places,)
        What `calibrate` has counted, once it was called.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    EnsIRRegressorCV : Chooses the parameters by cross-validation, and averages the best tables.
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

    def __init__(
        self,
        bin_width: float | str = "auto",
        *,
        data_range: float | str = "auto",
        axes: str = "predictions",
        objective: str = "likelihood",
        shrinkage: float = 0.0,
        shrink_to: str = "pooled",
        positive: bool = True,
        fit_intercept: bool = False,
        default_weights: str | ArrayLike = "auto",
        min_samples_cell: float = 100,
        variance_center: str = "model",
        max_iter: int = 1000,
        tol: float = 1e-5,
        reg_var: float = 1e-6,
        target_resolution: float | str = "auto",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.bin_width = bin_width
        self.data_range = data_range
        self.axes = axes
        self.objective = objective
        self.shrinkage = shrinkage
        self.shrink_to = shrink_to
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.default_weights = default_weights
        self.min_samples_cell = min_samples_cell
        self.variance_center = variance_center
        self.max_iter = max_iter
        self.tol = tol
        self.reg_var = reg_var
        self.target_resolution = target_resolution
        self.n_jobs = n_jobs
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
            If an argument is out of its range. After any error the estimator is as it was before.

        Warns
        -----
        UserWarning
            If most rows lie in thin cells, or columns of `X` are plainly on another scale than `y`.
        """
        rows = self._validate_fit(X, y, sample_weight)
        self._check_params(rows[0].shape[1])
        self._forget_range()
        self._look_at(*rows)
        n_stages = 1 + self._objective().n_stages
        with fit_progress(self, n_stages, X=rows[0], y=rows[1]) as track:
            if (scale := scale_of(self._current_range())) != 1.0:
                return self._publish(self._solve_in_unit_of(scale, *rows, track))
            self._statistics = [self._sum_up(*rows, track)]
            return self._solve_and_publish(track)

    @classmethod
    def from_cell_sums(cls, sums: CellSums, **params: Any) -> Self:
        """Make an estimator of sums that a data frame library or a database has made.

        It is as after `partial_fit` with the rows that were summed up: `predict` and the like solve
        the table, and so does `solve`; more rows may come by `partial_fit` and `merge`.

        Parameters
        ----------
        sums : CellSums
            What :func:`skensir.interop.frames.cell_sums` returns. Its folds are put together.
        **params : object
            Parameters of the estimator. Unless given, `bin_width`, `data_range` and `axes` are
            those of the sums; where these are on several kinds of axes, `axes` has to be given.

        Returns
        -------
        model : EnsIRRegressor
            The estimator.

        Raises
        ------
        ValueError
            If the sums are damaged, or a parameter is out of its range or asks for other sums.

        Examples
        --------
        >>> import pandas as pd
        >>> from skensir import EnsIRRegressor
        >>> from skensir.interop.frames import cell_sums
        >>> frame = pd.DataFrame({"A": [10, 90, 95], "B": [20, 80, 99], "truth": [12, 82, 96]})
        >>> sums = cell_sums(
        ...     frame, models=["A", "B"], target="truth", bin_width=32.0, data_range=255
        ... )
        >>> model = EnsIRRegressor.from_cell_sums(sums, default_weights="uniform")
        >>> model.predict(frame[["A", "B"]]).tolist()
        [15.0, 85.0, 97.0]
        """
        from skensir._cell_sums_check import check_cell_sums

        kind = check_cell_sums(sums)._kind(**params)
        own: dict[str, Any] = {
            "bin_width": sums.bin_widths[kind],
            "axes": kind,
            "data_range": sums.data_range,
        }
        model = cls(**own | params)
        model.__dict__.update(sums._attributes())
        model._check_params(len(sums.models))
        model.data_range_ = sums.data_range
        model.data_range_ = model._current_range()  # which may be given
        return model._add_statistics([sums._total(kind)])

    @classmethod
    def _merges_with(cls) -> type[EnsIRRegressor]:
        return EnsIRRegressor

    def _objective(self) -> Objective:
        """Return the objective with the parameters that it knows."""
        part = OBJECTIVES[self.objective]
        return part(**{field.name: plain(getattr(self, field.name)) for field in fields(part)})

    def _check_params(self, n_models: int) -> None:
        """Raise an error that names the argument if one is out of its range."""
        check_automatic(self.bin_width, "bin_width")
        check_automatic(self.data_range, "data_range")
        check_option(self.objective, "objective", OBJECTIVES)
        check_number(self.shrinkage, "shrinkage", zero_allowed=True, maximum=LARGEST)
        check_option(self.axes, "axes", KINDS)
        check_option(self.shrink_to, "shrink_to", SHRINK_TO)
        check_flag(self.positive, "positive")
        check_flag(self.fit_intercept, "fit_intercept")
        if self.objective != "squared_error":
            for name, default in PLAIN_PARAMS.items():
                if (value := getattr(self, name)) != default:
                    needs = f"needs objective='squared_error', and objective == {self.objective!r}"
                    raise ValueError(f"{name} == {shown(value)} {needs}.")
        check_number(self.min_samples_cell, "min_samples_cell", zero_allowed=True)
        check_option(self.variance_center, "variance_center", ("model", "responsibility"))
        check_whole(self.max_iter, "max_iter", 1)
        check_number(self.tol, "tol", zero_allowed=True)
        check_number(self.reg_var, "reg_var", maximum=LARGEST)
        check_automatic(self.target_resolution, "target_resolution")
        check_default_weights(self.default_weights, n_models)
        check_n_jobs(self.n_jobs)
        check_verbosity(self.verbose)

    def _settings(self, n_models: int) -> Settings:
        """Return the parameters that say how statistics become a table."""
        default_weights = check_default_weights(self.default_weights, n_models)
        unit = unit_of(self._current_range())
        return Settings(self._objective(), default_weights, float(self.min_samples_cell), unit)

    def _bins_follow(self) -> bool:
        return isinstance(self.bin_width, str)

    def _find_bin_width(self) -> float:
        """Return the bin width, given or that of the range."""
        if isinstance(self.bin_width, str):
            return auto_bin_width(self._current_range())
        return float(self.bin_width)

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Set the fitted attributes that follow from the statistics of all rows."""
        statistics = CellStatistics.merge(self._statistics)
        # Since the rows were summed up, parameters may have been set.
        self._check_params(statistics.n_models)
        statistics = self._check_statistics(statistics)
        table = solve_table(statistics, self._settings(statistics.n_models), track)
        self._statistics = [statistics]
        return self._publish(table)

    def _publish(self, table: LookupTable) -> Self:
        """Set the fitted attributes, and say what there is to be said of the table."""
        self._set_table(table, self._current_range())
        thin = table.cell_origin == THIN
        self._advise("thin", say_thin(table.cell_counts, thin, self.min_samples_cell))
        self._warn_of_unfinished(table)
        if self.verbose:
            names, counts = np.unique(table.cell_origin, return_counts=True)
            origins = ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))
            print(
                f"[{type(self).__name__}] {table.cell_counts.sum():.10g} rows in "
                f"{len(table.cells)} cells ({origins}); at most {table.n_iter.max()} EM steps"
            )
        return self

    def _warn_of_unfinished(self, table: LookupTable) -> None:
        """Warn if EM has not converged in cells of a table."""
        if (sentence := say_unfinished(table, self.max_iter, self.tol)) is not None:
            warn_user(sentence, ConvergenceWarning)
