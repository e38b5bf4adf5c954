"""EnsIRRegressorCV: tables chosen, or averaged, by cross-validation on sufficient statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skensir._base import check_automatic, check_option, whole_or_nothing
from skensir._callbacks import CallbackSupportMixin, fit_progress, with_callbacks
from skensir._core.axes import KINDS, Axes
from skensir._core.calibration import N_PLACES, count_ratios
from skensir._core.cross_validation import (
    Grid,
    Pass,
    is_partition,
    needed_grids,
    pass_over,
    passes_on,
)
from skensir._core.folds import FoldSums, label_folds, rows_by_label, sum_up_folds
from skensir._core.histogram import auto_resolution, resolve_target_resolution
from skensir._core.scale import dtype_range
from skensir._core.selection import SELECT, find_shares
from skensir._core.statistics import CellStatistics
from skensir._ensir import SHRINK_TO, EnsIRRegressor
from skensir._fitted_table import PLAIN_PARAMS
from skensir._gains import describe_gains, find_gains
from skensir._incremental import IncrementalRegressor
from skensir._sample import Sample
from skensir._search import (
    SCORINGS,
    Results,
    find_grids,
    fit_tables,
    is_list,
    listed,
    make_candidates,
    measure_candidates,
    most_cells,
    nested_widths,
)
from skensir._splits import find_splits
from skensir._track import Track, untracked
from skensir._typing import AnyArray, FloatArray
from skensir._units import BIN_WIDTHS_TO_TRY, unit_of

# Some of the rows that a split holds out, as `fit` takes them.
HeldOut = Callable[[int], tuple[AnyArray, AnyArray, FloatArray | None]]
# So many of them are enough for quantiles.
_MAX_CALIBRATED = 2**14

# What is chosen: the attribute has an underscore behind the name of the parameter.
CHOSEN = ("bin_width", "shrinkage", "objective", "axes", "positive", "fit_intercept")
# The objective that knows cells within wider cells.
_NESTED = "squared_error"
# What "auto" stands for: of predictions in 8 or 16 bits, which are pixels, ...
_AUTO_PIXELS: dict[str, Any] = {
    "axes": ("deviations", "predictions"),
    "shrinkages": (30, 300),
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


class EnsIRRegressorCV(CallbackSupportMixin, IncrementalRegressor):  # type: ignore[misc]
    r"""EnsIR with bin width, shrinkage and objective chosen by cross-validation.

    The held-out squared error of any weights follows from sums that `fit` gathers in one pass over
    the rows at the finest bin width: with the error products :math:`P_c` of the held-out rows in
    cell c it is :math:`\sum_c w_c^\top P_c w_c`. So the whole grid costs little more than one fit,
    and its scores are those of :class:`~sklearn.model_selection.GridSearchCV`.

    Read more in the :ref:`User Guide <cross_validation>`.

    Parameters
    ----------
    bin_widths : "auto" or array-like of float, default="auto"
        Bin widths to try, in the unit of the predictions. "auto" is 256, 128, ..., 8 for values
        from 0 to 255, and as much of any other range. A width that is a power of two times a
        narrower one needs no pass of its own, nor does any multiple where predictions and widths
        are whole numbers.
    data_range : float or "auto", default="auto"
        Range of the predictions, see :class:`EnsIRRegressor`: that of all rows, in every split.
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
        Floor of the variances of the likelihood, in squared units ``data_range_ / 255``.
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
    data_range_ : float
        Range of the predictions, given or found.
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

    estimators_: list[EnsIRRegressor]
    shares_: FloatArray
    best_estimator_: EnsIRRegressor
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
    gains_: dict[str, dict[str, Any]]
    held_out_mse_: float
    n_splits_: int
    n_iter_: int
    data_range_: float

    _regressor: type[EnsIRRegressor] = EnsIRRegressor
    _pixels: bool = False  # whether predictions have 8 or 16 bits
    _widths: dict[str, list[float]]  # to try, of each kind of axes
    _solved_attributes = (
        "estimators_",
        "shares_",
        "best_estimator_",
        *(f"{name}_" for name in CHOSEN),
        "best_params_",
        "best_score_",
        "best_index_",
        "cv_results_",
        "gains_",
        "held_out_mse_",
        "n_splits_",
        "n_iter_",
        "calibration_",
    )

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
        X, y, sample_weight = rows = self._validate_fit(X, y, sample_weight)
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
            sums = sum_up_folds(*rows, held_out, labels, grids)
            self._statistics = [sums]
            return sums.passes()

        def held_out(split: int) -> tuple[AnyArray, AnyArray, FloatArray | None]:
            numbers = splits[split][1]
            numbers = numbers[:: -(-len(numbers) // _MAX_CALIBRATED)]
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
            Non-negative weights of the rows.

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
        if groups is None:
            groups = np.full(len(rows[0]), self._next_number())
        labels = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        if labels.shape != (len(rows[0]),):
            raise ValueError(
                f"groups.shape == {labels.shape}, must be ({len(rows[0])},): one fold per sample."
            )
        if begun:
            self._check_params(self.n_features_in_)
            self._look_at(*rows)
        else:
            self._begin(rows, may_grow=True)
        names, rows_of_folds = rows_by_label(labels)
        grids = needed_grids(self._grids(self._partial_resolution), whole=False)
        return self._add_statistics([sum_up_folds(*rows, rows_of_folds, names, grids)])

    def _next_number(self) -> int:
        """Return a number that no fold has yet."""
        parts: list[FoldSums] = vars(self).get("_statistics", [])
        numbers = [n for part in parts for n in part.labels if not isinstance(n, str)]
        return 1 + int(max(numbers, default=-1))

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

    def _check_search(self) -> None:
        """Raise an error that names the argument if one that only the search has is wrong."""
        check_automatic(self.data_range, "data_range")
        check_option(self.scoring, "scoring", SCORINGS)
        check_option(self.select, "select", SELECT)
        check_option(self.shrink_to, "shrink_to", SHRINK_TO)
        if isinstance(self.bin_widths, str):
            check_option(self.bin_widths, "bin_widths", ("auto",))
        for kind in listed(self._value("axes"), "axes"):
            check_option(kind, "axes", KINDS)

    def _value(self, name: str) -> Any:
        """Return a parameter, or what "auto" stands for."""
        value = getattr(self, name)
        if not isinstance(value, str) or value != "auto":
            return [value] if name == "axes" and not is_list(value) else value
        if self.shrink_to != "parent":
            return _AUTO_POOLED[name]
        return (_AUTO_PIXELS if self._pixels else _AUTO)[name]

    def _find_widths(
        self, look: Callable[[], Sample | None], may_grow: bool = False
    ) -> dict[str, list[float]]:
        """Return the bin widths to try on each kind of axes, for rows that `look` may look at."""
        kinds: list[str] = listed(self._value("axes"), "axes")
        if self.shrink_to != "parent" or not isinstance(self.bin_widths, str):
            return {kind: self._plain_widths() for kind in kinds}
        sample = look()
        data_range = self._current_range()
        return {kind: nested_widths(kind, data_range, sample, may_grow=may_grow) for kind in kinds}

    def _plain_widths(self) -> list[float]:
        """Return the bin widths to try of tables whose cells have no parents."""
        if not isinstance(self.bin_widths, str):
            return listed(self.bin_widths, "bin_widths")
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
        if "_widths" not in vars(self):
            self._widths, self._pixels = other._widths, other._pixels

    @classmethod
    def _merges_with(cls) -> type[EnsIRRegressorCV]:
        return EnsIRRegressorCV

    def _candidates(self) -> tuple[list[EnsIRRegressor], list[dict[str, Any]]]:
        """Return an estimator for each point of the grid, and the points, all checked."""
        objectives = listed(self.objectives, "objectives")
        tried = {"shrinkage": listed(self._value("shrinkages"), "shrinkages")}
        for name in ("positive", "fit_intercept"):
            if is_list(self._value(name)):
                tried[name] = listed(self._value(name), name)
        own = ("bin_widths", "shrinkages", "objectives", "scoring", "select", "cv", "verbose")
        fixed = {
            name: self._value(name) if name in _AUTO else value
            for name, value in self.get_params(deep=False).items()
            if name not in (*own, *tried)
        }
        fixed |= {"data_range": self._current_range(), "axes": next(iter(self._widths))}
        if len(self._widths) > 1 or is_list(self.axes):
            tried["axes"] = list(self._widths)
        grids = []
        others = [objective for objective in objectives if objective != _NESTED]
        if self.shrink_to != "parent":
            others, objectives = [], [objectives]
        else:
            objectives = [[_NESTED]] if _NESTED in objectives else []
        for of_grid in objectives:
            for kind, widths in self._widths.items():
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

    def _check_statistics(self, part: FoldSums) -> FoldSums:
        """Return the sums of folds, if rows were summed up as the parameters say."""
        grids = needed_grids(self._grids(self._partial_resolution), whole=False)
        for fold in part.folds:
            alike = len(fold) == len(grids) and all(
                sums.axes == grid.axes
                and (sums.errors is not None) >= grid.with_errors
                and (sums.truth is not None) >= (grid.target_resolution is not None)
                for sums, grid in zip(fold, grids, strict=True)
            )
            if not alike:
                raise ValueError(
                    "Rows that are already summed up have other bin_widths, axes, objectives, "
                    "fit_intercept or data_range: fit the estimators alike, with the same "
                    "data_range given to each."
                )
        return part

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Choose anew, from the sums of folds."""
        self._check_params(self.n_features_in_)
        sums = FoldSums.merge(self._statistics).in_order()
        if len(sums.labels) < 2:
            raise ValueError(
                f"All rows lie in fold {sums.labels[0]!r}; at least two folds are needed, one to "
                "hold out from the other."
            )
        self._statistics = [self._check_statistics(sums)]
        return self._choose(lambda _: sums.passes(), self._partial_resolution, whole=False)

    @with_callbacks
    def _choose(
        self,
        sum_up: Callable[[list[Grid]], list[Pass]],
        resolution: Callable[[float], float],
        *,
        whole: bool,
        held_out: HeldOut | None = None,
    ) -> Self:
        """Set the fitted attributes, from passes over the data.

        Parameters are as in `passes_on`; `resolution` gives the target resolution for a bin width,
        and `held_out` some of the rows that a split has held out.
        """
        candidates, points = self._candidates()
        grids = find_grids(candidates, resolution)
        found = []
        tried: dict[Axes, Pass] = {}
        nested_kinds: list[str] = []  # of which there is one width, where widths are automatic
        with fit_progress(self, n_stages=1) as track:
            passes = passes_on(grids, sum_up, whole=whole)
            for grid in track(grids, "bin widths"):
                sums = next(passes)
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
        numbers = np.concatenate([of_grid for of_grid, _, _ in found])
        order = np.argsort(numbers)
        results = Results(
            [candidates[i] for i in numbers[order]],
            [points[i] for i in numbers[order]],
            np.concatenate([errors for _, errors, _ in found])[order],
            np.concatenate([seconds for _, _, seconds in found], axis=1)[:, order],
            self.scoring,
        )
        self._keep_results(results)
        self.held_out_mse_, self.gains_ = find_gains(results, self.select, sums.splits)
        shares = self.cv_results_["share"]
        totals = {axes: sums.total for axes, sums in tried.items()}
        self._set_tables(*fit_tables(results.candidates, shares, totals, self._prepare))
        if held_out is not None:
            self._calibrate_held_out(results.candidates, shares, tried, held_out)
        if self.verbose:
            print(self.summary())
        return self

    def _calibrate_held_out(
        self,
        candidates: Sequence[EnsIRRegressor],
        shares: FloatArray,
        tried: Mapping[Axes, Pass],
        held_out: HeldOut,
    ) -> None:
        """Count the errors of the tables on rows that a split has held out from them."""
        counts = np.zeros(N_PLACES)
        for number in range(self.n_splits_):
            trains = {axes: sums.splits[number].train for axes, sums in tried.items()}
            tables = fit_tables(candidates, shares, trains, self._prepare)
            X, y, sample_weight = held_out(number)
            prediction, std = _combine(*tables, X, return_std=True)
            counts += count_ratios(y - prediction, std, sample_weight)
        self.calibration_ = counts

    def _set_tables(self, estimators: list[EnsIRRegressor], shares: FloatArray) -> Self:
        """Publish the estimators whose predictions are averaged, and their shares."""
        for name in ("calibration_", "best_estimator_"):  # of other tables
            self.__dict__.pop(name, None)
        self.estimators_, self.shares_ = estimators, shares
        first = estimators[0]
        self.n_features_in_, self.data_range_ = first.n_features_in_, first.data_range_
        if hasattr(first, "feature_names_in_"):
            self.feature_names_in_ = first.feature_names_in_
        if len(estimators) == 1:
            self.best_estimator_ = first
        self.n_iter_ = max(1, *(int(model.n_iter_.max()) for model in estimators))
        return self

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
        return since | {"cv_results_": results | {"share": shares}}

    def forget_rows(self) -> Self:
        """Keep the tables and forget the sums of the rows, which take most of the memory.

        Predictions stay the same; `partial_fit` and `merge` are not possible any more, neither here
        nor with the estimators in `estimators_`.

        Returns
        -------
        self : EnsIRRegressorCV
            The estimator.
        """
        super().forget_rows()
        for model in self.estimators_:
            model.forget_rows()
        return self

    def _has_other_cells(self, grid: Grid, total: CellStatistics, known: list[str]) -> bool:
        """Tell whether nested tables on a grid are not tried, given the kinds of those that are.

        Of those that are given no widths only one is: the narrowest that has enough rows for its
        cells. Wider ones hardly differ, as cells are shrunk to wider ones anyway.
        """
        if not isinstance(self.bin_widths, str):
            return False
        widest = grid.axes.bin_width == max(self._widths[grid.axes.kind])
        usable = total.n_cells <= most_cells(float(total.weight.sum()))
        return grid.axes.kind in known or not (usable or widest)

    def _keep_results(self, results: Results) -> None:
        """Set what is known of the candidates."""
        self.n_splits_ = results.errors.shape[1]
        self.best_index_ = best = results.best_index()
        shares = find_shares(results.errors, best, self.select)
        self.cv_results_ = results.lay_out(shares)
        self.best_score_ = float(self.cv_results_["mean_test_score"][best])
        self.best_params_ = results.points[best]
        for name in CHOSEN:
            setattr(self, f"{name}_", getattr(results.candidates[best], name))

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
            The chosen parameters, and the gain over the average, over the best base model, over
            one convex weight vector, and over ridge regression.
        """
        check_is_fitted(self)
        self.solve()
        lines = [
            f"EnsIRRegressorCV chose bin_width={self.bin_width_:g}, shrinkage={self.shrinkage_:g}, "
            f"objective={self.objective_!r}, axes={self.axes_!r}",
            f"held-out mean squared error {self.held_out_mse_:.6g}, over {self.n_splits_} splits:",
        ]
        n_tables = np.count_nonzero(self.cv_results_["share"])
        if n_tables > 1:
            lines[0] += f", averaged with {n_tables - 1} others"
        return "\n".join([*lines, *describe_gains(self.gains_)])

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        predictions = self._validate_predictions(X)
        return self.solve()._combine_rows(predictions, return_std)

    def _combine_rows(
        self, predictions: AnyArray, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Do so for validated predictions."""
        return _combine(self.estimators_, self.shares_, predictions, return_std=return_std)

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        predictions = self._validate_predictions(X)
        weights = np.zeros(predictions.shape)
        for share, model in zip(self.solve().shares_, self.estimators_, strict=True):
            weights += share * model._weights_of_rows(predictions)
        return weights

    def _of_tables(self, name: str) -> Any:
        """Return an attribute of the table, or a list with those of several."""
        found = [getattr(model, name) for model in self.estimators_]
        return found[0] if len(found) == 1 else found

    @property
    def weights_(self) -> Any:
        """Weights of the occupied cells, (n_cells, n_models); a list for several tables."""
        return self._of_tables("weights_")

    @property
    def cells_(self) -> Any:
        """Bin indices of the occupied cells, (n_cells, n_axes); a list for several tables."""
        return self._of_tables("cells_")

    @property
    def default_weights_(self) -> Any:
        """Weights of rows in no known cell, (n_models,); a list for several tables."""
        return self._of_tables("default_weights_")

    @property
    def bin_edges_(self) -> Any:
        """Lower and upper edges of the bins of each axis; a list for several tables."""
        return self._of_tables("bin_edges_")

    def __getattr__(self, name: str) -> Any:
        if name == "best_estimator_" and len(vars(self).get("estimators_", ())) > 1:
            raise AttributeError(
                "EnsIRRegressorCV has averaged tables on several axes, which no single estimator "
                "holds: see estimators_ and shares_."
            )
        return super().__getattr__(name)


def _combine(
    estimators: Sequence[EnsIRRegressor],
    shares: FloatArray,
    predictions: AnyArray,
    *,
    return_std: bool,
) -> FloatArray | tuple[FloatArray, FloatArray]:
    """Average what tables make of validated predictions, and the squares of their errors."""
    if len(estimators) == 1:
        return estimators[0]._combine_rows(predictions, return_std)
    combined = np.zeros(len(predictions))
    squares = np.zeros(len(predictions))
    for share, model in zip(shares, estimators, strict=True):
        part = model._combine_rows(predictions, return_std)
        if return_std:
            # An average errs no more than what is averaged.
            squares += share * part[1] ** 2
            part = part[0]
        combined += share * part
    return (combined, np.sqrt(squares)) if return_std else combined
