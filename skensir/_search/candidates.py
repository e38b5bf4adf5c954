"""The candidates of a cross-validated fit, and their scores as GridSearchCV lays them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from skensir._checks import shown
from skensir._core.average import average_tables
from skensir._core.calibration import N_PLACES, count_ratios
from skensir._core.combine import combine_fixed, find_cells
from skensir._core.cross_validation import Grid, HeldOutRows, Pass, SplitStatistics
from skensir._core.hierarchy import n_lines
from skensir._core.nested_splits import NestedSplits
from skensir._core.selection import log_errors
from skensir._core.solve import find_weights, is_nested, solve_table
from skensir._ensir import EnsIRRegressor
from skensir._fitted_table import PLAIN_PARAMS
from skensir._sample import Sample
from skensir._sums.axes import KINDS, Axes
from skensir._sums.binning import MAX_BIN_INDEX
from skensir._sums.cells import distinct_cells
from skensir._sums.statistics import CellStatistics
from skensir._typing import AnyArray, BoolArray, FloatArray
from skensir._units import make_axes, unit_of

# Predictions, truth and sample weights.
Rows = tuple[AnyArray, AnyArray, FloatArray | None]

SCORINGS = ("neg_log_mean_squared_error", "neg_mean_squared_error")

# Scores that differ by this share of themselves are equal.
_ROUNDING = 1e-12


# Of tables whose width is found: cells with fewer rows on average than this are too many, and more
# cells than these cost more than they gain.
_MIN_MEAN_COUNT, _MOST_CELLS = 10, 2**14
# Sums in all of them, of which a search holds some dozens: 32 megabytes.
_MOST_SUMS = 2**22
# More than there ever are: with as many asked for, every cell gets default weights.
_MANY_ROWS = 1e15
# How many times the whole range is halved at most.
_MOST_HALVINGS = {"predictions": 6, "deviations": 10, "summary": 5}
_FAR_BIN = 2.0**31
# So many rows tell which widths cannot do.
_FEW_ROWS = 2**15


def most_cells(n_rows: float, n_models: int) -> float:
    """Return how many cells so many rows can fill, and of which so many models leave memory."""
    most = min(_MOST_CELLS, _MOST_SUMS // n_lines(n_models, with_errors=True))
    return min(n_rows / _MIN_MEAN_COUNT, most)


def nested_widths(
    kind: str, data_range: float, sample: Sample | None, *, may_grow: bool
) -> list[float]:
    """Return bin widths, falling, from the whole range to the narrowest that may do.

    A few rows say which cannot: they occupy no more cells than all. `may_grow` says that the sample
    is of the first of many rows. There are none where even the widest bins make more cells than a
    table may have, as signs of the deviations of many models do.
    """
    whole = 256 * unit_of(data_range)
    widths = [whole / 2**i for i in range(1 + _MOST_HALVINGS[kind])]
    if sample is None or not len(sample.predictions):
        return widths
    n_models = sample.predictions.shape[1]
    most = most_cells(np.inf if may_grow else float(sample.weight.sum()), n_models)
    rows = sample.predictions[:: -(-len(sample.predictions) // _FEW_ROWS)]
    # Deviations are at most twice as large. Where even the widest bins are too narrow for one value
    # far from all others it is told where the rows are summed up.
    largest = 2 * max(-float(sample.predictions.min()), float(sample.predictions.max()))
    widths = [width for width in widths if largest / width <= MAX_BIN_INDEX] or widths[:1]
    axes = make_axes(widths[-1], kind, data_range)
    # Values far from all others are in cells of their own, however far: these can be numbered.
    bins = np.nan_to_num(axes.bins(np.ascontiguousarray(rows.T)))
    bins = np.clip(bins, -_FAR_BIN, _FAR_BIN)
    for times in range(len(widths)):
        # Bins nest: those of wider cells follow.
        n_cells = len(distinct_cells(np.floor(bins / 2**times)))
        if n_cells <= most:
            return widths[: len(widths) - times]
    # The widest serve few rows too, whose cells are all thin, but not where each row has its own.
    return widths[:1] if n_cells <= most_cells(np.inf, n_models) else []


def listed(values: Any, name: str) -> list[Any]:
    """Return values to try as a list, which is not empty."""
    found = list(values) if is_list(values) else []
    if not found:
        raise ValueError(f"{name} == {shown(values)}, must be a list of at least one value.")
    return found


def is_list(values: Any) -> bool:
    """Tell whether a parameter is a list of values to try, not a single value."""
    # Bytes are numbers to Python, and the keys of a dict no values.
    return not isinstance(values, str | bytes | bytearray | Mapping) and bool(np.iterable(values))


def make_candidates(
    regressor: type[EnsIRRegressor],
    grids: Sequence[tuple[Mapping[str, Sequence[Any]], Mapping[str, Any]]],
) -> tuple[list[EnsIRRegressor], list[dict[str, Any]]]:
    """Return an estimator for each point of some grids, and the point.

    A grid is the values to try of some parameters, and the other parameters.
    """
    from sklearn.model_selection import ParameterGrid  # here, to keep the package's import cheap

    candidates, points = [], []
    for tried, fixed in grids:
        for point in ParameterGrid(tried):
            candidates.append(regressor(**{**fixed, **point}))
            points.append(point)
    return candidates, points


def find_grids(
    candidates: Sequence[EnsIRRegressor], resolution: Callable[[float], float]
) -> list[Grid]:
    """Return what the rows are to be summed up by, of rising width for each kind of axes.

    `resolution` gives the target resolution for a bin width.
    """
    with_errors = any(candidate.fit_intercept for candidate in candidates)
    needs_truth = any(candidate._objective().needs_truth for candidate in candidates)
    grids = []
    kinds = sorted({candidate.axes for candidate in candidates})
    for axes in sorted({candidate._own_axes() for candidate in candidates}, key=_by_kind):
        truth = needs_truth and axes.kind == KINDS[0]
        step = resolution(axes.bin_width) if truth else None
        # The rivals are measured on the last kind of axes alone.
        grids.append(Grid(axes, step, with_errors, with_linear=axes.kind == kinds[-1]))
    return grids


def _by_kind(axes: Axes) -> tuple[str, float]:
    return axes.kind, axes.bin_width


class Results(NamedTuple):
    """What was found for each candidate on each split."""

    candidates: list[EnsIRRegressor]
    points: list[dict[str, Any]]
    errors: FloatArray  # mean squared errors, (n_candidates, n_splits)
    seconds: FloatArray  # of fitting and of scoring, (2, n_candidates, n_splits)
    scoring: str

    @property
    def scores(self) -> FloatArray:
        """Scores, of which higher ones are better, (n_candidates, n_splits)."""
        log = self.scoring == "neg_log_mean_squared_error"
        return -log_errors(self.errors) if log else -self.errors

    def tied(self, scores: FloatArray) -> BoolArray:
        """Tell which candidates are the best but for rounding, by scores on some splits."""
        mean = scores.mean(axis=1)
        # What is relative in an error is absolute in its logarithm.
        scale = 1.0 if self.scoring == "neg_log_mean_squared_error" else abs(mean.max())
        return np.asarray(mean >= mean.max() - _ROUNDING * scale)

    def best_index(self, scores: FloatArray) -> int:
        """Return the best candidate by its scores: of a tie the one with the plainest table."""
        points = self.points

        def plainness(i: int) -> tuple[Any, ...]:
            point = points[i]
            signed, intercept = not point.get("positive", True), point.get("fit_intercept", False)
            return point["bin_width"], point["shrinkage"], not signed, not intercept

        return max(np.flatnonzero(self.tied(scores)).tolist(), key=plainness)

    def lay_out(self, shares: FloatArray) -> dict[str, Any]:
        """Return `cv_results_`: the keys of GridSearchCV, and the shares."""
        results: dict[str, Any] = {}
        for name, values in zip(("fit", "score"), self.seconds, strict=True):
            results[f"mean_{name}_time"] = values.mean(axis=1)
            results[f"std_{name}_time"] = values.std(axis=1)
        for name in sorted(self.points[0]):
            values = np.array([point[name] for point in self.points])
            results[f"param_{name}"] = np.ma.array(values, mask=False)
        results["params"] = self.points
        scores = self.scores
        for j, split_scores in enumerate(scores.T):
            results[f"split{j}_test_score"] = split_scores.copy()
        mean = results["mean_test_score"] = scores.mean(axis=1)
        results["std_test_score"] = scores.std(axis=1)
        # What differs by rounding only is a tie.
        ranked = np.where(self.tied(scores), mean.max(), mean)
        results["rank_test_score"] = rankdata(-ranked, method="min").astype(np.int32)
        results["share"] = shares
        return results


def measure_candidates(
    candidates: Sequence[EnsIRRegressor], sums: Pass
) -> tuple[FloatArray, FloatArray]:
    """Return the errors of all candidates on one grid, (n_candidates, n_splits), and seconds."""
    errors = np.empty((len(candidates), sums.n_splits))
    seconds = np.empty((2, *errors.shape))
    nested = [i for i, c in enumerate(candidates) if is_nested(c._objective())]
    if nested:
        found = _measure_nested([candidates[i] for i in nested], sums)
        errors[nested], seconds[:, nested] = found
    if others := sorted(set(range(len(candidates))) - set(nested)):
        held_out = HeldOutRows(sums.splits)
        for i in others:
            errors[i], seconds[:, i] = _measure(candidates[i], sums.splits, held_out)
    return errors, seconds


def _measure(
    candidate: EnsIRRegressor, splits: Sequence[SplitStatistics], held_out: HeldOutRows
) -> tuple[FloatArray, FloatArray]:
    """Return the errors of a candidate on each split, and the seconds of fitting and scoring."""
    start = perf_counter()
    settings = candidate._settings(splits[0].train.n_models)
    trains, pooled = [split.train for split in splits], [split.pooled for split in splits]
    found = find_weights(trains, settings, pooled)
    solved = perf_counter()
    errors = held_out.errors([(solution, unseen) for solution, unseen, _ in found])
    # All splits are solved together.
    seconds = np.array([[solved - start], [perf_counter() - solved]]) / len(splits)
    return errors, np.repeat(seconds, len(splits), axis=1)


def _measure_nested(
    candidates: Sequence[EnsIRRegressor], sums: Pass
) -> tuple[FloatArray, FloatArray]:
    """Do so for candidates whose cells are drawn to wider ones, all at once."""
    start = perf_counter()
    with_errors = any(candidate.fit_intercept for candidate in candidates)
    settings = [candidate._settings(sums.total.n_models) for candidate in candidates]
    errors = NestedSplits(sums, with_errors=with_errors).errors(settings)
    seconds = np.zeros((2, *errors.shape))  # to solve and to score is one
    seconds[0] = (perf_counter() - start) / errors.size
    return errors, seconds


def make_constant(like: EnsIRRegressor, weights: FloatArray) -> EnsIRRegressor:
    """Return a candidate on the cells of another one that has the same weights in all of them."""
    plain = {"objective": "squared_error", "shrinkage": 0.0, **PLAIN_PARAMS, "axes": like.axes}
    constant = {"default_weights": weights, "min_samples_cell": _MANY_ROWS}
    return type(like)(**{**like.get_params(deep=False), **plain, **constant})


def is_constant(candidate: EnsIRRegressor) -> bool:
    """Tell whether a candidate is what `make_constant` makes."""
    return candidate.min_samples_cell == _MANY_ROWS


def fit_tables(
    candidates: Sequence[EnsIRRegressor],
    shares: FloatArray,
    totals: Mapping[Axes, CellStatistics],
    prepare: Callable[[EnsIRRegressor], None],
) -> tuple[list[EnsIRRegressor], FloatArray]:
    """Fit the candidates that have a share on the sums of all rows, and average their tables.

    Returned are an estimator for all tables on the same axes whose bins nest, and their shares,
    the largest first. `prepare` sets the attributes of an estimator that are not the table's.
    """
    groups: dict[Any, list[int]] = {}
    for i in np.argsort(-shares, kind="stable")[: np.count_nonzero(shares)].tolist():
        axes = candidates[i]._own_axes()
        groups.setdefault((axes.kind, np.frexp(axes.bin_width)[0]), []).append(i)
    estimators = []
    for group in groups.values():
        members = [candidates[i] for i in group]
        # By what was searched for, not by what is the same everywhere.
        like = min(members, key=is_constant)
        first = type(like)(**like.get_params(deep=False))
        prepare(first)
        if len(group) == 1:
            estimators.append(first._add_statistics([totals[first._own_axes()]]).solve())
            continue
        n_models = first.n_features_in_
        tables = [solve_table(totals[m._own_axes()], m._settings(n_models)) for m in members]
        for member, table in zip(members, tables, strict=True):
            member._warn_of_unfinished(table)
        table = average_tables(tables, shares[group] / shares[group].sum())
        first.bin_width = table.bin_width
        first.positive = all(member.positive for member in members)
        first.fit_intercept = any(member.fit_intercept for member in members)
        first._set_table(table, first.data_range_)
        estimators.append(first)
    of_groups = np.array([shares[group].sum() for group in groups.values()])
    order = np.argsort(-of_groups, kind="stable")
    return [estimators[i] for i in order], of_groups[order] / of_groups.sum()


def count_held_out(
    candidates: Sequence[EnsIRRegressor],
    shares: FloatArray,
    passes: Mapping[Axes, Pass],
    held_out: Callable[[int], Rows],
) -> FloatArray:
    """Count the errors of averaged tables on rows that splits have held out from them.

    `held_out` gives some of the rows that a split holds out. All tables are nested or constant.
    """
    members: dict[Axes, list[int]] = {}
    chosen = np.flatnonzero(shares).tolist()
    constants: list[tuple[float, FloatArray]] = []
    for i in chosen:
        if is_constant(candidates[i]):
            constants.append((float(shares[i]), np.asarray(candidates[i].default_weights, float)))
        else:
            members.setdefault(candidates[i]._own_axes(), []).append(i)
    of_axes = []
    for axes, numbers in members.items():
        own = [candidates[i] for i in numbers]
        with_errors = any(candidate.fit_intercept for candidate in own)
        nested = NestedSplits(passes[axes], with_errors=with_errors)
        settings = [candidate._settings(nested.n_models) for candidate in own]
        of_axes.append((axes, nested.index, nested.average(settings, shares[numbers])))
    counts = np.zeros(N_PLACES)
    for number, split in enumerate(next(iter(passes.values())).pooled().splits):
        X, y, sample_weight = held_out(number)
        if sample_weight is not None:  # rows without weight may lie in cells that are not known
            rows = np.flatnonzero(sample_weight)
            X, y, sample_weight = X[rows], y[rows], sample_weight[rows]
        prediction, squares = np.zeros(len(y)), np.zeros(len(y))
        for axes, index, tables in of_axes:
            cells, *lines = next(tables)
            place = np.searchsorted(cells, find_cells(X, index, axes))
            weights, intercepts, of_errors = (line[place] for line in lines)
            prediction += (weights * X).sum(axis=1) + intercepts
            squares += of_errors
        for share, fixed in constants:
            prediction += share * combine_fixed(X, fixed)
            squares += share * (fixed @ split.pooled.moments @ fixed)
        counts += count_ratios(y - prediction, np.sqrt(np.maximum(squares, 0.0)), sample_weight)
    return counts
