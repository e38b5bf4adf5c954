"""The extra `onnx`: a fitted estimator as a graph, run without Python's help."""

import numpy as np
import onnx
import onnxruntime

from skensir import EnsIRRegressorCV
from skensir.interop.onnx import to_onnx

rng = np.random.default_rng(0)
y = rng.uniform(0, 255, size=5000)
X = y[:, None] + rng.normal(size=(5000, 3)) * [2, 4, 8]
model = EnsIRRegressorCV().fit(X, y)
onnx.save(to_onnx(model, dtype="float64"), "model.onnx")
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
[predicted] = session.run(None, {"X": X})
np.testing.assert_allclose(predicted, model.predict(X), rtol=1e-9)
