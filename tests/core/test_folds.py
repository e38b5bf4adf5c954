"""What folds are called."""

import numpy as np
import pytest

from skensir._core.folds import FoldSums, label_folds, rows_by_label

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


def test_numbers_come_before_words_and_these_before_folds_without_a_name():
    labels = [("part", 2), "b", 10, ("part", 1), 9, "a"]
    ordered = FoldSums(labels, [[label] for label in labels]).in_order()
    assert ordered.labels == [9, 10, "a", "b", ("part", 1), ("part", 2)]
    assert ordered.folds == [[label] for label in ordered.labels]
