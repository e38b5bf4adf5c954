"""Intervals cover what they promise, whatever the unit and however the rows come."""

import pickle
import warnings

import numpy as np
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import KFold

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.calibration import N_PLACES, count_ratios, ratio_that_covers

SEEDS = st.integers(0, 2**32 - 1)
COVERAGES = (0.68, 0.9, 0.95)
GIVEN = {"bin_widths": [32.0, 64.0], "data_range": 255.0, "shrinkages": [9, 90]}


def draw_rows(seed, n_rows):
    """Return predictions whose errors have heavy tails and depend on the value."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    level = np.where(y < 120, 1.0, 6.0)[:, None]
    return y[:, None] + level * rng.standard_t(5, size=(n_rows, 3)), y


def covered(model, X, y, coverage):
    lower, upper = model.predict_interval(X, coverage)
    assert (lower <= upper).all()
    np.testing.assert_allclose((lower + upper) / 2, model.predict(X), atol=1e-9)
    return covered_by((lower, upper), y)


def covered_by(interval, y):
    lower, upper = interval
    return np.mean((lower <= y) & (y <= upper))


@pytest.mark.parametrize(
    "model",
    [
        EnsIRRegressorCV(),
        EnsIRRegressorCV(cv=4, select="average"),
        EnsIRRegressorCV(axes="summary", select="best"),
        EnsIRRegressorCV(shrink_to="pooled", cv=KFold(3)),
    ],
    ids=str,
)
def test_a_search_is_calibrated_on_what_it_holds_out(model):
    model = clone(model).fit(*draw_rows(0, 3000))
    X, y = draw_rows(1, 20_000)
    for coverage in COVERAGES:
        assert covered(model, X, y, coverage) == pytest.approx(coverage, abs=0.02)
    # One standard deviation to either side does not: the tails are heavy.
    prediction, std = model.predict(X, return_std=True)
    assert np.mean(np.abs(y - prediction) <= std) > 0.7


@pytest.mark.parametrize(
    "model",
    [
        EnsIRRegressor(),
        EnsIRRegressor(objective="squared_error", axes="deviations", shrink_to="parent"),
        EnsIRRegressorCV(shrinkages=[100], cv=2),
    ],
    ids=str,
)
def test_any_table_can_be_calibrated(model):
    model = clone(model).fit(*draw_rows(0, 5000))
    model.calibrate(*draw_rows(2, 5000))
    X, y = draw_rows(1, 20_000)
    for coverage in COVERAGES:
        assert covered(model, X, y, coverage) == pytest.approx(coverage, abs=0.02)


def test_weighted_rows_count_by_their_weight():
    X, y = draw_rows(3, 4000)
    model = EnsIRRegressor(64.0, objective="squared_error").fit(X, y)
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = clone_of(model).calibrate(X, y, weight)
    repeated = clone_of(model).calibrate(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_array_equal(weighted.calibration_, repeated.calibration_)


def test_weights_far_below_one_are_told():
    X, y = draw_rows(3, 3000)
    model = EnsIRRegressor(64.0, objective="squared_error").fit(X, y)
    told = r"^sample_weight sums to 1 over 3000 rows, and weights count as rows: "
    with pytest.warns(UserWarning, match=told + "intervals by so few are too wide. Divide them"):
        model.calibrate(X, y, np.full(len(y), 1 / len(y)))
    assert covered(model, X, y, 0.5) == 1  # as by a single row
    with pytest.warns(UserWarning, match=told + "a cell with .* and intervals by so few are too"):
        EnsIRRegressorCV([64.0]).fit(X, y, np.full(len(y), 1 / len(y)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.calibrate(X, y, np.full(len(y), 0.5)).calibrate(X, y)
        model.calibrate(X[:100], y[:100], np.full(100, 0.01))  # of few rows little is expected


def test_where_no_error_was_expected_only_an_infinite_interval_is_sure_to_cover():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 500)
    X = np.column_stack([y, y + 1, y - 1])
    model = EnsIRRegressor(objective="squared_error", min_samples_cell=1).fit(X, y)
    errs = np.arange(500) < 100
    model.calibrate(X, y + errs)
    lower, upper = model.predict_interval(X, 0.9)
    assert covered_by((lower, upper), y + errs) == 1
    assert (lower == -np.inf).all()
    assert (upper == np.inf).all()
    np.testing.assert_array_equal(*model.predict_interval(X, 0.7))


def clone_of(model):
    return pickle.loads(pickle.dumps(model))


@share_of_cases(1 / 8)
@given(SEEDS, st.integers(-30, 30), st.sampled_from(COVERAGES))
def test_intervals_scale_as_the_rows_do(seed, power, coverage):
    X, y = draw_rows(seed, 300)
    scale = 2.0**power
    for model in (
        EnsIRRegressorCV(cv=3),
        EnsIRRegressor(objective="squared_error", axes="summary"),
    ):
        one, other = clone(model).fit(X, y), clone(model).fit(scale * X, scale * y)
        if isinstance(model, EnsIRRegressor):
            one.calibrate(X, y)
            other.calibrate(scale * X, scale * y)
        np.testing.assert_array_equal(one.calibration_, other.calibration_)
        found = other.predict_interval(scale * X, coverage)
        np.testing.assert_array_equal(found, scale * np.array(one.predict_interval(X, coverage)))


@share_of_cases(3 / 8)
@given(SEEDS, st.integers(1, 5))
def test_rows_in_parts_calibrate_as_all_at_once(seed, n_parts):
    X, y = draw_rows(seed, 400)
    model = EnsIRRegressor(64.0, objective="squared_error").fit(X, y)
    whole = clone_of(model).calibrate(X, y)
    for part in np.array_split(np.random.default_rng(seed).permutation(400), n_parts):
        model.calibrate(X[part], y[part], add=True)
    np.testing.assert_array_equal(model.calibration_, whole.calibration_)
    assert model.calibration_.sum() == 400
    assert model.calibrate(X[:5], y[:5]).calibration_.sum() == 5


def test_rows_are_added_to_those_that_the_search_held_out():
    X, y = draw_rows(0, 900)
    model = EnsIRRegressorCV(**GIVEN, cv=3).fit(X, y)
    assert model.calibration_.sum() == 900
    assert model.calibrate(X[:50], y[:50], add=True).calibration_.sum() == 950


@given(SEEDS, st.sampled_from([0.01, 0.5, 0.9, 0.999]))
def test_the_quantile_is_that_of_the_ratios(seed, coverage):
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(1, 500))
    errors, std = rng.standard_t(2, n_rows), np.exp(rng.normal(size=n_rows))
    found = ratio_that_covers(count_ratios(errors, std), coverage)
    ratios = np.sort(np.abs(errors) / std)
    wanted = min(coverage * (n_rows + 1), n_rows)  # one row more, which may be the worst
    # A place of the grid is a sixteenth of an octave.
    step = 2 ** (1 / 16) * (1 + 1e-9)
    low, high = ratios[max(int(np.floor(wanted)) - 1, 0)], ratios[int(np.ceil(wanted)) - 1]
    assert low / step <= found <= high * step or wanted < 1
    assert found <= ratio_that_covers(count_ratios(errors, std), min(coverage + 0.05, 0.9999))


def test_rows_without_errors_or_without_deviation_are_counted_at_the_ends():
    counts = count_ratios(np.array([0.0, 0.0, 3.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert counts[0] == 2
    assert counts[-1] == 1
    assert counts.shape == (N_PLACES,)
    model = EnsIRRegressor(32.0, objective="squared_error").fit(np.ones((9, 2)), np.ones(9))
    lower, upper = model.calibrate(np.ones((5, 2)), np.ones(5)).predict_interval(np.ones((1, 2)))
    assert (lower, upper) == (1, 1)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.5, 1.5, np.nan])
def test_a_coverage_that_is_no_probability_is_an_error(coverage):
    X, y = draw_rows(0, 200)
    model = EnsIRRegressorCV(**GIVEN, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="coverage"):
        model.predict_interval(X, coverage)
    with pytest.raises(TypeError, match=r"coverage == '0\.9', must be a number"):
        model.predict_interval(X, "0.9")


@pytest.mark.parametrize("cross_validated", [False, True])
def test_calibration_is_of_one_table_and_outlives_copies(cross_validated):
    X, y = draw_rows(0, 400)
    groups = np.arange(400) % 3
    model = EnsIRRegressor(32.0, objective="squared_error").fit(X, y)
    if cross_validated:
        model = EnsIRRegressorCV(**GIVEN).partial_fit(X, y, groups).solve()
    with pytest.raises(ValueError, match=r"is not calibrated: call calibrate\(X, y\)"):
        model.predict_interval(X)
    assert model.calibrate(X, y) is model
    expected = model.predict_interval(X, 0.8)
    np.testing.assert_array_equal(clone_of(model).predict_interval(X, 0.8), expected)
    np.testing.assert_array_equal(clone_of(model).forget_rows().predict_interval(X, 0.8), expected)
    assert "calibration_" not in vars(clone(model))
    model.partial_fit(X, y, groups) if cross_validated else model.partial_fit(X, y)
    with pytest.raises(ValueError, match="is not calibrated"):
        model.predict_interval(X)
    with pytest.raises(AttributeError):
        model.calibration_  # noqa: B018


def test_refused_rows_leave_the_calibration_as_it_was():
    X, y = draw_rows(0, 300)
    model = EnsIRRegressorCV(**GIVEN, cv=2).fit(X, y)
    before = pickle.dumps(model)
    bad = [
        (X[:, :2], y, None, "has 2 features"),
        (X, y[:-1], None, "inconsistent"),
        (X, y, -np.ones(300), "Negative values in sample_weight"),
        (X, y, np.zeros(300), "sample_weight is zero for every sample"),
        (np.full((4, 3), np.nan), y[:4], None, "NaN"),
    ]
    for *arguments, message in bad:
        with pytest.raises(ValueError, match=message):
            model.calibrate(*arguments)
        assert pickle.dumps(model) == before


def test_rounding_makes_no_error_of_a_fixed_combination_negative():
    """The average makes no error on the training rows of a split."""
    X = np.array([[1.0, 2, 0], [1, 2, 1], [5, 5, 5], [-1, 1, 0], [3, 3, 3], [1, 1, 1]])
    y = np.array([1.0, 1, 5, 0, 3, 1])
    model = EnsIRRegressorCV(cv=6).fit(X, y)
    assert model.plain_shares_["average"] > 0
    assert covered_by(model.predict_interval(X), y) == 1
