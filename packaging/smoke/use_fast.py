"""The extra `fast`: compiled loops, with the results of NumPy."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from skensir import EnsIRRegressorCV

assert find_spec("numba") is not None
rng = np.random.default_rng(0)
y = rng.integers(0, 256, size=100_000).astype(np.uint8)
noise = rng.normal(size=(100_000, 3)) * [2, 4, 8]
X = np.clip(y[:, None] + noise.round(), 0, 255).astype(np.uint8)
model = EnsIRRegressorCV().fit(X, y)
np.save("X.npy", X)
np.save("predicted.npy", model.predict(X))
loaded = [name for name in sys.modules if name.partition(".")[0] == "numba"]
assert loaded, "numba was not used"

from skensir import save_table  # noqa: E402

save_table(model, "model.skensir")
Path("plain.py").write_text(
    "import sys, numpy as np\n"
    "from skensir import load_table\n"
    "predicted = load_table('model.skensir').predict(np.load('X.npy'))\n"
    "np.testing.assert_array_equal(predicted, np.load('predicted.npy'))\n"
    "assert 'numba' not in sys.modules\n",
    encoding="utf-8",
)
subprocess.run([sys.executable, "plain.py"], env=os.environ | {"SKENSIR_NO_NUMBA": "1"}, check=True)
