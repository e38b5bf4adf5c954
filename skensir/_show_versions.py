"""What a bug report needs to say about the installation."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "skensir",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "numba",
    "dask",
    "pandas",
    "scikit-image",
    "opencv-python-headless",
    "tifffile",
    "matplotlib",
)


def show_versions() -> None:
    """Print the versions of Python, of the platform and of the packages that skensir works with.

    Examples
    --------
    >>> from skensir import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    python ...
    """
    rows = [("python", sys.version.split()[0]), ("platform", platform.platform())]
    for package in _PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    for name, value in rows:
        print(f"{name:<22} {value}")
