"""What follows from the sums of each cell, and sums of sums."""

from itertools import pairwise

import naive
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sums import RESOLUTIONS, accumulate_in, assert_same_statistics

from skensir._sums.statistics import CellStatistics


@given(naive.stacks(), RESOLUTIONS)
def test_means_variances_and_error_moments_are_those_of_each_cells_rows(stack, resolution):
    found = accumulate_in({}, stack, resolution)
    weight = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    errors = stack.X.astype(np.float64) - stack.y[:, None]
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    for number, (cell, rows) in enumerate(cells.items()):
        corner = np.array(cell) * stack.bin_width
        offsets, shares = stack.X[rows].astype(np.float64) - corner, weight[rows]
        mean = np.average(offsets, axis=0, weights=shares)
        variance = np.average((offsets - mean) ** 2, axis=0, weights=shares)
        moments = np.einsum("n,ni,nj->ij", shares, errors[rows], errors[rows]) / shares.sum()
        width = stack.bin_width
        np.testing.assert_array_equal(found.corners[number], corner)
        np.testing.assert_allclose(found.mean_offsets()[number], mean, atol=1e-12 * width)
        np.testing.assert_allclose(
            found.prediction_variances()[number], variance, atol=1e-12 * width**2
        )
        np.testing.assert_allclose(
            found.error_moments(np.array([number]))[0], moments, atol=1e-12 * np.abs(moments).max()
        )
    pooled = np.einsum("n,ni,nj->ij", weight, errors, errors) / weight.sum()
    np.testing.assert_allclose(
        found.pooled_error_moments(), pooled, atol=1e-12 * np.abs(pooled).max()
    )
    assert (found.prediction_variances() >= 0).all()


@given(naive.stacks(), st.integers(0, 2**32 - 1))
def test_squared_error_of_any_weights_needs_no_prediction(stack, seed):
    found = accumulate_in({}, stack, None)
    weights = np.random.default_rng(seed).dirichlet(np.ones(found.n_models), found.n_cells)
    shares = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    squared_error = found.squared_error(weights)
    for number, rows in enumerate(cells.values()):
        errors = stack.X[rows].astype(np.float64) - stack.y[rows, None]
        expected = shares[rows] @ (errors @ weights[number]) ** 2
        largest = (shares[rows] @ errors**2).max()
        np.testing.assert_allclose(squared_error[number], expected, atol=1e-12 * largest)
    assert found.truth is None


@given(naive.stacks(whole=True), st.lists(st.floats(0, 1), max_size=3))
def test_statistics_of_parts_add_up_to_those_of_the_whole(stack, cuts):
    ends = sorted({0, len(stack.X), *(round(cut * len(stack.X)) for cut in cuts)})
    parts = []
    for start, stop in pairwise(ends):
        rows = slice(start, stop)
        weight = None if stack.sample_weight is None else stack.sample_weight[rows]
        part = stack._replace(X=stack.X[rows], y=stack.y[rows], sample_weight=weight)
        parts.append(accumulate_in({}, part, 1.0))
    assert_same_statistics(CellStatistics.merge(parts), accumulate_in({}, stack, 1.0))


@given(naive.stacks(whole=True), st.integers(1, 5), st.sampled_from([1, 2, 4]))
def test_statistics_coarsen_to_those_of_wider_bins(stack, factor, truth_factor):
    coarse = accumulate_in({}, stack, 1.0).coarsen(factor, truth_factor)
    wide = stack._replace(bin_width=stack.bin_width * factor)
    assert_same_statistics(coarse, accumulate_in({}, wide, float(truth_factor)))
