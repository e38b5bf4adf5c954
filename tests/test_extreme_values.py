"""Numbers near the ends of double precision are worked with or refused, without a warning."""

import re

import numpy as np
import pytest
from sklearn.metrics import r2_score

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._sums.cells import CellIndex
from skensir._sums.compiled import compiled_walk
from skensir.baselines import AverageRegressor, ConvexRegressor, ZZPMRegressor

ESTIMATORS = [
    EnsIRRegressor,
    EnsIRRegressorCV,
    AverageRegressor,
    ConvexRegressor,
    ZZPMRegressor,
]


def stacked(n_rows=2000):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    return y[:, np.newaxis] + rng.normal(0, 1, (n_rows, 3)), y


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("value", [1e308, 1.1e100, 9e-101, 5e-324])
def test_a_weight_of_no_use_is_refused_by_its_name_and_value(estimator, value):
    X, y = stacked()
    weight = np.ones(len(y))
    weight[3] = value
    said = re.escape(f"sample_weight has {value}, must be zero or from 1e-100 to 1e+100.")
    with pytest.raises(ValueError, match=f"^{said}$"):
        estimator().fit(X, y, sample_weight=weight)
    model = estimator().fit(X, y)
    with pytest.raises(ValueError, match=said):
        model.score(X, y, weight)


@pytest.mark.parametrize("estimator", [AverageRegressor, ConvexRegressor])
@pytest.mark.parametrize("value", [1e-100, 1e100])
def test_weights_at_either_end_are_as_good_as_ones(estimator, value):
    X, y = stacked()
    weighted = estimator().fit(X, y, sample_weight=np.full(len(y), value))
    np.testing.assert_allclose(weighted.predict(X), estimator().fit(X, y).predict(X), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_scores_of_single_precision_are_those_of_double(scale):
    """Squares of such values leave single precision."""
    truth, columns = np.array([3, 5, 4]), np.array([[3, 5], [4, 4], [6, 6]])
    model = AverageRegressor().fit([[1.0, 3.0]], [2.0])
    score = model.score((columns * scale).astype(np.float32), (truth * scale).astype(np.float32))
    assert score == pytest.approx(r2_score(truth, columns.mean(axis=1)), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scores_of_subnormal_values_are_those_of_whole_numbers(dtype):
    least = np.nextafter(0, 1, dtype=dtype)
    truth, columns = np.array([3, 5, 4]), np.array([[3, 5], [4, 4], [6, 6]])
    model = AverageRegressor().fit([[1.0, 3.0]], [2.0])
    expected = r2_score(truth, columns.mean(axis=1))
    score = model.score((columns * least).astype(dtype), (truth * least).astype(dtype))
    assert score == pytest.approx(expected, rel=1e-12)
    assert model.score(np.full((3, 2), least), np.full(3, least)) == 1.0
    assert model.score(np.full((3, 2), least), np.zeros(3, dtype)) == 0.0


@pytest.mark.parametrize("power", [1005, 1012])
@pytest.mark.parametrize("estimator", [EnsIRRegressor, ZZPMRegressor])
def test_large_values_are_no_warning_and_scale_exactly(estimator, power):
    X, y = stacked()
    X, y = X / 2, y / 2
    large = estimator().fit(np.ldexp(X, power), np.ldexp(y, power))
    plain = estimator().fit(X, y)
    np.testing.assert_array_equal(
        np.ldexp(large.predict(np.ldexp(X, power)), -power), plain.predict(X)
    )


def test_products_with_weights_that_overflow_are_refused_without_a_warning():
    X, y = stacked()
    with pytest.raises(ValueError, match="too large"):
        ConvexRegressor().fit(X * 1e250, y * 1e250, sample_weight=np.full(len(y), 1e100))


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (1e150, "X, y or sample_weight is too large: sums of the squares"),
        (1e-160, "X and y are too close to zero: the squares of errors underflow"),
    ],
)
def test_without_bins_no_range_and_no_width_is_named(scale, said):
    X, y = stacked()
    with pytest.raises(ValueError, match=f"^{said}"):
        ConvexRegressor().fit(X * scale, y * scale)


@pytest.mark.parametrize("value", [1e16, -1e18])
def test_a_search_takes_one_prediction_far_from_all_others(value):
    """Its cell has one row; candidates whose cells are too many are left out as ever."""
    X, y = stacked()
    plain = EnsIRRegressorCV(axes="deviations").fit(X, y)
    X[5, 1] = value
    model = EnsIRRegressorCV(axes="deviations").fit(X, y)
    others = np.arange(len(y)) != 5
    error = np.square(model.predict(X[others]) - y[others]).mean()
    assert error < 1.5 * np.square(plain.predict(X[others]) - y[others]).mean()
    EnsIRRegressorCV().fit(X, y)


@pytest.mark.parametrize("value", [1e20, 1e308, -1.7e308])
@pytest.mark.parametrize("estimator", [EnsIRRegressor, EnsIRRegressorCV])
def test_a_prediction_too_large_for_bins_is_told_with_its_column(estimator, value):
    X, y = stacked()
    X[5, 1] = value
    said = rf"column 1 of X has values as large as {abs(value):.6g}\.".replace("+", r"\+")
    with pytest.raises(ValueError, match=said):
        estimator().fit(X, y)
    X[5, 0] = -value
    with pytest.raises(ValueError, match=said.replace("1", "[01]", 1)):
        estimator().fit(X, y)


def test_bins_too_far_apart_to_be_numbered_are_told_with_their_column():
    X = np.random.default_rng(0).uniform(-1, 1, (1000, 3)) * [2e15, 8e15, 2e15]
    with pytest.raises(ValueError, match="X has values too far apart in column 1: they span "):
        EnsIRRegressor(1.0, target_resolution=1.0).fit(X, X[:, 0])


def test_cells_further_apart_than_doubles_tell_are_found_again():
    """The distance of two bins may be beyond 2**53, up to which doubles hold whole numbers."""
    rng = np.random.default_rng(0)
    bins = rng.integers(-(2**53), 2**53, (2, 100))
    bins[:, :2] = np.array([-(2**53), 2**53])
    index = CellIndex(np.ascontiguousarray(bins[:, 1:].T))
    walk = compiled_walk(np.empty((2**20, 2)), index)  # None without numba
    for found in (index.find(bins[:, 1:].astype(np.float64), walk), index.find(bins[:, 1:])):
        np.testing.assert_array_equal(found, np.arange(99))


@pytest.mark.parametrize("value", [1e308, -1.7e308])
def test_truth_too_large_for_its_grid_is_told_by_its_value(value):
    X, y = stacked()
    y[5] = value
    with pytest.raises(ValueError, match=r"^y has values as large as ") as refusal:
        EnsIRRegressor().fit(X, y)
    assert f" as large as {abs(value):.6g}, too large for target" in str(refusal.value)
    assert "inf" not in str(refusal.value)
