"""Rows of cells to which mixtures are fitted: drawn at random, or a few by hand."""

from typing import NamedTuple

import naive
import numpy as np
from hypothesis import strategies as st

from skensir._core.likelihood import Likelihood, fit_mixtures
from skensir._sums.histogram import TruthCounter


class Cells(NamedTuple):
    """Rows of several cells, each row with the number of its cell, and where EM starts there."""

    cell: np.ndarray
    truth: np.ndarray
    sample_weight: np.ndarray
    origin: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    weights: np.ndarray
    prior_weights: np.ndarray

    def fit(self, **options):
        counter = TruthCounter(1.0)
        counter.add(self.cell, self.truth, self.sample_weight)
        return fit_mixtures(
            counter.finish(),
            self.origin,
            self.means,
            self.variances,
            self.weights,
            Likelihood(**options),
            prior_weights=self.prior_weights,
        )

    def start(self, cell):
        """Return truth, sample weights, component means, variances and weights of one cell."""
        rows = self.cell == cell
        means = self.means[cell] + self.origin[cell]
        start = means, self.variances[cell], self.weights[cell]
        return self.truth[rows], self.sample_weight[rows], *start

    def fit_naively(self, **options):
        return [
            naive.mixture(*self.start(cell), prior_weights=self.prior_weights, **options)
            for cell in range(len(self.means))
        ]

    def mean_log_likelihood(self, fit, cell, shrinkage=0.0):
        truth, sample_weight, means, _, _ = self.start(cell)
        return naive.mean_log_likelihood(
            truth,
            sample_weight,
            means,
            fit.variances[cell],
            fit.weights[cell],
            shrinkage,
            self.prior_weights,
        )


@st.composite
def cells_to_fit(draw):
    """Draw whole targets and models close to them or far from them."""
    n_models, n_cells = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = rng.integers(1, draw(st.sampled_from([3, 40])), n_cells)
    cell = rng.permutation(np.repeat(np.arange(n_cells), n_rows))
    origin = rng.integers(-3, 8, n_cells) * 32.0
    spread = draw(st.sampled_from([1.0, 6.0, 40.0]))
    truth = np.rint(origin[cell] + 16 + spread * rng.standard_normal(cell.size))
    ones = draw(st.booleans())
    # Off the whole numbers: a mean that sits on a target makes a variance vanish.
    means = np.floor(rng.uniform(0, 32, (n_cells, n_models))) + rng.uniform(0.2, 0.8)
    return Cells(
        cell,
        truth,
        np.ones(cell.size) if ones else rng.integers(1, 9, cell.size) * 0.25,
        origin,
        means,
        rng.uniform(0.1, 1.5, (n_cells, n_models)) * draw(st.sampled_from([1.0, 100.0])),
        rng.dirichlet(np.ones(n_models), n_cells),
        rng.dirichlet(np.ones(n_models)),
    )


def one_cell(truth, means, variances, weights, prior_weights=None):
    truth = np.array(truth, dtype=float)
    n_models = len(means)
    return Cells(
        np.zeros(truth.size, dtype=int),
        truth,
        np.ones(truth.size),
        np.zeros(1),
        np.array([means], dtype=float),
        np.array([variances], dtype=float),
        np.array([weights], dtype=float),
        np.full(n_models, 1 / n_models) if prior_weights is None else np.array(prior_weights),
    )
