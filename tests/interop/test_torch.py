"""The module of PyTorch puts pixels into the same cells and combines them alike."""

import copy
import io
import os
import textwrap
from itertools import takewhile
from pathlib import Path

import deployed
import numpy as np
import pytest

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble, read_image
from skensir.persistence import save_table

onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
from skensir.interop.onnx import to_onnx  # noqa: E402
from skensir.interop.torch import EnsembleModule  # noqa: E402

SHARED = Path(__file__).parents[3] / "shared" / "data"
DERAINING = Path(os.environ.get("SKENSIR_DATA", SHARED)) / "deraining"


def columns(X):
    """Return what each model predicts as a tensor of its own."""
    return [torch.from_numpy(np.ascontiguousarray(column)) for column in X.T]


def tensors(stack, dtype=None):
    """Return images (n_models, height, width, n_channels) as tensors (1, n_channels, ...)."""
    planes = torch.from_numpy(np.moveaxis(stack, -1, 1).copy())[:, None]
    return list(planes if dtype is None else planes.to(dtype))


@pytest.fixture(scope="module")
def ensemble():
    stack, target = deployed.images(3)
    return deployed.fit_images(EnsIRRegressorCV(cv=3), stack, target)


@pytest.mark.parametrize("kind", deployed.KINDS)
@pytest.mark.parametrize("n_models", [1, 3, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_any_values_are_combined_as_in_python(kind, n_models, dtype):
    model = deployed.fit(kind, n_models)
    X = deployed.on_edges(model, 4000, dtype)
    found, expected = EnsembleModule.from_estimator(model)(columns(X)), model.predict(X)
    assert found.dtype == (torch.float32 if dtype == "float32" else torch.float64)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=deployed.TOLERANCE[dtype])


@pytest.mark.parametrize("kind", ["signed", "deviations", "nested, many cells", "search"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_value_is_in_another_cell(kind, dtype):
    model = deployed.with_numbered_cells(deployed.fit(kind, 3))
    X = deployed.on_edges(model, 4000, dtype)
    found = EnsembleModule.from_estimator(model)(columns(X))
    np.testing.assert_allclose(found.numpy(), model.predict(X), rtol=1e-6, atol=1.0)


class DividedAsOnGPUs(torch.Tensor):
    """On a GPU, PyTorch multiplies by the inverse of a number instead of dividing by it."""

    __module__ = "torch"  # by which `predict` knows its arrays

    def __truediv__(self, other):
        return self * (1 / other) if isinstance(other, float) else super().__truediv__(other)


@pytest.mark.parametrize("kind", ["narrow", "deviations", "nested, many cells", "search"])
def test_where_division_by_a_number_is_inexact_no_value_is_in_another_cell(kind):
    model = deployed.with_numbered_cells(deployed.fit(kind, 3))
    X = deployed.on_edges(model, 4000, "float64")
    given = torch.from_numpy(X).as_subclass(DividedAsOnGPUs)
    assert not torch.equal(given / 3.3, torch.from_numpy(X / 3.3))
    expected = model.predict(X)
    found = EnsembleModule.from_estimator(model)(
        [column.as_subclass(DividedAsOnGPUs) for column in columns(X)]
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1.0)
    np.testing.assert_array_equal(model.predict(given).numpy(), expected)


@pytest.mark.parametrize("regressor", [None, EnsIRRegressorCV(cv=3)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_images_are_combined_as_in_python(regressor, per_channel):
    (stack, target), (other, _) = deployed.images(3), deployed.images(3, seed=1)
    ensemble = deployed.fit_images(regressor, stack, target, per_channel=per_channel)
    expected = np.moveaxis(ensemble.predict([other])[0], -1, 0)
    module, given = EnsembleModule.from_estimator(ensemble), tensors(other)
    found = module(given)
    np.testing.assert_array_equal(found.numpy()[0], expected)
    for same in (module(*given), module(torch.stack(given)), module(tuple(given))):
        assert torch.equal(same, found)
    assert torch.equal(module([image[0] for image in given]), found[0])
    batch = module([image.expand(4, -1, -1, -1) for image in given])
    assert torch.equal(batch, found.expand(4, -1, -1, -1))


@pytest.mark.parametrize("ends", [1.0, (0, 1), (-1, 1)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_networks_may_have_a_range_of_their_own(ensemble, ends, dtype):
    stack = deployed.images(3)[0]
    low, high = ends if isinstance(ends, tuple) else (0, ends)
    given = [image / 255 * (high - low) + low for image in tensors(stack, torch.float64)]
    found = EnsembleModule.from_estimator(ensemble, value_range=ends)([g.to(dtype) for g in given])
    assert found.dtype == dtype
    pixels = (found.double() - low) / (high - low) * 255
    expected = np.moveaxis(ensemble.predict([stack])[0], -1, 0)
    lost = 4 * torch.finfo(dtype).eps * 255  # by the input and by the output
    np.testing.assert_allclose(pixels.numpy()[0], expected, rtol=0, atol=lost)


def test_images_are_where_the_module_is_and_as_deep_as_those_of_fit(ensemble):
    module = EnsembleModule.from_estimator(ensemble)
    given = tensors(deployed.images(3)[0])
    with pytest.raises(ValueError, match="The images are on meta, the module is on cpu"):
        module([image.to("meta") for image in given])
    with pytest.raises(ValueError, match="The images are uint16, must be uint8 as those of fit"):
        module([image.to(torch.uint16) for image in given])


def test_a_module_without_memory_takes_over_a_state(ensemble):
    module = EnsembleModule.from_estimator(ensemble)
    given = tensors(deployed.images(3)[0])
    empty = EnsembleModule.from_estimator(deployed.fit("likelihood", 3)).to("meta")
    empty.load_state_dict(module.state_dict(), assign=True)
    assert torch.equal(empty(given), module(given))


def test_a_module_is_made_of_a_table_file(ensemble):
    for given in (ensemble, "table.npz", None):
        with pytest.raises(TypeError, match="must be the bytes of a table file; from_estimator"):
            EnsembleModule(given)


def test_gradients_are_the_weights():
    model = deployed.fit("likelihood", 3)
    X = deployed.rows(200, 3, np.float64)[0]
    X[:50] = X[:50, :1]  # where models agree the sum touches its bounds
    given = [column.requires_grad_() for column in columns(X)]
    EnsembleModule.from_estimator(model)(given).sum().backward()
    gradients = np.stack([column.grad.numpy() for column in given], axis=1)
    np.testing.assert_allclose(gradients, model.predict_weights(X), rtol=0, atol=1e-12)


def test_state_holds_all_and_takes_the_place_of_another(ensemble, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    module = EnsembleModule.from_estimator(ensemble, value_range=1.0)
    given = [image / 255 for image in tensors(deployed.images(3)[0], torch.float64)]
    safetensors.save_file(module.state_dict(), tmp_path / "ensemble.safetensors")
    state = safetensors.load_file(tmp_path / "ensemble.safetensors")
    other = EnsembleModule.from_estimator(deployed.fit("nested, many cells", 5))
    whole = torch.nn.Sequential(other)
    assert whole.load_state_dict({f"0.{name}": value for name, value in state.items()})
    for same in (other, copy.deepcopy(module), torch.load(saved(module), weights_only=False)):
        assert torch.equal(same(given), module(given))


def saved(module):
    """Return a file that a module was saved to."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return file


def entries_that_are_none(state):
    """Yield states with an entry of another kind, and what is said of it."""
    table = state["table"]
    for given, what in [
        ([1], r"\[1\]"),
        (None, "None"),
        (table.bfloat16(), r"a tensor of bfloat16 and shape \(\d+,\)"),
        (table[None], r"a tensor of uint8 and shape \(1, \d+\)"),
        (table.to_sparse(), r"a sparse_coo tensor of uint8 and shape \(\d+,\)"),
        (table.to("meta"), r"a tensor of uint8 and shape \(\d+,\) on meta"),
    ]:
        said = rf"EnsembleModule:\s+table: {what}, must be a dense tensor of uint8 with one dim"
        yield state | {"table": given}, said
    for given, what in [
        (1.0, "1.0"),
        (torch.tensor([]), r"a tensor of float32 and shape \(0,\)"),
        (torch.tensor([0, 1]), r"a tensor of int64 and shape \(2,\)"),
    ]:
        said = rf"EnsembleModule:\s+value_range: {what}, must be a dense tensor of two floats\."
        yield state | {"value_range": given}, said


def test_a_state_that_is_none_is_told_and_changes_nothing(ensemble):
    module = EnsembleModule.from_estimator(ensemble)
    before = module.state_dict()
    given = tensors(deployed.images(3)[0])
    expected = module(given)
    for state, message in [
        ({}, "Missing key"),
        (before | {"more": torch.zeros(1)}, "Unexpected key"),
        (before | {"table": torch.zeros(9, dtype=torch.uint8)}, "table: "),
        (before | {"value_range": torch.tensor([1.0, 0.0])}, "value_range == "),
        *entries_that_are_none(before),
    ]:
        with pytest.raises(RuntimeError, match=message):
            module.load_state_dict(state)
        assert torch.equal(module(given), expected)
    with pytest.raises(RuntimeError, match="table: "):
        module.load_state_dict({name: value.to("meta") for name, value in before.items()}, assign=1)
    assert torch.equal(module(given), expected)


def test_a_table_file_becomes_a_module(ensemble, tmp_path):
    save_table(ensemble, tmp_path / "ensemble.table")
    given = tensors(deployed.images(3)[0])
    module = EnsembleModule.from_table(tmp_path / "ensemble.table")
    assert torch.equal(module(given), EnsembleModule.from_estimator(ensemble)(given))
    (tmp_path / "none.table").write_bytes(b"no table")
    with pytest.raises(ValueError, match=r"none\.table"):
        EnsembleModule.from_table(tmp_path / "none.table")


@pytest.mark.parametrize("cast", ["half", "float", "double", "bfloat16"])
def test_moving_the_module_leaves_its_tables_as_they_are(ensemble, cast):
    module = EnsembleModule.from_estimator(ensemble)
    given = tensors(deployed.images(3)[0])
    expected = module(given)
    assert torch.equal(getattr(torch.nn.Sequential(module), cast)()[0](given), expected)


def test_a_device_without_double_precision_gets_single(ensemble):
    def move(tensor):
        if tensor.dtype == torch.float64:
            raise TypeError("no double precision here")
        return tensor.clone()

    module = EnsembleModule.from_estimator(ensemble)._apply(move)
    assert {buffer.dtype for buffer in module.buffers()} <= {
        torch.float32,
        torch.int64,
        torch.uint8,
    }
    given = tensors(deployed.images(3)[0])
    expected = EnsembleModule.from_estimator(ensemble)(given)
    torch.testing.assert_close(module(given), expected, rtol=0, atol=2e-5 * 255)


@pytest.mark.parametrize("kind", ["likelihood", "nested, many cells", "summary"])
def test_values_that_are_no_numbers_give_none(kind):
    model = deployed.fit(kind, 3)
    X = deployed.rows(50, 3, np.float64)[0]
    X[7, 1], X[9, 0], X[11, 2] = np.nan, np.inf, -np.inf
    found = EnsembleModule.from_estimator(model)(columns(X)).numpy()
    assert not np.isfinite(found[[7, 9, 11]]).any()
    others = np.delete(np.arange(50), [7, 9, 11])
    np.testing.assert_array_equal(found[others], model.predict(X[others]))


def test_what_is_no_tensor_is_told():
    module = EnsembleModule.from_estimator(deployed.fit("likelihood", 3))
    for bad in (np.ones((3, 4)), [np.ones(4)] * 3, [None] * 3, 3, [torch.ones(3) * 1j] * 3):
        with pytest.raises((TypeError, ValueError), match=r"must be a tensor of real|must be 3"):
            module(bad)


def test_a_range_that_is_that_of_the_fit_changes_nothing():
    X, y = deployed.rows(3000, 3, np.float64)
    model = EnsIRRegressor().fit(X / 255, y / 255)
    given = columns(X / 255)
    plain = EnsembleModule.from_estimator(model)
    assert torch.equal(EnsembleModule.from_estimator(model, value_range=1.0)(given), plain(given))


def test_images_that_do_not_fit_are_told(ensemble):
    module, given = EnsembleModule.from_estimator(ensemble), tensors(deployed.images(3)[0])
    for bad, message in [
        (given[:2], "There are 2 images, must be 3: one per model"),
        ([*given[:2], given[2][..., :5]], "Image 2 is .*, must be .* as the first one"),
        ([*given[:2], given[2].double()], "Image 2 is .*float64.*, must be .*uint8"),
        ([image[:, :2] for image in given], r"must be \(\.\.\., 3, height, width\)"),
        ([image[0, 0] for image in given], r"must be \(\.\.\., 3, height, width\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            module(bad)


@pytest.mark.parametrize("kind", ["likelihood", "search", "summary", "nested, many cells"])
def test_the_module_is_exported(kind):
    model = deployed.fit(kind, 3)
    X = deployed.on_edges(model, 500, "float32")
    module, given = EnsembleModule.from_estimator(model), columns(X)
    exported = torch.export.export(module, tuple(given)).module()
    assert torch.equal(exported(*given), module(given))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_module_becomes_onnx(ensemble, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module = EnsembleModule.from_estimator(ensemble).eval()
    given = tensors(deployed.images(3)[0], torch.float32)
    torch.onnx.export(module, tuple(given), tmp_path / "module.onnx", dynamo=True)
    session = runtime.InferenceSession(tmp_path / "module.onnx")
    names = [given.name for given in session.get_inputs()]
    feed = dict(zip(names, (image.numpy() for image in given), strict=True))
    found = session.run(None, feed)[0]
    np.testing.assert_allclose(found, module(given).numpy(), rtol=0, atol=2e-5 * 255)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_compiled_module_is_the_same(ensemble, dtype):
    module = EnsembleModule.from_estimator(ensemble)
    given = tensors(deployed.images(3)[0], dtype)
    compiled = torch.compile(module, fullgraph=True)
    torch.testing.assert_close(compiled(given), module(given), rtol=0, atol=2e-5 * 255)


def test_the_networks_of_the_documentation_run(ensemble):
    page = Path(__file__).parents[2] / "docs" / "deployment.rst"
    if not page.is_file():
        pytest.skip("the documentation is not part of a source distribution")
    block = page.read_text(encoding="utf-8").partition(".. code-block:: python\n")[2]
    lines = takewhile(lambda line: not line.strip() or line.startswith("   "), block.splitlines())
    torch.manual_seed(0)
    names = {
        "networks": [torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)],
        "ensemble": ensemble,
        "image": torch.rand(2, 3, 20, 30),
    }
    exec(textwrap.dedent("\n".join(lines)), names)
    with torch.no_grad():
        outputs = [network(names["image"]).clamp(0, 1) for network in names["networks"]]
    given = [np.moveaxis(output.double().numpy() * 255, 1, -1) for output in outputs]
    expected = ensemble.predict([np.stack(of_image) for of_image in zip(*given, strict=True)])
    restored = np.moveaxis(names["restored"].numpy(), 1, -1) * 255
    np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-3)


@pytest.mark.skipif(not DERAINING.is_dir(), reason=f"there are no images at {DERAINING}")
def test_a_real_image_is_restored_to_the_same_pixels():
    models = ("MAXIM", "MPRNet", "Restormer")
    names = sorted(path.stem for path in (DERAINING / "gt").iterdir())[:2]

    def read(folder, name):
        (path,) = (DERAINING / folder).glob(f"{name}.*")
        return read_image(path)

    stacks = [np.stack([read(model, name) for model in models]) for name in names]
    targets = [read("gt", name) for name in names]
    ensemble = ImageEnsemble().fit(stacks, targets)
    expected = np.rint(np.moveaxis(ensemble.predict(stacks[:1])[0], -1, 0))
    graph = to_onnx(ensemble, layout="nchw", dtype="uint8").SerializeToString()
    planes = np.moveaxis(stacks[0], -1, 1)
    feed = {"X": planes.reshape(1, -1, *planes.shape[2:])}
    by_onnx = onnxruntime.InferenceSession(graph).run(None, feed)[0][0]
    by_torch = EnsembleModule.from_estimator(ensemble)(tensors(stacks[0]))[0].numpy()
    assert np.count_nonzero(np.rint(by_onnx) != expected) == 0
    assert np.count_nonzero(np.rint(by_torch) != expected) == 0
