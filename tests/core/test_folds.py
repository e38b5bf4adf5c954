"""What folds are called."""

import numpy as np
import pytest

from skensir._core.folds import label_folds, rows_by_label

FOLDS = [np.array([0, 1]), np.array([2, 4]), np.array([3])]


@pytest.mark.parametrize(
    ("groups", "labels"),
    [
        (list("aabcb"), ["a", "b", "c"]),
        ([7, 7, 5, 9, 5], [7, 5, 9]),
        (list("aabcc"), [0, 1, 2]),  # two groups in a fold
        (list("aabab"), [0, 1, 2]),  # a group in two folds
        (None, [0, 1, 2]),
    ],
)
def test_folds_are_called_as_their_groups_where_each_has_one_of_its_own(groups, labels):
    assert label_folds(FOLDS, None if groups is None else np.array(groups)) == labels


def test_rows_go_by_their_label():
    labels, rows = rows_by_label(np.array(["b", "a", "c", "a", "b"]))
    assert labels == ["a", "b", "c"]
    assert [own.tolist() for own in rows] == [[1, 3], [0, 4], [2]]
