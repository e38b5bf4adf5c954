"""Slow and obvious versions of every kernel, and the cases on which the fast ones must agree.

Loops over rows and models, dicts of tuples, one formula at a time.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import norm


def bin_index(value, bin_width):
    return math.floor(float(value) / bin_width)


def cell_of(row, bin_width):
    return tuple(bin_index(value, bin_width) for value in row)


def rows_of_cells(X, bin_width, sample_weight=None):
    """Return the occupied cells in lexicographic order, each with the numbers of its rows."""
    rows = {}
    for number, row in enumerate(X):
        if sample_weight is None or sample_weight[number] > 0:
            rows.setdefault(cell_of(row, bin_width), []).append(number)
    return {cell: rows[cell] for cell in sorted(rows)}


def find_cell(bins, cells):
    """Return the number of a cell in a list; end bins are open; `len(cells)` means unseen."""
    clipped = []
    for model, index in enumerate(bins):
        seen = [cell[model] for cell in cells]
        clipped.append(min(max(index, min(seen)), max(seen)) if seen else index)
    cells = [tuple(cell) for cell in cells]
    return cells.index(tuple(clipped)) if tuple(clipped) in cells else len(cells)


class CellSums(NamedTuple):
    """Sums over the rows of one cell; `truth` maps places of a grid to weight and weighted sum."""

    weight: float
    offsets: np.ndarray
    squared_offsets: np.ndarray
    error_products: np.ndarray
    truth: dict


def count_truth(places, target, resolution, share):
    """Add a truth to the weight and the weighted sum of its place on the grid."""
    place = bin_index(target, resolution)
    weight, total = places.get(place, (0.0, 0.0))
    places[place] = weight + share, total + share * float(target)


def statistics(X, y, sample_weight, bin_width, resolution):
    """Return the sufficient statistics of each occupied cell."""
    n_models = X.shape[1]
    sums = {}
    for cell, rows in rows_of_cells(X, bin_width, sample_weight).items():
        weight, offsets, squares = 0.0, np.zeros(n_models), np.zeros(n_models)
        products, truth = np.zeros((n_models, n_models)), {}
        for row in rows:
            share = 1.0 if sample_weight is None else float(sample_weight[row])
            target = float(y[row])
            weight += share
            count_truth(truth, target, resolution, share)
            for m in range(n_models):
                offset = float(X[row, m]) - cell[m] * bin_width
                offsets[m] += share * offset
                squares[m] += share * offset**2
                for k in range(n_models):
                    error, other = float(X[row, m]) - target, float(X[row, k]) - target
                    products[m, k] += share * error * other
        sums[cell] = CellSums(weight, offsets, squares, products, truth)
    return sums


def combine(X, bin_width, cells, weights, default_weights):
    """Look every row's weights up and sum."""
    combined = []
    for row in X:
        number = find_cell(cell_of(row, bin_width), cells)
        line = default_weights if number == len(cells) else weights[number]
        combined.append(sum(float(w) * float(x) for w, x in zip(line, row, strict=True)))
    return np.array(combined)


def softmax(values):
    powers = [math.exp(value - max(values)) for value in values]
    return np.array(powers) / sum(powers)


def squared_distances_from_average(X, sample_weight=None):
    """Return each model's mean squared distance from the average of the models."""
    if sample_weight is None:
        sample_weight = np.ones(len(X))
    total = np.zeros(X.shape[1])
    for row, share in zip(X, sample_weight, strict=True):
        average = sum(float(x) for x in row) / len(row)
        for m, x in enumerate(row):
            total[m] += share * (float(x) - average) ** 2
    return total / sample_weight.sum()


def inverse_deviation_weights(X, sample_weight=None):
    squares = squared_distances_from_average(X, sample_weight)
    return softmax([1 / (1e-10 + math.sqrt(square)) for square in squares])


def zzpm_weights(X):
    return softmax([1 / (1e-3 + square) for square in squared_distances_from_average(X)])


class Mixture(NamedTuple):
    """Outcome of EM in one cell; `log_likelihoods` has one entry a step."""

    weights: np.ndarray
    variances: np.ndarray
    degenerate: bool
    converged: bool
    log_likelihoods: list


def log_densities(truth, means, variances, weights):
    """Return the logarithm of weight times density, (n_rows, n_models)."""
    lines = []
    for mean, variance, weight in zip(means, variances, weights, strict=True):
        log_weight = math.log(weight) if weight > 0 else -math.inf
        lines.append(log_weight + norm.logpdf(truth, mean, math.sqrt(variance)))
    return np.array(lines).T


def mean_log_likelihood(
    truth, sample_weight, means, variances, weights, shrinkage=0.0, prior_weights=None
):
    """Return the weighted mean log-likelihood of the truth, plus the prior's share in a row."""
    density = logsumexp(log_densities(truth, means, variances, weights), axis=1)
    total = sum(share * value for share, value in zip(sample_weight, density, strict=True))
    if shrinkage:
        for prior, weight in zip(prior_weights, weights, strict=True):
            if prior > 0:
                total += shrinkage * prior * (math.log(weight) if weight > 0 else -math.inf)
    return total / sum(sample_weight)


def mixture(
    truth,
    sample_weight,
    means,
    variances,
    weights,
    *,
    variance_center="model",
    max_iter=1000,
    tol=1e-5,
    reg_var=1e-6,
    shrinkage=0.0,
    prior_weights=None,
):
    """Estimate one cell's weights and variances by EM, in the words of Eq. 9 to 11."""
    published = variance_center == "responsibility"
    prior_weights = np.zeros(len(means)) if prior_weights is None else prior_weights
    initial = Mixture(np.array(weights), np.array(variances), True, False, [])
    if published and min(variances) <= 0:
        return initial
    if not published:
        variances = [max(variance, reg_var) for variance in variances]
    n_rows, converged, history = sum(sample_weight), False, []
    for _ in range(max_iter):
        history.append(
            mean_log_likelihood(
                truth, sample_weight, means, variances, weights, shrinkage, prior_weights
            )
        )
        if len(history) > 1 and history[-1] - history[-2] < tol:
            converged = True
            break
        log_resp = log_densities(truth, means, variances, weights)
        log_resp -= logsumexp(log_resp, axis=1, keepdims=True)
        resp = np.exp(log_resp)
        if published:  # it works in single precision
            resp[resp < float(np.finfo(np.float32).smallest_subnormal) / 2] = 0.0
        new_weights, new_variances = [], []
        for mean, variance, logs, shares, prior in zip(
            *(means, variances, log_resp.T, resp.T * sample_weight, prior_weights), strict=True
        ):
            share = sum(shares)
            if published:
                center = sum(shares * truth) / (share + 1e-6)
                variance = math.nan
                if share > 0:
                    variance = sum(shares * (truth - center) ** 2) / share + reg_var
                share += 1e-6
            elif logs.max() > -math.inf:  # however small they are
                shares = np.exp(logs - logs.max()) * sample_weight
                variance = max(sum(shares * (truth - mean) ** 2) / sum(shares), reg_var)
            new_weights.append((share + shrinkage * prior) / (n_rows + shrinkage))
            new_variances.append(variance)
        if not np.isfinite(new_variances).all():
            return initial._replace(log_likelihoods=history)
        weights, variances = new_weights, new_variances
    weights = np.array(weights) / sum(weights)
    return Mixture(weights, np.array(variances), False, converged, history)


def published_table(X, y, bin_width):
    """Return the table as the published program makes it: cell -> (weights, how they came about).

    Cells of fewer than 100 rows and cells that lose a component keep the weights that EM starts
    from: the inverse deviation of each model from the average of the models.
    """
    table = {}
    for cell, rows in rows_of_cells(X, bin_width).items():
        predictions = X[rows].astype(np.float64)
        start = inverse_deviation_weights(predictions)
        if len(rows) < 100:
            table[cell] = start, "thin"
            continue
        fit = mixture(
            y[rows].astype(np.float64),
            np.ones(len(rows)),
            predictions.mean(axis=0),
            predictions.var(axis=0),
            start,
            variance_center="responsibility",
            max_iter=1000,
            tol=1e-5,
            reg_var=1e-6,
        )
        table[cell] = fit.weights, "degenerate" if fit.degenerate else "fitted"
    return table


class Stack(NamedTuple):
    """A drawn case: stacked predictions, truth, and how to bin them."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    bin_width: float


DTYPES = ("u1", "u2", "i1", "i2", "i4", "i8", "f4", "f8")


@st.composite
def stacks(draw, *, dtypes=DTYPES, max_models=40, max_rows=80, whole=False, outliers=True):
    """Draw models that agree roughly, as models of one truth do, so that they share cells.

    With `whole`, all values, sample weights and the bin width are whole numbers: then every sum
    is exact in double precision, whatever its order. `outliers` are predictions far from the truth.
    """
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    n_models = draw(st.one_of(st.integers(1, min(4, max_models)), st.integers(1, max_models)))
    n_rows = draw(st.integers(1, max_rows))
    widths = [1.0, 3.0, 8.0, 32.0, 100.0] if whole else [0.3, 1.0, 2.5, 8.0, 31.7, 32.0, 300.0]
    bin_width = draw(st.sampled_from(widths))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = rng.uniform(-3, 8, draw(st.integers(1, 6))) * 20
    noise = draw(st.sampled_from([0.0, 0.5, 4.0, 60.0]))
    truth = rng.choice(places, n_rows)
    values = truth[:, None] + noise * rng.standard_normal((n_rows, n_models))
    far = {"i4": [0, 1_000_000], "i8": [0, 10**12], "f4": [0, 1e5], "f8": [0, 1e12]}
    shift = draw(st.sampled_from(far.get(dtype.str[1:], [0])))
    values, truth = values + shift, truth + shift
    if outliers and draw(st.booleans()):
        values[rng.integers(n_rows)] += 100 * shift + 500
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        X = np.clip(np.rint(values), info.min, info.max).astype(dtype)
        truth = np.clip(truth, info.min, info.max)
    else:
        X = (np.rint(values) if whole else values).astype(dtype)
    sample_weight = draw(st.sampled_from([None, "ones", "some zero", "any"]))
    if sample_weight == "ones":
        sample_weight = np.ones(n_rows)
    elif sample_weight is not None:
        low = 0 if sample_weight == "some zero" else 1
        sample_weight = rng.integers(low, 4, n_rows) * (1.0 if whole else 0.37)
        sample_weight[rng.integers(n_rows)] = 2.0
    truth = np.rint(truth) if whole or draw(st.booleans()) else truth
    return Stack(X, truth, sample_weight, bin_width)


def in_chunks(size):
    """Return a stand-in for `row_chunks` that makes chunks of `size` rows."""

    def row_chunks(n_rows, n_models):
        starts = range(0, n_rows, size)
        return [slice(start, min(start + size, n_rows)) for start in starts]

    return row_chunks


def bins_on_axes(row, bin_width, kind, unit=1.0):
    """Return the bin indices that name a row's cell, exactly but for the summary's logarithm."""
    exact, width = [Fraction(float(x)) for x in row], Fraction(bin_width)
    mean = sum(exact) / len(exact)
    if kind == "predictions":
        return tuple(math.floor(x / width) for x in exact)
    if kind == "deviations":
        return tuple(math.floor((x - mean) / width) for x in exact)
    spread = math.sqrt(sum((x - mean) ** 2 for x in exact) / len(exact))
    octaves = math.log2(1 + 4 * spread / unit)
    return math.floor(mean / width), math.floor(4 * unit / bin_width * octaves)


def wider(cell, level):
    """Return the cell around a cell after bins were doubled so many times."""
    return tuple(index // 2**level for index in cell)


class Nested:
    """Moments of nested cells, each computed by recursion from the rows: the design's formula.

    Moments are of the models' errors and a one, so that they hold mean errors as well. Errors and
    sample weights may be fractions.
    """

    def __init__(self, cells, errors, sample_weight, shrinkage):
        self.cells, self.shrinkage = cells, shrinkage
        self.errors = np.column_stack([errors, np.ones(len(errors), dtype=int)])
        self.sample_weight = sample_weight
        self.top = 0
        while any(
            max(axis) // 2**self.top - min(axis) // 2**self.top > 1
            for axis in zip(*cells, strict=True)
        ):
            self.top += 1

    def sums(self, rows):
        chosen = self.errors[rows]
        return (chosen * self.sample_weight[rows][:, None]).T @ chosen

    def occupied(self, level, cell):
        return [i for i, own in enumerate(self.cells) if wider(own, level) == cell]

    def drawn_to(self, sums, prior):
        weight = sums[-1, -1] + self.shrinkage
        return prior if weight == 0 else (sums + self.shrinkage * prior) / weight

    def root(self):
        mean = self.pooled_sums() / self.sample_weight.sum()
        n_models = len(mean) - 1
        products = mean[:-1, :-1]
        off = ~np.eye(n_models, dtype=bool)
        root = np.eye(n_models + 1).astype(mean.dtype)
        root[:-1, :-1] = products[off].mean() if off.any() else 0.0
        root[range(n_models), range(n_models)] = np.diag(products).mean()
        return root

    def pooled_sums(self):
        return self.sums(np.arange(len(self.errors)))

    def pooled(self):
        return self.drawn_to(self.pooled_sums(), self.root())

    def moments(self, level, cell):
        """Return the moments of a cell of a level, occupied or not."""
        if level > self.top:
            return self.pooled()
        parent = self.moments(level + 1, tuple(index // 2 for index in cell))
        return self.drawn_to(self.sums(self.occupied(level, cell)), parent)

    def nearest(self, cell):
        """Return the moments of the nearest occupied cell around a cell, of all rows at last."""
        for level in range(self.top + 1):
            if self.occupied(level, wider(cell, level)):
                return self.moments(level, wider(cell, level))
        return self.pooled()
