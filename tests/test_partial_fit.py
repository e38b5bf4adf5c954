"""Rows in parts: `partial_fit` and `merge` give the table of one `fit`."""

import pickle
from functools import partial, reduce

import naive
import numpy as np
import pandas as pd
import pytest
import tables
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skensir import EnsIRRegressor
from skensir import _ensir as ensir_module

# But for rounding: the rows of a cell are added up in another order.
assert_same_table = partial(tables.assert_same_table, rtol=1e-9, atol=1e-9)
OBJECTIVES = st.sampled_from(["likelihood", "squared_error"])


@st.composite
def stacks_in_parts(draw):
    """Draw images whose truth is whole in none, some or all rows, and a way to part the rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.integers(300, 1500))
    n_models = draw(st.integers(1, 4))
    y = rng.integers(0, 256, n_rows).astype(np.float64)
    noise = rng.normal(size=(n_rows, n_models)) * (1 + np.arange(n_models))
    X = np.rint(y[:, None] + noise)
    share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    start = round((1 - share) * n_rows)
    y[start:] += rng.uniform(-0.5, 0.5, n_rows - start)
    weight = rng.integers(0, 4, n_rows) / 2 if draw(st.booleans()) else None
    # Rows in order leave some parts with whole truth only; and bins that appear late.
    order = rng.permutation(n_rows) if draw(st.booleans()) else np.argsort(y, kind="stable")
    cuts = np.sort(rng.integers(1, n_rows, draw(st.integers(0, 9))))
    return naive.Stack(X, y, weight, draw(st.sampled_from([7.3, 32.0, 300.0]))), [
        rows for rows in np.split(order, cuts) if rows.size
    ]


def part_of(stack, rows):
    weight = None if stack.sample_weight is None else stack.sample_weight[rows]
    return stack.X[rows], stack.y[rows], weight


@pytest.mark.filterwarnings("ignore:EM came to its limit", "ignore:Most rows")
@given(stacks_in_parts(), OBJECTIVES)
def test_any_split_of_the_rows_gives_the_table_of_one_fit(parted, objective):
    stack, parts = parted
    # EM is held to a number of steps: where it stops by itself rounding may move it by one.
    params = {"objective": objective, "min_samples_cell": 20, "max_iter": 8, "tol": 0}
    params["data_range"] = 255  # the first rows may not be like all
    whole = EnsIRRegressor(stack.bin_width, **params)
    whole.fit(stack.X, stack.y, stack.sample_weight)
    one_by_one = clone(whole)
    for rows in parts:
        one_by_one.partial_fit(*part_of(stack, rows))
    assert_same_table(one_by_one, whole)

    each = [clone(whole).partial_fit(*part_of(stack, rows)) for rows in parts]
    assert_same_table(reduce(EnsIRRegressor.merge, each, clone(whole)), whole)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 6000)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (6000, 3)), 0, 255)
    return X.astype(np.uint8), y.astype(np.uint8)


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_rows_can_be_added_after_fit_and_after_predict(images, objective):
    X, y = images
    model = EnsIRRegressor(objective=objective).fit(X[:2000], y[:2000])
    model.predict(X)
    model.partial_fit(X[2000:4000], y[2000:4000]).predict(X)
    model.partial_fit(X[4000:], y[4000:])
    assert_same_table(model, EnsIRRegressor(objective=objective).fit(X, y))


def test_fit_forgets_the_rows_before(images):
    X, y = images
    model = EnsIRRegressor().partial_fit(X[:3000], y[:3000]).fit(X[3000:], y[3000:])
    assert_same_table(model, EnsIRRegressor().fit(X[3000:], y[3000:]))


def test_a_table_is_solved_once_after_many_batches(images, monkeypatch):
    X, y = images
    solved = []
    solve = ensir_module.solve_table
    monkeypatch.setattr(ensir_module, "solve_table", lambda *args: solved.append(1) or solve(*args))
    model = EnsIRRegressor()
    for rows in np.array_split(np.arange(len(y)), 30):
        model.partial_fit(X[rows], y[rows])
    assert not solved
    model.predict(X)
    model.predict_weights(X)
    assert model.weights_.shape == (len(model.cells_), 3)
    assert len(solved) == 1


def test_merging_leaves_the_other_as_it_is_and_takes_its_names():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 500)
    frame = pd.DataFrame({"a": y + rng.normal(size=500), "b": y - rng.normal(size=500)})
    other = EnsIRRegressor().fit(frame, y)
    before = pickle.dumps(other)
    merged = EnsIRRegressor().merge(other)
    merged.merge(other).solve()
    assert pickle.dumps(other) == before
    assert merged.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(merged.cell_counts_, 2 * other.cell_counts_)
    twice = EnsIRRegressor().fit(frame, y).merge(other)
    assert_same_table(twice, merged)
    with pytest.raises(ValueError, match=r"feature_names_in_ of other is .*'a' 'b'.* must be .*c"):
        EnsIRRegressor().fit(frame.rename(columns={"a": "c"}), y).merge(other)


def test_an_estimator_goes_on_after_its_pickle(images):
    X, y = images
    model = EnsIRRegressor().partial_fit(X[:3000], y[:3000])
    model = pickle.loads(pickle.dumps(model)).partial_fit(X[3000:], y[3000:])
    assert_same_table(model, EnsIRRegressor().fit(X, y))


def test_a_part_without_weight_is_as_good_as_absent(images):
    X, y = images
    model = EnsIRRegressor().partial_fit(X[:100], y[:100], np.zeros(100))
    assert not hasattr(model, "weights_")
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.partial_fit(X, y).partial_fit(X[:0], y[:0])
    assert_same_table(model, EnsIRRegressor().fit(X, y))


def test_to_show_an_estimator_does_not_solve_its_table(images, monkeypatch):
    monkeypatch.setattr("skensir._ensir.solve_table", lambda *args: pytest.fail("solved"))
    for weight in (None, np.zeros(6000)):
        model = EnsIRRegressor().partial_fit(*images, weight)
        assert "EnsIRRegressor" in model._repr_html_()
        assert "EnsIRRegressor" in repr(model)
        clone(model)
        pickle.dumps(model)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_iter": 0}, "max_iter == 0, must be >= 1"),
        ({"bin_width": 16}, "bin_width == 16.0, must be 32.0"),
        ({"target_resolution": 2.0}, "target_resolution == 2.0, must be 1.0"),
    ],
)
def test_parameters_are_checked_when_the_table_is_solved(images, params, message):
    model = EnsIRRegressor().partial_fit(*images).set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.predict(images[0])
    squared = EnsIRRegressor(objective="squared_error").partial_fit(*images)
    with pytest.raises(ValueError, match="objective == 'likelihood' needs the histogram"):
        squared.set_params(objective="likelihood").predict(images[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bin_width": 16}, r"bin_width == 16.0, must be 32.0 as in other rows"),
        ({"target_resolution": 2.0}, r"target_resolution == 2.0, must be 1.0 as in other rows"),
        ({"bin_width": -1}, r"bin_width == -1, must be > 0"),
    ],
)
def test_changed_parameters_are_an_error_and_the_rows_so_far_are_kept(images, params, message):
    X, y = images
    model = EnsIRRegressor().partial_fit(X[:3000], y[:3000]).set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X[3000:], y[3000:])
    with pytest.raises(ValueError, match=message):
        EnsIRRegressor(**params).merge(EnsIRRegressor().fit(X, y))
    defaults = {name: getattr(EnsIRRegressor(), name) for name in params}
    model.set_params(**defaults).partial_fit(X[3000:], y[3000:])
    assert_same_table(model, EnsIRRegressor().fit(X, y))


@pytest.mark.filterwarnings("ignore:Most rows")
def test_on_axes_of_a_summary_another_range_is_an_error_that_names_it(images):
    X, y = images
    model = EnsIRRegressor(32, axes="summary", objective="squared_error")
    given = clone(model).set_params(data_range=255).partial_fit(X, y)
    needed = r"as in other rows .* 'summary': fit .* with the same data_range given to each\.$"
    with pytest.raises(ValueError, match=rf"^data_range == 510, must be 255 {needed}"):
        clone(given).merge(given).set_params(data_range=510).predict(X)
    with pytest.raises(ValueError, match=r"^axes == 'deviations', must be 'summary' as in other"):
        clone(given).merge(given).set_params(axes="deviations").predict(X)
    found, other = clone(model).fit(X, y), clone(model).fit(X / 2, y / 2)
    ranges = rf"{found.data_range_:.15g}, must be {other.data_range_:.15g}"
    with pytest.raises(ValueError, match=rf"^data_range == {ranges} {needed}"):
        found.merge(other)
    found.partial_fit(X, y)


def test_the_squared_error_needs_less_than_the_likelihood(images):
    X, y = images
    squared = EnsIRRegressor(objective="squared_error").fit(X[:3000], y[:3000])
    mixture = EnsIRRegressor().fit(X[3000:], y[3000:])
    with pytest.raises(ValueError, match="objective == 'likelihood' needs the histogram"):
        clone(mixture).merge(mixture).merge(squared)
    squared.merge(mixture)
    assert_same_table(squared, EnsIRRegressor(objective="squared_error").fit(X, y))


def test_bad_parts_are_errors_that_say_what_is_wrong(images):
    X, y = images
    model = EnsIRRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features, but EnsIRRegressor is expecting 3"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(5,\), must be \(6000,\)"):
        model.partial_fit(X, y, np.ones(5))
    with pytest.raises(ValueError, match=r"n_features_in_ of other is 2, must be 3"):
        model.merge(EnsIRRegressor().fit(X[:, :2], y))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.merge(EnsIRRegressor())
    with pytest.raises(TypeError, match="other == 7, must be an EnsIRRegressor"):
        model.merge(7)
    assert_same_table(model, EnsIRRegressor().fit(X, y))


def test_there_is_no_table_before_the_first_rows():
    model = EnsIRRegressor()
    with pytest.raises(AttributeError, match="'EnsIRRegressor' object has no attribute 'weights_'"):
        _ = model.weights_
    with pytest.raises(NotFittedError):
        model.predict([[1.0, 2.0]])
