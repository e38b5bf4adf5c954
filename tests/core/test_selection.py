"""Rivals of tables take part where they are better, from two splits on, as tables do."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm, sem, ttest_1samp

from skensir._core.selection import share_with_rivals


def test_two_splits_are_enough_for_a_rival_that_is_better():
    errors, rivals = np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([[1.0, 1.0], [9.0, 9.0]])
    shares, of_rivals = share_with_rivals(errors, rivals, 0, "auto", 0.5)
    assert shares.tolist() == [0, 0]
    assert of_rivals.tolist() == [1, 0]
    # One split says too little.
    shares, of_rivals = share_with_rivals(errors[:, :1], rivals[:, :1], 0, "auto", 0.5)
    assert shares.tolist() == [1, 0]
    assert of_rivals.tolist() == [0, 0]


def test_of_two_rivals_shares_are_measured_from_the_better():
    errors, rivals = np.full((1, 3), 1.0), np.array([np.full(3, 0.99), np.full(3, 0.98)])
    shares, of_rivals = share_with_rivals(errors, rivals, 0, "auto", 0.5)
    expected = np.exp(-np.log(np.array([1.0, 0.99, 0.98]) / 0.98) / 0.03)
    expected /= expected.sum()
    np.testing.assert_allclose([*shares, *of_rivals], expected, rtol=1e-12)
    assert of_rivals[1] == pytest.approx(max(*shares, *of_rivals))


@given(seed=st.integers(0, 2**32 - 1), n_splits=st.integers(2, 12))
def test_what_few_splits_may_pretend_does_not_count_against_tables(seed, n_splits):
    """Where splits share no rows, that is how much wider an interval by Student's t is."""
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.9, 1.1, (1, n_splits))
    rivals = errors * np.exp(-rng.normal(0.05, 0.05, (1, n_splits)))
    advantage = np.log(errors[0] / rivals[0])
    assume(advantage.mean() > 1e-6)
    low = ttest_1samp(advantage, 0).confidence_interval(0.95).low
    normal = norm.interval(0.95, advantage.mean(), sem(advantage))[0]
    counts = max(advantage.mean() - (normal - low), 0.0)
    (of_table,), (of_rival,) = share_with_rivals(errors, rivals, 0, "auto", 0.0)
    expected = np.exp(-counts / 0.03)
    assert of_table == pytest.approx(expected / (1 + expected) if expected >= 1e-3 else 0, rel=1e-9)
    assert of_rival == pytest.approx(1 - of_table)
    # The more rows splits share, the more may be chance.
    shared, _ = share_with_rivals(errors, rivals, 0, "auto", 0.5)
    assert of_table <= shared[0] <= 0.5


@given(
    exact=st.lists(st.booleans(), min_size=3, max_size=3),
    exponent=st.integers(-60, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_shares_are_the_same_in_any_unit_where_some_errors_are_none(exact, exponent, seed):
    rng = np.random.default_rng(seed)
    errors, rivals = rng.integers(20, 30, (2, 3)) * 1.0, rng.integers(10, 40, (2, 3)) * 1.0
    rivals[0, exact] = 0.0
    best = int(np.log(errors).mean(axis=1).argmin())
    in_one = share_with_rivals(errors, rivals, best, "auto", 0.5)
    unit = 2.0**exponent
    in_other = share_with_rivals(errors * unit, rivals * unit, best, "auto", 0.5)
    for one, other in zip(in_one, in_other, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_whatever_makes_no_error_is_taken_alone(unit):
    none, some = np.zeros((1, 4)), np.array([[3.0, 4.0, 5.0, 0.0]]) * unit
    shares, of_rivals = share_with_rivals(some, np.concatenate([some, none]), 0, "auto", 0.2)
    assert (shares.tolist(), of_rivals.tolist()) == ([0], [0, 1])
    shares, of_rivals = share_with_rivals(np.concatenate([none, some]), some, 0, "auto", 0.2)
    assert (shares.tolist(), of_rivals.tolist()) == ([1, 0], [0])


def test_a_rival_that_is_no_better_than_the_best_table_takes_no_part_beside_another():
    errors = np.array([[4.0, 3.0, 5.0]])
    _, of_rivals = share_with_rivals(errors, np.concatenate([errors, 0.99 * errors]), 0, "auto", 0)
    assert of_rivals[0] == 0 < of_rivals[1]
