"""The histogram of the truth in each cell, as a dict has it."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums import assert_same_truth

from skensir._sums import histogram as histogram_module
from skensir._sums.histogram import TruthCounter, is_whole, resolve_target_resolution


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
    origin = np.arange(5.0, 6.0 + histogram.cell.max())
    values = histogram.values_from(origin)
    expected = {
        (c, y - origin[c]) for cell, truth, _ in chunks for c, y in zip(cell, truth, strict=True)
    }
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


@given(counted_rows(), st.sampled_from([0.25, 32.0]))
def test_truth_in_another_unit_is_that_of_rows_in_that_unit(chunks, unit):
    found = count(chunks, 7.0).in_units(unit)
    chunks = [(cell, truth / unit, weight) for cell, truth, weight in chunks]
    for one, other in zip(found, count(chunks, 7.0 / unit), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_grid_too_fine_for_the_targets_is_an_error_that_names_it():
    for largest in (2.0**52, -(2.0**52)):
        TruthCounter(1.0).add(np.array([0]), np.array([largest]), None)
    for largest in (1.5 * 2**53, -1.5 * 2**53):
        with pytest.raises(ValueError, match="target_resolution"):
            TruthCounter(1.0).add(np.array([0]), np.array([largest]), None)
    counter = TruthCounter(1e-6)
    message = (
        r"as large as 1e\+12, too large for target_resolution.*1e-06.* must be at least 0.000111"
    )
    with pytest.raises(ValueError, match=message):
        counter.add(np.array([0, 0]), np.array([1.0, -1e12]), None)


@given(
    counted_rows(),
    st.sampled_from([1.0, 0.5, 7.0]),
    st.sampled_from([0.25, 1.0, 3.0, 0.7, 40.0]),
)
def test_truth_goes_over_to_another_grid_as_if_it_had_been_counted_there(
    chunks, from_resolution, resolution
):
    """Values lie 8 apart, so that a place holds one only."""
    chunks = [(cell, 8 * np.rint(truth), weight) for cell, truth, weight in chunks]
    found = count(chunks, from_resolution).regrid(resolution)
    expected = count(chunks, resolution)
    assert found.resolution == expected.resolution
    np.testing.assert_array_equal(found.cell, expected.cell)
    np.testing.assert_array_equal(found.step, expected.step)
    np.testing.assert_allclose(found.weight, expected.weight)
    np.testing.assert_allclose(found.excess, expected.excess, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bin_width", [32.0, 0.125, 1e4])
def test_a_bin_has_256_steps_of_a_truth_that_is_not_whole(bin_width):
    truth = np.array([0.5, 7.25])
    assert resolve_target_resolution("auto", truth, None, bin_width) == bin_width / 256


@pytest.mark.parametrize(
    ("truth", "weight", "bin_width", "expected"),
    [
        (np.array([3, 9]), None, 0.125, 1.0),
        (np.array([3, 9]), None, 1e4, 1.0),
        (np.array([True, False]), None, 1e4, 1.0),
        (np.array([3, 9]), None, 2.0**20, 16.0),  # at most 2**16 steps in a bin
        (np.array([3.0, 9.0]), None, 0.125, 1.0),
        (np.array([3.0, 9.0]), None, 32.0, 1.0),
        (np.array([3.0, 9.0]), None, 512.0, 2.0),  # as other floats have it
        (np.array([0.5, 9.0]), np.array([0.0, 1.0]), 32.0, 1.0),  # the half has no weight
        (np.array([0.5, 9.0]), np.array([0.1, 1.0]), 32.0, 0.125),
    ],
)
def test_whole_truth_is_kept_exactly(truth, weight, bin_width, expected):
    assert resolve_target_resolution("auto", truth, weight, bin_width) == expected


@pytest.mark.parametrize("odd", [0, 3, 4])
def test_truth_is_whole_if_all_chunks_are(odd):
    truth = np.arange(5.0)
    with mock.patch.object(histogram_module, "row_chunks", naive.in_chunks(2)):
        assert is_whole(truth, None)
        truth[odd] += 0.5
        assert not is_whole(truth, None)
        assert is_whole(truth, np.arange(5.0) != odd)
