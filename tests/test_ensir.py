"""What EnsIRRegressor promises, whatever the data."""

import math
import warnings
from unittest import mock

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._core import table as table_module
from skensir._core.least_squares import simplex_weights

SEEDS = st.integers(0, 2**32 - 1)
TABLE = ["bin_width_", "cells_", "weights_", "cell_counts_", "cell_origin_", "cell_rmse_"]
TABLE += ["means_", "variances_", "n_iter_", "converged_", "default_weights_", "default_rmse_"]

# The steps are limited: what holds after any number of them needs no convergence.
OPTIONS = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(["likelihood", "squared_error"]),
        "shrinkage": st.sampled_from([0.0, 7.0]),
        "default_weights": st.sampled_from(["auto", "inverse_deviation", "uniform", "pooled"]),
        "min_samples_cell": st.sampled_from([0, 5, 100]),
        "variance_center": st.sampled_from(["model", "responsibility"]),
        "max_iter": st.integers(1, 20),
    }
)
WHOLE_STACKS = naive.stacks(whole=True, max_models=6, max_rows=150, outliers=False)


def fitted(stack, **params):
    """Fit, without complaint about too few steps."""
    params = {"bin_width": stack.bin_width, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return EnsIRRegressor(**params).fit(stack.X, stack.y, stack.sample_weight)


def images(n_rows=4000, n_models=3, seed=0, bin_width=64.0):
    """Make 8-bit predictions whose best model depends on the value."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    level = np.abs(y[:, None] / 255 - np.linspace(0, 1, n_models)) * 12 + 2
    X = np.rint(y[:, None] + level * rng.standard_normal((n_rows, n_models)))
    return naive.Stack(np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8), None, bin_width)


def assert_same_table(model, other, names=TABLE):
    for name in names:
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name), err_msg=name)


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
        np.testing.assert_array_equal(other.predict(X), model.predict(stack.X)[order])


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
    model = EnsIRRegressor(bin_width=1024)
    without = EnsIRRegressor(bin_width=1024).fit(X, y)
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
    model = EnsIRRegressor().fit(X[:half], y[:half])
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
    "params", [{}, REFERENCE_PARAMS, {"shrinkage": 30.0, "default_weights": "uniform"}]
)
def test_em_of_the_estimator_equals_em_row_by_row(params):
    stack = images(1500)
    model = EnsIRRegressor(stack.bin_width, **params).fit(stack.X, stack.y)
    cells = naive.rows_of_cells(stack.X, stack.bin_width)
    assert np.count_nonzero(model.cell_origin_ == "fitted") >= 3
    for number, (cell, rows) in enumerate(cells.items()):
        if model.cell_origin_[number] != "fitted":
            continue
        X = stack.X[rows].astype(np.float64)
        uniform = params.get("default_weights") == "uniform"
        expected = naive.mixture(
            stack.y[rows].astype(np.float64),
            np.ones(len(rows)),
            X.mean(axis=0),
            X.var(axis=0),
            np.full(3, 1 / 3) if uniform else naive.inverse_deviation_weights(X),
            variance_center=params.get("variance_center", "model"),
            shrinkage=params.get("shrinkage", 0.0),
            prior_weights=model.default_weights_,
        )
        np.testing.assert_allclose(model.weights_[number], expected.weights, atol=1e-9)
        np.testing.assert_allclose(model.variances_[number], expected.variances, rtol=1e-7)
        assert model.n_iter_[number] == len(expected.log_likelihoods), cell


@pytest.mark.parametrize("shrinkage", [0.0, 40.0, 1e12])
def test_squared_error_is_least_over_the_cell_and_its_pseudo_rows(shrinkage):
    stack = images(1500)
    model = fitted(stack, objective="squared_error", shrinkage=shrinkage, min_samples_cell=20)
    errors = stack.X.astype(np.float64) - stack.y[:, None]
    for number, rows in enumerate(naive.rows_of_cells(stack.X, stack.bin_width).values()):
        if model.cell_origin_[number] == "thin":
            continue
        # Pseudo-rows: every row of the data, so that they weigh `shrinkage` rows together.
        total = errors[rows].T @ errors[rows] + shrinkage * (errors.T @ errors) / len(errors)
        expected = simplex_weights(total[None])[0]
        np.testing.assert_allclose(model.weights_[number], expected, atol=1e-6)
        assert model.weights_[number] @ total @ model.weights_[number] <= np.diag(total).min()
    if shrinkage == 1e12:
        everywhere = np.broadcast_to(model.default_weights_, model.weights_.shape)
        np.testing.assert_allclose(model.weights_, everywhere, atol=1e-6)


def test_reference_params_follow_the_published_program():
    """With fitted, thin and degenerate cells, each in its own way."""
    stack = images(2500, bin_width=32.0)
    dead = np.full((150, 3), [200, 131, 70], dtype=np.uint8)
    dead[:, 0] += np.arange(150, dtype=np.uint8) % 5
    X, y = np.vstack([stack.X, dead]), np.append(stack.y, np.arange(150, dtype=np.uint8) + 60)
    model = EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS).fit(X, y)
    expected = naive.published_table(X, y, 32)
    assert [tuple(cell) for cell in model.cells_.tolist()] == list(expected)
    assert set(model.cell_origin_) == {"fitted", "thin", "degenerate"}
    for number, (weights, origin) in enumerate(expected.values()):
        assert model.cell_origin_[number] == origin
        np.testing.assert_allclose(model.weights_[number], weights, atol=1e-8)


@pytest.mark.parametrize("default_weights", ["inverse_deviation", "uniform", "pooled", "array"])
def test_thin_degenerate_and_unseen_cells_get_the_default_weights(default_weights):
    X, y, _, _ = images(600, bin_width=32.0)
    X[-150:], y[-150:] = [200, 131, 70], np.arange(150) + 60  # models without variance
    given_weights = [0.2, 0.5, 0.3]
    model = EnsIRRegressor(
        default_weights=given_weights if default_weights == "array" else default_weights,
        variance_center="responsibility",
    ).fit(X, y)
    errors = X - y[:, None].astype(np.float64)
    pooled = {
        "inverse_deviation": naive.inverse_deviation_weights(X),
        "uniform": np.full(3, 1 / 3),
        "pooled": simplex_weights(errors.T[None] @ errors / len(y))[0],
        "array": given_weights,
    }[default_weights]
    np.testing.assert_allclose(model.default_weights_, pooled, rtol=1e-9)
    assert {"thin", "degenerate"} <= set(model.cell_origin_)
    for number, rows in enumerate(naive.rows_of_cells(X, 32).values()):
        assert (model.cell_origin_[number] == "thin") == (len(rows) < 100)
        if model.cell_origin_[number] != "fitted":
            own = naive.inverse_deviation_weights(X[rows])
            expected = own if default_weights == "inverse_deviation" else pooled
            np.testing.assert_allclose(model.weights_[number], expected, rtol=1e-9)


def test_auto_default_weights_depend_on_the_objective():
    X, y, _, _ = images()
    options = {"likelihood": "inverse_deviation", "squared_error": "pooled"}
    for objective, default_weights in options.items():
        auto = EnsIRRegressor(objective=objective).fit(X, y)
        same = EnsIRRegressor(objective=objective, default_weights=default_weights).fit(X, y)
        assert_same_table(auto, same)


def test_a_cell_is_thin_below_the_threshold_and_not_at_it():
    y = np.repeat([10.0, 50.0, 90.0], [99, 100, 101])
    X = y[:, None] + np.random.default_rng(0).uniform(-3, 3, (300, 2))
    assert EnsIRRegressor().fit(X, y).cell_origin_.tolist() == ["thin", "fitted", "fitted"]
    shrunk = EnsIRRegressor(shrinkage=1).fit(X, y)  # pseudo-rows count
    assert shrunk.cell_origin_.tolist() == ["fitted"] * 3


@given(WHOLE_STACKS, OPTIONS, st.integers(1, 300))
def test_cells_may_be_solved_in_blocks_of_any_size(stack, options, size):
    with mock.patch.object(table_module, "_BLOCK_SIZE", size):
        in_blocks = fitted(stack, **options)
    whole = fitted(stack, **options)
    for name in ("cells_", "cell_origin_", "n_iter_", "default_weights_"):
        np.testing.assert_array_equal(getattr(in_blocks, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(in_blocks.weights_, whole.weights_, atol=1e-9)


def test_thresholds_count_weight_not_rows():
    X, y, _, _ = images()
    halves = EnsIRRegressor(min_samples_cell=50).fit(X, y, np.full(len(y), 0.5))
    ones = EnsIRRegressor(min_samples_cell=100).fit(X, y)
    np.testing.assert_array_equal(halves.cell_origin_, ones.cell_origin_)
    assert set(ones.cell_origin_) == {"fitted", "thin"}


def test_target_resolution_is_exact_for_whole_numbers_and_fine_for_others():
    X, y, _, _ = images()
    auto = EnsIRRegressor().fit(X, y)
    assert_same_table(auto, EnsIRRegressor().fit(X, y.astype(np.float32)))
    assert_same_table(auto, EnsIRRegressor(target_resolution=1).fit(X, y))
    coarse = EnsIRRegressor(target_resolution=16).fit(X, y)
    assert np.abs(coarse.weights_ - auto.weights_).max() > 1e-3

    options = {"max_iter": 30, "tol": 0.0}
    real = images()._replace(y=y + np.random.default_rng(0).uniform(-0.5, 0.5, len(y)))
    exact = fitted(real, target_resolution=1e-7, **options)
    difference = np.abs(fitted(real, **options).weights_ - exact.weights_).max()
    assert 0 < difference < 2e-3


def test_nothing_is_printed_unless_asked(capsys):
    X, y, _, _ = images()
    model = EnsIRRegressor().fit(X, y)
    model.predict(X)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    model.set_params(verbose=1).fit(X, y)
    assert f"4000 rows in {len(model.cells_)} cells" in capsys.readouterr().out


def test_too_few_steps_give_a_warning_that_says_where_and_what_to_do():
    X, y, _, _ = images()
    model = EnsIRRegressor(max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 in \d+ of \d+ cells.*tol=1e-05"):
        model.fit(X, y)
    fitted_cells = model.cell_origin_ == "fitted"
    assert not model.converged_[fitted_cells].any()
    assert (model.n_iter_[fitted_cells] == 2).all()
    assert EnsIRRegressor().fit(X, y).converged_.all()


def test_predicting_before_fitting_is_an_error():
    with pytest.raises(NotFittedError, match="EnsIRRegressor"):
        EnsIRRegressor().predict([[1.0, 2.0]])


BAD_PARAMS = [
    ({"bin_width": 0}, "bin_width == 0, must be > 0"),
    ({"bin_width": -1.0}, "bin_width == -1.0, must be > 0"),
    ({"bin_width": np.nan}, "bin_width == nan"),
    ({"bin_width": np.inf}, "bin_width == inf"),
    ({"bin_width": "32"}, "bin_width must be an instance of float"),
    (
        {"bin_width": 1e-17},
        r"bin_width == 1e-17 is too small for predictions as large as 255.*at least",
    ),
    ({"objective": "psnr"}, "objective == 'psnr', must be one of 'likelihood'"),
    ({"objective": None}, "objective == None, must be one of"),
    ({"variance_center": "mean"}, "variance_center == 'mean', must be one of 'model'"),
    ({"default_weights": "best"}, "default_weights == 'best', must be one of 'auto'"),
    ({"default_weights": None}, "default_weights == None, must be one of"),
    ({"default_weights": ["a", "b", "c"]}, "default_weights == .*, must be one of .* or 3 numbers"),
    ({"default_weights": [0.5, 0.5]}, r"default_weights == \[0.5, 0.5\].*each of the 3 models"),
    ({"default_weights": [0.5, 0.5, 0.5]}, "default_weights == .* sum to one"),
    ({"default_weights": [1.5, -0.5, 0.0]}, "default_weights == .* non-negative"),
    ({"default_weights": [np.nan, 0.5, 0.5]}, "default_weights == .* non-negative"),
    ({"shrinkage": -1}, "shrinkage == -1, must be >= 0"),
    ({"shrinkage": np.inf}, "shrinkage == inf"),
    ({"min_samples_cell": -1}, "min_samples_cell == -1, must be >= 0"),
    ({"max_iter": 0}, "max_iter == 0, must be >= 1"),
    ({"max_iter": 2.5}, "max_iter must be an instance of int"),
    ({"tol": -1e-5}, "tol == -1e-05, must be >= 0"),
    ({"tol": np.nan}, "tol == nan"),
    ({"reg_var": -1.0}, "reg_var == -1.0, must be >"),
    ({"target_resolution": 0.0}, "target_resolution == 0.0, must be > 0"),
    (
        {"target_resolution": "fine"},
        "target_resolution == 'fine', must be 'auto' or a number above zero",
    ),
    ({"target_resolution": None}, "target_resolution must be an instance of float"),
    ({"target_resolution": 1e-300}, "target_resolution.*1e-300 is too fine"),
]


@pytest.mark.parametrize(("params", "message"), BAD_PARAMS)
def test_a_bad_parameter_is_an_error_that_names_it(params, message):
    X, y, _, _ = images(300)
    # TypeError is scikit-learn's own, for a value of the wrong type.
    with pytest.raises((ValueError, TypeError), match=message):
        EnsIRRegressor(**params).fit(X, y)


def replaced(array, value):
    array = array.astype(np.float64)
    array.flat[7] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, w: (replaced(X, np.nan), y, w), "Input X contains NaN"),
        (lambda X, y, w: (replaced(X, np.inf), y, w), "Input X contains infinity"),
        (lambda X, y, w: (X, replaced(y, np.nan), w), "Input y contains NaN"),
        (lambda X, y, w: (X, replaced(y, -np.inf), w), "Input y contains infinity"),
        (lambda X, y, w: (X * 1e80, y, w), "(?s)bin_width == 32.0 is too small"),
        (lambda X, y, w: (X, y * 1e200, w), "too (large|fine)"),
        (lambda X, y, w: (X[:, 0], y, w), "Expected 2D array, got 1D array"),
        (lambda X, y, w: (X[None], y, w), r"Found array with dim 3|expected <= 2"),
        (lambda X, y, w: (X, y[:-1], w), "inconsistent numbers of samples"),
        (lambda X, y, w: (X[:0], y[:0], w), r"Found array with 0 sample\(s\)"),
        (lambda X, y, w: (X, np.stack([y, y], axis=1), w), r"y should be a 1d array"),
        (
            lambda X, y, w: (X, y, replaced(w, -1)),
            "Negative values in sample_weight, such as -1.0",
        ),
        (
            lambda X, y, w: (X, y, 0 * w),
            "(?i)sample.weight.* (is zero|non-zero)",
        ),
        (lambda X, y, w: (X, y, replaced(w, np.nan)), "sample_weight contains NaN"),
        (lambda X, y, w: (X, y, w[1:]), r"sample_weight.shape == \(299,\)"),
    ],
)
def test_bad_data_is_an_error_that_says_what_is_wrong(change, message):
    X, y, _, _ = images(300)
    X, y, sample_weight = change(X, y, np.ones(300))
    with pytest.raises(ValueError, match=message):
        EnsIRRegressor().fit(X, y, sample_weight)


@pytest.mark.parametrize("method", ["predict", "predict_weights"])
def test_bad_predictions_are_an_error_that_says_what_is_wrong(method):
    X, y, _, _ = images(300)
    method = getattr(EnsIRRegressor().fit(X, y), method)
    with pytest.raises(ValueError, match="X has 2 features, but EnsIRRegressor is expecting 3"):
        method(X[:, :2])
    for value, message in ((np.nan, "contains NaN"), (np.inf, "contains infinity")):
        with pytest.raises(ValueError, match=message):
            method(replaced(X, value))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        method(X[0])


def test_reordered_or_renamed_columns_are_an_error():
    X, y, _, _ = images(300)
    frame = pd.DataFrame(X, columns=["MPRNet", "MAXIM", "Restormer"])
    model = EnsIRRegressor().fit(frame, y)
    assert model.feature_names_in_.tolist() == ["MPRNet", "MAXIM", "Restormer"]
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(frame[["MAXIM", "MPRNet", "Restormer"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- DGUNet"):
        model.predict(frame.rename(columns={"MAXIM": "DGUNet"}))
