"""When sums follow from others: wider bins from narrower ones, training rows from other folds."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from skensir._core.cross_validation import (
    Grid,
    is_partition,
    needed_grids,
    neighbours,
    pass_over,
    pass_over_folds,
)
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import KINDS, Axes

WIDTHS = st.sampled_from([0.1, 0.3, 0.5, 0.7, 1.1, 1.0, 2.0, 3.0, 5.1])
STEPS = st.sampled_from([0.1, 0.25, 0.3, 1.0])
FACTORS = st.integers(1, 8)
LINE = np.arange(-300.0, 300.0)


@given(WIDTHS, FACTORS, STEPS, FACTORS, st.sampled_from([0.1, 0.5, 1.0]))
@example(1.1, 3, 1.0, 1, 1.0)
@example(1.0, 3, 1.0, 1, 0.5)
@example(1.0, 2, 0.3, 3, 1.0)
def test_grids_nest_only_where_wider_bins_are_unions_to_the_last_bit(
    width, factor, step, step_factor, unit
):
    """Rows and truth lie on edges of bins and steps, as multiples of short decimals do."""
    fine, wide = Grid(Axes(width), step), Grid(Axes(width * factor), step * step_factor)
    factors = fine.coarsening_to(wide, whole=unit == 1)
    assume(factors is not None)
    X, y = LINE[:, None] * unit, LINE * 0.3
    follows = accumulate(X, y, None, **fine._asdict()).coarsen(*factors)
    expected = accumulate(X, y, None, **wide._asdict())
    assert follows.axes == expected.axes
    np.testing.assert_array_equal(follows.cells, expected.cells)
    np.testing.assert_array_equal(follows.weight, expected.weight)
    assert follows.truth.resolution == expected.truth.resolution
    for name in ("cell", "step", "weight"):
        np.testing.assert_array_equal(
            getattr(follows.truth, name), getattr(expected.truth, name), err_msg=name
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1, 2, 4, 64])
@pytest.mark.parametrize("width", [0.3, 1.0, 31.7])
def test_bins_doubled_need_no_other_pass_over_the_rows(kind, factor, width):
    fine, wide = Grid(Axes(width, kind), 0.1), Grid(Axes(width * factor, kind), 0.1 * factor)
    assert fine.coarsening_to(wide, whole=False) == (factor, factor)
    without_truth = wide._replace(target_resolution=None)
    assert fine.coarsening_to(without_truth, whole=False) == (factor, 1)


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_whole_bins_of_whole_numbers_need_no_other_pass_over_the_rows(width):
    fine, wide = Grid(Axes(width)), Grid(Axes(3 * width))
    assert fine.coarsening_to(wide, whole=True) == (3, 1)
    assert fine.coarsening_to(wide, whole=False) is None


@pytest.mark.parametrize(
    "wide",
    [
        Grid(Axes(48.0), 1.0),
        Grid(Axes(16.0), 1.0),
        Grid(Axes(64.0, "summary"), 1.0),
        Grid(Axes(64.0, unit=2.0), 1.0),
        Grid(Axes(64.0), 0.5),
        Grid(Axes(64.0), 1.5),
        Grid(Axes(64.0), 3.0),
    ],
)
def test_other_grids_do_not_nest(wide):
    assert Grid(Axes(32.0), 1.0).coarsening_to(wide, whole=True) is None


def test_rows_are_summed_up_on_those_grids_only_that_are_unions_of_no_other():
    """Not of the next narrower one alone: of any."""
    grids = [Grid(Axes(width, kind)) for kind in KINDS for width in (1.0, 2.0, 2.5, 3.0, 5.0)]
    needed = needed_grids(grids, whole=True)
    assert needed == [grid for grid in grids if grid.bin_width in (1.0, 2.5)]
    needed = needed_grids(grids, whole=False)
    assert needed == [grid for grid in grids if grid.bin_width in (1.0, 2.5, 3.0)]


@pytest.mark.parametrize(
    ("splits", "parts"),
    [
        ([([2, 3], [0, 1]), ([0, 1], [2, 3])], True),
        ([([1, 2, 3], [0]), ([3, 0, 2], [1]), ([0, 1], [2, 3])], True),
        ([([2, 3], [0, 1])], False),  # rows 2 and 3 are never held out
        ([([2, 3], [0, 1]), ([0, 1, 3], [2])], False),
        ([([2, 3], [0, 1]), ([0, 3], [1, 2])], False),  # row 1 is twice
        ([([2, 3], [0, 1]), ([0], [1, 2, 3])], False),  # though all are held out
        ([([0, 1, 2, 3], [0, 1]), ([0, 1], [2, 3])], False),  # held-out rows train as well
        ([([3], [0, 1]), ([0, 1], [2, 3])], False),  # a training row is left out
        ([([2, 2], [0, 1]), ([0, 1], [2, 3])], False),  # or comes twice in place of another
        ([([], [0, 1, 2, 3])], False),
    ],
)
def test_splits_part_the_rows_if_each_is_held_out_once_and_trains_else(splits, parts):
    splits = [tuple(np.array(side, dtype=int) for side in split) for split in splits]
    assert is_partition(splits, 4) is parts


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([4, 5, 6], slice(4, 7)),
        ([3], slice(3, 4)),
        ([4, 6, 5], None),
        ([4, 4, 6], None),
        ([6, 5, 4], None),
        ([0, 2], None),
        ([], None),
    ],
)
def test_rows_that_are_neighbours_need_no_copy(rows, expected):
    rows = np.array(rows, dtype=int)
    found = neighbours(rows)
    if expected is None:
        assert found is rows
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, 0, 0], "cv split 0 has no training rows of positive sample_weight"),
        ([0, 0, 1, 1], "cv split 0 has no held-out rows of positive sample_weight"),
    ],
)
def test_both_sides_of_a_split_need_rows_of_positive_weight(weight, message):
    X, y, weight = np.arange(8.0).reshape(4, 2), np.arange(4.0), np.array(weight, dtype=float)
    grid = Grid(Axes(8.0))
    splits = [(np.array(train), np.array(test)) for train, test in (([2, 3], [0, 1]), ([0], [3]))]
    with pytest.raises(ValueError, match=message):
        pass_over(X, y, weight, splits, grid)
    folds = [accumulate(X[i], y[i], weight[i], **grid._asdict()) for i in ([0, 1], [2, 3])]
    with pytest.raises(ValueError, match=message):
        pass_over_folds(folds)
