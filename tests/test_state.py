"""Pickles, joblib files and skops dumps hold arrays, numbers and strings alone."""

import copy
import io
import pickle
import pickletools
from functools import partial

import joblib
import numpy as np
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import LeaveOneGroupOut, RepeatedKFold, check_cv
from tables import SEARCH_OF_0_1, assert_same_table

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)
from skensir.image import ImageEnsemble
from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 256, 900)
X = np.clip(Y[:, None] + RNG.integers(-9, 10, (900, 3)) * [1, 2, 3], 0, 255).astype(np.uint8)
IMAGES = list(X.reshape(3, 10, 10, 3, 3).transpose(0, 4, 1, 2, 3))
TARGETS = list(Y.astype(np.uint8).reshape(3, 10, 10, 3))
REGRESSORS = [
    EnsIRRegressor(),
    EnsIRRegressor(objective="squared_error", default_weights=[0.1, 0.3, 0.6]),
    EnsIRRegressorCV(cv=3),
    EnsIRRegressorCV(cv=LeaveOneGroupOut(), objectives=("likelihood",), bin_widths=[16, 64]),
    EnsIRRegressorCV(cv=RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)),
    DaskEnsIRRegressor(),
    DaskEnsIRRegressorCV(cv=3),
    AverageRegressor(),
    BestModelRegressor(),
    ConvexRegressor(),
    GreedyRegressor(10, n_bags=3, random_state=0),
    ZZPMRegressor(),
]
ENSEMBLES = [
    ImageEnsemble(),
    ImageEnsemble(EnsIRRegressorCV(), per_channel=False),
    ImageEnsemble(ConvexRegressor()),
    ImageEnsemble(HistGradientBoostingRegressor(max_iter=3), per_channel=False),
]


def fitted(estimator):
    model = clone(estimator)
    if isinstance(model, ImageEnsemble):
        return model.fit(IMAGES, TARGETS)
    if isinstance(model, EnsIRRegressorCV) and isinstance(model.cv, LeaveOneGroupOut):
        return model.fit(X, Y, groups=np.arange(900) % 3)
    return model.fit(X, Y)


def predict(model):
    return model.predict(IMAGES)[0] if isinstance(model, ImageEnsemble) else model.predict(X)


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(file)


def by_skops(model):
    data = skops.io.dumps(model)
    own = f"{type(model).__module__}.{type(model).__qualname__}"
    untrusted = skops.io.get_untrusted_types(data=data)
    if "HistGradientBoosting" not in str(model):  # what that consists of is scikit-learn's affair
        assert untrusted == [own]
    return skops.io.loads(data, trusted=untrusted)


@pytest.mark.parametrize("copied", [by_pickle, by_joblib, by_skops, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("estimator", [*REGRESSORS, *ENSEMBLES], ids=str)
def test_what_comes_back_is_the_same(estimator, copied):
    for model in (clone(estimator), fitted(estimator)):
        back = copied(model)
        assert type(back) is type(model)
        assert vars(back).keys() == vars(model).keys()
        assert str(back) == str(model)
    np.testing.assert_array_equal(predict(back), predict(model))


@pytest.mark.parametrize("estimator", [*REGRESSORS, *ENSEMBLES], ids=str)
def test_a_pickle_names_no_class_of_the_package_but_the_estimators(estimator):
    model = fitted(estimator)
    ours = {
        names for names in pickled_names(model) if any(name.startswith("skensir") for name in names)
    }
    assert ours == {(type(model).__module__, type(model).__qualname__)}


@pytest.mark.parametrize("copied", [by_pickle, by_joblib, by_skops, copy.copy, copy.deepcopy])
def test_metadata_are_asked_for_as_before(copied):
    with config_context(enable_metadata_routing=True):
        search = EnsIRRegressorCV(cv=LeaveOneGroupOut())
        search.set_fit_request(groups="image", sample_weight=False)
        search.set_predict_request(return_std=True)
        models = [search, ImageEnsemble(clone(search)), clone(search).fit(X, Y, groups=Y % 3)]
    for model in models:
        back = copied(model)  # where routing may be switched off
        searches = [getattr(one, "regressor", one) for one in (model, back)]
        asked = [repr(one.get_metadata_routing()) for one in searches]
        assert asked[0] == asked[1] == repr(search.get_metadata_routing())
        assert asked[1] != repr(EnsIRRegressorCV().get_metadata_routing())
        assert vars(back).keys() == vars(model).keys()
        assert "sklearn.utils" not in str(pickled_names(model))


def pickled_names(model):
    """Return modules and names of all classes and functions that a pickle names."""
    strings, named = [], set()
    for opcode, argument, _ in pickletools.genops(pickle.dumps(model)):
        if isinstance(argument, str):
            strings.append(argument)
        if opcode.name == "STACK_GLOBAL":
            named.add(tuple(strings[-2:]))
    return named


def test_splits_that_are_no_public_splitter_come_back_by_pickle():
    splits = check_cv(
        [(np.arange(450), np.arange(450, 900)), (np.arange(450, 900), np.arange(450))]
    )
    model = EnsIRRegressorCV(cv=splits).fit(X, Y)
    for copied in (by_pickle, by_joblib, copy.deepcopy):
        np.testing.assert_array_equal(copied(model).fit(X, Y).predict(X), model.predict(X))


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_rows_go_on_where_the_pickle_was_made(objective):
    model = EnsIRRegressor(objective=objective).partial_fit(X[:400], Y[:400])
    for copied in (by_pickle, by_skops):
        again = copied(model).partial_fit(X[400:], Y[400:])
        assert_same_table(again, EnsIRRegressor(objective=objective).fit(X, Y), rtol=1e-9)


@pytest.mark.parametrize("estimator", [EnsIRRegressor(), EnsIRRegressorCV(cv=3)], ids=str)
def test_without_its_rows_a_model_is_small_and_predicts_the_same(estimator):
    model = fitted(estimator)
    expected, size = model.predict(X), len(pickle.dumps(model))
    assert model.forget_rows() is model
    assert len(pickle.dumps(model)) < (0.5 if isinstance(estimator, EnsIRRegressor) else 1) * size
    np.testing.assert_array_equal(by_pickle(model).predict(X), expected)
    for table in (model, *getattr(model, "estimators_", ())):
        if (
            isinstance(model, EnsIRRegressorCV)
            and table is not model
            and len(model.estimators_) > 1
        ):
            continue
        other = fitted(clone(table))
        for change in (partial(table.partial_fit, X, Y), partial(table.merge, other)):
            with pytest.raises(ValueError, match=r"needs the statistics .* after forget_rows\(\)"):
                change()
    np.testing.assert_array_equal(model.fit(X, Y).forget_rows().forget_rows().predict(X), expected)


@pytest.mark.parametrize("estimator", [*REGRESSORS, *ENSEMBLES], ids=str)
def test_other_formats_are_refused_in_one_sentence(estimator):
    model = fitted(estimator)
    state = model.__getstate__()
    assert state["skensir_state"] == 2
    newer = {**state, "skensir_state": 3, "skensir_version": "9.8.7"}
    with pytest.raises(ValueError, match=r"skensir 9\.8\.7 in format 3, .* a newer skensir"):
        clone(estimator).__setstate__(newer)


def test_a_pickle_of_version_0_1_is_refused_in_one_sentence():
    class Pickled:
        """Stands in pickles for a fitted estimator as version 0.1 wrote it: by its attributes."""

        def __reduce__(self):
            return object.__new__, (EnsIRRegressor,), vars(EnsIRRegressor().fit(X, Y))

    data = pickle.dumps(Pickled())
    with pytest.raises(
        ValueError, match=r"pickled by a skensir 0\.1 before its release, .*fit it anew\."
    ):
        pickle.loads(data)


@pytest.mark.parametrize(
    "kind", ["os.system", "skensir.cli.__main__.X", "sklearn.model_selection.KFolds"]
)
def test_a_state_can_name_no_other_class(kind):
    state = fitted(EnsIRRegressorCV(cv=3)).__getstate__()
    state["attributes"]["best_estimator_"] = {"skensir_kind": kind, "state": {}}
    with pytest.raises(ValueError, match=f"The state names '{kind}'"):
        EnsIRRegressorCV().__setstate__(state)


# What version 0.1 knew.
PARAMS_OF_0_1 = {
    *("bin_width", "objective", "shrinkage", "bin_widths", "objectives", "shrinkages", "cv"),
    *("default_weights", "min_samples_cell", "variance_center", "max_iter", "tol", "reg_var"),
    *("target_resolution", "verbose"),
}
FITTED_BY_0_1 = {
    *("bin_width_", "cells_", "cell_counts_", "weights_", "cell_origin_", "cell_rmse_", "means_"),
    *("variances_", "n_iter_", "converged_", "default_weights_", "default_rmse_"),
    *("best_estimator_", "best_params_", "best_score_", "best_index_", "cv_results_", "gains_"),
    *("shrinkage_", "objective_", "held_out_mse_", "n_splits_", "n_features_in_", "_statistics"),
}


def as_0_1_had_it(state):
    """Return a state without all that came after version 0.1."""
    if isinstance(state, list):
        return [as_0_1_had_it(part) for part in state]
    if not isinstance(state, dict):
        return state
    state = {name: as_0_1_had_it(value) for name, value in state.items()}
    if "attributes" in state:
        known = PARAMS_OF_0_1 | FITTED_BY_0_1
        known = {n: v for n, v in state["attributes"].items() if n in known}
        return {**state, "skensir_state": 1, "skensir_version": "0.1.0", "attributes": known}
    if state.get("skensir_kind") == "statistics":
        kept = ("skensir_kind", "bin_width", "cells", "sums", "truth")
        return {name: state[name] for name in kept}
    state.pop("share", None)
    return state


@pytest.mark.filterwarnings("ignore:Most rows")
@pytest.mark.parametrize(
    "estimator",
    [
        EnsIRRegressor(32.0),
        EnsIRRegressor(32.0, objective="squared_error", shrinkage=7),
        EnsIRRegressorCV([32.0, 64.0], shrinkages=[0, 9], cv=3, **SEARCH_OF_0_1).set_params(
            positive=True, fit_intercept=False
        ),
    ],
    ids=str,
)
def test_a_state_of_0_1_is_read(estimator):
    model = fitted(estimator)
    state = model.__getstate__()
    if isinstance(estimator, EnsIRRegressorCV):
        del state["attributes"]["_statistics"]  # a search had none
    back = clone(estimator)
    vars(back).clear()
    back.__setstate__(as_0_1_had_it(state))
    assert back.get_params() == model.get_params()
    np.testing.assert_array_equal(
        back.predict(X, return_std=True), model.predict(X, return_std=True)
    )
    again = by_pickle(back)
    np.testing.assert_array_equal(again.predict_weights(X), model.predict_weights(X))
    table = getattr(again, "best_estimator_", again)
    assert_same_table(
        table.partial_fit(X, Y), getattr(model, "best_estimator_", model).partial_fit(X, Y)
    )
    fresh = clone(estimator)
    vars(fresh).clear()
    fresh.__setstate__(as_0_1_had_it(estimator.__getstate__()))
    assert fresh.get_params() == estimator.get_params()
