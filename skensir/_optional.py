"""Optional packages: imported in use, with an error that says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Module, the package that has it, and the extra of skensir that installs this package.
_PACKAGES = {
    "array_api_compat": ("array-api-compat", "array"),
    "cv2": ("opencv-python-headless", "image"),
    "dask": ("dask", "dask"),
    "matplotlib": ("matplotlib", "plot"),
    "narwhals": ("narwhals", "frames"),
    "onnx": ("onnx", "onnx"),
    "skimage": ("scikit-image", "demo"),
    "skl2onnx": ("skl2onnx", "skl2onnx"),
    "tifffile": ("tifffile", "image"),
    "torch": ("torch", "torch"),
    "tqdm": ("tqdm", "image"),
}


def import_optional(module: str, caller: str, extra: str | None = None) -> Any:
    """Import a module of an optional package for `caller`, and return it.

    Parameters
    ----------
    module : str
        Its dotted name.
    caller : str
        Who needs it: the first words of the error.
    extra : str, optional
        What to install, where that is not the extra that the package itself belongs to.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed. The message is one sentence that says what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        package, own_extra = _PACKAGES.get(missing, (missing, None))
        extra = extra or own_extra or _PACKAGES[module.partition(".")[0]][1]
        raise ModuleNotFoundError(
            f'{caller} needs {package}, which is not installed: pip install "skensir[{extra}]".',
            name=error.name,
        ) from error
