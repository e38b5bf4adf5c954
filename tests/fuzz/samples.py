"""Sound files for each reader, from which changed ones are made: small, and the same every time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import cv2
import deployed
import numpy as np
import skops.io
import table_files
import tifffile
import torch_files
from fuzz.guard import scratch

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV, save_table
from skensir.baselines import ConvexRegressor
from skensir.image import ImageEnsemble
from skensir.interop.released import read_released

_LONGEST = 50_000


@cache
def _models() -> list[Any]:
    """Return small models of every kind that a file can hold."""
    X, y = deployed.rows(400, 3, np.float64)
    squared = {"objective": "squared_error"}
    kinds: list[dict[str, Any]] = [
        {"bin_width": 64.0, "max_iter": 3},
        {**squared, "shrink_to": "parent", "shrinkage": 30.0, "bin_width": 64},
        {**squared, "axes": "summary", "positive": False, "fit_intercept": True, "bin_width": 64},
        {**squared, "axes": "deviations", "data_range": 255, "default_weights": [0.2, 0.3, 0.5]},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, and steps
        models = [EnsIRRegressor(**params).fit(X, y) for params in kinds]
        models.append(EnsIRRegressorCV(bin_widths=[64, 128], cv=2).fit(X, y).solve())
        images = table_files.scenes()
        plain = EnsIRRegressor(128, max_iter=3)
        models.append(ImageEnsemble(plain).fit(*images))
        models.append(ImageEnsemble(EnsIRRegressor(128.0, **REFERENCE_PARAMS)).fit(*images))
        inputs = [stack[0] for stack in images[0]]
        wide = EnsIRRegressor(128, **squared)
        models.append(
            ImageEnsemble(wide, per_channel=False, include_input=True).fit(*images, inputs=inputs)
        )
    return models


def tables() -> list[bytes]:
    """Return files of `save_table`."""
    path, files = scratch() / "sample.table", []
    for model in [*_models(), read_released_one()]:
        save_table(model, path)
        files.append(path.read_bytes())
    return files


def read_released_one() -> Any:
    """Return a model that was read from a published table."""
    path = scratch() / "weight_Rain_A_B_b128_rgb.pth"
    path.write_bytes(released()[1])
    return read_released(path)


def released() -> list[bytes]:
    """Return files of the published program."""
    sizes = ((4, 3, 3, 64), (2, 2, 3, 128), (2, 3, 1, 128))
    return [
        torch_files.torch_file(
            *torch_files.pickled(
                torch_files.table_of(torch_files.synthetic(bins, models, channels), width)
            )
        )
        for bins, models, channels, width in sizes
    ]


@cache
def module_of_torch() -> Any:
    """Return a module of PyTorch that combines images."""
    from skensir.interop.torch import EnsembleModule

    return EnsembleModule.from_estimator(_models()[5])


def _pixels(*shape: int, dtype: str = "u1") -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, shape)
    return (noise * (257 if dtype == "u2" else 1)).astype(dtype)


def images() -> list[bytes]:
    """Return files of all formats that OpenCV decodes."""
    files = []
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pfm"):
        for shape in ((9, 7, 3), (6, 10)):
            if (suffix in (".pgm", ".pbm", ".pfm")) == (len(shape) == 2) or suffix < ".m":
                image = _pixels(*shape, dtype="f4" if suffix == ".pfm" else "u1")
                files.append(bytes(cv2.imencode(suffix, image)[1]))
    files.append(bytes(cv2.imencode(".png", _pixels(5, 8, 3, dtype="u2"))[1]))
    files.append(bytes(cv2.imencode(".png", _pixels(5, 8, 4))[1]))
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    files.append(bytes(cv2.imencode(".jpg", _pixels(16, 16, 3), progressive)[1]))
    files.append(b"P2 # plain\n3 2\n255\n0 1 2 3 4 255\n")
    files.append(b"P3\n2 1 65535\n0 1 2 3 4 65535\n")
    for options in ({"mode": "P"}, {"mode": "1"}, {"mode": "I;16"}):
        files.append(_by_pillow("PNG", **options))
    files.append(_by_pillow("GIF", mode="P"))
    for options in ({"save_all": True, "n": 2}, {"lossless": True}, {"exif": b"Exif\0\0" * 20}):
        files.append(_by_pillow("WEBP", mode="RGB", **options))
    files.append(_by_pillow("PNG", mode="RGB", save_all=True, n=2))
    files.append(_by_pillow("JPEG", mode="RGB", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0" + bytes(20)))
    return files


def _by_pillow(kind: str, mode: str, n: int = 1, **options: Any) -> bytes:
    from PIL import Image

    frames = [Image.new(mode, (11, 5), number) for number in range(n)]
    buffer = io.BytesIO()
    more = {"append_images": frames[1:]} if n > 1 else {}
    frames[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


def tiffs() -> list[bytes]:
    """Return files of TIFF in strips and tiles, of all compressions that are read."""
    files = []
    cases: list[dict[str, Any]] = [
        {},
        {"dtype": "u2", "byteorder": ">"},
        {"dtype": "f4", "compression": "zlib"},
        {"compression": "zlib", "rowsperstrip": 2},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib", "dtype": "u2"},
        {"bigtiff": True},
        {"planarconfig": "separate"},
    ]
    for case in cases:
        image = _pixels(18, 20, 3, dtype=case.pop("dtype", "u1"))
        if case.get("planarconfig"):
            image = np.moveaxis(image, -1, 0)
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, image, photometric="rgb", metadata=None, **case)
        files.append(buffer.getvalue())
    for compression in (1, 5, 32773, 8):  # none, LZW, PackBits, Deflate
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
        files.append(bytes(cv2.imencode(".tif", _pixels(9, 7, 3), options)[1]))
    files.append(bytes(cv2.imencode(".tif", _pixels(9, 7))[1]))
    return [*files, _by_pillow("TIFF", mode="P"), _by_pillow("TIFF", mode="1")]


def arrays() -> list[bytes]:
    """Return files of NumPy's format."""
    files = []
    for array in (_pixels(4, 5, 3), _pixels(3, 4).astype(">f4"), np.asfortranarray(_pixels(6, 2))):
        buffer = io.BytesIO()
        np.save(buffer, array)
        files.append(buffer.getvalue())
    return files


def states() -> list[bytes]:
    """Return files of skops, of estimators that are fitted and can go on with `partial_fit`."""
    X, y = deployed.rows(60, 3, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        likelihood = EnsIRRegressor(128.0, max_iter=2).partial_fit(X, y)
        search = EnsIRRegressorCV(bin_widths=[128], cv=2).fit(X, y)
        unfitted = ImageEnsemble(EnsIRRegressor(64))
        models = [*_models()[1:6], likelihood, search, unfitted, ConvexRegressor().fit(X, y)]
    files = map(skops.io.dumps, models)
    return [data for data in files if len(data) < _LONGEST]  # what is long is changed too rarely


def choices() -> list[bytes]:
    """Return bytes that stand for choices."""
    rng = Random(0)
    return [rng.randbytes(size) for size in (8, 20, 40, 80, 160)]


SAMPLES: dict[str, Callable[[], list[bytes]]] = {
    "table": tables,
    "released": released,
    "torch_state": tables,
    "image": images,
    "tiff": tiffs,
    "npy": arrays,
    "skops": states,
    "folder": choices,
    "command": choices,
    "onnx": choices,
}
