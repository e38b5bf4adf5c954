"""Estimators that an earlier version saved are read: by skops with `TRUSTED`, and by joblib."""

import importlib.util
import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import Pipeline

from skensir import EnsIRRegressor, EnsIRRegressorCV, _state
from skensir._incremental import IncrementalRegressor
from skensir.image import ImageEnsemble
from skensir.interop.skops import TRUSTED

FOLDER = Path(__file__).parent
VERSIONS = ("made_by_0_1", "made_by_0_2")
FILES = [
    path.relative_to(FOLDER).as_posix()
    for version in VERSIONS
    for path in sorted((FOLDER / version).glob("*.*"))
    if path.suffix in (".skops", ".joblib")
]

pytestmark = pytest.mark.filterwarnings(
    # Scikit-learn, of pipelines of another version of it.
    "ignore:Trying to unpickle estimator:UserWarning",
    "ignore:Most rows",
)


def load_maker():
    spec = importlib.util.spec_from_file_location("saved_make", FOLDER / "make.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


maker = load_maker()


def load(name):
    path = FOLDER / name
    if path.suffix == ".skops":
        return skops.io.load(path, trusted=TRUSTED)
    made_with = json.loads((path.parent / "versions.json").read_text("utf-8"))["numpy"]
    if int(np.__version__.split(".")[0]) < int(made_with.split(".")[0]):
        pytest.skip("NumPy 1 cannot read arrays that NumPy 2 has pickled")
    return joblib.load(path)


@pytest.mark.parametrize("name", FILES)
def test_a_saved_estimator_predicts_the_same(name):
    path = FOLDER / name
    with np.load(path.parent / "predictions.npz") as predictions:
        expected = predictions[path.stem]
    model = load(name)
    # EM of what was not solved may differ by the rounding of another processor.
    rtol = 1e-6 if path.stem in ("unsolved", "search_in_parts") else 1e-12
    np.testing.assert_allclose(maker.predict(model), expected, rtol=rtol)
    np.testing.assert_array_equal(
        maker.predict(pickle.loads(pickle.dumps(model))), maker.predict(model)
    )


@pytest.mark.parametrize("name", FILES)
def test_a_saved_estimator_can_be_used_on(name):
    """Its parameters are complete, so that it can be fitted anew, and its sums can be added to."""
    model, (X, y) = load(name), maker.draw_rows()
    if isinstance(model, ImageEnsemble):
        again = clone(model).fit(*maker.draw_images())
    elif isinstance(getattr(model, "cv", None), LeaveOneGroupOut):
        again = clone(model).fit(X, y, groups=np.arange(600) % 3)
    else:
        again = clone(model).fit(X, y)
    if not isinstance(model, Pipeline):
        assert model.get_params(deep=False).keys() == type(model)().get_params(deep=False).keys()
    assert maker.predict(again).shape == maker.predict(model).shape
    if not isinstance(model, IncrementalRegressor) or "_statistics" not in vars(model):
        return
    counts = model.solve().cell_counts_.sum() if isinstance(model, EnsIRRegressor) else None
    if isinstance(model, EnsIRRegressorCV):
        n_splits = model.solve().n_splits_
        assert model.partial_fit(X, y, groups=np.full(600, 99)).solve().n_splits_ == n_splits + 1
    else:
        assert model.partial_fit(X, y).solve().cell_counts_.sum() == pytest.approx(counts + 600)


def test_the_files_are_those_of_the_recipe(tmp_path):
    maker.make(tmp_path)
    newest = FOLDER / VERSIONS[-1]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in newest.iterdir()}
    made = {
        version: json.loads((FOLDER / version / "versions.json").read_text())
        for version in VERSIONS
    }
    for version, versions in made.items():
        number = "_".join(versions["skensir"].split(".")[:2])
        assert version == f"made_by_{number}"


def saved_by_skops(model):
    data = skops.io.dumps(model)
    return lambda: skops.io.loads(data, trusted=TRUSTED)


def saved_by_pickle(model):
    data = pickle.dumps(model)
    return lambda: pickle.loads(data)


@pytest.mark.parametrize("saved", [saved_by_skops, saved_by_pickle])
@pytest.mark.parametrize("name", ["paper", "search", "images", "pipeline", "ConvexRegressor"])
def test_a_file_of_a_newer_version_is_refused_in_one_sentence(saved, name, monkeypatch):
    model = load(f"made_by_0_2/{name}.skops")
    with monkeypatch.context() as newer:
        newer.setattr(_state, "_FORMAT", _state._FORMAT + 1)
        newer.setattr(_state, "__version__", "9.8.7")
        read = saved(model)
    with pytest.raises(
        ValueError, match=r"skensir 9\.8\.7 in format 3, .* a newer skensir is needed\.$"
    ):
        read()
