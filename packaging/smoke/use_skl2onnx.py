"""The extra `skl2onnx`: a pipeline around an estimator, converted as a whole."""

import numpy as np
import onnxruntime
import skl2onnx
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skensir import EnsIRRegressor
from skensir.interop.onnx import register_skl2onnx

register_skl2onnx()
rng = np.random.default_rng(0)
y = rng.uniform(0, 1, size=5000)
X = y[:, None] + rng.normal(size=(5000, 3)) * [0.01, 0.02, 0.04]
pipeline = make_pipeline(MinMaxScaler((0, 1)), EnsIRRegressor()).fit(X, y)
graph = skl2onnx.to_onnx(pipeline, X[:1])
session = onnxruntime.InferenceSession(
    graph.SerializeToString(), providers=["CPUExecutionProvider"]
)
[predicted] = session.run(None, {session.get_inputs()[0].name: X})
assert np.mean(np.abs(predicted.ravel() - pipeline.predict(X)) < 1e-6) > 0.999
