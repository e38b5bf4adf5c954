"""Modules whose examples need a package that not everybody installs."""

from importlib.util import find_spec

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
