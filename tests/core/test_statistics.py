"""What follows from the sums of each cell, and sums of sums."""

from itertools import pairwise
from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums import RESOLUTIONS, accumulate_in, assert_same_statistics
from tables import images

from skensir._sums import pairs as pairs_module
from skensir._sums import statistics as statistics_module
from skensir._sums.statistics import CellStatistics, coarsen_each, merge_each


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
            found.prediction_means()[number], corner + mean, rtol=1e-14, atol=1e-12 * width
        )
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


@given(naive.stacks(), st.integers(0, 2**32 - 1), st.sampled_from([0, 20]), st.integers(1, 40))
def test_squared_error_of_any_weights_needs_no_prediction(stack, seed, many_models, in_cache):
    found = accumulate_in({}, stack, None)
    weights = np.random.default_rng(seed).dirichlet(np.ones(found.n_models), found.n_cells)
    shares = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    with (
        mock.patch.object(pairs_module, "_MANY_MODELS", many_models),
        mock.patch.object(pairs_module, "_VALUES_IN_CACHE", in_cache),
        mock.patch.object(pairs_module, "_CELLS_IN_CACHE", in_cache),
    ):
        squared_error = found.squared_error(weights)
    for number, rows in enumerate(cells.values()):
        errors = stack.X[rows].astype(np.float64) - stack.y[rows, None]
        expected = shares[rows] @ (errors @ weights[number]) ** 2
        largest = (shares[rows] @ errors**2).max()
        np.testing.assert_allclose(squared_error[number], expected, atol=1e-12 * largest)
    assert found.truth is None


def some_rows(stack, rows):
    weight = None if stack.sample_weight is None else stack.sample_weight[rows]
    return stack._replace(X=stack.X[rows], y=stack.y[rows], sample_weight=weight)


@given(naive.stacks(whole=True), st.lists(st.floats(0, 1), max_size=3))
def test_statistics_of_parts_add_up_to_those_of_the_whole(stack, cuts):
    ends = sorted({0, len(stack.X), *(round(cut * len(stack.X)) for cut in cuts)})
    parts = [
        accumulate_in({}, some_rows(stack, slice(start, stop)), 1.0)
        for start, stop in pairwise(ends)
    ]
    assert_same_statistics(CellStatistics.merge(parts), accumulate_in({}, stack, 1.0))


@given(naive.stacks(whole=True), naive.stacks(whole=True))
def test_whole_truth_goes_over_to_the_grid_of_other_parts(stack, other):
    n_models, of_reals = min(stack.X.shape[1], other.X.shape[1]), stack.bin_width / 256
    whole, reals = (
        naive.Stack(part.X[:, :n_models].astype(np.float64), part.y, None, stack.bin_width)
        for part in (stack, other)
    )
    reals = reals._replace(y=reals.y + 0.25)
    rows = np.concatenate([whole.X, reals.X]), np.concatenate([whole.y, reals.y])
    parts = [accumulate_in({}, whole, 1.0), accumulate_in({}, reals, of_reals)]
    expected = accumulate_in({}, naive.Stack(*rows, None, stack.bin_width), of_reals)
    for order in (parts, parts[::-1]):
        assert_same_statistics(CellStatistics.merge(order), expected)


@given(naive.stacks(whole=True), st.integers(1, 5), st.sampled_from([1, 2, 4]))
def test_statistics_coarsen_to_those_of_wider_bins(stack, factor, truth_factor):
    coarse = accumulate_in({}, stack, 1.0).coarsen(factor, truth_factor)
    wide = stack._replace(bin_width=stack.bin_width * factor)
    assert_same_statistics(coarse, accumulate_in({}, wide, float(truth_factor)))


def in_parts(stack, n_parts):
    """Return the statistics of so many parts, which lie in turn, without those that are empty."""
    parts = [
        accumulate_in(
            {},
            some_rows(stack, slice(first, None, n_parts)),
            1.0,
            with_errors=True,
            with_linear=True,
        )
        for first in range(n_parts)
    ]
    return [part for part in parts if part.n_cells]


def assert_same_arrays(found, expected):
    for one, other in zip(found, expected, strict=True):
        for name in ("cells", "sums"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for part in ("truth", "linear"):
            for array, like in zip(getattr(one, part), getattr(other, part), strict=True):
                np.testing.assert_array_equal(array, like)


@given(naive.stacks(), st.integers(1, 6), st.sampled_from([1, 200, 2**20]), st.integers(1, 3))
def test_several_statistics_coarsen_and_merge_together_as_each_does_alone(
    stack, n_parts, batch_size, factor
):
    parts = in_parts(stack, n_parts)
    sets = [parts[start : start + 1 + start % 3] for start in range(len(parts))]
    alone = [part.coarsen(factor, 2) for part in parts]
    merged = [CellStatistics.merge(of_set) for of_set in sets]
    with mock.patch.object(statistics_module, "_BATCH_SIZE", batch_size):
        assert_same_arrays(coarsen_each(parts, factor, 2), alone)
        assert_same_arrays(merge_each(sets), merged)


def changed(statistics, part, name, change):
    """Return statistics with an array of theirs changed, or of their `part`."""
    if part is None:
        return statistics._replace(**{name: change(getattr(statistics, name))})
    return statistics._replace(**{part: changed(getattr(statistics, part), None, name, change)})


def with_last(value):
    def change(array):
        array = array.copy()
        array.flat[-1] = value
        return array

    return change


ARRAYS = {
    None: ("cells", "sums"),
    "truth": ("cell", "step", "weight", "excess"),
    "linear": ("mean", "scatter"),
}


@pytest.mark.parametrize(("part", "name"), [(part, a) for part in ARRAYS for a in ARRAYS[part]])
def test_an_array_that_is_none_of_the_sums_is_told_by_name(part, name):
    sound = accumulate_in({}, images(200), 1.0, with_errors=True, with_linear=True)
    sound.check()
    bare = sound.without_errors()._replace(truth=None, linear=None)
    bare.check()
    assert bare.size == bare.sums.size
    changes = [lambda a: a.astype(np.float32), lambda a: np.stack([a, a], axis=-1)]
    if name not in ("cells", "cell", "step"):
        changes += [with_last(value) for value in (np.nan, np.inf)]
    for change in changes:
        with pytest.raises(ValueError, match=f"^{name} of the sums must"):
            changed(sound, part, name, change).check()


def test_cells_that_cannot_be_are_told():
    sound = accumulate_in({}, images(200), 1.0)
    for place, largest in ((-1, 2**53), (0, -(2**53))):
        cells = sound.cells.copy()
        cells[place, 0] = largest
        sound._replace(cells=cells).check()
        cells[place, 0] += np.sign(largest) * 2
        with pytest.raises(ValueError, match="beyond all bins"):
            sound._replace(cells=cells).check()
    for cells in (sound.cells[::-1].copy(), sound.cells[:1].repeat(sound.n_cells, axis=0)):
        with pytest.raises(ValueError, match="distinct and in lexicographic order"):
            sound._replace(cells=cells).check()
    for line in (sound.n_models + 1, -1):
        sums = sound.sums.copy()
        sums[line, 0] = -1.0
        with pytest.raises(ValueError, match="must not be negative where they are of squares"):
            sound._replace(sums=sums).check()
    for weight in (0.0, -1.0):
        sums = sound.sums.copy()
        sums[0, 0] = weight
        with pytest.raises(ValueError, match="cells without rows"):
            sound._replace(sums=sums).check()
    for cell in (-1, sound.n_cells):
        with pytest.raises(ValueError, match=f"must be below {sound.n_cells}"):
            changed(sound, "truth", "cell", with_last(cell)).check()
