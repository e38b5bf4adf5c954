"""Tables of other folds, models left out, and several sets of rows solved together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._core import held_out, likelihood
from skensir._core.held_out import HeldOutParts
from skensir._core.solve import solve_table, solve_tables
from skensir._core.table import FIELDS
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes

TABLES = {
    "likelihood": {},
    "with a prior": {"shrinkage": 50.0},
    "as published": REFERENCE_PARAMS,
    "squared error": {"objective": "squared_error", "shrinkage": 20.0},
    "with intercepts": {"objective": "squared_error", "fit_intercept": True, "positive": False},
    "nested": {"objective": "squared_error", "shrink_to": "parent", "shrinkage": 30.0},
    "deviations": {"objective": "squared_error", "axes": "deviations"},
}


def make_parts(n_parts=4, seed=0, n_models=3, times=1):
    """Return predictions and truth of parts, each of which has some cells of its own."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(n_parts):
        y = rng.integers(20 * number, 150 + 25 * number, times * (900 + 100 * number))
        spread = np.where(y[:, None] < 128, [2, 6, 12], [12, 6, 2])[:, :n_models]
        X = y[:, None] + np.rint(spread * rng.standard_normal((len(y), n_models)))
        parts.append((X.clip(0, 255).astype(np.uint8), y.astype(np.uint8)))
    return parts


def table_of(params):
    return EnsIRRegressor(**{"min_samples_cell": 40, **params})


def sums_of(params, X, y):
    return table_of(params)._sums_of(X, y)


@pytest.mark.parametrize("params", TABLES.values(), ids=TABLES)
def test_held_out_errors_are_those_of_refitting_and_predicting(params):
    """Two folds of two parts each; rows beyond the end bins of the others are among them."""
    parts = make_parts()
    sums = [sums_of(params, *part) for part in parts]
    folds = [type(sums[0]).merge(pair) for pair in (sums[:2], sums[2:])]
    without_truth = [part._replace(truth=None) for part in sums]
    of_parts = HeldOutParts.of_folds(folds, [without_truth[:2], without_truth[2:]])
    found = of_parts.squared_errors(table_of(params)._settings(3))
    for number, (X, y) in enumerate(parts):
        others = parts[2:] if number < 2 else parts[:2]
        rows = [np.concatenate(arrays) for arrays in zip(*others, strict=True)]
        slow = table_of(params).fit(*rows)
        assert found[number] == pytest.approx(np.square(slow.predict(X) - y).sum(), rel=1e-10)


@pytest.mark.parametrize("model", range(3))
def test_sums_without_a_model_are_those_of_the_other_columns(model):
    [(X, y)] = make_parts(1)
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    options = {"with_errors": True, "with_linear": True, "target_resolution": 1.0}
    found = accumulate(X, y, weight, axes=Axes(16.0), **options).without_model(model)
    others = np.delete(X, model, axis=1)
    expected = accumulate(others, y, weight, axes=Axes(16.0), **options)
    assert found.n_models == 2
    assert_array_equal(found.cells, expected.cells)
    assert_allclose(found.sums, expected.sums, rtol=1e-9, atol=1e-9)
    for one, other in zip(found.truth, expected.truth, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    for one, other in zip(found.linear, expected.linear, strict=True):
        assert_allclose(one, other, rtol=1e-9)


def test_cells_of_deviations_cannot_be_had_without_a_model():
    sums = sums_of(TABLES["deviations"], *make_parts(1)[0])
    with pytest.raises(ValueError, match=r"axes.kind == 'deviations'"):
        sums.without_model(0)


@pytest.mark.parametrize("params", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("most", [1, 500, 2**15])
def test_tables_made_together_are_those_made_one_by_one(params, most, monkeypatch):
    """However many are worked on at once; among them truth of two resolutions, and thin cells."""
    sums = [sums_of(params, *part) for part in make_parts()]
    [(X, y)] = make_parts(1, seed=5)
    sums.append(sums_of(params, X, y + 0.3))
    sums.append(sums_of(params, *(array[:30] for array in make_parts()[0])))
    settings = table_of(params)._settings(3)
    expected = [solve_table(part, settings) for part in sums]
    monkeypatch.setattr(likelihood, "_MAX_ENTRIES", most)
    for one, other in zip(solve_tables(sums, settings), expected, strict=True):
        for name in FIELDS:
            assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_a_single_fold_leaves_nothing_to_fit_on():
    sums = sums_of({}, *make_parts(1)[0])
    of_parts = HeldOutParts.of_folds([sums], [[sums]])
    assert np.isnan(of_parts.squared_errors(table_of({})._settings(3))).all()
    assert of_parts.moments().shape == (1, 3, 3)


def test_much_truth_in_16_bits_is_counted_on_fewer_steps_at_next_to_no_error(monkeypatch):
    monkeypatch.setattr(held_out, "_MANY_ENTRIES", 1000)
    rng, deep = np.random.default_rng(3), {"data_range": 65535}
    parts = []
    for X, y in make_parts(3, times=20):
        y = 257 * y.astype(int) + rng.integers(-128, 129, len(y))
        parts.append((257 * X.astype(np.uint16), y.clip(0, 65535).astype(np.uint16)))
    sums = [sums_of(deep, *part) for part in parts]
    of_parts = HeldOutParts.of_folds(sums, [[part._replace(truth=None)] for part in sums])
    assert sums[0].truth.resolution == 1
    assert of_parts.trains[0].truth.resolution == 32  # bins are 8224 wide
    found = of_parts.squared_errors(table_of(deep)._settings(3))
    for number, (X, y) in enumerate(parts):
        others = [part for place, part in enumerate(parts) if place != number]
        rows = [np.concatenate(arrays) for arrays in zip(*others, strict=True)]
        slow = np.square(table_of(deep).fit(*rows).predict(X) - y.astype(float)).sum()
        assert 10 * abs(np.log10(found[number] / slow)) < 1e-3  # dB


@pytest.mark.parametrize(
    ("bin_width", "fine", "step"),
    [(511, 1, 1), (512, 1, 2), (767, 1, 2), (768, 1, 3), (256, 0.5, 1), (255, 0.5, 0.5)],
)
def test_steps_of_much_truth_are_made_wider_as_long_as_a_bin_keeps_256(
    bin_width, fine, step, monkeypatch
):
    [(X, y)] = make_parts(1)
    sums = accumulate(X, y, axes=Axes(float(bin_width)), target_resolution=float(fine))
    n_entries = len(sums.truth.cell)
    for many, expected in ((n_entries, fine), (n_entries - 1, step)):
        monkeypatch.setattr(held_out, "_MANY_ENTRIES", many)
        [truth, _] = (train.truth for train in HeldOutParts.of_folds([sums, sums], [[], []]).trains)
        assert truth.resolution == expected
        assert truth.weight.sum() == len(y)
