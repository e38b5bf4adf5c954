"""EnsIRRegressorCV: tables chosen, or averaged, by cross-validation on sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skensir._base import whole_or_nothing
from skensir._callbacks import CallbackSupportMixin
from skensir._core.cross_validation import Grid, Pass, is_partition, needed_grids, pass_over
from skensir._core.folds import label_folds, rows_by_label, sum_up_folds
from skensir._jobs import count_threads
from skensir._search.splits import check_folds, find_splits, without_absent
from skensir._search.table_search import MAX_CALIBRATED, TableSearch
from skensir._sums.histogram import resolve_target_resolution
from skensir._typing import AnyArray, FloatArray, IntArray

if TYPE_CHECKING:
    from skensir._cell_sums import CellSums


class EnsIRRegressorCV(CallbackSupportMixin, TableSearch):  # type: ignore[misc]
    r"""EnsIR with everything chosen by cross-validation: what to use where nothing else is known.

    Many lookup tables are candidates: in cells of several kinds, of cells drawn weakly or strongly
    to wider ones, with convex or signed weights, with intercepts or without. The candidates that
    do best on held-out rows are averaged, each with a share by its score, and tables on the same
    axes become one table, so that prediction costs one look-up per kind of axes.

    The held-out squared error of a table follows from sums that `fit` gathers in one pass over the
    rows: with the error products :math:`P_c` of the held-out rows in cell c, weights
    :math:`w_c` and no intercept it is :math:`\sum_c w_c^\top P_c w_c`. So the whole search costs as
    much as a few fits, and nothing is predicted for it.

    Read more in the :ref:`User Guide <cross_validation>`.

    Parameters
    ----------
    bin_widths : "auto" or array-like of float, default="auto"
        Bin widths to try on each kind of axes, in the unit of the predictions; see the notes for
        "auto". A width that is a power of two times a narrower one needs no pass of its own, nor
        does any multiple where predictions and widths are whole numbers.
    data_range : float or "auto", default="auto"
        Range of the predictions, see :class:`EnsIRRegressor`: that of all rows, in every split.
    axes : "auto", str or sequence of str, default="auto"
        What is cut into bins: one or several of "predictions", "deviations" and "summary", see
        :class:`EnsIRRegressor`.
    shrinkages : "auto" or array-like of float, default="auto"
        Values of `shrinkage` to try, in rows.
    shrink_to : {"parent", "pooled"}, default="parent"
        What a cell is drawn to: the wider cell around it, or all rows at once. "pooled" makes
        "auto" stand for what version 0.1 searched.
    positive, fit_intercept : "auto", bool or sequence of bool, default="auto"
        Whether weights are convex, and whether cells have intercepts; a sequence tries both.
    objectives : array-like of str, default=("squared_error",)
        Values of `objective` to try. The likelihood knows cells of predictions and convex weights
        only, and is tried with these whatever `axes` and the like say.
    scoring : str, default="neg_log_mean_squared_error"
        What is averaged over the splits: "neg_log_mean_squared_error", by which each split counts
        alike, as a mean PSNR counts images; or "neg_mean_squared_error", which follows the splits
        that are hard.
    select : {"auto", "average", "best"}, default="auto"
        How candidates become one prediction. With :math:`d` the score of the best less that of a
        candidate, in logarithms, shares are proportional to

        - "auto": :math:`\exp(-d / 0.03)`; the average of the models, the best of them and one
          convex vector take part where they do better than the best table, less what few splits
          may pretend (see `plain_shares_`);
        - "average": :math:`\exp(-\max(d / 0.02, z^2 / 2))`, with :math:`z` the ratio of d and its
          standard error over the splits; take it where splits are many;
        - "best": one for the best, zero for the others, so that one table can be read. A single
          split is too few for anything else.

        Shares below a thousandth of that of the best are none.
    cv : int, cross-validation generator or iterable, default=None
        How rows are split: the number of folds, a splitter of scikit-learn or an iterable of
        (train, test) row numbers. None is ten folds dealt out by chance, the same each time, of
        whole groups where two `groups` or more are given, and no more than there are; with
        ``shrink_to="pooled"`` it is five folds of neighbouring rows. Pixels of one image belong
        into one fold: pass image numbers as `groups`. With a number of folds, `groups` count for
        nothing, as in scikit-learn: pass ``GroupKFold(5)`` for five folds of whole groups.
    default_weights : str or array-like of shape (n_models,), default="auto"
        See :class:`EnsIRRegressor`, also for the parameters below.
    min_samples_cell : float, default=100
        Cells of fewer rows, the pseudo-rows of the shrinkage included, get default weights. With
        ``shrink_to="parent"`` it counts for the standard deviation alone.
    variance_center : {"model", "responsibility"}, default="model"
        Centre of the variances in the M-step of the likelihood.
    max_iter : int, default=1000
        Largest number of EM steps of the likelihood.
    tol : float, default=1e-5
        Rise of the mean log-likelihood below which EM stops.
    reg_var : float, default=1e-6
        Floor of the variances of the likelihood, in squared units ``data_range_ / 255``.
    target_resolution : float or "auto", default="auto"
        Grid step on which EM sees the truth.
    n_jobs : int, default=None
        As in :class:`EnsIRRegressor`.
    verbose : int, default=0
        1 prints the summary, 2 a line after each bin width as well. With scikit-learn 1.9 or later,
        callbacks such as :class:`~sklearn.callback.ProgressBar` show the progress too.

    Attributes
    ----------
    estimators_ : list of EnsIRRegressor
        One per kind of axes that has a share, that of the largest share first; given bin widths
        that do not nest have one each. Each is fitted on all rows, and holds the average of its
        candidates' tables.
    shares_ : ndarray of shape (n_estimators,)
        Their shares, which sum to one.
    best_estimator_ : EnsIRRegressor
        The only estimator, where there is one only.
    weights_, cells_ : ndarray or list
        Those of `estimators_`: of the only one, or a list with those of each.
    default_weights_, bin_edges_ : ndarray or list
        Likewise.
    bin_width_, shrinkage_ : float
        Parameters of the best candidate, whose share is the largest.
    objective_, axes_ : str
        Likewise.
    positive_, fit_intercept_ : bool
        Likewise.
    best_params_ : dict
        Those of them that were searched, by name.
    best_score_ : float
        Mean held-out score of the best candidate, as `scoring` says.
    best_index_ : int
        Where the best candidate stands in `cv_results_`.
    cv_results_ : dict of ndarrays
        With the keys of GridSearchCV, to be made a DataFrame, and the "share" of each candidate.
        Errors are weighted by `sample_weight`. Fit times leave out the pass over the data.
    plain_shares_ : dict of float
        The shares of "average", "best_model" and "convex", which need no table. They take part with
        ``select="auto"``, and only where they do better on held-out rows than the best table,
        less what few splits may pretend: the standard error of that advantage, corrected for shared
        training rows [1]_, times what Student's t exceeds the normal quantile. The shares of the
        candidates and these sum to one.
    gains_ : dict of dict
        What is gained on held-out rows over "average", "best_model" (the best base model),
        "convex" (one convex weight vector) and "ridge" (ridge regression of the truth on the
        predictions), each of these fitted on the same training rows. Each has "mse", the rival's
        mean squared error; "gain", the share of it that is saved; "std_error", the standard error
        of that over the splits, corrected for the training rows that they share [1]_; and
        "is_gain", whether the gain is more than chance would give in 2.5 % of the cases, by
        Student's t: with ten splits more than 2.3 standard errors, with three more than 4.3.
    held_out_mse_ : float
        The mean squared error that the gains are measured with. Unlike `best_score_` it is not
        flattered by choosing: for each split, shares follow from the scores of the other splits.
        Averaging counts as no better than the mean error of what is averaged.
    n_splits_ : int
        Number of splits.
    n_iter_ : int
        Largest number of EM steps; 1 for the squared error.
    data_range_ : float
        Range of the predictions, given or found.
    calibration_ : ndarray of shape (n_places,)
        The held-out errors in units of their standard deviation, counted by size, from which
        `predict_interval` takes its quantiles. `fit` counts up to 16384 rows of each split;
        `calibrate` begins anew, and is needed after `partial_fit` and `merge`.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    EnsIRRegressor : One table with given parameters; its defaults are the paper's.
    skensir.baselines.ConvexRegressor : One convex weight vector for all rows.

    Notes
    -----
    "auto" stands for the following. Pixels are predictions in ``uint8`` or ``uint16``.

    ================= ====================== ====================== ========================
    parameter         pixels                 all other predictions  ``shrink_to="pooled"``
    ================= ====================== ====================== ========================
    `axes`            "deviations",          "deviations",          "predictions"
                      "predictions"          "predictions",
                                             "summary"
    `shrinkages`      100                    30, 300                0, 100, 1000, ..., 1e6
    `positive`        True                   True, False            True
    `fit_intercept`   False, True            False, True            False
    `bin_widths`      one per kind of axes   one per kind of axes   256, 128, ..., 8
    ================= ====================== ====================== ========================

    Bin widths are in units ``data_range_ / 255``, that is in grey levels of 8-bit images. The one
    width of cells with parents is not searched but found: 256 halved as often as ten rows per cell
    are left on average, and at most 16384 cells, fewer for more than 21 models, but no further than
    to 4 on predictions, 1/4 on deviations and 8 on summaries. The likelihood is tried at 256, 128,
    ..., 8.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio. "Inference for the Generalization Error." Machine Learning 52,
       2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> noise = rng.normal(size=(5000, 3))
    >>> X = y[:, None] + noise * np.where(y[:, None] < 128, [2, 4, 8], [8, 4, 2])
    >>> model = EnsIRRegressorCV().fit(X, y)
    >>> model.axes_, model.gains_["convex"]["is_gain"]
    ('predictions', True)
    >>> lower, upper = model.predict_interval(X, coverage=0.9)
    >>> bool(0.88 < np.mean((lower <= y) & (y <= upper)) < 0.95)
    True

    Data may come in parts, each row with the fold that it belongs to:

    >>> parts = EnsIRRegressorCV()
    >>> for rows in np.array_split(np.arange(5000), 4):
    ...     parts = parts.partial_fit(X[rows], y[rows], groups=rows % 10)
    >>> parts.solve().axes_, parts.n_splits_
    ('predictions', 10)
    """

    def __init__(
        self,
        bin_widths: str | ArrayLike = "auto",
        *,
        data_range: float | str = "auto",
        axes: str | Sequence[str] = "auto",
        shrinkages: str | ArrayLike = "auto",
        shrink_to: str = "parent",
        positive: str | bool | Sequence[bool] = "auto",
        fit_intercept: str | bool | Sequence[bool] = "auto",
        objectives: Sequence[str] = ("squared_error",),
        scoring: str = "neg_log_mean_squared_error",
        select: str = "auto",
        cv: Any = None,
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
        self.bin_widths = bin_widths
        self.data_range = data_range
        self.axes = axes
        self.shrinkages = shrinkages
        self.shrink_to = shrink_to
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.objectives = objectives
        self.scoring = scoring
        self.select = select
        self.cv = cv
        self.default_weights = default_weights
        self.min_samples_cell = min_samples_cell
        self.variance_center = variance_center
        self.max_iter = max_iter
        self.tol = tol
        self.reg_var = reg_var
        self.target_resolution = target_resolution
        self.n_jobs = n_jobs
        self.verbose = verbose

    @whole_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the parameters and fit tables with them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in fitting and in the scores.
        groups : array-like of shape (n_samples,), default=None
            Given to the splitter: rows of one group, such as an image, stay together.

        Returns
        -------
        self : EnsIRRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range; the message names it.
        """
        X, y, sample_weight = self._validate_fit(X, y, sample_weight)
        if self.cv is None:  # a splitter or a list of rows counts all
            X, y, sample_weight, groups = without_absent(X, y, sample_weight, groups)
        rows = X, y, sample_weight
        self._begin(rows)
        splits = find_splits(self.cv, X, y, groups, shuffle=self.shrink_to == "parent")
        self.__dict__.pop("_statistics", None)

        def resolution(bin_width: float) -> float:
            return resolve_target_resolution(self.target_resolution, y, sample_weight, bin_width)

        def sum_up(grids: list[Grid]) -> list[Pass]:
            if not is_partition(splits, len(X)):
                return [pass_over(*rows, splits, grid) for grid in grids]
            held_out = [test for _, test in splits]
            labels = label_folds(held_out, None if groups is None else np.asarray(groups))
            n_threads = count_threads(self.n_jobs)
            sums = sum_up_folds(*rows, held_out, labels, grids, n_threads)
            self._statistics = [sums]
            return sums.passes()

        def held_out(split: int) -> tuple[AnyArray, AnyArray, FloatArray | None]:
            numbers = splits[split][1]
            numbers = numbers[:: -(-len(numbers) // MAX_CALIBRATED)]
            return X[numbers], y[numbers], None if sample_weight is None else sample_weight[numbers]

        return self._choose(sum_up, resolution, whole=X.dtype.kind in "iu", held_out=held_out)

    @whole_or_nothing
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add rows to those seen so far; without any, begin.

        What is kept are the sums of each fold. `predict`, and whatever else needs it, chooses anew
        among the candidates with one fold held out after the other, and `solve` does nothing else.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        groups : array-like of shape (n_samples,), default=None
            The fold of each row: a number or a name, such as that of its image. Rows of one fold
            may come in any number of parts. At least two folds are needed in the end. None makes
            these rows a fold of their own: pass one image at a time.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Rows of weight zero are absent, and make no fold.

        Returns
        -------
        self : EnsIRRegressorCV
            The estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range, or does not fit to the rows before, which are kept.
        """
        begun = self._has_statistics("partial_fit")
        rows = self._validate_rows(X, y, sample_weight, reset=not begun)
        names: list[Any] = [self._unnamed_fold()]
        rows_of_folds: list[IntArray] = [np.arange(len(rows[0]))]
        if groups is not None:
            names, rows_of_folds = rows_by_label(check_folds(groups, len(rows[0])))
        if self._has_rows():
            self._check_params(self.n_features_in_)
            self._look_at(*rows)
        else:
            self._begin(rows, may_grow=True)
        grids = needed_grids(self._grids(self._partial_resolution), whole=False)
        n_threads = count_threads(self.n_jobs)
        sums = sum_up_folds(*rows, rows_of_folds, names, grids, n_threads)
        return self._add_statistics([sums])

    @classmethod
    def from_cell_sums(cls, sums: CellSums, **params: Any) -> Self:
        """Make a search of sums of each fold that a data frame library or a database has made.

        It is as after `partial_fit` with the rows that were summed up, given the same bin widths.

        Parameters
        ----------
        sums : CellSums
            What :func:`skensir.interop.frames.cell_sums` returns, called with `folds`.
        **params : object
            Parameters of the search. Unless given, `data_range` and `axes` are those of the sums,
            and `bin_widths` are, on each kind of axes, the widths that "auto" stands for, down to
            that of the sums; or that of the sums alone, where it is none of those.

        Returns
        -------
        model : EnsIRRegressorCV
            The estimator.

        Raises
        ------
        ValueError
            If the sums are not of folds or are damaged, or a parameter is out of its range or asks
            for other sums.
        """
        from skensir._cell_sums_check import check_cell_sums

        if check_cell_sums(sums).folds is None:
            raise ValueError("sums are of rows without folds: call cell_sums with folds.")
        widths, axes = sums._widths_up_to_range(), list(sums.bin_widths)
        own: dict[str, Any] = {"data_range": sums.data_range, "axes": axes}
        if widths is None and len(distinct := set(sums.bin_widths.values())) == 1:
            own["bin_widths"] = list(distinct)
        model = cls(**own | params)
        model._check_search()
        model.__dict__.update(sums._attributes())
        model._pixels, model.data_range_ = sums.pixels, sums.data_range
        model._widths = model._find_widths(lambda: None)
        if model.shrink_to == "parent" and isinstance(model.bin_widths, str):
            model._widths |= {
                kind: w for kind, w in (widths or {}).items() if kind in model._widths
            }
        grids = needed_grids(model._grids(model._partial_resolution), whole=False)
        return model._add_statistics([sums._on(grids)])

    @classmethod
    def _merges_with(cls) -> type[EnsIRRegressorCV]:
        return EnsIRRegressorCV
