"""The range of the predictions, in numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._sums.scale import find_data_range, quantiles, scale_of


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 5)), min_size=1, max_size=60),
    st.sampled_from([1 / 64, 0.25, 0.5, 63 / 64]),
)
def test_quantiles_are_the_smallest_values_with_that_share_below(pairs, share):
    values, weight = np.array(pairs, dtype=np.float64).T
    repeated = sorted(np.repeat(values, weight.astype(int)).tolist())
    total = len(repeated)
    expected = next(v for i, v in enumerate(repeated, 1) if i >= share * total)
    assert quantiles(values, weight, [share])[0] == expected
    assert quantiles(np.array(repeated), None, [share])[0] == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 255, 255),
        (0, 1, 255 / 256),
        (-1, 1, 2 * 255 / 256),
        (5e4, 4.5e5, 2**19 * 255 / 256),
        (1e12, 1e12 + 100, 128 * 255 / 256),
        (7, 7, 8 * 255 / 256),
        (0, 0, 255 / 256),
        (1e12, 1e12 + 1e-3, 255 / 256),
        (1.5 * 2**59, 1.5 * 2**59 + 2**12, 2**20 * 255 / 256),  # not beyond 2**40 bins of it
        (-1.5 * 2**59 - 2**12, -1.5 * 2**59, 2**20 * 255 / 256),
    ],
)
def test_range_is_a_power_of_two_that_covers_the_predictions(low, high, expected):
    X = np.linspace(low, high, 500)[:, None]
    assert find_data_range(X, np.ones(500)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 256], 255),  # a power of two covers itself
        ([0, 257], 2 * 255),
        ([5] * 127 + [45], 64 * 255 / 256),  # the bulk is one value: the spread of all
        ([5] * 127 + [-35], 64 * 255 / 256),
        ([-7] * 9, 8 * 255 / 256),  # all are one value: its magnitude
        ([-1e9, *np.linspace(0, 100, 125), 1e9, 1e9], 127.5),  # a 64th at either end
        ([-1e9, -1e9, *np.linspace(0, 100, 126)], 2**30 * 255 / 256),
        ([*np.linspace(0, 100, 125), 1e9, 1e9, 1e9], 2**30 * 255 / 256),
    ],
)
def test_the_range_is_that_of_the_bulk(values, expected):
    X = np.array(values, dtype=np.float64)[:, np.newaxis]
    assert find_data_range(X, np.ones(len(X))) == expected


@pytest.mark.parametrize(
    ("times", "expected"), [([99, 99, 1], 127.5), ([1, 1, 99], 2**20 * 255 / 256)]
)
def test_a_weight_is_so_many_rows(times, expected):
    X = np.array([[0.0, 9.0], [100.0, 91.0], [1e6, 1e6]])
    assert find_data_range(X, np.array(times, dtype=np.float64)) == expected
    assert find_data_range(np.repeat(X, times, axis=0), np.ones(sum(times))) == expected


@pytest.mark.parametrize("power", [-300, -201, -200, -8, 0, 8, 200, 201, 300])
def test_rows_are_divided_by_nothing_unless_their_squares_leave_the_numbers(power):
    data_range = 255 * 2.0**power
    assert scale_of(data_range) == (1.0 if abs(power) <= 200 else 2.0**power)
