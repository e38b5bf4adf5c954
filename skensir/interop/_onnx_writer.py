"""A model written into the graph of its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skensir._core.combine import dtype_of_sums
from skensir._core.portable import PortableTable, combine, find_line
from skensir._version import __version__
from skensir.interop._deployed import Deployed, Scale, rescaled
from skensir.interop._onnx_graph import OPSET, GraphOperations, Value, onnx

# The version of the file that goes with the operators.
_IR_VERSION = 8


def type_of(dtype: np.dtype[Any]) -> int:
    """Return the number of a dtype in ONNX."""
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))


class GraphWriter:
    """Writes a model into the graph of its input."""

    def __init__(self, deployed: Deployed, scale: Scale, given: Value) -> None:
        self.deployed, self.scale, self.given, self.graph = deployed, scale, given, given.graph
        self.ops = GraphOperations(
            given.graph, dtype_of_sums(given.dtype), may_be_nan=given.dtype.kind == "f"
        )

    def whole_graph(self, layout: str) -> Any:
        """Write down what combines rows or images, and return the whole as a model of ONNX."""
        n_models, n_channels = self.deployed.n_models, self.deployed.n_channels
        if layout == "rows":
            combined = self.of_rows()
            shape: list[Any] = ["n_samples", n_models]
            out_shape: list[Any] = ["n_samples"]
        else:
            combined = self.of_images()
            n_given = "n_given" if n_channels is None else n_models * n_channels
            shape = ["n_images", n_given, "height", "width"]
            out_shape = ["n_images", n_channels or "n_channels", "height", "width"]
        self.graph.nodes[-1].output[0] = "y"
        graph = onnx.helper.make_graph(
            self.graph.nodes,
            "skensir",
            [onnx.helper.make_tensor_value_info("X", type_of(self.given.dtype), shape)],
            [onnx.helper.make_tensor_value_info("y", type_of(combined.dtype), out_shape)],
            self.graph.constants,
        )
        return onnx.helper.make_model(
            graph,
            producer_name="skensir",
            producer_version=__version__,
            ir_version=_IR_VERSION,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        )

    def of_rows(self) -> Value:
        """Write down what combines rows, and return its output."""
        if len(self.deployed.channels) > 1:
            raise ValueError(
                "layout == 'rows', must be 'nchw', as the ensemble has a regressor per channel; "
                "give to_onnx one of its regressors_ for rows."
            )
        axis = self.graph.constant(np.array([1]))
        columns = [
            Value(self.graph, self.graph.add("Squeeze", [part.name, axis])[0], part.dtype)
            for part in self._parts(self.deployed.n_models, 1)
        ]
        return self._combine(self.deployed.channels[0], columns)

    def of_images(self) -> Value:
        """Write down what combines images, and return its output."""
        channels, n_models = self.deployed.channels, self.deployed.n_models
        # Of a single regressor the number of channels is not known.
        images = self._parts(n_models * len(channels), None if len(channels) == 1 else 1)
        combined = [
            self._combine(tables, images[channel :: len(channels)])
            for channel, tables in enumerate(channels)
        ]
        names = [value.name for value in combined]
        together = self.graph.add("Concat", names, axis=1)[0]
        return Value(self.graph, together, combined[0].dtype)

    def _parts(self, n_parts: int, size: int | None) -> list[Value]:
        """Return the input in equal parts of a size along its second axis."""
        if n_parts == 1:
            return [self.given]
        names = self.graph.split(self.given.name, n_parts, 1, size)
        return [Value(self.graph, name, self.given.dtype) for name in names]

    def _combine(self, tables: Sequence[PortableTable], columns: Sequence[Value]) -> Value:
        """Return the weighted sum of what the models give."""
        exact = self.scale.is_plain and all(map(self._needs_no_double, tables))
        cell_dtype = np.float32 if exact else np.float64
        values = self.scale.applied([column.to(cell_dtype) for column in columns])
        precision = float(np.finfo(self.ops.sum_dtype).eps)
        rounding = self.scale.rounding(precision, self.deployed.largest)
        lines = [find_line(self.ops, table, values, rounding) for table in tables]
        columns = [column.to(self.ops.sum_dtype) for column in columns]
        combined: Value = combine(self.ops, rescaled(tables, self.scale), columns, lines)
        return combined

    def _needs_no_double(self, table: PortableTable) -> bool:
        """Tell whether single precision finds the same bins: of few values that can be tried."""
        if self.given.dtype != np.uint8 or table.axes.kind != "predictions":
            return False
        values, width = np.arange(256), table.axes.bin_width
        single = np.floor(values.astype(np.float32) / np.float32(width))
        return np.array_equal(single, np.floor(values / width))
