"""The package without extras: estimators, files of tables, and what tells what is missing."""

import re
import subprocess
import sys
from importlib.metadata import metadata, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

import skensir
from skensir import EnsIRRegressorCV, load_table, save_table
from skensir.baselines import AverageRegressor

assert version("skensir") == skensir.__version__
assert "site-packages" in skensir.__file__
assert Path(skensir.__file__).with_name("py.typed").is_file()
readme = metadata("skensir").get_payload()
assert readme.startswith("# skensir")
assert (
    re.findall(r'(?:\]\(|(?:src|href)=")(?!https?://|#).*', readme) == []
)  # on PyPI they lead nowhere
# Newer versions of scikit-learn bring narwhals themselves.
for package in ("cv2", "dask", "matplotlib", "numba", "onnx", "pandas", "torch", "tqdm"):
    assert find_spec(package) is None, package

rng = np.random.default_rng(0)
y = rng.uniform(0, 255, size=5000)
X = y[:, None] + rng.normal(size=(5000, 3)) * np.where(y[:, None] < 128, [2, 4, 8], [8, 4, 2])
model = EnsIRRegressorCV().fit(X[:4000], y[:4000])
average = AverageRegressor().fit(X[:4000], y[:4000])
error, plain = (np.std(each.predict(X[4000:]) - y[4000:]) for each in (model, average))
assert error < 0.8 * plain, (error, plain)
lower, upper = model.predict_interval(X[4000:], coverage=0.9)
assert 0.85 < np.mean((lower <= y[4000:]) & (y[4000:] <= upper)) < 0.95

save_table(model, "model.skensir")
np.testing.assert_array_equal(load_table("model.skensir").predict(X), model.predict(X))

stack = StackingRegressor(
    [("ridge", Ridge()), ("neighbours", KNeighborsRegressor())], EnsIRRegressorCV()
)
assert stack.fit(X[:2000], y[:2000]).score(X[4000:], y[4000:]) > 0.99


def command(*arguments):
    """Run `skensir` and return its exit code and what it printed."""
    program = Path(sys.executable).with_name("skensir")
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


assert command("--version") == (0, f"skensir {skensir.__version__}\n")
code, printed = command("inspect", "model.skensir")
assert code == 0, printed
code, printed = command("demo")
assert code == 2, printed
assert 'pip install "skensir[demo]"' in printed, printed
