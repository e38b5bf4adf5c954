"""What goes for tests and for the examples in docstrings."""

import os
import sys
from importlib.util import find_spec

import pytest

# The threads of one process would wait for those of the others that `pytest -n auto` starts.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Modules whose examples need a package that not everybody installs.
_NEEDED = {
    "_onnx_graph": "onnx",
    "_onnx_writer": "onnx",
    "_skl2onnx": "onnx",
    "onnx": "onnx",
    "torch": "torch",
}
collect_ignore = [
    f"skensir/interop/{name}.py" for name, package in _NEEDED.items() if find_spec(package) is None
]


@pytest.fixture(autouse=True)
def without_figures():
    """Close what is left open: matplotlib warns of more than twenty, whichever test comes then."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
