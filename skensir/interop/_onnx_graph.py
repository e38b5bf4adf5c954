"""Nodes of an ONNX graph, written down as arithmetic is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skensir._optional import import_optional
from skensir._typing import AnyArray

onnx = import_optional("onnx", "skensir.interop.onnx")

# The oldest with all that is used here, which most runtimes read.
OPSET = 17


class Graph:
    """Nodes and constants, each of the latter once.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In the order of their computation.
    constants : list of onnx.TensorProto
    """

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._prefix = prefix
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, kind: str, inputs: list[str], n_outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node, and return the names of its outputs."""
        name = f"{self._prefix}{kind}_{len(self.nodes)}"
        outputs = [f"{name}_{i}" for i in range(n_outputs)]
        node = onnx.helper.make_node(kind, inputs, outputs, name=name, **attributes)
        self.nodes.append(node)
        return outputs

    def split(self, name: str, n_parts: int, axis: int, size: int | None = None) -> list[str]:
        """Split an array in equal parts of a size along an axis, and return their names."""
        # Later opsets want the sizes, or else an attribute that earlier ones do not know.
        sizes = [] if size is None else [self.constant(np.full(n_parts, size))]
        return self.add("Split", [name, *sizes], n_parts, axis=axis)

    def constant(self, values: AnyArray) -> str:
        """Add a constant, and return its name."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._names:
            self._names[key] = f"{self._prefix}constant_{len(self._names)}"
            tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(values), self._names[key])
            self.constants.append(tensor)
        return self._names[key]


class Value:
    """The output of a node, which may be computed with.

    Attributes
    ----------
    given : Value
        What it was before it was converted, if it was.
    """

    def __init__(self, graph: Graph, name: str, dtype: Any, given: Value | None = None) -> None:
        self.graph, self.name, self.dtype = graph, name, np.dtype(dtype)
        self.given = given or self

    def to(self, dtype: Any) -> Value:
        """Convert to a dtype."""
        if self.dtype == dtype:
            return self
        number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        name = self.graph.add("Cast", [self.name], to=number)[0]
        return Value(self.graph, name, dtype, self)

    def with_(self, kind: str, other: Any, dtype: Any = None) -> Value:
        """Return what a node makes of this and another value, or of a number."""
        name = other.name if isinstance(other, Value) else self.constant_like(other)
        made = self.graph.add(kind, [self.name, name])[0]
        return Value(self.graph, made, self.dtype if dtype is None else dtype)

    def constant_like(self, number: float) -> str:
        """Add a number as a constant of this dtype, and return its name."""
        return self.graph.constant(np.asarray(number, dtype=self.dtype))

    def __add__(self, other: Any) -> Value:
        return self.with_("Add", other)

    def __sub__(self, other: Any) -> Value:
        return self.with_("Sub", other)

    def __mul__(self, other: Any) -> Value:
        return self.with_("Mul", other)

    def __truediv__(self, other: Any) -> Value:
        return self.with_("Div", other)

    def __gt__(self, other: Any) -> Value:
        return self.with_("Greater", other, np.bool_)

    def __lt__(self, other: Any) -> Value:
        return self.with_("Less", other, np.bool_)

    def __le__(self, other: Any) -> Value:
        return self.with_("LessOrEqual", other, np.bool_)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self.with_("Equal", other, np.bool_)

    def __and__(self, other: Any) -> Value:
        return self.with_("And", other)

    def __invert__(self) -> Value:
        return Value(self.graph, self.graph.add("Not", [self.name])[0], np.bool_)

    __hash__ = None  # type: ignore[assignment]


class GraphOperations:
    """What `portable` needs, as nodes of a graph; tables are arrays of NumPy."""

    def __init__(self, graph: Graph, sum_dtype: Any, *, may_be_nan: bool) -> None:
        self._graph, self.sum_dtype, self._may_be_nan = graph, np.dtype(sum_dtype), may_be_nan

    def divide(self, values: Value, divisor: AnyArray) -> Value:
        return values / float(divisor)

    def floor(self, values: Value) -> Value:
        return Value(self._graph, self._graph.add("Floor", [values.name])[0], values.dtype)

    def root(self, values: Value) -> Value:
        return Value(self._graph, self._graph.add("Sqrt", [values.name])[0], values.dtype)

    def within(self, sums: Value, columns: Sequence[Value]) -> Value:
        given = [column.given for column in columns]  # narrow values are cheaper to compare
        for keep_beyond, limit in (("Max", "Min"), ("Min", "Max")):
            ends = given[0]
            for other in given[1:]:
                ends = ends.with_(limit, other)
            sums = sums.with_(keep_beyond, ends.to(sums.dtype))
        return sums

    def where(self, condition: Value, values: Any, others: Any) -> Value:
        like = values if isinstance(values, Value) else others
        names = [
            v.name if isinstance(v, Value) else like.constant_like(v) for v in (values, others)
        ]
        return Value(self._graph, self._graph.add("Where", [condition.name, *names])[0], like.dtype)

    def clip(self, values: Value, low: float, high: float) -> Value:
        names = [values.name, *map(values.constant_like, (low, high))]
        return Value(self._graph, self._graph.add("Clip", names)[0], values.dtype)

    def whole(self, values: Value) -> Value:
        return values.to(np.int64)

    def place(self, values: Value, size: int) -> Value:
        places = values.to(np.int32)
        return self.clip(places, 0, size - 1) if self._may_be_nan else places

    def double(self, values: Value) -> Value:
        return values.to(np.float64)

    def take(self, table: AnyArray, places: Value) -> Value:
        names = [self._graph.constant(table), places.name]
        return Value(self._graph, self._graph.add("Gather", names)[0], table.dtype)

    def take_lines(self, table: AnyArray, places: Value, n_columns: int) -> list[Value]:
        if not n_columns:
            return []
        # Runtimes need as long for a line as for one number.
        lines = self.take(table.astype(self.sum_dtype), places)
        names = self._graph.split(lines.name, n_columns, -1, 1)
        axis = self._graph.constant(np.array([-1]))
        squeezed = [self._graph.add("Squeeze", [name, axis])[0] for name in names]
        return [Value(self._graph, name, self.sum_dtype) for name in squeezed]
