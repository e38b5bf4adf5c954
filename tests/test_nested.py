"""EnsIRRegressor on every kind of axes, with parents, signs and intercepts."""

import copy

import numpy as np
import pytest
from drawn import share_of_cases
from hypothesis import assume, example, given
from hypothesis import strategies as st
from naive import Nested, bins_on_axes
from tables import assert_same_table

from skensir import EnsIRRegressor

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("predictions", "deviations", "summary")
PARAMS = st.fixed_dictionaries(
    {
        "axes": st.sampled_from(KINDS),
        "shrink_to": st.sampled_from(["pooled", "parent"]),
        "positive": st.booleans(),
        "fit_intercept": st.booleans(),
        "shrinkage": st.sampled_from([4.0, 60.0]),
        "min_samples_cell": st.sampled_from([0, 15]),
        "default_weights": st.sampled_from(["auto", "uniform", "inverse_deviation"]),
    }
)
pytestmark = pytest.mark.filterwarnings("ignore:Most rows", "ignore:X has columns")
SQUARES = {"objective": "squared_error", "data_range": 255}


def make(params, bin_width=32.0, **others):
    return EnsIRRegressor(bin_width, **{**SQUARES, **params, **others})


def draw_rows(seed, *, n_rows=None, n_models=None, whole=False):
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(2, 120)) if n_rows is None else n_rows
    n_models = int(rng.integers(1, 5)) if n_models is None else n_models
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * rng.uniform(2, 40, n_models)
    return (np.clip(np.rint(X), 0, 255), np.rint(y)) if whole else (X, y)


def held_out(seed, n_models):
    """Return rows that reach beyond the bins of those that are fitted on."""
    return 1.6 * draw_rows(seed + 1, n_rows=60, n_models=n_models)[0] - 70


@share_of_cases(3 / 4)
@given(SEEDS, PARAMS, st.integers(1, 4))
def test_rows_in_parts_weighted_and_in_any_order_make_one_table(seed, params, n_parts):
    X, y = draw_rows(seed)
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 3, len(y))
    weight[0] = 1
    whole = make(params).fit(X, y, weight)
    repeated = make(params).fit(X.repeat(weight, axis=0), y.repeat(weight))
    order = rng.permutation(len(y))
    cuts = np.sort(rng.integers(0, len(y) + 1, n_parts - 1))
    parts, merged = make(params), make(params)
    for batch in np.split(order, cuts):
        if len(batch):
            parts.partial_fit(X[batch], y[batch], weight[batch])
            merged.merge(make(params).partial_fit(X[batch], y[batch], weight[batch]))
    # A sum in another order may end in another digit, which weights of few rows multiply.
    for other in (repeated, parts, merged):
        assert_same_table(other, whole, rtol=1e-5, relative_atol=1e-6)
        for name in ("ancestor_levels_", "ancestor_cells_"):
            np.testing.assert_array_equal(getattr(other, name), getattr(whole, name))
        scale = 1e-6 * max(1, np.abs(whole.weights_).max())
        for name in ("ancestor_weights_", "intercepts_", "ancestor_rmse_"):
            np.testing.assert_allclose(
                getattr(other, name), getattr(whole, name), rtol=1e-5, atol=300 * scale
            )


@given(SEEDS, PARAMS, st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]))
def test_equal_predictions_of_any_dtype_make_the_same_table(seed, params, dtype):
    X, y = draw_rows(seed, whole=True)
    expected = make(params).fit(X, y)
    model = make(params).fit(X.astype(dtype), y.astype(np.uint8))
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-9)
    rows = np.clip(np.rint(held_out(seed, X.shape[1])), 0, 255)
    np.testing.assert_allclose(
        model.predict(rows.astype(dtype)), expected.predict(rows), rtol=1e-7, atol=1e-7
    )


@given(SEEDS, PARAMS)
@example(27, {"fit_intercept": True, "shrinkage": 4.0, "min_samples_cell": 0})
def test_relabelled_models_have_the_same_weights_in_another_order(seed, params):
    X, y = draw_rows(seed)
    order = np.random.default_rng(seed).permutation(X.shape[1])
    model = make(params).fit(X, y)
    other = make(params).fit(X[:, order], y)
    rows = held_out(seed, X.shape[1])
    # Of models that are alike in the few rows of a cell, the weights are nearly free.
    scale = 1e-4 * max(1.0, np.abs(model.weights_).max())
    np.testing.assert_allclose(
        other.predict_weights(rows[:, order]), model.predict_weights(rows)[:, order], atol=scale
    )
    errors = (fitted.predict(part) - y for fitted, part in ((model, X), (other, X[:, order])))
    np.testing.assert_allclose(*(np.mean(error**2) for error in errors), rtol=1e-6, atol=1e-9)


@given(SEEDS, PARAMS, st.integers(-(10**6), 10**6))
def test_on_deviations_a_shift_of_all_values_shifts_predictions(seed, params, shift):
    X, y = draw_rows(seed, whole=True)
    params = {**params, "axes": "deviations"}
    model, other = make(params).fit(X, y), make(params).fit(X + shift, y + shift)
    np.testing.assert_array_equal(other.cells_, model.cells_)
    np.testing.assert_array_equal(other.weights_, model.weights_)
    np.testing.assert_array_equal(other.intercepts_, model.intercepts_)
    rows = np.rint(held_out(seed, X.shape[1]))
    scale = 1 + np.abs(model.weights_).max()
    np.testing.assert_allclose(
        other.predict(rows + shift) - shift, model.predict(rows), atol=scale * 1e-7
    )


@given(SEEDS, PARAMS, st.integers(-40, 40))
def test_all_defaults_scale_exactly_by_powers_of_two(seed, params, power):
    X, y = draw_rows(seed)
    scale = 2.0**power
    fixed = {**params, "objective": "squared_error"}
    model = EnsIRRegressor(**fixed).fit(X, y)
    other = EnsIRRegressor(**fixed).fit(scale * X, scale * y)
    rows = held_out(seed, X.shape[1])
    assert other.bin_width_ == scale * model.bin_width_
    np.testing.assert_array_equal(other.predict_weights(scale * rows), model.predict_weights(rows))
    for one, two in zip(
        other.predict(scale * rows, return_std=True),
        model.predict(rows, return_std=True),
        strict=True,
    ):
        np.testing.assert_array_equal(one, scale * two)


@share_of_cases(5 / 8)
@given(SEEDS, PARAMS, st.floats(1e-5, 1e5))
def test_bin_width_and_range_in_proportion_scale_by_any_number(seed, params, scale):
    rng = np.random.default_rng(seed)
    X, y = draw_rows(seed, n_rows=80, whole=True)
    X = X + rng.choice([0.123, 0.377, 0.611], X.shape)
    model = make(params).fit(X, y)
    other = make(params, 32.0 * scale, data_range=255 * scale).fit(scale * X, scale * y)
    # Rounding may move what lies on the edge of a bin.
    assume(np.array_equal(other.cell_counts_, model.cell_counts_))
    assume(np.array_equal(other.cells_, model.cells_))
    largest = np.abs(model.weights_).max()
    np.testing.assert_allclose(
        other.predict(scale * X), scale * model.predict(X), rtol=1e-6, atol=1e-5 * scale * largest
    )


@pytest.mark.parametrize("shift", [0.0, 1e12])
@share_of_cases(3 / 8)
@given(SEEDS, PARAMS)
def test_weights_are_those_of_the_formula(shift, seed, params):
    """Signed weights times the moments of their cell are constant; convex ones are a minimum."""
    X, y = draw_rows(seed, n_rows=40)
    X, y = np.rint(X) + shift, np.rint(y) + shift
    params = {**params, "shrink_to": "parent"}
    bin_width = 32.0 if not shift else 64.0
    model = make(params, bin_width).fit(X, y)
    cells = [bins_on_axes(row, bin_width, params["axes"], 8.0) for row in X]
    np.testing.assert_array_equal(model.cells_, sorted(set(cells)))
    naive = Nested(cells, X - y[:, None], np.ones(len(y)), params["shrinkage"])
    for cell, weights, intercept in zip(
        model.cells_.tolist(), model.weights_, model.intercepts_, strict=True
    ):
        moments = naive.moments(0, tuple(cell))
        products, means = moments[:-1, :-1], moments[:-1, -1]
        if params["fit_intercept"]:
            products = products - np.outer(means, means)
            assert intercept == pytest.approx(-weights @ means, abs=1e-6)
        else:
            assert intercept == 0
        assert weights.sum() == pytest.approx(1, abs=1e-9)
        gradient = products @ weights
        tolerance = 1e-5 * np.abs(products).max() * max(1, np.abs(weights).max())
        if params["positive"]:
            assert weights.min() >= 0
            used = gradient[weights > 1e-9]
            assert np.ptp(used) <= tolerance
            assert gradient.min() >= used.min() - tolerance
        else:
            assert np.ptp(gradient) <= tolerance


@given(SEEDS, PARAMS)
def test_convex_predictions_stay_within_the_row(seed, params):
    X, y = draw_rows(seed)
    params = {**params, "positive": True, "fit_intercept": False}
    model = make(params).fit(X, y)
    for rows in (X, held_out(seed, X.shape[1]), np.float32(X)):
        prediction = model.predict(rows)
        assert (prediction >= rows.min(axis=1)).all()
        assert (prediction <= rows.max(axis=1)).all()
        weights = model.predict_weights(rows)
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)


ABSURD = {
    "one model": lambda y, noise: (y + noise[:, 0])[:, None],
    "sixteen models": lambda y, noise: y[:, None] + np.tile(noise, 6)[:, :16] * range(1, 17),
    "forty models": lambda y, noise: y[:, None] + np.tile(noise, 14)[:, :40] * range(1, 41),
    "equal models": lambda y, noise: np.repeat(y[:, None] + noise[:, :1], 3, axis=1),
    "constant models": lambda y, noise: np.full((len(y), 3), 7.0),
    "no errors": lambda y, noise: np.repeat(y[:, None], 3, axis=1),
    "one without error": lambda y, noise: y[:, None] + noise * [0, 1, 1],
    "one far away": lambda y, noise: y[:, None] + noise * [1, 1, 1e5],
    "at 1e12": lambda y, noise: 1e12 + y[:, None] + noise,
}


@pytest.mark.parametrize("n_rows", [1, 2, 60])
@pytest.mark.parametrize("case", ABSURD)
def test_absurd_rows_give_finite_weights_that_sum_to_one(case, n_rows):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    X = ABSURD[case](y, rng.normal(scale=4, size=(n_rows, 3)))
    y = y + 1e12 if case == "at 1e12" else y
    rows = np.vstack([X, X[:, ::-1] + 40, X - 1e6])
    for axes in KINDS:
        for shrink_to in ("pooled", "parent"):
            for positive, fit_intercept in ((True, False), (False, False), (False, True)):
                for shrinkage in (0.0, 30.0):
                    params = {"axes": axes, "shrink_to": shrink_to, "shrinkage": shrinkage}
                    params |= {"positive": positive, "fit_intercept": fit_intercept}
                    model = EnsIRRegressor(objective="squared_error", **params).fit(X, y)
                    found = model.predict(rows, return_std=True)
                    assert np.isfinite(found).all(), params
                    for weights in (model.weights_, model.ancestor_weights_):
                        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
                    if case == "no errors" and not fit_intercept:
                        np.testing.assert_allclose(model.predict(X), y, rtol=1e-12)


@pytest.mark.parametrize("axes", KINDS)
def test_rows_in_unseen_cells_get_the_weights_of_the_nearest_known_cell_around(axes):
    X, y = draw_rows(3, n_rows=50, n_models=3)
    params = {"axes": axes, "shrink_to": "parent", "shrinkage": 5.0}
    model = make(params, 16.0).fit(X, y)
    known = {
        (level, *cell): weights
        for level, cell, weights in zip(
            [0] * len(model.cells_) + model.ancestor_levels_.tolist(),
            [*model.cells_.tolist(), *model.ancestor_cells_.tolist()],
            [*model.weights_, *model.ancestor_weights_],
            strict=True,
        )
    }
    low, high = model.cells_.min(axis=0), model.cells_.max(axis=0)
    levels = set()
    rows = held_out(3, 3)
    for row, weights in zip(rows, model.predict_weights(rows), strict=True):
        cell = np.clip(bins_on_axes(row, 16.0, axes, 8.0), low, high)
        names = [(level, *(cell >> level).tolist()) for level in range(20)]
        level = next((i for i, name in enumerate(names) if name in known), None)
        levels.add(level)
        expected = model.default_weights_ if level is None else known[names[level]]
        np.testing.assert_array_equal(weights, expected)
    assert len(levels) > 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("axes", "deviations"),
        ("axes", "summary"),
        ("shrink_to", "parent"),
        ("positive", False),
        ("fit_intercept", True),
    ],
)
def test_what_needs_the_squared_error_says_so(name, value):
    X, y = draw_rows(0, n_rows=50)
    model = EnsIRRegressor(**{name: value})
    with pytest.raises(ValueError, match=f"{name} == {value!r} needs objective='squared_error'"):
        model.fit(X, y)
    assert vars(model) == vars(EnsIRRegressor(**{name: value}))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"axes": "errors"}, "axes == 'errors', must be one of 'predictions', 'deviations'"),
        ({"shrink_to": "root"}, "shrink_to == 'root', must be one of 'pooled', 'parent'"),
        ({"positive": 1}, "positive == 1, must be True or False"),
        ({"fit_intercept": "auto"}, "fit_intercept == 'auto', must be True or False"),
    ],
)
def test_errors_name_the_argument(params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(params).fit(*draw_rows(0))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"axes": "deviations"}, "axes == 'deviations', must be 'predictions'"),
        ({"fit_intercept": True}, "fit_intercept == True needs the sums of the errors"),
    ],
)
def test_rows_of_other_sums_are_refused_and_kept(params, message):
    X, y = draw_rows(0, n_rows=50)
    model = make({}).fit(X, y)
    expected, before = model.predict(X), copy.deepcopy(vars(model))
    for change in (lambda: model.partial_fit(X, y), lambda: make(params).merge(model)):
        model.set_params(**params)
        with pytest.raises(ValueError, match=message):
            change()
        model.set_params(**{name: before[name] for name in params})
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)
    # The other way round nothing is missing.
    signs = make({"fit_intercept": True}).fit(X, y).set_params(fit_intercept=False)
    np.testing.assert_allclose(signs.partial_fit(X[:0], y[:0]).predict(X), expected, rtol=1e-9)
