"""What EnsIRRegressor promises, whatever the data."""

import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import OPTIONS, SEEDS, WHOLE_STACKS, assert_same_table, fitted, images

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor


@given(naive.stacks(max_rows=150), OPTIONS)
def test_weights_are_convex_and_predictions_lie_between_the_models(stack, options):
    model = fitted(stack, **options)
    for weights in (model.weights_, model.default_weights_[None], model.predict_weights(stack.X)):
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    predicted, std = model.predict(stack.X, return_std=True)
    assert (predicted >= stack.X.min(axis=1)).all()
    assert (predicted <= stack.X.max(axis=1)).all()
    assert (std >= 0).all()
    np.testing.assert_array_equal(predicted, model.predict(stack.X))
    expected = np.einsum("nm,nm->n", model.predict_weights(stack.X), stack.X.astype(np.float64))
    scale = np.abs(stack.X.astype(np.float64)).max()
    np.testing.assert_allclose(predicted, expected, atol=1e-12 * scale)


@given(naive.stacks(max_models=6, max_rows=150, outliers=False), OPTIONS)
def test_table_describes_the_rows_of_its_cells(stack, options):
    model = fitted(stack, **options)
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    shares = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    assert [tuple(cell) for cell in model.cells_.tolist()] == list(cells)
    for number, rows in enumerate(cells.values()):
        X, weight = stack.X[rows].astype(np.float64), shares[rows]
        mean = np.average(X, axis=0, weights=weight)
        assert model.cell_counts_[number] == pytest.approx(weight.sum())
        np.testing.assert_allclose(model.means_[number], mean, atol=1e-12 * np.abs(X).max())
        thin = weight.sum() + options["shrinkage"] < options["min_samples_cell"]
        assert (model.cell_origin_[number] == "thin") == thin
        assert (model.n_iter_[number] == 0) <= (model.cell_origin_[number] != "fitted")
    for edges, bins in zip(model.bin_edges_, model.cells_.T, strict=True):
        expected = sorted({index + side for index in bins for side in (0, 1)})
        np.testing.assert_array_equal(edges, np.array(expected) * model.bin_width_)


@given(WHOLE_STACKS, OPTIONS, SEEDS)
def test_order_dtype_and_layout_of_the_rows_do_not_matter(stack, options, seed):
    order = np.random.default_rng(seed).permutation(len(stack.X))
    options["data_range"] = 255  # which the dtype would tell
    model = fitted(stack, **options)
    with np.errstate(invalid="ignore", over="ignore"):
        dtypes = [t for t in naive.DTYPES if np.array_equal(stack.X.astype(t), stack.X)]
    for number, dtype in enumerate(dtypes):
        X = np.asarray(stack.X[order], dtype=dtype, order="CF"[number % 2])
        y = stack.y[order]
        y = y.astype(np.int64) if number % 3 else y
        weight = None if stack.sample_weight is None else stack.sample_weight[order]
        other = fitted(naive.Stack(X, y, weight, stack.bin_width), **options)
        assert_same_table(model, other)
        predicted = other.predict(X)  # in single precision, rounded
        expected = model.predict(stack.X.astype(np.float64))[order].astype(predicted.dtype)
        np.testing.assert_array_equal(predicted, expected)


@given(WHOLE_STACKS, OPTIONS, SEEDS)
def test_sample_weight_equals_repetition_and_zero_equals_absence(stack, options, seed):
    times = np.random.default_rng(seed).integers(0, 4, len(stack.X))
    times[0] = 2
    weighted = fitted(stack._replace(sample_weight=times.astype(float)), **options)
    repeated = naive.Stack(
        np.repeat(stack.X, times, axis=0), np.repeat(stack.y, times), None, stack.bin_width
    )
    assert_same_table(weighted, fitted(repeated, **options))


def test_a_row_of_weight_zero_does_not_even_choose_the_grid_of_the_truth():
    X, y, _, _ = images()
    y = y.astype(np.float64)
    model = EnsIRRegressor(bin_width=200)
    without = EnsIRRegressor(bin_width=200).fit(X, y)
    model.fit(np.vstack([X, X[:1]]), np.append(y, 0.5), np.append(np.ones(len(y)), 0.0))
    assert_same_table(model, without)


@given(st.integers(2, 5), SEEDS, OPTIONS)
def test_relabelling_models_permutes_weights(n_models, seed, options):
    stack = images(600, n_models, seed)
    order = np.random.default_rng(seed).permutation(n_models)
    options["tol"] = 0.0
    weights = fitted(stack, **options).predict_weights(stack.X)
    relabelled = stack._replace(X=stack.X[:, order])
    other = fitted(relabelled, **options).predict_weights(relabelled.X)
    # Cells of fewer rows than models have many solutions; they are told apart less sharply.
    atol = 1e-7 if options["objective"] == "likelihood" else 1e-3
    np.testing.assert_allclose(other, weights[:, order], atol=atol)


@given(naive.stacks(max_models=1), OPTIONS)
def test_one_model_gets_all_the_weight(stack, options):
    model = fitted(stack, **options)
    np.testing.assert_array_equal(model.weights_, np.ones((len(model.cells_), 1)))
    np.testing.assert_array_equal(model.predict(stack.X), stack.X[:, 0])


@given(naive.stacks(max_models=6), OPTIONS)
def test_models_that_agree_are_predicted_exactly(stack, options):
    stack = stack._replace(X=np.repeat(stack.X[:, :1], stack.X.shape[1], axis=1))
    np.testing.assert_array_equal(fitted(stack, **options).predict(stack.X), stack.X[:, 0])


@given(WHOLE_STACKS, OPTIONS, st.integers(-50, 50))
def test_shifting_by_whole_bins_shifts_predictions(stack, options, n_bins):
    # The published program's floor depends on where zero is.
    options["variance_center"] = "model"
    stack = stack._replace(X=stack.X.astype(np.float64))
    shift = n_bins * stack.bin_width
    model = fitted(stack, **options)
    moved = fitted(stack._replace(X=stack.X + shift, y=stack.y + shift), **options)
    np.testing.assert_array_equal(moved.cells_, model.cells_ + n_bins)
    np.testing.assert_array_equal(moved.weights_, model.weights_)
    np.testing.assert_array_equal(moved.cell_rmse_, model.cell_rmse_)
    largest = np.abs(stack.X).max() + abs(shift)
    np.testing.assert_allclose(
        moved.predict(stack.X + shift), model.predict(stack.X) + shift, atol=1e-14 * largest
    )


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_targets_at_1e12_lose_nothing(objective):
    X, y, _, _ = images()
    shift = 32.0 * 2**35
    near = EnsIRRegressor(objective=objective).fit(X, y)
    far = EnsIRRegressor(objective=objective).fit(X + shift, y + shift)
    np.testing.assert_array_equal(far.weights_, near.weights_)
    np.testing.assert_array_equal(far.cell_rmse_, near.cell_rmse_)
    np.testing.assert_allclose(far.predict(X + shift) - shift, near.predict(X), atol=1e-3)


@given(WHOLE_STACKS, OPTIONS, SEEDS)
def test_values_beyond_the_bins_seen_count_to_the_nearest_end_bin(stack, options, seed):
    model = fitted(stack._replace(X=stack.X.astype(np.float64)), **options)
    rng = np.random.default_rng(seed)
    X = stack.X + rng.choice([-1e9, 0.0, 1e9], stack.X.shape)
    low = [edges[0] for edges in model.bin_edges_]
    high = [edges[-2] for edges in model.bin_edges_]
    np.testing.assert_array_equal(
        model.predict_weights(X), model.predict_weights(np.clip(X, low, high))
    )


@pytest.mark.parametrize("value", [1e20, -1e20, 1e300])
def test_values_beyond_all_bins_that_can_be_told_apart_count_to_the_end_bin_too(value):
    X, y, _, _ = images()
    model = EnsIRRegressor().fit(X, y)
    end = 255.0 if value > 0 else 0.0
    weights = model.predict_weights(np.array([[value, end, end]]))
    np.testing.assert_array_equal(weights, model.predict_weights(np.full((1, 3), end)))


def test_rows_in_no_occupied_cell_get_the_default_weights():
    X, y, _, _ = images()
    model = EnsIRRegressor().fit(X, y)
    assert [0, 7, 0] not in model.cells_.tolist()
    unseen = np.array([[5, 250, 5]], dtype=np.uint8)
    np.testing.assert_array_equal(model.predict_weights(unseen), model.default_weights_[None])
    predicted, std = model.predict(unseen, return_std=True)
    assert predicted[0] == pytest.approx(unseen[0] @ model.default_weights_)
    assert std[0] == model.default_rmse_


@given(WHOLE_STACKS, OPTIONS)
def test_std_is_the_error_in_the_cell_filled_up_with_pooled_rows(stack, options):
    model = fitted(stack, **options)
    shares = np.ones(len(stack.X)) if stack.sample_weight is None else stack.sample_weight
    _, std = model.predict(stack.X, return_std=True)
    X = stack.X.astype(np.float64)
    scale = np.abs(X - stack.y[:, None]).max()
    cells = naive.rows_of_cells(stack.X, stack.bin_width, stack.sample_weight)
    for weights, rows in zip(model.weights_, cells.values(), strict=True):
        squares = ((X - stack.y[:, None]) @ weights) ** 2
        n_rows = shares[rows].sum()
        n_pooled = max(options["shrinkage"], options["min_samples_cell"] - n_rows, 0)
        total = shares[rows] @ squares[rows] + n_pooled * np.average(squares, weights=shares)
        expected = math.sqrt(total / (n_rows + n_pooled))
        np.testing.assert_allclose(std[rows], expected, atol=1e-7 * scale)
    squares = ((X - stack.y[:, None]) @ model.default_weights_) ** 2
    expected = math.sqrt(np.average(squares, weights=shares))
    np.testing.assert_allclose(model.default_rmse_, expected, atol=1e-7 * scale)


def test_std_is_calibrated_on_held_out_rows():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 60_000)
    noise = np.where(y < 128, 2.0, 12.0)[:, None] * rng.standard_normal((y.size, 3)) * [1, 2, 1]
    X, half = y[:, None] + noise, y.size // 2
    model = EnsIRRegressor(32).fit(X[:half], y[:half])
    predicted, std = model.predict(X[half:], return_std=True)
    squares = ((y[half:] - predicted) / std) ** 2
    assert squares.mean() == pytest.approx(1, abs=0.05)
    for part in (predicted < 96, predicted > 160):  # where errors are small, and where large
        assert squares[part].mean() == pytest.approx(1, abs=0.1)
    assert std.max() > 3 * std.min()


def test_a_fitted_table_outlives_its_parameters_until_fit_is_called_again():
    X, y, _, _ = images()
    model = EnsIRRegressor().fit(X, y)
    before, std = model.predict(X, return_std=True)
    model.set_params(bin_width=8.0, default_weights="uniform", min_samples_cell=7)
    np.testing.assert_array_equal(model.predict(X, return_std=True), (before, std))
    model.fit(X[:, :2], y)
    fresh = EnsIRRegressor(8.0, default_weights="uniform", min_samples_cell=7).fit(X[:, :2], y)
    assert_same_table(model, fresh)
    assert model.n_features_in_ == 2


@pytest.mark.parametrize(
    "estimator",
    [
        EnsIRRegressor(),
        EnsIRRegressorCV(cv=2, positive=True, fit_intercept=False),
        ConvexRegressor(),
        AverageRegressor(),
    ],
)
def test_predictions_in_single_precision_are_combined_into_such(estimator):
    """They are the doubles, rounded, and so do not leave the range of the models either."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 3000)
    X = (y[:, None] + rng.normal(size=(3000, 3)) * [2, 4, 8]).astype(np.float32)
    estimator.fit(X, y)
    single, double = estimator.predict(X), estimator.predict(X.astype(float))
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert ((X.min(axis=1) <= single) & (single <= X.max(axis=1))).all()
    whole = X.clip(0, 255).astype(np.uint8)
    assert estimator.fit(whole, y).predict(whole).dtype == np.float64
