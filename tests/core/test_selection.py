"""Rivals of tables take part from two splits on, as tables do."""

import numpy as np
import pytest

from skensir._core.selection import share_with_rivals


def test_two_splits_are_enough_for_a_rival_that_is_better():
    errors, rivals = np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([[1.0, 1.0], [9.0, 9.0]])
    shares, of_rivals = share_with_rivals(errors, rivals, 0, "auto")
    assert shares.tolist() == [0, 0]
    assert of_rivals.tolist() == [1, 0]
    # One split says too little.
    shares, of_rivals = share_with_rivals(errors[:, :1], rivals[:, :1], 0, "auto")
    assert shares.tolist() == [1, 0]
    assert of_rivals.tolist() == [0, 0]


def test_of_two_rivals_shares_are_measured_from_the_better():
    errors, rivals = np.full((1, 3), 1.0), np.array([np.full(3, 0.99), np.full(3, 0.98)])
    shares, of_rivals = share_with_rivals(errors, rivals, 0, "auto")
    expected = np.exp(-np.log(np.array([1.0, 0.99, 0.98]) / 0.98) / 0.03)
    expected /= expected.sum()
    np.testing.assert_allclose([*shares, *of_rivals], expected, rtol=1e-12)
    assert of_rivals[1] == pytest.approx(max(*shares, *of_rivals))
