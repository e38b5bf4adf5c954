"""Nested tables of all splits at once, against tables that are fitted one by one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skensir import EnsIRRegressor
from skensir._core.cross_validation import Pass, SplitStatistics
from skensir._core.nested_splits import NestedSplits
from skensir._sums.statistics import CellStatistics


def make_folds(far):
    """Return predictions and truth of three folds, each with a row in which its own model is off.

    With `far` the first one reaches so far that training rows with it have more levels of cells
    than those without.
    """
    rng, folds = np.random.default_rng(0), []
    for number in range(3):  # predictions keep away from 128, where the widest bins meet
        y = rng.choice([1, 4], 150) * 50 + rng.uniform(-30, 30, 150)
        X = y[:, None] + (rng.normal(size=(150, 3)) * [1, 3, 8]).clip(-15, 15)
        X[0] = 20.0
        X[0, number] = 235.0
        folds.append((X, y))
    if far:
        folds[0][0][1:40] += 800
    return folds


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("as_folds", [False, True])
@pytest.mark.parametrize("default_weights", ["auto", "inverse_deviation"])
@pytest.mark.parametrize("intercept", [False, True])
def test_held_out_errors_are_those_of_refitting(far, as_folds, default_weights, intercept):
    table = EnsIRRegressor(
        32.0,
        data_range=255,
        objective="squared_error",
        shrink_to="parent",
        shrinkage=20.0,
        fit_intercept=intercept,
        default_weights=default_weights,
    )
    folds = make_folds(far)
    sums = [table._sums_of(*fold) for fold in folds]
    others = [[0, 1, 2][:i] + [0, 1, 2][i + 1 :] for i in range(3)]
    if as_folds:
        of_all = Pass(CellStatistics.merge(sums), sums)
    else:
        trains = [CellStatistics.merge([sums[i] for i in rest]) for rest in others]
        splits = [SplitStatistics(*sides) for sides in zip(trains, sums, strict=True)]
        of_all = Pass(CellStatistics.merge(sums), splits=splits)
    settings = table._settings(3)
    [found] = NestedSplits(of_all, with_errors=intercept).errors([settings])
    expected = []
    for (X, y), rest in zip(folds, others, strict=True):
        table.fit(*map(np.concatenate, zip(*(folds[i] for i in rest), strict=True)))
        expected.append(np.square(table.predict(X) - y).mean())
        if not far:  # the first row lies in no known cell
            assert_allclose(table.predict_weights(X[:1])[0], table.default_weights_)
    assert_allclose(found, expected, rtol=1e-9)
