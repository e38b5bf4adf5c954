"""Arrays of other libraries are combined in their library, to the last bit as in NumPy."""

import sys
from importlib.util import find_spec

import deployed
import numpy as np
import pytest
import scipy
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skensir import EnsIRRegressor, EnsIRRegressorCV

pytest.importorskip("array_api_compat")

needs_scipy = pytest.mark.skipif(
    parse_version(scipy.__version__) < parse_version("1.14"), reason="SciPy does not dispatch yet"
)
LIBRARIES = ["array_api_strict", "torch"]


@pytest.fixture(params=LIBRARIES)
def xp(request):
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("dispatch", [False, pytest.param(True, marks=needs_scipy)])
def test_predictions_stay_in_their_library(xp, kind, dtype, dispatch, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    model = deployed.fit(kind, 3)
    X = deployed.on_edges(model, 1500, dtype)
    given = xp.asarray(X)
    with sklearn.config_context(array_api_dispatch=dispatch):
        found = [model.predict(given), model.predict_weights(given)]
        with_std = model.predict(given, return_std=True)
    expected = [model.predict(X), model.predict_weights(X), *model.predict(X, return_std=True)]
    for values, right in zip([*found, *with_std], expected, strict=True):
        assert type(values) is type(given)
        assert np.asarray(values).dtype == right.dtype
    for values, right in zip(found, expected, strict=False):
        np.testing.assert_array_equal(np.asarray(values), right)
    np.testing.assert_allclose(np.asarray(with_std[1]), expected[3], rtol=1e-14)


def test_errors_that_nobody_knows_are_refused(xp):
    model = deployed.fit("likelihood", 3)
    X = deployed.on_edges(model, 10, "float64")
    model.cell_origin_[:] = "released"
    model.cell_rmse_[:] = model.default_rmse_ = np.nan
    for given in (X, xp.asarray(X)):
        with pytest.raises(
            ValueError, match=r"^A released table holds no errors for return_std and in"
        ):
            model.predict(given, return_std=True)


def test_many_rows_are_combined_in_parts(xp, monkeypatch):
    monkeypatch.setattr("skensir._array_api._MANY", 300)
    model = deployed.fit("deviations", 3)
    X = deployed.on_edges(model, 1001, "float64")
    np.testing.assert_array_equal(np.asarray(model.predict(xp.asarray(X))), model.predict(X))


@pytest.mark.parametrize("dispatch", [False, pytest.param(True, marks=needs_scipy)])
def test_all_else_takes_such_arrays_too(xp, dispatch, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    X, y = deployed.rows(3000, 3, np.float64)
    model = EnsIRRegressor().fit(X, y)
    right = model.calibrate(X, y).predict_interval(X)
    with sklearn.config_context(array_api_dispatch=dispatch):
        other = EnsIRRegressor().fit(xp.asarray(X), xp.asarray(y))
        np.testing.assert_array_equal(other.weights_, model.weights_)
        other.calibrate(xp.asarray(X), xp.asarray(y))
        interval = other.predict_interval(xp.asarray(X))
        piped = make_pipeline(EnsIRRegressor()).fit(X, y).predict(xp.asarray(X))
    for end, other_end in zip(right, interval, strict=True):
        np.testing.assert_allclose(np.asarray(other_end), end, rtol=1e-13)
    assert type(piped) is type(xp.asarray(X))


def test_pixels_are_pixels_in_whatever_holds_them():
    polars, arrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    X, y = deployed.rows(3000, 3, np.uint8)
    groups = np.arange(3000) % 5
    frame = polars.DataFrame(X, schema=["a", "b", "c"])
    right = EnsIRRegressorCV().fit(X, y, groups=groups)
    table = arrow.table({name: X[:, i] for i, name in enumerate("abc")})
    tensors = [pytest.importorskip("torch").asarray(X)] if find_spec("torch") else []
    for same in (frame, frame.to_pandas(), table, *tensors):
        model = EnsIRRegressorCV().fit(same, y, groups=groups)
        assert model._pixels, type(same)
        np.testing.assert_array_equal(model.forget_rows()._lookup().combine(X), right.predict(X))


def test_truth_values_are_numbers_as_in_numpy(xp):
    model = EnsIRRegressor().fit(*deployed.rows(3000, 3, np.float64))
    X = np.array([[True, False, True], [False, False, False]])
    for predict in (model.predict, model.predict_weights):
        np.testing.assert_allclose(np.asarray(predict(xp.asarray(X))), predict(X), rtol=1e-13)


def test_what_cannot_be_combined_is_told(xp):
    model = EnsIRRegressor().fit(*deployed.rows(3000, 3, np.float64))
    for bad, message in [
        (np.zeros((5, 2)), "X has 2 features"),
        (np.zeros(3), r"X.shape == \(3,\), must be \(n_samples, 3\)"),
        (np.zeros((0, 3)), r"X.shape == \(0, 3\), must be \(n_samples, 3\) with a row at least"),
        (np.full((2, 3), np.nan), "X has values that are not finite"),
        (np.full((2, 3), np.inf), "X has values that are not finite"),
        (np.zeros((2, 3), dtype=complex), "X.dtype == .*complex128, must be of real numbers"),
    ]:
        for predict in (model.predict, model.predict_weights):
            with pytest.raises(ValueError, match=message):
                predict(xp.asarray(bad))


def test_pixels_from_zero_to_one_are_refused_as_in_numpy(xp):
    model = EnsIRRegressor(data_range=255.0).fit(*deployed.rows(3000, 3, np.float64))
    with pytest.raises(ValueError, match="X has floats from 0 to 1 in all of its 3000 rows"):
        model.predict(xp.asarray(deployed.rows(3000, 3, np.float64)[0] % 1))


def test_without_the_bridge_it_is_said_what_to_install(xp, monkeypatch):
    model = EnsIRRegressor().fit(*deployed.rows(3000, 3, np.float64))
    given = xp.asarray(np.zeros((2, 3)))
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ModuleNotFoundError, match=r"array-api-compat, .*skensir\[array\]"):
        model.predict(given)
    model.predict(np.zeros((2, 3)))
