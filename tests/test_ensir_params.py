"""What EnsIRRegressor says: of parameters and data that cannot be, and while it works."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from tables import images

from skensir import EnsIRRegressor


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
    with pytest.warns(ConvergenceWarning, match=r"limit of 2 steps in \d+ of \d+ cells.*tol=1e-05"):
        model.fit(X, y)
    fitted_cells = model.cell_origin_ == "fitted"
    assert not model.converged_[fitted_cells].any()
    assert (model.n_iter_[fitted_cells] == 2).all()
    assert EnsIRRegressor().fit(X, y).converged_.all()


def test_predicting_before_fitting_is_an_error():
    with pytest.raises(NotFittedError, match="EnsIRRegressor"):
        EnsIRRegressor().predict([[1.0, 2.0]])


BAD_PARAMS = [
    ({"bin_width": True}, "bin_width == True, must be a number > 0"),
    ({"bin_width": Fraction(1, 3)}, r"bin_width == Fraction\(1, 3\), must be a number > 0"),
    ({"bin_width": 10**400}, "bin_width == a number of 401 digits, must be finite"),
    ({"shrinkage": Fraction(10**5000, 3)}, "shrinkage == a Fraction, must be a number >= 0"),
    ({"default_weights": 10**400}, "default_weights == a number of 401 digits, must be one of"),
    ({"positive": 10**5000}, "positive == a number of 5001 digits, must be True or False"),
    ({"verbose": None}, "verbose == None, must be a whole number >= 0"),
    ({"bin_width": 0}, "bin_width == 0, must be > 0"),
    ({"bin_width": -1.0}, "bin_width == -1.0, must be > 0"),
    ({"bin_width": np.nan}, "bin_width == nan"),
    ({"bin_width": np.inf}, "bin_width == inf"),
    ({"bin_width": "32"}, "bin_width == '32', must be 'auto' or a number"),
    (
        {"bin_width": 1e-17},
        r"bin_width == 1e-17, must be at least .* where column \d of X has values as large as 255",
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
    ({"max_iter": 2.5}, "max_iter == 2.5, must be a whole number >= 1"),
    ({"tol": -1e-5}, "tol == -1e-05, must be >= 0"),
    ({"tol": np.nan}, "tol == nan"),
    ({"reg_var": -1.0}, "reg_var == -1.0, must be >"),
    ({"target_resolution": 0.0}, "target_resolution == 0.0, must be > 0"),
    (
        {"target_resolution": "fine"},
        "target_resolution == 'fine', must be 'auto' or a number above zero",
    ),
    ({"target_resolution": None}, "target_resolution == None, must be a number > 0"),
    (
        {"target_resolution": 1e-300},
        "y has values as large as .*, too large for target_resolution == 1e-300, which must",
    ),
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
        (
            lambda X, y, w: (X, y, w * 1e160),
            r"sample_weight has 1e\+160, must be zero or from 1e-100 to 1e\+100\.",
        ),
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
        (lambda X, y, w: (X, y, replaced(w, 5e-324)), "sample_weight has 5e-324, must be zero or"),
        (lambda X, y, w: (X, y, np.timedelta64(3, "s")), "sample_weight holds times"),
        (lambda X, y, w: (X, [10**400] * len(y), w), "^y: int too large"),
        (lambda X, y, w: (X, [None] * len(y), w), "Input y contains NaN"),
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


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
def test_numbers_of_any_kind_are_those_of_python(objective, kind):
    """LAPACK takes no long doubles, and half precision overflows beyond 65504."""
    X, y, _, _ = images()
    params = {"shrinkage": 3.25, "bin_width": 16, "data_range": 255, "min_samples_cell": 10}
    expected = EnsIRRegressor(objective=objective, **params).fit(X, y)
    params = {name: kind(value) for name, value in params.items()}
    model = EnsIRRegressor(objective=objective, **params).fit(X, y)
    assert model.weights_.dtype == np.float64
    np.testing.assert_array_equal(model.weights_, expected.weights_)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
