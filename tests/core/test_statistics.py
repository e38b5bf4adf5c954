"""Sums in each cell: as plain loops over the rows have them."""

from contextlib import ExitStack
from itertools import pairwise
from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._core import accumulate as accumulate_module
from skensir._core import histogram as histogram_module
from skensir._core.accumulate import accumulate
from skensir._core.histogram import TruthCounter
from skensir._core.statistics import CellStatistics

SUMS = "cells", "weight", "offsets", "squared_offsets", "error_products"
RESOLUTIONS = st.sampled_from([1.0, 0.25, 0.7, 40.0])


@st.composite
def small_batches(draw):
    """Cut the rows into small chunks, and let few rows wait for their cells and counts."""
    return {
        (accumulate_module, "row_chunks"): naive.in_chunks(draw(st.integers(1, 50))),
        (accumulate_module, "_MAX_WAITING"): draw(st.integers(0, 40)),
        (histogram_module, "_MAX_PENDING"): draw(st.integers(0, 40)),
    }


def accumulate_in(batches, stack, resolution):
    with ExitStack() as patches:
        for (module, name), value in batches.items():
            patches.enter_context(mock.patch.object(module, name, value))
        return accumulate(
            stack.X,
            stack.y,
            stack.sample_weight,
            bin_width=stack.bin_width,
            target_resolution=resolution,
        )


def assert_same_truth(histogram, cell, places):
    """Compare one cell of a histogram with a dict: place on the grid -> weight, weighted sum."""
    mine = histogram.cell == cell
    assert histogram.step[mine].tolist() == sorted(places)
    expected = np.array([places[place] for place in sorted(places)]).reshape(-1, 2)
    np.testing.assert_allclose(histogram.weight[mine], expected[:, 0], rtol=1e-13)
    values = histogram.values_from(np.zeros(cell + 1 + histogram.cell.max(initial=0)))[mine]
    np.testing.assert_allclose(values, expected[:, 1] / expected[:, 0], rtol=1e-13, atol=1e-13)


def assert_same_statistics(one, other):
    assert one.bin_width == other.bin_width
    for name in SUMS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.truth.resolution == other.truth.resolution
    for name in ("cell", "step", "weight", "excess"):
        np.testing.assert_array_equal(getattr(one.truth, name), getattr(other.truth, name), name)


@given(naive.stacks(), RESOLUTIONS, st.one_of(st.just({}), small_batches()))
def test_sums_are_those_of_loops_over_the_rows(stack, resolution, batches):
    expected = naive.statistics(*stack, resolution)
    found = accumulate_in(batches, stack, resolution)

    assert [tuple(cell) for cell in found.cells.tolist()] == list(expected)
    upper = np.triu_indices(stack.X.shape[1])
    for number, sums in enumerate(expected.values()):
        np.testing.assert_allclose(found.weight[number], sums.weight, rtol=1e-13)
        # Rounding is measured by the largest summands: a bin's width, the models' own errors.
        largest = stack.bin_width * sums.weight
        np.testing.assert_allclose(found.offsets[:, number], sums.offsets, atol=1e-13 * largest)
        np.testing.assert_allclose(
            found.squared_offsets[:, number],
            sums.squared_offsets,
            atol=1e-13 * largest * stack.bin_width,
        )
        own = np.sqrt(np.diag(sums.error_products))
        np.testing.assert_allclose(
            found.error_products[:, number],
            sums.error_products[upper],
            atol=1e-13 * np.outer(own, own)[upper].max(),
        )
        assert_same_truth(found.truth, number, sums.truth)


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


@given(naive.stacks(whole=True), small_batches(), small_batches(), st.integers(0, 2**32 - 1))
def test_neither_order_nor_chunks_of_the_rows_matter(stack, batches, others, seed):
    """Sums of whole numbers are exact, so the statistics agree to the last bit."""
    order = np.random.default_rng(seed).permutation(len(stack.X))
    shuffled = stack._replace(
        X=stack.X[order],
        y=stack.y[order],
        sample_weight=None if stack.sample_weight is None else stack.sample_weight[order],
    )
    one, other = accumulate_in(batches, stack, 1.0), accumulate_in(others, shuffled, 1.0)
    assert_same_statistics(one, other)


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


def test_more_cells_than_rows_in_a_chunk():
    """There the sums go into the cells of the chunk only, and the table of sums grows."""
    rng = np.random.default_rng(0)
    n_rows = 3000
    stack = naive.Stack(
        rng.integers(0, 500, (n_rows, 2)).astype(np.uint16), rng.uniform(0, 500, n_rows), None, 8.0
    )
    batches = {
        (accumulate_module, "row_chunks"): naive.in_chunks(100),
        (accumulate_module, "_MAX_WAITING"): 50,
    }
    found = accumulate_in(batches, stack, 1.0)
    expected = naive.statistics(*stack, 1.0)
    assert found.n_cells > 1000
    assert [tuple(cell) for cell in found.cells.tolist()] == list(expected)
    np.testing.assert_array_equal(found.weight, [sums.weight for sums in expected.values()])
    np.testing.assert_allclose(
        found.error_products.T,
        [sums.error_products[np.triu_indices(2)] for sums in expected.values()],
        rtol=1e-12,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_far_from_zero_keep_their_digits(dtype):
    """Sums are of small differences: 1e12 away from zero they are as exact as near it."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 64, 500) * 1.0
    X = y[:, None] + rng.integers(-3, 4, (500, 3))
    shift = 2.0**40 if dtype == np.float64 else 2.0**20
    near = accumulate(X.astype(dtype), y, bin_width=16.0, target_resolution=1.0)
    far = accumulate((X + shift).astype(dtype), y + shift, bin_width=16.0, target_resolution=1.0)
    np.testing.assert_array_equal(far.cells, near.cells + int(shift) // 16)
    for name in SUMS[1:]:
        np.testing.assert_array_equal(getattr(far, name), getattr(near, name), err_msg=name)
    np.testing.assert_array_equal(far.truth.step, near.truth.step + int(shift))


@st.composite
def counted_rows(draw):
    """Draw rows of cell number, truth and weight, in several chunks, that need few or many bins."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([3, 1000, 10**12]))
    chunks = []
    for size in draw(st.lists(st.integers(1, 300), min_size=1, max_size=4)):
        truth = rng.integers(-spread, spread, size) * draw(st.sampled_from([1.0, 0.5]))
        weight = rng.integers(1, 4, size) * 0.5 if draw(st.booleans()) else None
        chunks.append((rng.integers(0, draw(st.sampled_from([1, 7])), size), truth, weight))
    return chunks


def count_naively(chunks, resolution):
    cells = {}
    for numbers, truth, weight in chunks:
        weight = np.ones(len(numbers)) if weight is None else weight
        for number, target, share in zip(numbers.tolist(), truth, weight, strict=True):
            naive.count_truth(cells.setdefault(number, {}), target, resolution, share)
    return cells


def count(chunks, resolution):
    counter = TruthCounter(resolution)
    for chunk in chunks:
        counter.add(*chunk)
    return counter.finish()


@given(counted_rows(), st.sampled_from([0.5, 1.0, 0.3, 7.0]), st.sampled_from([0, 100, 2**18]))
def test_histogram_counts_as_a_dict_does(chunks, resolution, max_pending):
    """Both as a table of all places and as sorted places."""
    expected = count_naively(chunks, resolution)
    with mock.patch.object(histogram_module, "_MAX_PENDING", max_pending):
        found = count(chunks, resolution)
    assert (np.diff(found.cell) >= 0).all()
    assert set(found.cell.tolist()) == set(expected)
    for number, places in expected.items():
        assert_same_truth(found, number, places)


@given(counted_rows(), st.sampled_from([1.0, 0.5]))
def test_truth_whose_values_lie_a_step_apart_is_kept_exactly(chunks, step):
    """Such as whole numbers at step 1."""
    chunks = [(cell, np.rint(truth) * step, weight) for cell, truth, weight in chunks]
    histogram = count(chunks, step)
    values = histogram.values_from(np.zeros(histogram.cell.max() + 1))
    expected = {(c, y) for cell, truth, _ in chunks for c, y in zip(cell, truth, strict=True)}
    assert set(zip(histogram.cell, values, strict=True)) == expected


@given(counted_rows(), st.integers(0, 2**32 - 1))
def test_selected_cells_keep_their_truth_and_are_numbered_without_gaps(chunks, seed):
    histogram = count(chunks, 1.0)
    expected = count_naively(chunks, 1.0)
    chosen = np.random.default_rng(seed).random(max(expected) + 1) < 0.6
    selected = histogram.select(chosen)
    assert selected.weight.size == np.count_nonzero(chosen[histogram.cell])
    for number, cell in enumerate(np.flatnonzero(chosen)):
        assert_same_truth(selected, number, expected.get(cell, {}))


def test_a_grid_too_fine_for_the_targets_is_an_error_that_names_it():
    counter = TruthCounter(1e-6)
    message = r"target_resolution.*1e-06 is too fine .* 1e\+12: it must be at least 0.000111"
    with pytest.raises(ValueError, match=message):
        counter.add(np.array([0, 0]), np.array([1.0, -1e12]), None)
