"""On an accelerator rows come into the same cells and are combined as on the processor.

None of this runs where there is no such device of NVIDIA.
"""

import importlib
from types import SimpleNamespace

import deployed
import numpy as np
import pytest
import sklearn

from skensir import EnsIRRegressor, EnsIRRegressorCV

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("there is no accelerator", allow_module_level=True)
from skensir.interop.torch import EnsembleModule  # noqa: E402


def columns(X):
    """Return what each model predicts as a tensor on the device."""
    return list(torch.from_numpy(X.T.copy()).cuda())


def library(name):
    """Return how to bring an array to the device in a library, and back."""
    xp = pytest.importorskip(name)
    if name == "torch":
        return SimpleNamespace(there=lambda X: xp.asarray(X, device="cuda"), back=lambda x: x.cpu())
    if name == "cupy":
        return SimpleNamespace(there=xp.asarray, back=xp.asnumpy)
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return SimpleNamespace(there=xp.asarray, back=np.asarray)


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_the_module_combines_as_in_python(kind, n_models, dtype):
    model = deployed.fit(kind, n_models)
    X = deployed.on_edges(model, 4000, dtype)
    module = EnsembleModule.from_estimator(model).cuda()
    np.testing.assert_allclose(
        module(columns(X)).cpu().numpy(), model.predict(X), rtol=0, atol=deployed.TOLERANCE[dtype]
    )


@pytest.mark.parametrize("kind", ["signed", "deviations", "nested, many cells", "search"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_value_is_in_another_cell(kind, dtype):
    model = deployed.with_numbered_cells(deployed.fit(kind, 3))
    X = deployed.on_edges(model, 4000, dtype)
    found = EnsembleModule.from_estimator(model).cuda()(columns(X)).cpu().numpy()
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-6, atol=1.0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what PyTorch calls to compile
@pytest.mark.parametrize("kind", ["signed", "narrow", "nested, many cells", "deviations"])
def test_compiled_no_value_is_in_another_cell(kind):
    model = deployed.with_numbered_cells(deployed.fit(kind, 3))
    X = deployed.on_edges(model, 4000, "float64")
    if kind == "deviations":  # products are not rounded before they are added to
        X = deployed.rows(4000, 3, "float64")[0]
    found = torch.compile(EnsembleModule.from_estimator(model).cuda())(columns(X)).cpu().numpy()
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-6, atol=1.0)


def test_gradients_and_half_precision_are_those_of_the_processor():
    stack, target = deployed.images(3)
    ensemble = deployed.fit_images(EnsIRRegressorCV(cv=3), stack, target)
    module = EnsembleModule.from_estimator(ensemble, value_range=1.0)
    planes = torch.from_numpy(np.moveaxis(stack, -1, 1).copy()) / 255
    gradients = []
    for device in ("cpu", "cuda"):
        given = planes.to(device).detach().requires_grad_()
        module.to(device)(given).square().sum().backward()
        gradients.append(given.grad.cpu())
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)
    half = planes.half()
    torch.testing.assert_close(module(half.cuda()).cpu(), module.cpu()(half), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["torch", "cupy", "jax.numpy"])
@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("dispatch", [False, True])
def test_predictions_stay_on_the_device(name, kind, dtype, dispatch, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    xp, model = library(name), deployed.fit(kind, 3)
    X = deployed.on_edges(model, 1500, dtype)
    if name == "cupy":  # takes what is below the smallest normal number for zero
        X[abs(X) < np.finfo(np.float32).tiny] = 0
    given = xp.there(X)
    with sklearn.config_context(array_api_dispatch=dispatch):
        found = [model.predict(given), model.predict_weights(given)]
    for values, right in zip(found, [model.predict(X), model.predict_weights(X)], strict=True):
        assert type(values) is type(given)
        assert values.device == given.device
        np.testing.assert_array_equal(xp.back(values), right)


def test_a_module_on_the_device_refuses_images_of_the_processor():
    model = deployed.fit("likelihood", 3)
    module = EnsembleModule.from_estimator(model).cuda()
    with pytest.raises(ValueError, match="The images are on cpu, the module is on cuda:0"):
        module([torch.ones(3)] * 3)


@pytest.mark.parametrize("name", ["torch", "cupy"])
def test_fit_says_that_its_rows_must_be_on_the_processor(name):
    xp = library(name)
    X, y = deployed.rows(500, 3, np.float64)
    model = EnsIRRegressor()
    for rows, truth in ((xp.there(X), y), (X, xp.there(y))):
        with pytest.raises(TypeError, match=r"cpu\(\)|get\(\)"):
            model.fit(rows, truth)
        assert not hasattr(model, "weights_")
