"""What skops is told to trust suffices for every estimator, and all of it is needed."""

import importlib
import inspect
import io
import json
import pickle
import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import StackingRegressor
from sklearn.metrics import get_scorer, get_scorer_names, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    RepeatedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from structure import MODULES

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV, _state, baselines
from skensir.image import ImageEnsemble
from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV
from skensir.interop.skops import TRUSTED

RNG = np.random.default_rng(0)
Y = RNG.integers(1, 256, 900)
X = np.clip(Y[:, None] + RNG.integers(-9, 10, (900, 3)) * [1, 2, 3], 1, 255).astype(np.uint8)
FRAME = pd.DataFrame(X, columns=["early", "late", "steady"])
IMAGES = list(X.reshape(3, 10, 10, 3, 3).transpose(0, 4, 1, 2, 3))
TARGETS = list(Y.astype(np.uint8).reshape(3, 10, 10, 3))
BASELINES = [getattr(baselines, name)() for name in baselines.__all__]
FEW = {"bin_widths": np.array([32.0, 64.0]), "shrinkages": [30]}
# By these names NumPy 2 and NumPy 1 know masked arrays.
MASKED = ["numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"]
# The arguments of `predict`, by what was fitted on.
GIVEN = {"rows": (X,), "frame": (FRAME,), "images": (IMAGES,)}

pytestmark = pytest.mark.filterwarnings("ignore:Most rows")


class Case(NamedTuple):
    """An estimator that is saved, and what the one that is loaded has to do as well."""

    model: Any
    on: str = "rows"
    is_fitted: bool = True


def tables():
    """Yield tables with every parameter that decides what is kept."""
    squared = {"objective": "squared_error", "shrinkage": 30}
    for axes in ("predictions", "deviations", "summary"):
        for shrink_to in ("pooled", "parent"):
            yield EnsIRRegressor(axes=axes, shrink_to=shrink_to, **squared)
    yield EnsIRRegressor(positive=False, fit_intercept=True, shrink_to="parent", **squared)
    yield EnsIRRegressor(32.0, **REFERENCE_PARAMS)
    yield EnsIRRegressor(np.float64(32), default_weights=np.array([0.1, 0.3, 0.6]), n_jobs=2)
    yield EnsIRRegressor(data_range=255, default_weights=[0.1, 0.3, 0.6], target_resolution=2)
    yield DaskEnsIRRegressor()


def searches():
    """Yield searches for tables, with splitters of several kinds."""
    yield EnsIRRegressorCV(**FEW, select="average")
    yield EnsIRRegressorCV(**FEW, select="best", axes="predictions", cv=LeaveOneGroupOut())
    yield EnsIRRegressorCV(**FEW, cv=RepeatedKFold(n_splits=2, n_repeats=2, random_state=0))
    yield EnsIRRegressorCV(objectives=("likelihood",), bin_widths=[32], shrink_to="pooled", cv=3)
    yield DaskEnsIRRegressorCV(cv=3)


def ensembles():
    """Yield image ensembles of regressors of every kind."""
    yield ImageEnsemble()
    yield ImageEnsemble(make_pipeline(FunctionTransformer(), EnsIRRegressor()))
    yield ImageEnsemble(EnsIRRegressorCV(**FEW), per_channel=False)
    for baseline in BASELINES:
        yield ImageEnsemble(baseline)


def models_of_scikit_learn():
    """Yield pipelines, stacks and searches around estimators of this package."""
    yield make_pipeline(FunctionTransformer(), EnsIRRegressor())
    base_models = [(str(number), model) for number, model in enumerate(BASELINES[:3])]
    yield StackingRegressor(base_models, final_estimator=EnsIRRegressor())
    yield StackingRegressor(base_models, final_estimator=EnsIRRegressorCV(**FEW))
    yield GridSearchCV(EnsIRRegressor(), {"bin_width": [32, 64]}, cv=3)
    pipeline = make_pipeline(FunctionTransformer(), EnsIRRegressor(objective="squared_error"))
    grid = {"ensirregressor__shrinkage": np.logspace(0, 2, 3)}
    yield RandomizedSearchCV(pipeline, grid, n_iter=2, random_state=0, scoring="r2")
    yield GridSearchCV(EnsIRRegressor(), {"bin_width": [64]}, scoring=scores(), refit="r2", cv=2)


def scores():
    """Return the names of all scores of regression."""
    scorers = {name: get_scorer(name) for name in get_scorer_names()}
    functions = {name: getattr(scorer, "_score_func", None) for name, scorer in scorers.items()}
    home = r2_score.__module__
    return [name for name, score in functions.items() if getattr(score, "__module__", "") == home]


def splitters():
    """Yield one of each splitter of scikit-learn that does not need classes."""
    needed = {"LeavePOut": [2], "LeavePGroupsOut": [2], "PredefinedSplit": [np.arange(9) % 3]}
    for name in sklearn.model_selection.__all__:
        if "Halving" in name or name.startswith("Base"):  # experimental, and no splitters
            continue
        kind = getattr(sklearn.model_selection, name)
        if inspect.isclass(kind) and hasattr(kind, "split") and "Stratified" not in name:
            yield kind(*needed.get(name, ()))


def cases():
    """Yield all that is saved, unfitted and fitted."""
    rows = [*tables(), *BASELINES, *models_of_scikit_learn()]
    for estimator in [*rows, *searches(), *ensembles()]:
        yield Case(clone(estimator), is_fitted=False)
    for splitter in splitters():
        yield Case(GridSearchCV(EnsIRRegressor(), {}, cv=splitter), is_fitted=False)
    for estimator in rows:
        yield Case(clone(estimator).fit(X, Y))
    for estimator in searches():
        groups = np.arange(900) % 3 if isinstance(estimator.cv, LeaveOneGroupOut) else None
        yield Case(clone(estimator).fit(X, Y, groups=groups))
    for estimator in ensembles():
        yield Case(clone(estimator).fit(IMAGES, TARGETS), "images")
    search = GridSearchCV(ImageEnsemble(EnsIRRegressor()), {"regressor__bin_width": [32, 64]}, cv=3)
    yield Case(search.fit(IMAGES, TARGETS), "images")
    for model in (EnsIRRegressor(), EnsIRRegressorCV(**FEW), baselines.ConvexRegressor()):
        yield Case(clone(model).fit(FRAME, Y), "frame")
    yield Case(EnsIRRegressor().fit(X, Y).calibrate(X, Y))
    yield Case(EnsIRRegressor().fit(X, Y).forget_rows())
    yield Case(EnsIRRegressorCV(**FEW).fit(X, Y).forget_rows())
    yield Case(EnsIRRegressor().partial_fit(X, Y))  # not solved yet
    yield Case(EnsIRRegressor().fit(FRAME, Y).merge(EnsIRRegressor().fit(FRAME, Y)), "frame")
    yield Case(EnsIRRegressorCV(**FEW).partial_fit(X, Y, groups=np.arange(900) % 4))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Save all cases; return them, and the folder of their files, which are numbered."""
    folder, made = tmp_path_factory.mktemp("skops"), list(cases())
    for number, case in enumerate(made):
        skops.io.dump(case.model, folder / f"{number}.skops")
    return made, folder


LOAD = """
import pickle, sys
import numpy as np
import skops.io
from skensir.interop.skops import TRUSTED
from importlib.util import find_spec
from pathlib import Path
folder = Path(sys.argv[1])
predictions = {}
for number, arguments in pickle.loads((folder / "given.pickle").read_bytes()).items():
    model = skops.io.load(folder / f"{number}.skops", trusted=TRUSTED)
    predictions[number] = str(model) if arguments is None else model.predict(*arguments)
(folder / "predictions.pickle").write_bytes(pickle.dumps(predictions))
"""


def test_the_names_suffice_for_the_same_predictions_in_a_new_process(saved):
    made, folder = saved
    given = {number: GIVEN[case.on] if case.is_fitted else None for number, case in enumerate(made)}
    (folder / "given.pickle").write_bytes(pickle.dumps(given))
    command = [sys.executable, "-W", "ignore:Most rows", "-c", LOAD, str(folder)]
    subprocess.run(command, check=True, timeout=300)
    found = pickle.loads((folder / "predictions.pickle").read_bytes())
    for number, (model, on, is_fitted) in enumerate(made):
        expected = model.predict(*GIVEN[on]) if is_fitted else str(model)
        np.testing.assert_array_equal(found[number], expected, err_msg=str(model))


def test_each_name_is_needed_for_some_estimator(saved):
    made, folder = saved
    needed = set()
    for number, case in enumerate(made):
        names = set(skops.io.get_untrusted_types(file=folder / f"{number}.skops"))
        assert names <= set(TRUSTED), case.model
        needed |= names
    search = next(case.model for case in made if hasattr(case.model, "scorer_"))
    if not hasattr(search.scorer_, "_metadata_request"):  # since scikit-learn 1.8
        needed |= {name for name in TRUSTED if "_metadata_requests" in name}
    needed |= set(MASKED)  # one of which skops trusts, see the next test
    assert needed == set(TRUSTED)
    assert len(TRUSTED) == len(set(TRUSTED))


@pytest.mark.parametrize("name", MASKED)
def test_a_search_is_read_whatever_numpy_has_written_it(name, tmp_path):
    model = EnsIRRegressorCV(**FEW).fit(X, Y)
    home, _, kind = name.rpartition(".")
    own = json.dumps(np.ma.MaskedArray.__module__)
    with ZipFile(io.BytesIO(skops.io.dumps(model))) as file:
        entries = {entry: file.read(entry) for entry in file.namelist()}
    schema = entries["schema.json"].decode()
    named = f'"__class__": "{kind}",\\s*"__module__": '
    schema, n_named = re.subn(f"({named}){own}", rf'\1"{home}"', schema)
    assert n_named > 2
    with ZipFile(tmp_path / "search.skops", "w") as file:
        for entry, data in {**entries, "schema.json": schema}.items():
            file.writestr(entry, data)
    untrusted = {"skensir._ensir_cv.EnsIRRegressorCV"} | (
        {name} if json.dumps(home) != own else set()
    )
    assert set(skops.io.get_untrusted_types(file=tmp_path / "search.skops")) == untrusted
    loaded = skops.io.load(tmp_path / "search.skops", trusted=TRUSTED)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for key, values in model.cv_results_.items():
        np.testing.assert_array_equal(loaded.cv_results_[key], values, err_msg=key)


def test_every_public_estimator_is_named():
    public = set()
    for name in MODULES:
        if "._" in name or name.startswith("skensir.cli"):
            continue
        if name == "skensir.interop.torch" and find_spec("torch") is None:
            continue
        module = importlib.import_module(name)
        things = [getattr(module, thing) for thing in getattr(module, "__all__", ())]
        public |= {t for t in things if inspect.isclass(t) and issubclass(t, BaseEstimator)}
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in public}
    assert len(names) >= 10
    assert names == {name for name in TRUSTED if name.startswith("skensir.")}
    # The state of one of them may hold another one, which it finds by the same names.
    assert {name.rpartition(".")[0] for name in names} == set(_state._MODULES)


def test_the_names_need_neither_skops_nor_dask():
    script = (
        "import sys\n"
        "sys.modules['skops'] = sys.modules['dask'] = None\n"
        "from skensir.interop.skops import TRUSTED\n"
        "assert all(type(name) is str for name in TRUSTED)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
