"""The published objective: a Gaussian mixture per cell, with one component per base model.

The component means are the cell means of the models' predictions and stay fixed; weights and
variances are estimated by expectation-maximisation (EM). It runs on the histogram of the truth,
so a step costs as much as there are distinct values, however many rows there were, and it runs on
all cells at once; a cell leaves the computation when it has converged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from skensir._core.objective import Solution, Unsolved
from skensir._sums.histogram import TruthHistogram
from skensir._track import Track, untracked
from skensir._typing import BoolArray, FloatArray, IntArray

# The published program adds this to sums of responsibilities.
_PUBLISHED_RESP_FLOOR = 1e-6
# It works in single precision: a responsibility below this is zero there, and kills a component.
_PUBLISHED_RESP_MIN = float(np.finfo(np.float32).smallest_subnormal) / 2

# Mean responsibilities below this have lost digits, or all, to the end of the numbers' range.
_LOST = 1e-280

# A log-density has hardly any digits behind the point beyond this; see `_run`.
_FAR = -(2.0**30)

# Of several sets of rows so many entries of the truth are worked on together: they fit into cache.
_MAX_ENTRIES = 2**15

# Cells to solve, and the truth in them.
_ToFit: TypeAlias = tuple[Unsolved, TruthHistogram]


@dataclass(frozen=True)
class Likelihood:
    """The objective: the parameters of `skensir.EnsIRRegressor` that it knows.

    Variances are about the component mean, as in Eq. 11, with `reg_var` as floor; or, with the
    centre "responsibility", about the responsibility-weighted mean of the truth, with `reg_var`
    added, as the published program has it. There a component that dies makes the cell degenerate.
    `reg_var` is in squared units, see `scale`.
    """

    shrinkage: float = 0.0
    variance_center: str = "model"
    max_iter: int = 1000
    tol: float = 1e-5
    reg_var: float = 1e-6

    needs_truth: ClassVar[bool] = True
    default_weights: ClassVar[str] = "inverse_deviation"
    n_stages: ClassVar[int] = 1

    @property
    def as_published(self) -> bool:
        """Whether variances are taken as the published program takes them."""
        return self.variance_center == "responsibility"

    def solve_each(self, several: Sequence[Unsolved], track: Track = untracked) -> list[Solution]:
        """Fit the mixtures; pseudo-rows are a prior on the weights about the default ones.

        The steps of EM on several sets of cells cost less together than one by one.
        """
        blocks = _blocks([(unsolved, _truth_of(unsolved)) for unsolved in several])
        return [found for block in blocks for found in self._solve_block(block, track)]

    def _solve_block(self, block: Sequence[_ToFit], track: Track) -> list[Solution]:
        """Fit the mixtures of all cells at once."""
        several = [unsolved for unsolved, _ in block]
        truths = [truth for _, truth in block]
        firsts = np.cumsum([0, *(len(unsolved.cells) for unsolved in several)]).tolist()
        unit = several[0].unit
        corners = np.concatenate([u.statistics.corners[u.cells] for u in several])
        offsets = np.concatenate([u.statistics.mean_offsets()[u.cells] for u in several])
        prior = [np.broadcast_to(u.default_weights, u.start.shape) for u in several]
        # In units, and not with constants in the unit of the data: then the steps are the same to
        # the last bit for values that differ by a power of two.
        fit = fit_mixtures(
            TruthHistogram.stack(truths, firsts[:-1]).in_units(unit),
            corners[:, 0] / unit,
            (offsets + (corners - corners[:, :1])) / unit,
            np.concatenate([unsolved.variances for unsolved in several]) / unit**2,
            np.concatenate([unsolved.start for unsolved in several]),
            self,
            prior_weights=np.concatenate(prior),
            track=track,
        )
        solution = Solution.at_start(fit.weights, fit.variances * unit**2)
        solution = solution._replace(
            n_iter=fit.n_iter, converged=fit.converged, degenerate=fit.degenerate
        )
        parts = zip(*(np.split(of_cells, firsts[1:-1]) for of_cells in solution), strict=True)
        return [Solution(*part) for part in parts]


def _truth_of(unsolved: Unsolved) -> TruthHistogram:
    """Return the truth in the cells to solve."""
    statistics = unsolved.statistics
    assert statistics.truth is not None
    chosen = np.zeros(statistics.n_cells, dtype=np.bool_)
    chosen[unsolved.cells] = True
    return statistics.truth.select(chosen)


def _blocks(several: Iterable[_ToFit]) -> Iterator[list[_ToFit]]:
    """Yield neighbours that are worked on together: few enough, and of one resolution."""
    block: list[_ToFit] = []
    n_entries = 0
    for unsolved, truth in several:
        n_entries += len(truth.cell)
        if block and (n_entries > _MAX_ENTRIES or truth.resolution != block[0][1].resolution):
            yield block
            block, n_entries = [], len(truth.cell)
        block.append((unsolved, truth))
    if block:
        yield block


class MixtureFit(NamedTuple):
    """Outcome of EM in each cell: a solution, and how likely the truth is under it.

    Attributes
    ----------
    weights, variances : ndarray of shape (n_cells, n_models)
    n_iter, converged : ndarray of shape (n_cells,)
    degenerate : ndarray of shape (n_cells,)
        Cells in which a component died; their weights and variances are the initial ones.
    log_likelihood : ndarray of shape (n_cells,)
        Mean log-likelihood of a row under the parameters that the last step started from.
    """

    weights: FloatArray
    variances: FloatArray
    n_iter: IntArray
    converged: BoolArray
    degenerate: BoolArray
    log_likelihood: FloatArray


class _Sample(NamedTuple):
    """The truth in the cells under work; the entries of a cell are neighbours."""

    weight: FloatArray  # (n_entries,)
    distance: FloatArray  # from each component mean, (n_models, n_entries)
    first: IntArray  # first entry of each cell
    length: IntArray  # number of entries of each cell

    @classmethod
    def of(
        cls,
        truth: TruthHistogram,
        origin: FloatArray,
        means: FloatArray,
        dtype: type[np.floating[Any]] = np.float64,
    ) -> _Sample:
        """Measure the truth, in the given precision, from means relative to the origin."""
        length = np.bincount(truth.cell, minlength=len(means))
        distance = truth.values_from(origin, dtype) - np.repeat(means.T, length, axis=1)
        return cls(truth.weight, distance, np.cumsum(length) - length, length)

    def spread(self, values: FloatArray) -> FloatArray:
        """Repeat (n_models, n_cells) values for every entry of the cell."""
        return np.repeat(values, self.length, axis=1)

    def total(self, values: FloatArray) -> FloatArray:
        """Sum (..., n_entries) values over each cell."""
        return np.asarray(np.add.reduceat(values, self.first, axis=-1))

    def select(self, cells: BoolArray) -> _Sample:
        entries = np.flatnonzero(np.repeat(cells, self.length))
        length = self.length[cells]
        first = np.cumsum(length) - length
        # take keeps the entries of a model side by side, which an index in brackets does not: sums
        # over the models would cost ten times as much.
        distance = self.distance.take(entries, axis=1)
        return _Sample(self.weight[entries], distance, first, length)


def _log_joint(sample: _Sample, weights: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the logarithm of weight times density, (n_models, n_entries)."""
    with np.errstate(divide="ignore"):  # the logarithm of a weight that has become zero
        log_scale = np.log(weights) - 0.5 * np.log(2 * np.pi * variances)
    log_joint = sample.distance**2
    log_joint *= sample.spread(-0.5 / variances)
    log_joint += sample.spread(log_scale)
    return np.asarray(log_joint)


def _e_step(
    sample: _Sample, weights: FloatArray, variances: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the responsibilities (Eq. 9) and the log-density of every entry."""
    log_resp = _log_joint(sample, weights, variances)
    largest = log_resp.max(axis=0)
    log_resp -= largest
    resp = np.exp(log_resp, out=log_resp)
    density = resp.sum(axis=0)
    resp /= density
    return resp, largest + np.log(density)


def _m_step(
    sample: _Sample,
    resp: FloatArray,
    weights: FloatArray,
    variances: FloatArray,
    reg_var: float,
) -> tuple[FloatArray, FloatArray]:
    """Return sums of responsibilities (Eq. 10) and variances about the component means (Eq. 11)."""
    resp = resp * sample.weight
    resp_sum = sample.total(resp)
    # A component without weight keeps its variance. The floor is no summand: so it is the
    # likelihood's maximum under the floor, and the likelihood never falls.
    new_variances = variances.copy()
    np.divide(
        sample.total(resp * sample.distance**2), resp_sum, out=new_variances, where=resp_sum > 0
    )
    lost = (resp_sum < _LOST * sample.total(sample.weight)) & (weights > 0)
    if lost.any():
        cells = np.asarray(lost.any(axis=0))
        found = _variances_of_lost(sample.select(cells), weights[:, cells], variances[:, cells])
        new_variances[:, cells] = np.where(lost[:, cells], found, new_variances[:, cells])
    return resp_sum, np.maximum(new_variances, reg_var)


def _variances_of_lost(sample: _Sample, weights: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the variances where responsibilities are too small for a floating-point number.

    Eq. 11 does not depend on the scale of a component's responsibilities, so they are taken as
    shares of the largest one in the cell.
    """
    log_joint = _log_joint(sample, weights, variances)
    with np.errstate(invalid="ignore"):  # components without weight, of which nothing is asked
        log_resp = log_joint - np.logaddexp.reduce(log_joint, axis=0)
        log_resp -= sample.spread(np.maximum.reduceat(log_resp, sample.first, axis=1))
    resp = np.exp(log_resp) * sample.weight
    return sample.total(resp * sample.distance**2) / sample.total(resp)


def _m_step_as_published(
    sample: _Sample, resp: FloatArray, means: FloatArray, reg_var: float
) -> tuple[FloatArray, FloatArray]:
    """Do the same about the responsibility-weighted mean of the truth, as the program does.

    Its floor stands in the mean but not in the variance. So a component with hardly any
    responsibility becomes wide and stays, and one with none has a variance that is not a number.
    """
    resp = np.where(resp < _PUBLISHED_RESP_MIN, 0.0, resp) * sample.weight
    resp_sum = sample.total(resp)
    floored = resp_sum + _PUBLISHED_RESP_FLOOR
    truth_sum = sample.total(resp * sample.distance) + resp_sum * means
    deviation = sample.distance - sample.spread(truth_sum / floored - means)
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = sample.total(resp * deviation**2) / resp_sum
    return floored, variances + reg_var


def fit_mixtures(
    truth: TruthHistogram,
    origin: FloatArray,
    means: FloatArray,
    variances: FloatArray,
    weights: FloatArray,
    settings: Likelihood,
    *,
    prior_weights: FloatArray | None = None,
    track: Track = untracked,
) -> MixtureFit:
    """Estimate the mixture weights of every cell by EM in the log domain.

    Parameters
    ----------
    truth : TruthHistogram
        Of the cells to fit, each with at least one entry.
    origin : ndarray of shape (n_cells,)
        What `means` are measured from, so that distances keep their digits.
    means : ndarray of shape (n_cells, n_models)
        Component means (Eq. 12), fixed, relative to `origin`.
    variances, weights : ndarray of shape (n_cells, n_models)
        Where EM starts (Eq. 13).
    settings : Likelihood
    prior_weights : ndarray of shape (n_models,) or (n_cells, n_models), optional
        How the pseudo-rows of the shrinkage are distributed over the models; None for no prior.
    track : callable
        Is told of each step.
    """
    if prior_weights is None:
        settings, prior_weights = replace(settings, shrinkage=0.0), weights
    prior_weights = np.broadcast_to(prior_weights, weights.shape)
    start = _Start(weights, variances, means + origin[:, np.newaxis], prior_weights)
    fit, far = _run(_Sample.of(truth, origin, means), start, settings, track)
    if far.any() and not settings.as_published:  # the program has its own rounding
        sample = _Sample.of(truth.select(far), origin[far], means[far], np.longdouble)
        anew, _ = _run(sample, _Start(*(values[far] for values in start)), settings)
        for of_all, of_far in zip(fit, anew, strict=True):
            of_all[far] = of_far
    return fit


class _Start(NamedTuple):
    """What EM starts from and is drawn to, (n_cells, n_models) all."""

    weights: FloatArray
    variances: FloatArray
    absolute_means: FloatArray
    prior_weights: FloatArray


def _run(
    sample: _Sample, start: _Start, settings: Likelihood, track: Track = untracked
) -> tuple[MixtureFit, BoolArray]:
    """Take steps in the precision of the sample; tell in which cells digits were lost.

    These are cells with truth so far from all components that the logarithms of its densities have
    hardly any digits left behind the point.
    """
    n_cells, dtype = len(start.weights), sample.distance.dtype
    variances = start.variances.astype(dtype)
    fit = MixtureFit(
        start.weights.astype(dtype),
        variances if settings.as_published else np.maximum(variances, settings.reg_var),
        n_iter=np.zeros(n_cells, dtype=np.int64),
        converged=np.zeros(n_cells, dtype=np.bool_),
        degenerate=np.asarray((variances <= 0).any(axis=1) & settings.as_published),
        log_likelihood=np.full(n_cells, -np.inf, dtype=dtype),
    )
    far = np.zeros(n_cells, dtype=np.bool_)
    going_on, cells = ~fit.degenerate, np.arange(n_cells)
    steps = range(1, (settings.max_iter if going_on.any() else 0) + 1)
    for iteration in track(steps, "EM steps", may_stop=True):
        if not going_on.all():
            cells, sample = cells[going_on], sample.select(going_on)
        fit.n_iter[cells] = iteration
        going_on, lowest = _em_step(fit, cells, sample, start, settings)
        far[cells] |= lowest < _FAR
        if not going_on.any():
            break
    fit.weights[:] /= fit.weights.sum(axis=1, keepdims=True)
    return fit, far


def _em_step(
    fit: MixtureFit, cells: IntArray, sample: _Sample, start: _Start, settings: Likelihood
) -> tuple[BoolArray, FloatArray]:
    """Take one step of EM in the given cells; tell which of them go on.

    Returned too is the lowest log-density of each cell.
    """
    weights, variances = fit.weights[cells].T, fit.variances[cells].T
    resp, log_density = _e_step(sample, weights, variances)
    rows = sample.total(sample.weight)
    log_likelihood = sample.total(sample.weight * log_density) / rows
    if settings.shrinkage:
        # A model without prior weight adds nothing, even where its weight is zero.
        prior = start.prior_weights[cells].T
        with np.errstate(divide="ignore", invalid="ignore"):
            log_prior = np.where(prior > 0, prior * np.log(weights), 0.0).sum(axis=0)
        log_likelihood += settings.shrinkage * log_prior / rows
    converged = log_likelihood < fit.log_likelihood[cells] + settings.tol
    fit.log_likelihood[cells] = log_likelihood
    fit.converged[cells] = converged

    if settings.as_published:
        means = start.absolute_means[cells].T
        resp_sum, new_variances = _m_step_as_published(sample, resp, means, settings.reg_var)
    else:
        resp_sum, new_variances = _m_step(sample, resp, weights, variances, settings.reg_var)
    if settings.shrinkage:
        resp_sum = resp_sum + settings.shrinkage * start.prior_weights[cells].T
        rows = rows + settings.shrinkage
    # A cell that has converged stays where its likelihood was measured.
    dead = ~np.isfinite(new_variances).all(axis=0) & ~converged
    fit.degenerate[cells[dead]] = True
    fit.weights[cells[dead]] = start.weights[cells[dead]]
    fit.variances[cells[dead]] = start.variances[cells[dead]]
    going_on = ~(converged | dead)
    fit.weights[cells[going_on]] = (resp_sum / rows).T[going_on]
    fit.variances[cells[going_on]] = new_variances.T[going_on]
    return np.asarray(going_on), np.minimum.reduceat(log_density, sample.first)
