"""One function for each reader, which takes the bytes of a file and returns if promises are held.

A reader returns something whole and usable, or raises one of its documented errors with one
sentence. All else is an error here: other exceptions, a `Finding`, a crash, or more time and memory
than the size of the file explains.
"""

from __future__ import annotations

import copy
import io
import os
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from zlib import crc32

import numpy as np
from fuzz.checks import check_model, require
from fuzz.guard import check_sentence, guarded, refusals, scratch
from sklearn.exceptions import NotFittedError

from skensir.cli import main
from skensir.image import read_image
from skensir.image.tables import load_image_tables
from skensir.interop.released import read_released
from skensir.persistence import load_table

MOST_PIXELS = 2**17  # that images of strangers may have here


def run_command(arguments: list[str]) -> int:
    """Run a command in this process; it ends with 0, or with 2 and one sentence."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        try:
            code = main(arguments)
        except SystemExit as error:  # of --help and --version
            code = error.code or 0
    lines = told.getvalue().splitlines()
    said = [line for line in lines if not line.startswith("skensir: note: ")]
    require(code in (0, 2), f"exit code {code}")
    if code == 2:
        require(len(said) == 1 and said[0].startswith("skensir: "), f"said {said[:3]!r:.500}")
        check_sentence(said[0])
    return code


def table(data: bytes) -> None:
    """Read a file of lookup tables, in Python and by two commands."""
    path = scratch() / "model.table"
    path.write_bytes(data)
    with guarded(data):
        with refusals() as refused:
            model = load_table(path)
        if not refused:
            check_model(model)
            with refusals():
                light = load_image_tables(path)
                require((light is None) != hasattr(model, "regressors_"), "kind of model")
        if not refused or crc32(data) % 8 == 0:
            code = run_command(["inspect", str(path)])
            require(code == 2 * len(refused), f"inspect ended with {code}")


def released(data: bytes) -> None:
    """Read a table of the published program."""
    names = ("weight_Rain_A_B_C_b32_rgb.pth", "weight_Rain_A_B_b64_rgb.pth", "table.pth")
    path = scratch() / names[crc32(data) % 3]
    path.write_bytes(data)
    with guarded(data):
        with refusals() as refused:
            model = read_released(path)
        if not refused:
            check_model(model)


def torch_state(data: bytes) -> None:
    """Load the state of a module of PyTorch whose table is these bytes."""
    import torch
    from fuzz.samples import module_of_torch

    from skensir.interop.torch import EnsembleModule

    module = copy.deepcopy(module_of_torch())
    table = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)
    with guarded(data):
        with refusals() as refused:
            EnsembleModule(data)
        try:
            module.load_state_dict(module.state_dict() | {"table": table})
        except RuntimeError as error:  # PyTorch's own, with our sentence in it
            require(refused and str(refused[0]) in str(error), f"another error: {error}")
        else:
            require(not refused, "a state is loaded whose table is refused")


def _image(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        path = scratch() / f"image{suffix}"
        path.write_bytes(data)
        os.environ["SKENSIR_MAX_PIXELS"] = str(MOST_PIXELS)
        try:
            with guarded(data), refusals() as refused:
                image = read_image(path)
        finally:
            del os.environ["SKENSIR_MAX_PIXELS"]
        if not refused:
            require(image.dtype.name in DTYPES, f"dtype {image.dtype}")
            require(image.dtype.isnative and image.size, "bytes of another order, or none")
            require(image.ndim == 2 or image.shape[2:] == (3,), f"shape {image.shape}")
            require(image.dtype.kind == "u" or np.isfinite(image).all(), "pixels infinite")
            if suffix != ".npy":
                require(image[..., 0].size <= MOST_PIXELS * 3, "more pixels than may be")

    return read


DTYPES = ("uint8", "uint16", "float16", "float32", "float64")

image, tiff, npy = map(_image, (".png", ".tif", ".npy"))


def skops(data: bytes) -> None:
    """Load an estimator from a file of skops, which refuses in its own words what is its own."""
    import skops.io

    from skensir.interop.skops import TRUSTED

    with guarded(data), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, which skops has read the arrays
        try:
            model = skops.io.loads(data, trusted=TRUSTED)
        except Exception as error:
            trace = error.__traceback__
            while trace.tb_next is not None:
                trace = trace.tb_next
            raised_in = trace.tb_frame.f_globals.get("__name__", "")
            called = _calls(error)
            if "skensir._state" not in called:
                return  # before anything of ours was asked
            require(type(error) in (ValueError, TypeError), f"{type(error)} from {raised_in}")
            check_sentence(str(error))
            return
        if not hasattr(model, "predict"):
            return
        is_solved = "weights_" in vars(model)  # what is still to be solved may come to infinity
        n_models = getattr(model, "n_features_in_", 3)
        if not isinstance(n_models, int) or not 0 < n_models < 100:
            n_models = 3
        with refusals(TypeError, NotFittedError):
            predicted = model.predict(np.arange(5.0 * n_models).reshape(5, n_models))
            require(not is_solved or np.isfinite(predicted).all(), "prediction infinite")


def _calls(error: Exception) -> set[str]:
    """Return the modules that an error came through."""
    found, trace = set(), error.__traceback__
    while trace is not None:
        found.add(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return found


def _lazy(name: str) -> Callable[[bytes], None]:
    """Return a target that is imported when it is called."""

    def target(data: bytes) -> None:
        from fuzz import built

        getattr(built, name)(data)

    return target


TARGETS: dict[str, Callable[[bytes], None]] = {
    "table": table,
    "released": released,
    "torch_state": torch_state,
    "image": image,
    "tiff": tiff,
    "npy": npy,
    "skops": skops,
    "folder": _lazy("folder"),
    "command": _lazy("command"),
    "onnx": _lazy("onnx"),
}
