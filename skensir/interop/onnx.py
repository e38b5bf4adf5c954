"""A fitted ensemble as an ONNX graph, for runtimes that know neither Python nor skensir.

Cells are found in double precision whatever the dtype of the input, as in Python: rows come to the
same cells. The sum is made in that dtype, of whole numbers in double precision. The operators are
those of opset 17. Runtimes for accelerators may leave those in double precision to the processor.
"""

from __future__ import annotations

from typing import Any

from skensir._checks import check_option
from skensir._optional import import_optional
from skensir.interop._deployed import deploy, find_scale
from skensir.interop._onnx_graph import Graph, Value
from skensir.interop._onnx_writer import GraphWriter

__all__ = ["register_skl2onnx", "to_onnx"]

LAYOUTS = ("rows", "nchw")
DTYPES = ("float32", "float64", "uint8")


def to_onnx(
    model: Any,
    *,
    layout: str = "rows",
    dtype: str = "float32",
    value_range: float | tuple[float, float] | None = None,
) -> Any:
    """Return a fitted model as an ONNX graph.

    Parameters
    ----------
    model : EnsIRRegressor, EnsIRRegressorCV or skensir.image.ImageEnsemble
        The fitted model.
    layout : {"rows", "nchw"}, default="rows"
        What the input is. "rows" is (n_samples, n_models), and the output (n_samples,). "nchw" is
        (n_images, n_models * n_channels, height, width), the images of the models side by side in
        the channels: all channels of the first model, then those of the second; the output is
        (n_images, n_channels, height, width). Of a single regressor all channels are alike.
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Of the input; that of the output is the same, but float64 for "uint8".
    value_range : float or tuple of float, default=None
        The range of the input: 1.0 or ``(0, 1)`` for images from zero to one, ``(-1, 1)`` for
        others. It is brought to that of `fit`: 0 to 255 or 65535 of pixels with 8 or 16 bits, 0 to
        `data_range` where that is a number, and to 1, 255 or 65535 where floats were found to be of
        such a range. None takes values as they are, on the scale of `fit`. Values that are rounded
        off to below the edge of a bin count as on it.

    Returns
    -------
    graph : onnx.ModelProto
        The graph, from "X" to "y". `onnx.save` writes it.

    Raises
    ------
    TypeError
        If the model has no lookup tables.
    ValueError
        If it is not fitted, an option is not known, there is a regressor per channel for rows, or
        `value_range` cannot be brought to that of `fit`, which reaches far below zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.interop.onnx import to_onnx
    >>> y = np.random.default_rng(0).uniform(0, 255, size=5000)
    >>> X = y[:, None] + np.random.default_rng(1).normal(size=(5000, 3)) * [2, 4, 8]
    >>> graph = to_onnx(EnsIRRegressor().fit(X, y))
    >>> [output.name for output in graph.graph.output]
    ['y']
    """
    check_option(layout, "layout", LAYOUTS)
    check_option(dtype, "dtype", DTYPES)
    deployed = deploy(model)
    scale = find_scale(value_range, deployed)
    writer = GraphWriter(deployed, scale, Value(Graph(), "X", dtype))
    return writer.whole_graph(layout)


def register_skl2onnx() -> None:
    """Make skl2onnx convert the estimators by itself.

    Then ``skl2onnx.to_onnx`` takes an `EnsIRRegressor` or an `EnsIRRegressorCV` alone, as a step of
    a `Pipeline`, as the final estimator of a `StackingRegressor` and in a fitted `GridSearchCV`.
    The graph is that of :func:`to_onnx`, of opset 17 or later; its output is a column, as of all
    regressors there. The input is one tensor of numbers, with a column per model.

    Raises
    ------
    ModuleNotFoundError
        If skl2onnx is not installed.

    See Also
    --------
    to_onnx : One model alone, images among them.

    Examples
    --------
    >>> import skl2onnx
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.ensemble import StackingRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skensir import EnsIRRegressor
    >>> from skensir.interop.onnx import register_skl2onnx
    >>> X, y = make_friedman1(random_state=0)
    >>> models = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    >>> stack = StackingRegressor(models, final_estimator=EnsIRRegressor()).fit(X, y)
    >>> register_skl2onnx()
    >>> graph = skl2onnx.to_onnx(stack, X[:1], target_opset=17)
    >>> [output.name for output in graph.graph.output]
    ['variable']
    """
    import_optional("skl2onnx", "register_skl2onnx")
    from skensir.interop._skl2onnx import register

    register()
