"""Modules whose `__all__` is for users, and has pages in docs/api."""

from importlib.util import find_spec

PUBLIC_MODULES = (
    "skensir",
    "skensir.baselines",
    "skensir.display",
    "skensir.image",
    "skensir.interop.dask",
    "skensir.interop.frames",
    "skensir.interop.onnx",
    "skensir.interop.released",
    "skensir.interop.skops",
    *(["skensir.interop.torch"] if find_spec("torch") else []),
)
