"""Modules whose examples need a package that not everybody installs."""

from importlib.util import find_spec

collect_ignore = [
    f"skensir/interop/{name}.py"
    for name, package in {"onnx": "onnx", "torch": "torch"}.items()
    if find_spec(package) is None
]
collect_ignore += [
    f"skensir/interop/{name}.py"
    for name in ("_onnx_graph", "_onnx_writer", "_skl2onnx")
    if find_spec("onnx") is None
]
