"""EnsIRRegressor with its parameters chosen by cross-validation on sufficient statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.utils.validation import check_is_fitted

from skensir._base import check_option, whole_or_nothing
from skensir._callbacks import CallbackSupportMixin, fit_progress, with_callbacks
from skensir._core.cross_validation import Grid, Pass, SplitStatistics, pass_over, passes_on
from skensir._core.histogram import resolve_target_resolution
from skensir._core.statistics import CellStatistics
from skensir._core.table import find_weights
from skensir._ensir import EnsIRRegressor
from skensir._gains import describe_gains, find_gains
from skensir._table_regressor import TableRegressor
from skensir._typing import FloatArray, IntArray

# Scores that differ by this share of themselves are equal.
_ROUNDING = 1e-12


def auto_bin_widths(lowest: float, highest: float) -> list[float]:
    """Return 2**p, 2**(p - 1), ..., 2**(p - 5): 2**p just covers the range of the predictions."""
    spread = float(highest) - float(lowest)
    power = int(np.ceil(np.log2(spread))) if spread > 0 else 0
    return [float(2.0 ** (power - i)) for i in range(6)]


def row_numbers(rows: ArrayLike, n_samples: int) -> IntArray:
    """Return one side of a split as row numbers; a mask of all rows will do as well."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_samples,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not rows.size or rows.dtype.kind not in "iu":
        raise ValueError(
            f"cv gives {rows!r} for one side of a split, must be row numbers or a mask of the "
            f"{n_samples} rows, and at least one row."
        )
    lowest, highest = rows.min(), rows.max()
    if lowest < -n_samples or highest >= n_samples:
        outside = highest if highest >= n_samples else lowest
        raise ValueError(f"cv gives row number {outside}, must be below the {n_samples} rows.")
    # Splitters count from the start, and there are as many numbers as rows times splits.
    return rows % n_samples if lowest < 0 else rows


def _score(
    candidate: EnsIRRegressor, splits: Sequence[SplitStatistics]
) -> tuple[FloatArray, FloatArray]:
    """Return the scores of a candidate on each split, and the seconds of fitting and scoring."""
    scores, seconds = [], []
    settings = candidate._settings(splits[0].train.n_models)
    for split in splits:
        start = perf_counter()
        solution, unseen, _ = find_weights(split.train, settings, split.pooled)
        solved = perf_counter()
        scores.append(-split.held_out_error(solution.weights, unseen))
        seconds.append((solved - start, perf_counter() - solved))
    return np.array(scores), np.array(seconds).T


class EnsIRRegressorCV(CallbackSupportMixin, TableRegressor):  # type: ignore[misc]
    r"""EnsIR with bin width, shrinkage and objective chosen by cross-validation.

    The held-out squared error of any weights follows from sums that `fit` gathers in one pass over
    the rows at the finest bin width: with the error products :math:`P_c` of the held-out rows in
    cell c it is :math:`\sum_c w_c^\top P_c w_c`. So the whole grid costs little more than one fit,
    and its scores are those of :class:`~sklearn.model_selection.GridSearchCV`.

    Read more in the :ref:`User Guide <cross_validation>`.

    Parameters
    ----------
    bin_widths : "auto" or array-like of float, default="auto"
        Bin widths to try, in the unit of the predictions. "auto" is 2**p, 2**(p-1), ...,
        2**(p-5), with 2**p the smallest power of two that is not below the range of the
        predictions: 256 ... 8 for values from 0 to 255. A width that is a power of two times a
        narrower one needs no pass of its own, nor does any multiple where predictions and widths
        are whole numbers.
    shrinkages : array-like of float, default=(0, 1e2, 1e3, 1e4, 1e5, 1e6)
        Values of `shrinkage` to try.
    objectives : array-like of str, default=("squared_error",)
        Values of `objective` to try.
    cv : int, cross-validation generator or iterable, default=None
        How rows are split: None for five folds, of whole groups where `groups` are given; the
        number of folds, a splitter of scikit-learn or an iterable of (train, test) row numbers.
        Pixels of one image belong into one fold: use
        :class:`~sklearn.model_selection.LeaveOneGroupOut` and pass image numbers as `groups`.
    default_weights : str or array-like of shape (n_models,), default="auto"
        See :class:`EnsIRRegressor`, also for the parameters below.
    min_samples_cell : float, default=100
        Cells of fewer rows, the pseudo-rows of the shrinkage included, get default weights.
    variance_center : {"model", "responsibility"}, default="model"
        Centre of the variances in the M-step of the likelihood.
    max_iter : int, default=1000
        Largest number of EM steps of the likelihood.
    tol : float, default=1e-5
        Rise of the mean log-likelihood below which EM stops.
    reg_var : float, default=1e-6
        Floor of the variances of the likelihood.
    target_resolution : float or "auto", default="auto"
        Grid step on which EM sees the truth.
    verbose : int, default=0
        1 prints the summary, 2 a line after each bin width as well. With scikit-learn 1.9 or later,
        callbacks such as :class:`~sklearn.callback.ProgressBar` show the progress too.

    Attributes
    ----------
    best_estimator_ : EnsIRRegressor
        Fitted on all rows with the best parameters.
    bin_width_, shrinkage_ : float
        The best parameters; the same as in `best_params_`.
    objective_ : str
        The best objective.
    best_params_ : dict
        The best parameters by name.
    best_score_ : float
        Mean held-out score of the best parameters: the negative mean squared error.
    best_index_ : int
        Where the best parameters stand in `cv_results_`.
    cv_results_ : dict of ndarrays
        With the keys of GridSearchCV, to be made a DataFrame. Scores are negative mean squared
        errors, weighted by `sample_weight`. Fit times leave out the pass over the data.
    gains_ : dict of dict
        What the table gains on held-out rows over "average", "best_model" (the best base model)
        and "convex" (one convex weight vector), each of these fitted on the same training rows.
        Each has "mse", the rival's mean squared error; "gain", the share of it that is saved;
        "std_error", the standard error of that over the splits, corrected for the training rows
        that they share [1]_; and "is_gain", whether the gain is more than chance would give in
        2.5 % of the cases, by Student's t.
    held_out_mse_ : float
        The mean squared error that the gains are measured with. Unlike `best_score_` it is not
        flattered by choosing the best of many: for each split the parameters are chosen by the
        scores of the other splits.
    n_splits_ : int
        Number of splits.
    n_iter_ : int
        Largest number of EM steps in `best_estimator_`; 1 for the squared error.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    EnsIRRegressor : The estimator whose parameters are chosen.

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
    >>> model.bin_width_ <= 128
    True
    >>> model.gains_["convex"]["is_gain"]
    True
    """

    best_estimator_: EnsIRRegressor
    bin_width_: float
    shrinkage_: float
    objective_: str
    best_params_: dict[str, Any]
    best_score_: float
    best_index_: int
    cv_results_: dict[str, Any]
    gains_: dict[str, dict[str, Any]]
    held_out_mse_: float
    n_splits_: int
    n_iter_: int

    _regressor: type[EnsIRRegressor] = EnsIRRegressor

    def __init__(
        self,
        bin_widths: str | ArrayLike = "auto",
        *,
        shrinkages: ArrayLike = (0, 1e2, 1e3, 1e4, 1e5, 1e6),
        objectives: Sequence[str] = ("squared_error",),
        cv: Any = None,
        default_weights: str | ArrayLike = "auto",
        min_samples_cell: float = 100,
        variance_center: str = "model",
        max_iter: int = 1000,
        tol: float = 1e-5,
        reg_var: float = 1e-6,
        target_resolution: float | str = "auto",
        verbose: int = 0,
    ) -> None:
        self.bin_widths = bin_widths
        self.shrinkages = shrinkages
        self.objectives = objectives
        self.cv = cv
        self.default_weights = default_weights
        self.min_samples_cell = min_samples_cell
        self.variance_center = variance_center
        self.max_iter = max_iter
        self.tol = tol
        self.reg_var = reg_var
        self.target_resolution = target_resolution
        self.verbose = verbose

    @whole_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the parameters and fit the estimator with them on all rows.

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
        # Here, to keep the package's import cheap.
        from sklearn.model_selection import GroupKFold, check_cv

        X, y, sample_weight = rows = self._validate_fit(X, y, sample_weight)
        candidates = self._candidates(X.shape[1], X.min(), X.max())
        cv = self.cv
        if cv is None and groups is not None and (n_groups := len(np.unique(groups))) > 1:
            cv = GroupKFold(min(5, n_groups))
        splits = [
            (row_numbers(train, len(X)), row_numbers(test, len(X)))
            for train, test in check_cv(cv).split(X, y, groups)
        ]
        if not splits:
            raise ValueError(f"cv == {self.cv!r} gives no split; at least one is needed.")
        self.n_splits_ = len(splits)
        return self._choose(
            candidates,
            lambda grids: [pass_over(*rows, splits, grid) for grid in grids],
            lambda bin_width: resolve_target_resolution(
                self.target_resolution, y, sample_weight, bin_width
            ),
            whole=X.dtype.kind in "iu",
        )

    @with_callbacks
    def _choose(
        self,
        candidates: list[EnsIRRegressor],
        sum_up: Callable[[list[Grid]], list[Pass]],
        resolution: Callable[[float], float],
        *,
        whole: bool,
    ) -> Self:
        """Set the fitted attributes, from passes over the data.

        Parameters are as in `passes_on`, and `resolution` gives the target resolution for a bin
        width.
        """
        needs_truth = any(candidate._objective().needs_truth for candidate in candidates)
        grids = [
            Grid(bin_width, resolution(bin_width) if needs_truth else None)
            for bin_width in sorted({float(candidate.bin_width) for candidate in candidates})
        ]
        scores = np.empty((len(candidates), self.n_splits_))
        seconds = np.empty((2, *scores.shape))  # of fitting, of scoring
        totals = {}
        passes = passes_on(grids, sum_up, whole=whole)
        with fit_progress(self, n_stages=1) as track:
            for grid in track(grids, "bin widths"):
                sums = next(passes)
                totals[grid.bin_width] = sums.total
                for i, candidate in enumerate(candidates):
                    if candidate.bin_width == grid.bin_width:
                        scores[i], seconds[:, i] = _score(candidate, sums.splits)
        self._keep_results(candidates, scores, seconds)
        self.held_out_mse_, self.gains_ = find_gains(scores, self.best_index_, sums.splits)
        best = candidates[self.best_index_]
        self._keep_best(best, totals[best.bin_width])
        if self.verbose:
            print(self.summary())
        return self

    def _keep_best(self, best: EnsIRRegressor, statistics: CellStatistics) -> None:
        """Fit the best candidate on the sums of all rows."""
        self.bin_width_, self.shrinkage_ = best.bin_width, best.shrinkage
        self.objective_ = best.objective
        best.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            best.feature_names_in_ = self.feature_names_in_
        self.best_estimator_ = best._add_statistics([statistics]).solve()
        self.n_iter_ = max(int(best.n_iter_.max()), 1)

    def _candidates(self, n_models: int, lowest: float, highest: float) -> list[EnsIRRegressor]:
        """Return an estimator for each point of the grid, its parameters checked."""
        from sklearn.model_selection import ParameterGrid

        grid: dict[str, Any] = {"shrinkage": self.shrinkages, "objective": self.objectives}
        if isinstance(self.bin_widths, str):
            check_option(self.bin_widths, "bin_widths", ("auto",))
            grid["bin_width"] = auto_bin_widths(lowest, highest)
        else:
            grid["bin_width"] = self.bin_widths
        for name, values in grid.items():
            listed = [] if isinstance(values, str) or not np.iterable(values) else list(values)
            if not listed:
                raise ValueError(f"{name}s == {values!r}, must be a list of at least one value.")
            grid[name] = listed
        fixed = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in ("bin_widths", "shrinkages", "objectives", "cv", "verbose")
        }
        candidates = [self._regressor(**params, **fixed) for params in ParameterGrid(grid)]
        for candidate in candidates:
            candidate._check_params(n_models)
        return candidates

    def _keep_results(
        self, candidates: list[EnsIRRegressor], scores: FloatArray, seconds: FloatArray
    ) -> None:
        """Lay the scores out as GridSearchCV does, and find the best."""
        names = ("bin_width", "objective", "shrinkage")
        params = [{name: getattr(point, name) for name in names} for point in candidates]
        results: dict[str, Any] = {}
        for name, values in zip(("fit", "score"), seconds, strict=True):
            results[f"mean_{name}_time"] = values.mean(axis=1)
            results[f"std_{name}_time"] = values.std(axis=1)
        for name in names:
            results[f"param_{name}"] = np.ma.array([point[name] for point in params], mask=False)
        results["params"] = params
        for j, split_scores in enumerate(scores.T):
            results[f"split{j}_test_score"] = split_scores.copy()
        mean = results["mean_test_score"] = scores.mean(axis=1)
        results["std_test_score"] = scores.std(axis=1)
        # What differs by rounding only is a tie, and the plainest table of a tie is the best.
        tied = mean >= mean.max() - _ROUNDING * abs(mean.max())
        ranked = np.where(tied, mean.max(), mean)
        results["rank_test_score"] = rankdata(-ranked, method="min").astype(np.int32)
        self.cv_results_ = results
        self.best_index_ = max(
            np.flatnonzero(tied).tolist(),
            key=lambda i: (params[i]["bin_width"], params[i]["shrinkage"]),
        )
        self.best_score_ = float(mean[self.best_index_])
        self.best_params_ = params[self.best_index_]

    def summary(self) -> str:
        """Return in a few lines what was chosen and what it gains on held-out rows.

        Returns
        -------
        text : str
            The chosen parameters, and the gain over the average, over the best base model and
            over one convex weight vector.
        """
        check_is_fitted(self)
        lines = [
            f"EnsIRRegressorCV chose bin_width={self.bin_width_:g}, shrinkage={self.shrinkage_:g}, "
            f"objective={self.objective_!r}",
            f"held-out mean squared error {self.held_out_mse_:.6g}, over {self.n_splits_} splits:",
        ]
        return "\n".join([*lines, *describe_gains(self.gains_)])

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        check_is_fitted(self)
        return self.best_estimator_._predict_rows(X, return_std)

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        return self.best_estimator_._weigh_rows(X)

    def forget_rows(self) -> Self:
        """Keep the table and forget the sums of the rows, which take most of the memory.

        Returns
        -------
        self : EnsIRRegressorCV
            The estimator, whose `best_estimator_` predicts as before and cannot be merged.
        """
        check_is_fitted(self)
        self.best_estimator_.forget_rows()
        return self
