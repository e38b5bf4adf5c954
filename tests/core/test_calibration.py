"""Counts of errors over their standard deviation, and the ratio that covers a share of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._core.calibration import N_PLACES, count_ratios, ratio_that_covers

SEEDS = st.integers(0, 2**32 - 1)


def ends(place):
    """Return the ends of a place of the grid: sixteen to an octave, from 2**-20 to 2**20."""
    return 2.0 ** (place / 16 - 20), 2.0 ** ((place + 1) / 16 - 20)


@given(SEEDS, st.integers(1, 300), st.booleans())
def test_each_ratio_is_counted_where_it_lies(seed, n_rows, weighted):
    rng = np.random.default_rng(seed)
    std = np.exp(rng.normal(size=n_rows) * 3)
    errors = rng.choice([-1, 1], n_rows) * std * np.exp(rng.normal(size=n_rows) * 6)
    weight = rng.integers(1, 4, n_rows) * 1.0 if weighted else None
    counts = count_ratios(errors, std, weight)
    shares = np.ones(n_rows) if weight is None else weight
    ratios = np.abs(errors) / std
    for place in (0, *np.flatnonzero(counts).tolist(), N_PLACES - 1):
        low, high = ends(place)
        low, high = (0 if place == 0 else low), (np.inf if place == N_PLACES - 1 else high)
        # A ratio within rounding of an end may be on either side.
        surely = (ratios > low * (1 + 1e-12)) & (ratios < high * (1 - 1e-12))
        perhaps = (ratios > low * (1 - 1e-12)) & (ratios < high * (1 + 1e-12))
        assert shares[surely].sum() <= counts[place] <= shares[perhaps].sum()
    assert counts.sum() == shares.sum()


def test_no_error_counts_in_the_first_place_and_one_that_none_expected_in_the_last():
    counts = count_ratios(np.array([0.0, 0.0, 1e-3]), np.array([0.0, 3.0, 0.0]))
    assert counts[0] == 2
    assert counts[-1] == 1
    assert counts.sum() == 3


@given(SEEDS, st.integers(1, 5), st.floats(0.01, 0.99))
def test_the_ratio_lies_where_the_share_of_rows_is_reached(seed, n_kinds, coverage):
    """Within a place, rows are taken to be spread evenly over the logarithm."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(N_PLACES)
    counts[rng.integers(1, N_PLACES, n_kinds)] = rng.integers(1, 50, n_kinds)
    counts[-1] = rng.integers(3) * 25  # errors where none was expected
    total = counts.sum()
    wanted, below, place = min(coverage * (total + 1), total), 0.0, 0
    while below + counts[place] < wanted:
        below += counts[place]
        place += 1
    share = (wanted - below) / counts[place]
    expected = np.inf if place == N_PLACES - 1 else 2.0 ** ((place + share) / 16 - 20)
    assert ratio_that_covers(counts, coverage) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_rows", [1, 10, 1000])
def test_hardly_any_error_makes_an_interval_that_is_hardly_wide(n_rows):
    """The first place reaches down to zero."""
    counts = np.zeros(N_PLACES)
    counts[0] = n_rows
    assert ratio_that_covers(counts, 0.5) == pytest.approx(
        min(0.5 * (n_rows + 1) / n_rows, 1) * ends(0)[1], rel=1e-12
    )
    assert 0 < ratio_that_covers(counts, 0.999) <= ends(0)[1]
