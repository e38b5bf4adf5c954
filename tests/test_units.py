"""What is scaled gives what is scaled, and plain mistakes of scale are told."""

import pickle
import warnings

import naive
import numpy as np
import pandas as pd
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tables import images

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir._sample import Sample
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)
from skensir.image import ImageEnsemble

ESTIMATORS = [
    EnsIRRegressor(),
    EnsIRRegressor(min_samples_cell=5, shrinkage=3),
    EnsIRRegressor(**{**REFERENCE_PARAMS, "min_samples_cell": 20}),
    EnsIRRegressor(objective="squared_error", min_samples_cell=5),
    EnsIRRegressor(default_weights="inverse_deviation", objective="squared_error"),
    EnsIRRegressorCV(cv=3, objectives=("likelihood", "squared_error"), shrinkages=(0, 50)),
    AverageRegressor(),
    BestModelRegressor(),
    ConvexRegressor(),
    GreedyRegressor(10),
    ZZPMRegressor(),
]
POWERS = st.integers(-20, 20).map(lambda power: 2.0**power)


@st.composite
def rows(draw):
    """Draw real predictions that agree roughly, truth, and sample weights or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_models = draw(st.integers(30, 240)), draw(st.integers(1, 4))
    y = draw(st.sampled_from([0.0, 70.0, 1e4])) + rng.uniform(0, 255, n_rows)
    y = draw(st.sampled_from([y, np.rint(y), np.rint(y * 8) / 8, y.astype(np.float32)]))
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * draw(st.sampled_from([0.5, 5.0]))
    weight = rng.integers(0, 3, n_rows) / 2 if draw(st.booleans()) else None
    return X.astype(y.dtype), y, weight


def fitted(estimator, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(estimator).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(("largest", "bits"), [(200, 8), (1000, 10), (4000, 12)])
@pytest.mark.parametrize("estimator", [EnsIRRegressor(), EnsIRRegressorCV()], ids=str)
@pytest.mark.filterwarnings("ignore:Most rows")
def test_fewer_bits_in_numbers_of_16_bits_are_told(estimator, largest, bits):
    rng = np.random.default_rng(0)
    y = rng.integers(9, largest, 2000).astype(np.uint16)
    X = (y[:, None] + rng.integers(-9, 10, (2000, 3))).astype(np.uint16)
    factor = 2 ** (16 - bits)
    advice = f"multiply them by {factor}; or set data_range={2**bits - 1}"
    with pytest.warns(UserWarning, match=advice):
        clone(estimator).fit(X, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="No value of X and y is above")
        clone(estimator).set_params(data_range=2**bits - 1).fit(X, y)
        clone(estimator).fit(X * np.uint16(factor), y * np.uint16(factor))


NEAR_THE_ENDS = [
    EnsIRRegressor(),
    EnsIRRegressor(**{**REFERENCE_PARAMS, "min_samples_cell": 20}),
    EnsIRRegressor(objective="squared_error", axes="deviations", shrink_to="parent", shrinkage=30),
    EnsIRRegressor(objective="squared_error", axes="summary", fit_intercept=True, positive=False),
]


@pytest.mark.parametrize("estimator", NEAR_THE_ENDS, ids=str)
@pytest.mark.parametrize("power", [-970, -565, -230, 230, 565, 1000])
@share_of_cases(3 / 40)
@given(data=rows())
def test_values_whose_squares_no_float_holds(estimator, power, tmp_path_factory, data):
    X, y, weight = (None if part is None else part.astype(np.float64) for part in data)
    scale = 2.0**power
    model, other = fitted(estimator, X, y, weight), fitted(estimator, X * scale, y * scale, weight)
    np.testing.assert_array_equal(other.weights_, model.weights_)
    for y_true in (y, -y):
        score = other.score(X * scale, y_true * scale)
        assert score == pytest.approx(model.score(X, y_true), rel=1e-12)
    expected = [part * scale for part in model.predict(X, return_std=True)]
    file = tmp_path_factory.mktemp("table") / "a.table"
    save_table(other, file)
    for copy in (other, pickle.loads(pickle.dumps(other)), load_table(file)):
        for found, as_expected in zip(
            copy.predict(X * scale, return_std=True), expected, strict=True
        ):
            np.testing.assert_array_equal(found, as_expected)
    with pytest.raises(ValueError, match="squares leave the range of floats"):
        other.partial_fit(X * scale, y * scale)
    assert np.isfinite(other.variances_).all() or other.axes_ != "predictions"


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@share_of_cases(1 / 4)
@given(data=rows(), scale=POWERS)
def test_predictions_scale_exactly_by_powers_of_two(estimator, data, scale):
    X, y, weight = data
    X_scaled, y_scaled = X * X.dtype.type(scale), y * y.dtype.type(scale)
    model, other = fitted(estimator, X, y, weight), fitted(estimator, X_scaled, y_scaled, weight)
    np.testing.assert_array_equal(other.predict(X_scaled), scale * model.predict(X))
    if hasattr(model, "data_range_"):
        assert other.data_range_ == scale * model.data_range_
    if isinstance(model, EnsIRRegressor):
        _, std = model.predict(X, return_std=True)
        np.testing.assert_array_equal(other.predict(X_scaled, return_std=True)[1], scale * std)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@share_of_cases(1 / 4)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_predictions_scale_by_any_number_with_the_range_given_in_proportion(estimator, seed, scale):
    rng = np.random.default_rng(seed)
    # In the middle of bins, so that no rounding moves a prediction into another.
    y = 8 * rng.integers(0, 32, 300) + 4.0
    X = y[:, None] + rng.integers(-3, 4, (300, 3)) + 0.25
    first, other = clone(estimator), clone(estimator)
    if "data_range" in estimator.get_params():
        first.set_params(data_range=255)
        other.set_params(data_range=255 * scale)
    if "max_iter" in estimator.get_params():
        first.set_params(max_iter=3, tol=0)
        other.set_params(max_iter=3, tol=0)
    if isinstance(estimator, EnsIRRegressorCV):  # ties of the grid are decided by rounding
        first.set_params(bin_widths=[32], shrinkages=[0], objectives=["likelihood"])
        other.set_params(bin_widths=[32 * scale], shrinkages=[0], objectives=["likelihood"])
    expected = scale * fitted(first, X, y).predict(X)
    found = fitted(other, scale * X, scale * y).predict(scale * X)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_pixels_of_16_bits_are_combined_as_those_of_8():
    stack = images(3000)
    X, y = stack.X.astype(np.uint16) * 257, stack.y.astype(np.uint16) * 257
    for estimator in (EnsIRRegressor(), ZZPMRegressor(), EnsIRRegressorCV()):
        narrow, wide = fitted(estimator, stack.X, stack.y), fitted(estimator, X, y)
        assert (narrow.data_range_, wide.data_range_) == (255, 65535)
        np.testing.assert_allclose(wide.predict(X), 257 * narrow.predict(stack.X), rtol=1e-6)


# ---- the range


@given(naive.stacks(), st.integers(0, 2**32 - 1))
def test_rows_of_weight_zero_change_nothing_and_weight_is_repetition(stack, seed):
    times = np.random.default_rng(seed).integers(0, 3, len(stack.X))
    times[0] = 2
    X = stack.X.astype(np.float64)
    found = Sample.of(X, stack.y, times.astype(float)).find_data_range()
    repeated = np.repeat(X, times, axis=0), np.repeat(stack.y, times)
    assert found == Sample.of(*repeated, None).find_data_range()


@pytest.mark.parametrize("far", [-1e9, 3e4, 1e9])
@pytest.mark.parametrize("estimator", [EnsIRRegressor(), EnsIRRegressorCV(cv=3)], ids=str)
def test_one_outlier_among_many_rows_changes_no_width(estimator, far):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 1, 20_000)
    X = y[:, None] + rng.normal(scale=0.02, size=(20_000, 3))
    clean = clone(estimator).fit(X, y)
    X[7, 1] = far
    model = clone(estimator).fit(X, y)
    assert model.data_range_ == clean.data_range_
    if isinstance(model, EnsIRRegressor):
        assert model.bin_width_ == clean.bin_width_
    weight = np.ones(20_000)
    weight[7] = 0.0
    assert clone(estimator).fit(X, y, weight).data_range_ == clean.data_range_


def test_of_very_many_rows_some_stand_for_all():
    X = np.random.default_rng(0).uniform(0, 100, (900_000, 2))
    sample = Sample.of(X, X[:, 0], None)
    assert len(sample.predictions) == 450_000
    assert sample.weight.sum() == 900_000
    assert sample.find_data_range() == 127.5
    merged = Sample.merge([Sample.of(part, part[:, 0], None, 4000) for part in np.split(X, 9)])
    assert len(merged.predictions) <= 2**20
    assert merged.find_data_range() == 127.5


# ---- rows in parts


def test_first_rows_with_weight_tell_the_range_of_all():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 1, 3000)
    X = y[:, None] + rng.normal(scale=0.02, size=(3000, 3))
    parts = EnsIRRegressor()
    parts.partial_fit(1000 * X[:9], y[:9], np.zeros(9))
    for chosen in np.split(np.arange(3000), 3):
        parts.partial_fit(X[chosen], y[chosen])
    whole = EnsIRRegressor().fit(X, y)
    assert parts.solve().data_range_ == whole.data_range_
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-9)


def test_rows_that_leave_the_range_are_told_once():
    y = np.linspace(0, 1, 500)
    model = EnsIRRegressor().partial_fit(np.stack([y, y], 1), y)
    with pytest.warns(UserWarning, match=r"was 0\.99.*start anew with data_range=255"):
        model.partial_fit(255 * np.stack([y, y], 1), 255 * y)
    model.partial_fit(255 * np.stack([y, y], 1), 255 * y)  # once is enough
    EnsIRRegressor(data_range=1).partial_fit(np.stack([y, y], 1), y).partial_fit([[9.0, 9.0]], [9])


def test_merging_takes_over_the_range_or_says_what_to_give():
    y = np.linspace(0, 1, 500)
    X = np.stack([y, y], 1)
    small, large = EnsIRRegressor().fit(X, y), EnsIRRegressor().fit(300 * X, 300 * y)
    assert EnsIRRegressor().merge(large).solve().data_range_ == large.data_range_
    with pytest.raises(ValueError, match="give all of them the same data_range"):
        small.merge(large)
    given_width = EnsIRRegressor(8).fit(X, y).merge(EnsIRRegressor(8).fit(300 * X, 300 * y))
    assert given_width.solve().data_range_ == large.data_range_


# ---- what is kept


@pytest.mark.parametrize("params", [{}, {"bin_width": 0.1}, {"data_range": 0.7}, {"bin_width": 9}])
@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_the_range_outlives_pickles_and_files(params, scale, tmp_path):
    stack = images(3000)
    X, y = stack.X * scale, stack.y * scale
    model = EnsIRRegressor(**params, min_samples_cell=0).fit(X, y)
    save_table(model, tmp_path / "table")
    for back in (pickle.loads(pickle.dumps(model)), load_table(tmp_path / "table")):
        assert back.get_params() == model.get_params()
        assert back.data_range_ == model.data_range_
        np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_a_state_of_0_1_is_one_of_8_bits():
    model = EnsIRRegressor(32).fit(*images(3000)[:2])
    state = model.__getstate__()
    state["skensir_state"] = 1
    for name in ("data_range", "data_range_"):
        del state["attributes"][name]
    back = EnsIRRegressor.__new__(EnsIRRegressor)
    back.__setstate__(state)
    assert (back.data_range, back.data_range_) == ("auto", 255.0)
    np.testing.assert_array_equal(back.partial_fit(*images(300)[:2]).solve().bin_width_, 32.0)


@pytest.mark.parametrize("estimator", [EnsIRRegressor, EnsIRRegressorCV, ZZPMRegressor])
@pytest.mark.parametrize("bad", [0, -1.0, np.inf, "wide", None])
def test_a_bad_range_is_an_error_that_names_it(estimator, bad):
    with pytest.raises((ValueError, TypeError), match="data_range"):
        estimator(data_range=bad).fit(*images(300)[:2])


# ---- mistakes that are told


def advice(X, y, **params):
    """Return what fit warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        EnsIRRegressor(objective="squared_error", **params).fit(X, y)
    return [str(warning.message) for warning in caught]


def house_prices(n_rows=2000, seed=0):
    """Return skewed truth far from zero, and predictions of two good models."""
    rng = np.random.default_rng(seed)
    y = 1e5 * np.exp(rng.normal(0.8, 0.5, n_rows))
    return y[:, None] * (1 + rng.normal(scale=0.1, size=(n_rows, 2))), y


def test_most_rows_in_thin_cells_are_told():
    X, y = house_prices()
    [message] = advice(X, y, bin_width=500.0)
    assert message.startswith("Most rows, 100%")
    for way_out in ("bin_width", "min_samples_cell", "EnsIRRegressorCV"):
        assert way_out in message
    assert advice(X, y, bin_width=500.0, min_samples_cell=0) == []
    assert advice(X[:300], y[:300]) == []  # no table can be expected of so few


def test_columns_on_another_scale_are_named():
    X, y = house_prices()
    frame = pd.DataFrame(X, columns=["good", "other"])
    features = pd.DataFrame({"rooms": np.arange(2000) % 9 + 1, "area": y / 3000})
    [message] = advice(pd.concat([frame, features], axis=1), y, bin_width=1e5)
    assert "('rooms', 'area')" in message
    assert "passthrough=True" in message
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    [message] = advice(scaled, y, bin_width=1.0)
    assert "(0, 1)" in message
    assert "StandardScaler" in message
    [message] = advice(X, (y - y.mean()) / y.std(), bin_width=1e5)
    assert "TransformedTargetRegressor" in message
    [message] = advice(X / 1e5, np.log(y), bin_width=1.0, min_samples_cell=0)
    assert "(0, 1)" in message


@pytest.mark.parametrize("seed", range(5))
def test_weak_models_are_not_told(seed):
    X, y = house_prices(seed=seed)
    rng = np.random.default_rng(seed)
    weak = {
        "constant": np.full_like(y, y.mean()),
        "shrunk": y.mean() + 1e-3 * (X[:, 0] - y.mean()),
        "shuffled": rng.permutation(X[:, 0]),
        "biased": X[:, 0] * 0.8,
        "noisy": y + 3 * y.std() * rng.normal(size=y.size),
        "median": np.full_like(y, np.median(y)),
        "clipped": np.clip(X[:, 0], 0, np.median(y)),
    }
    assert advice(np.stack(list(weak.values()), 1), y, min_samples_cell=0) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_even_images_are_not_told(dtype, level):
    rng = np.random.default_rng(level)
    y = np.clip(level + rng.integers(0, 2, 3000), 0, 255).astype(dtype)
    X = np.clip(y[:, None] + rng.normal(0, [2, 5, 9], (3000, 3)), 0, 255).round().astype(dtype)
    assert advice(X, y, min_samples_cell=0) == []


# ---- images


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535), (float, 255)])
def test_images_of_floats_up_to_one_are_refused(dtype, peak):
    rng = np.random.default_rng(0)
    target = rng.integers(0, peak + 1, (40, 60)).astype(dtype)
    stack = np.clip(target + rng.normal(0, peak / 100, (3, 40, 60)), 0, peak).astype(dtype)
    ensemble = ImageEnsemble(channel_axis=None).fit([stack], [target])
    for call in (
        lambda: ensemble.predict([stack / peak]),
        lambda: ensemble.predict_weights([stack / peak]),
        lambda: ensemble.score([stack / peak], [target / peak]),
    ):
        with pytest.raises(ValueError, match=f"Image 0 has floats .*multiply them by {peak}"):
            call()
    ensemble.predict([stack.astype(float), np.zeros((3, 4, 4))])
    small = ImageEnsemble(channel_axis=None).fit([stack / peak], [target / peak])
    small.predict([stack / peak])


@pytest.mark.parametrize("estimator", [EnsIRRegressor(), EnsIRRegressorCV(cv=3)])
def test_pixels_from_0_to_1_are_refused_by_what_was_fitted_on_8_bits(estimator):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 2000)
    X = np.clip(y[:, None] + rng.integers(-5, 6, (2000, 2)), 0, 255).astype(np.uint8)
    estimator = clone(estimator).fit(X, y)
    for method in (estimator.predict, estimator.predict_weights):
        with pytest.raises(ValueError, match="X has floats from 0 to 1 in all of its 2000 rows"):
            method(X / 255)
    # Few dark pixels, and images that are black, may be meant so.
    assert len(estimator.predict(X[:500] / 255)) == 500
    assert len(estimator.predict(np.zeros((2000, 2)))) == 2000
