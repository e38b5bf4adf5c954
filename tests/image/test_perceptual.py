"""LPIPS and DISTS: what the packages are given, in stubs of these, which are not installed here."""

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from skensir.image.perceptual import load_perceptual


class Tensor:
    """An array that knows where it lies."""

    def __init__(self, array, device=None):
        self.array, self.device = array, device

    def to(self, device):
        return Tensor(self.array, device)

    def item(self):
        return self.array.item()

    def __rmul__(self, factor):
        return Tensor(factor * self.array, self.device)

    def __sub__(self, number):
        return Tensor(self.array - number, self.device)


def make_module(name, **attributes):
    module = ModuleType(name)
    vars(module).update(attributes)
    return module


def check_tensor(tensor, lowest):
    """Check what networks expect: a batch of one, three channels first, floats of one range."""
    assert tensor.device == "device cpu"
    assert tensor.array.dtype == np.float32
    assert tensor.array.ndim == 4
    assert tensor.array.shape[:2] == (1, 3)
    assert tensor.array.min() >= lowest
    assert tensor.array.max() <= 1


def red_distance(image, target, lowest):
    """Return a number that shows which channel is red and which image is the truth."""
    check_tensor(image, lowest)
    check_tensor(target, lowest)
    difference = (image.array - target.array)[:, :1].mean(axis=(1, 2, 3), keepdims=True)
    return Tensor(difference / (1 - lowest))


@pytest.fixture
def torch(monkeypatch):
    stub = make_module(
        "torch",
        cuda=SimpleNamespace(is_available=lambda: False),
        device=lambda name: f"device {name}",
        from_numpy=Tensor,
        no_grad=nullcontext,
    )
    monkeypatch.setitem(sys.modules, "torch", stub)
    for name in ("pyiqa", "lpips"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    return stub


@pytest.fixture
def pyiqa(torch, monkeypatch):
    made = []

    def create_metric(name, device=None):
        print("Loading pretrained model")
        assert device == "device cpu"
        made.append(name)
        return lambda image, target: red_distance(image, target, 0)

    stub = make_module("pyiqa", create_metric=create_metric, made=made)
    monkeypatch.setitem(sys.modules, "pyiqa", stub)
    return stub


@pytest.fixture
def lpips(torch, monkeypatch):
    class LPIPS:
        def __init__(self, net, verbose):
            assert (net, verbose) == ("alex", False)

        def to(self, device):
            return lambda image, target: red_distance(image, target, -1)

    stub = make_module("lpips", LPIPS=LPIPS)
    monkeypatch.setitem(sys.modules, "lpips", stub)
    return stub


def test_nothing_is_measured_where_nothing_is_installed(torch):
    assert load_perceptual() == {}


def test_pyiqa_has_both_and_lpips_one(pyiqa, capfd):
    assert list(load_perceptual()) == pyiqa.made == ["lpips", "dists"]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("package", ["pyiqa", "lpips"])
@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
def test_images_come_as_red_green_blue_from_nothing_to_one(request, package, dtype, peak):
    request.getfixturevalue(package)
    measure = load_perceptual()["lpips"]
    target = np.zeros((9, 12, 3), dtype)
    image = np.zeros((9, 12, 3))
    image[2:-2, 2:-2] = (0.25 * peak, 0.5 * peak, peak)
    image[0] = 3 * peak  # beyond white, and in the border
    found = measure(target, image, crop_border=2, data_range=peak)
    assert found == pytest.approx(0.25, abs=1e-6)
    assert measure(target, image + peak, data_range=peak) == pytest.approx(1)


@pytest.mark.parametrize("package", ["pyiqa", "lpips"])
def test_grey_images_have_three_equal_channels(request, package):
    request.getfixturevalue(package)
    measure = load_perceptual()["lpips"]
    assert measure(np.zeros((8, 8), np.uint8), np.full((8, 8), 51.0)) == pytest.approx(0.2)


def test_pyiqa_goes_before_lpips(pyiqa, lpips):
    assert list(load_perceptual()) == ["lpips", "dists"]


def test_weights_that_cannot_be_loaded_are_one_sentence(pyiqa):
    def create_metric(name, device=None):
        raise OSError("<urlopen error [Errno -2] Name or service not known>\nmore lines")

    pyiqa.create_metric = create_metric
    message = "^pyiqa is installed but cannot be used: <urlopen .* not known>[.]$"
    with pytest.raises(ValueError, match=message):
        load_perceptual()


def test_a_package_without_what_it_needs_is_told_of(pyiqa, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"pyiqa is installed but cannot be used: .*torch"):
        load_perceptual()


def test_images_that_networks_refuse_are_named(pyiqa):
    def create_metric(name, device=None):
        def compare(image, target):
            raise RuntimeError("Calculated output size is too small.\nmore")

        return compare

    pyiqa.create_metric = create_metric
    measure = load_perceptual()["dists"]
    with pytest.raises(ValueError, match="DISTS of an image of 8 x 9 pixels cannot be computed: C"):
        measure(np.zeros((8, 9)), np.zeros((8, 9)))
