"""What skl2onnx has to be told to convert the estimators by itself, wherever they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._optional import import_optional
from skensir.interop._deployed import Scale, deploy
from skensir.interop._onnx_graph import OPSET, Graph, Value, onnx
from skensir.interop._onnx_writer import GraphWriter, type_of


def register() -> None:
    """Tell skl2onnx of the estimators."""
    skl2onnx = import_optional("skl2onnx", "register_skl2onnx")
    for kind in (EnsIRRegressor, EnsIRRegressorCV):
        skl2onnx.update_registered_converter(
            kind, f"Skensir{kind.__name__}", _infer_shape, _convert
        )


def _dtype_of(operator: Any) -> np.dtype[Any]:
    """Return the dtype of the input; a stack asks for shapes before there is one."""
    types = import_optional("skl2onnx.common.data_types", "register_skl2onnx")
    if not operator.inputs:
        return np.dtype(np.float32)
    if len(operator.inputs) > 1:
        raise ValueError(
            f"There are {len(operator.inputs)} inputs, must be one with a column per model."
        )
    given = type(operator.inputs[0].type)
    if given in (types.BooleanTensorType, types.StringTensorType):
        raise TypeError(f"The input is {given.__name__}, must be of numbers.")
    number = types.guess_proto_type(operator.inputs[0].type)
    dtype: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(number)
    return dtype


def _infer_shape(operator: Any) -> None:
    """Set type and shape of the output: a column, as skl2onnx has it of regressors."""
    types = import_optional("skl2onnx.common.data_types", "register_skl2onnx")
    n_rows = operator.inputs[0].get_first_dimension() if operator.inputs else None
    kind = types.FloatTensorType if _dtype_of(operator) == np.float32 else types.DoubleTensorType
    shape: Any = operator.inputs[0].type.shape if operator.inputs else ()
    n_models = operator.raw_operator.n_features_in_
    if len(shape) == 2 and shape[1] not in (None, n_models):
        raise ValueError(f"The input has {shape[1]} columns, must have {n_models}: one per model.")
    operator.outputs[0].type = kind([n_rows, 1])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Write an estimator into the graph that skl2onnx makes."""
    graph = Graph(scope.get_unique_operator_name("skensir") + "_")
    given = Value(graph, operator.inputs[0].full_name, _dtype_of(operator))
    combined = GraphWriter(deploy(operator.raw_operator), Scale(), given).of_rows()
    column = graph.constant(np.array([-1, 1]))
    graph.add("Reshape", [combined.name, column])
    graph.nodes[-1].output[0] = operator.outputs[0].full_name
    for tensor in graph.constants:
        values = onnx.numpy_helper.to_array(tensor)
        container.add_initializer(tensor.name, type_of(values.dtype), values.shape, values)
    for node in graph.nodes:
        options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        container.add_node(
            node.op_type,
            list(node.input),
            list(node.output),
            op_version=OPSET,
            name=node.name,
            **options,
        )
