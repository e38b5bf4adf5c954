"""ONNX graphs put rows into the same cells and combine them alike."""

import re
import subprocess
import sys

import deployed
import numpy as np
import pytest
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from skensir.interop.onnx import register_skl2onnx, to_onnx  # noqa: E402


def run(graph, X):
    """Return what a runtime makes of a graph."""
    onnx.checker.check_model(graph, full_check=True)
    session = runtime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    return session.run(None, {given.name: X})[0]


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 16, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_rows_are_combined_as_in_python(kind, n_models, dtype):
    model = deployed.fit(kind, n_models)
    X = deployed.on_edges(model, 4000, dtype)
    found, expected = run(to_onnx(model, dtype=dtype), X), model.predict(X)
    assert found.dtype == ("float32" if dtype == "float32" else "float64")
    np.testing.assert_allclose(found, expected, rtol=0, atol=deployed.TOLERANCE[dtype])


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_row_is_in_another_cell(kind, n_models, dtype):
    model = deployed.with_numbered_cells(deployed.fit(kind, n_models))
    X = deployed.on_edges(model, 4000, dtype)
    found = run(to_onnx(model, dtype=dtype), X)
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-6, atol=1.0)


def test_rows_that_are_no_numbers_give_none():
    model = deployed.fit("likelihood", 3)
    X = deployed.rows(50, 3, np.float64)[0]
    X[7, 1], X[9, 0], X[11, 2] = np.nan, np.inf, -np.inf
    found = run(to_onnx(model, dtype="float64"), X)
    assert not np.isfinite(found[[7, 9, 11]]).any()
    others = np.delete(np.arange(50), [7, 9, 11])
    np.testing.assert_array_equal(found[others], model.predict(X[others]))


def side_by_side(stack):
    """Return (n_models, height, width, n_channels) as one image with all their channels."""
    planes = np.moveaxis(stack, -1, 1)
    return planes.reshape(1, -1, *planes.shape[2:])


@pytest.mark.parametrize("regressor", [None, EnsIRRegressorCV(cv=3)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_images_are_combined_as_in_python(regressor, per_channel):
    (stack, target), (other, _) = deployed.images(3), deployed.images(3, seed=1)
    ensemble = deployed.fit_images(regressor, stack, target, per_channel=per_channel)
    (expected,) = ensemble.predict([other])
    for dtype in ("uint8", "float64", "float32"):
        graph = to_onnx(ensemble, layout="nchw", dtype=dtype)
        found = run(graph, side_by_side(other).astype(dtype))
        np.testing.assert_allclose(
            found[0], np.moveaxis(expected, -1, 0), rtol=0, atol=deployed.TOLERANCE[dtype]
        )
    twice = run(graph, side_by_side(other).repeat(2, axis=0).astype(dtype))
    np.testing.assert_array_equal(twice, found.repeat(2, axis=0))


@pytest.mark.parametrize("ends", [(0, 1), (-1, 1), (0, 255)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_may_have_a_range_of_their_own(ends, dtype):
    stack, target = deployed.images(3)
    model = EnsIRRegressor(objective="squared_error", fit_intercept=True)
    ensemble = deployed.fit_images(model, stack, target)
    (expected,) = ensemble.predict([stack])
    low, high = ends
    given = (side_by_side(stack) / 255 * (high - low) + low).astype(dtype)
    found = run(to_onnx(ensemble, layout="nchw", dtype=dtype, value_range=ends), given)
    found = (found[0] - low) / (high - low) * 255
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 0), rtol=0, atol=2e-5 * 255)


def test_a_single_regressor_takes_any_number_of_channels():
    stack, target = deployed.images(3)
    model = EnsIRRegressor().fit(stack.reshape(3, -1).T, target.ravel())
    graph = to_onnx(model, layout="nchw", dtype="uint8")
    for n_channels in (1, 3):
        images = stack[..., :n_channels]
        expected = model.predict(images.reshape(3, -1).T).reshape(images.shape[1:])
        np.testing.assert_array_equal(
            run(graph, side_by_side(images))[0], np.moveaxis(expected, -1, 0)
        )


def converted(model, X):
    """Convert a fitted model by skl2onnx, and return its predictions."""
    skl2onnx = pytest.importorskip("skl2onnx")
    register_skl2onnx()
    return run(skl2onnx.to_onnx(model, X[:1]), X)


BASES = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=5, random_state=0))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "model",
    [
        EnsIRRegressor(),
        EnsIRRegressorCV(cv=3),
        make_pipeline(StandardScaler(), EnsIRRegressor()),
        StackingRegressor(BASES, final_estimator=EnsIRRegressorCV(cv=3)),
        StackingRegressor(BASES, final_estimator=EnsIRRegressor(), passthrough=True),
        GridSearchCV(EnsIRRegressor(), {"bin_width": [16, 32]}, cv=3),
        GridSearchCV(
            make_pipeline(StandardScaler(), EnsIRRegressor()),
            {"ensirregressor__bin_width": [0.1, 1]},
            cv=3,
        ),
    ],
    ids=[
        "alone",
        "search",
        "pipeline",
        "stack",
        "stack with features",
        "grid",
        "grid of pipelines",
    ],
)
@pytest.mark.filterwarnings("ignore:Some columns:UserWarning", "ignore:Most rows:UserWarning")
def test_skl2onnx_converts_estimators_wherever_they_stand(model, recwarn):
    X, y = deployed.rows(3000, 3, np.float64)
    X = X.astype(np.float32)
    expected = model.fit(X, y).predict(X)
    found = converted(model, X)
    assert found.shape == (3000, 1)
    # What stands before it is computed in single precision, which moves some rows over an edge.
    close = np.isclose(found[:, 0], expected, rtol=1e-5)
    assert close.mean() > (0.99 if hasattr(model, "steps") or hasattr(model, "cv") else 1 - 1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_skl2onnx_is_told_of_inputs_that_are_no_numbers():
    skl2onnx = pytest.importorskip("skl2onnx")
    types = pytest.importorskip("skl2onnx.common.data_types")
    register_skl2onnx()
    model = deployed.fit("likelihood", 3)
    for given, message in [
        ([("X", types.BooleanTensorType([None, 3]))], "The input is BooleanTensorType, must be"),
        ([("X", types.StringTensorType([None, 3]))], "The input is StringTensorType, must be"),
        (
            [("a", types.FloatTensorType([None, 1])), ("b", types.FloatTensorType([None, 2]))],
            "There are 2 inputs, must be one with a column per model",
        ),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            skl2onnx.convert_sklearn(model, initial_types=given)


def test_skl2onnx_keeps_double_precision():
    X, y = deployed.rows(3000, 3, np.float64)
    model = EnsIRRegressor().fit(X, y)
    np.testing.assert_array_equal(converted(model, X)[:, 0], model.predict(X))


def test_a_graph_is_run_without_skensir(tmp_path):
    model = deployed.fit("search", 3)
    X = deployed.on_edges(model, 1000, "float64")
    onnx.save(to_onnx(model, dtype="float64"), tmp_path / "model.onnx")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import numpy as np, onnxruntime, sys\n"
        "session = onnxruntime.InferenceSession('model.onnx')\n"
        "np.save('y.npy', session.run(['y'], {'X': np.load('X.npy')})[0])\n"
        "assert 'skensir' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=60)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "nhwc"}, "layout == 'nhwc', must be"),
        ({"dtype": "float16"}, "dtype == 'float16', must be"),
        ({"value_range": 0}, "value_range == 0, must be None, a number above zero, or the two"),
        ({"value_range": (1, 1)}, r"value_range == \(1, 1\), must be"),
        ({"value_range": (0, 1, 2)}, r"value_range == \(0, 1, 2\), must be"),
        ({"value_range": True}, "value_range == True, must be"),
        ({"value_range": np.nan}, "value_range == nan, must be"),
        ({"value_range": "1"}, "value_range == '1', must be"),
        ({"value_range": "01"}, "value_range == '01', must be"),
        ({"value_range": (0, "1")}, r"value_range == \(0, '1'\), must be"),
        ({"value_range": b"\0\1"}, "value_range == b'.*', must be"),
        ({"value_range": {0, 1}}, "value_range == {0, 1}, must be"),
        ({"value_range": {0: 1, 1: 2}}, "value_range == {0: 1, 1: 2}, must be"),
        ({"value_range": (False, True)}, r"value_range == \(False, True\), must be"),
        ({"value_range": np.array([0, 5], "m8[s]")}, "value_range == array.*, must be"),
        ({"value_range": np.array(1.0)}, "value_range == array.*, must be"),
        ({"value_range": (-1e308, 1e308)}, "value_range == .*, must be"),
    ],
)
def test_options_out_of_range_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        to_onnx(deployed.fit("likelihood", 3), **options)


@pytest.mark.parametrize("axes", ["predictions", "summary"])
def test_a_range_is_not_brought_to_values_on_both_sides_of_zero(axes):
    X, y = deployed.rows(3000, 3, np.float64)
    model = EnsIRRegressor(objective="squared_error", axes=axes).fit(X / 127.5 - 1, y / 127.5 - 1)
    with pytest.raises(ValueError, match=r"fitted on values down to about -1\.?\d*; give None"):
        to_onnx(model, dtype="float64", value_range=(-1, 1))
    found = run(to_onnx(model, dtype="float64"), X / 127.5 - 1)
    np.testing.assert_allclose(found, model.predict(X / 127.5 - 1), rtol=0, atol=1e-12)
    overshooting = EnsIRRegressor(objective="squared_error", axes=axes).fit(X / 255 - 0.02, y / 255)
    to_onnx(overshooting, value_range=(-1, 1))


@pytest.mark.parametrize("n_models", [2, 4])
def test_pixels_divided_by_their_peak_find_the_cells_of_a_summary(n_models):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (20_000, n_models))
    X[:10_000] = np.clip(X[:10_000, :1] + rng.integers(-30, 31, (10_000, n_models)), 0, 255)
    y = X.mean(axis=1) + rng.normal(size=len(X))
    model = EnsIRRegressor(objective="squared_error", axes="summary", bin_width=16).fit(X, y)
    for low, high in ((0, 1), (-1, 1)):
        given = (X / 255 * (high - low) + low).astype(np.float32)
        found = run(to_onnx(model, value_range=(low, high)), given)
        pixels = (found.astype(np.float64) - low) / (high - low) * 255
        np.testing.assert_allclose(pixels, model.predict(X), rtol=0, atol=2e-5 * 255)


@pytest.mark.parametrize(
    ("data_range", "value_range", "least", "most"),
    [
        (255.0, 1e-320, "1.42e-306", "1.8e+308"),
        (255.0, (0.0, 1e-310), "1.42e-306", "1.8e+308"),
        (255.0, (-1e-307, 1e-307), "1.42e-306", "1.8e+308"),
        (1e-4, 1e-308, "2.23e-308", "4.49e+303"),
        (1e-4, 1e304, "2.23e-308", "4.49e+303"),
    ],
)
def test_a_range_that_no_number_brings_to_that_of_fit_is_told(data_range, value_range, least, most):
    X, y = np.linspace(0, data_range, 40).reshape(20, 2), np.linspace(0, data_range, 20)
    model = EnsIRRegressor(data_range=data_range, objective="squared_error").fit(X, y)
    said = f"value_range == .*, must be from {re.escape(least)} to {re.escape(most)} wide"
    with pytest.raises(ValueError, match=said):
        to_onnx(model, value_range=value_range)


@pytest.mark.parametrize("peak", [100.0, 1023.0, 0.4])
def test_a_range_is_not_guessed(peak):
    stack, target = deployed.images(3)
    ensemble = deployed.fit_images(None, stack / 255 * peak, target / 255 * peak)
    with pytest.raises(ValueError, match=r"value_range == 1.0, must be None: which value of fit"):
        to_onnx(ensemble, layout="nchw", value_range=1.0)


@pytest.mark.parametrize(
    ("peak", "params"), [(1.0, {}), (255.0, {}), (65535.0, {}), (1023.0, {"data_range": 1023.0})]
)
def test_a_range_that_is_known_is_reached(peak, params):
    stack, target = deployed.images(3)
    regressor = EnsIRRegressor(**params)
    ensemble = deployed.fit_images(regressor, stack / 255 * peak, target / 255 * peak)
    graph = to_onnx(ensemble, layout="nchw", dtype="float64", value_range=1.0)
    found = run(graph, side_by_side(stack) / 255)
    expected = ensemble.predict([stack / 255 * peak])[0] / peak
    np.testing.assert_allclose(np.moveaxis(found[0], 0, -1), expected, rtol=0, atol=1e-9)


def test_models_without_tables_are_told():
    X, y = deployed.rows(3000, 3, np.float64)
    stack, target = deployed.images(3)
    with pytest.raises(TypeError, match=r"model == AverageRegressor\(\), must be a fitted EnsIR"):
        to_onnx(AverageRegressor().fit(X, y))
    ensemble = deployed.fit_images(AverageRegressor(), stack, target)
    with pytest.raises(TypeError, match="a regressor of the ensemble == AverageRegressor"):
        to_onnx(ensemble, layout="nchw")
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(EnsIRRegressor())
    ensemble = deployed.fit_images(None, stack, target)
    with pytest.raises(ValueError, match="layout == 'rows', must be 'nchw', as the ensemble has"):
        to_onnx(ensemble)
