"""What comes back from a table file is the same."""

import json
import warnings
from copy import copy

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import LeaveOneGroupOut
from table_files import assert_same, entries_of, fit_one, scenes
from tables import SEARCH_OF_0_1

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.table import FIELDS
from skensir._table_format import FORMATS, NOT_SAVED
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table

OPTIONS = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(["likelihood", "squared_error"]),
        "shrinkage": st.sampled_from([0, 7.5, np.float32(0.1), np.int64(3)]),
        "default_weights": st.sampled_from(["auto", "uniform", "pooled", "list", "array"]),
        "min_samples_cell": st.sampled_from([0, 5, 100]),
        "max_iter": st.integers(1, 9),
        "target_resolution": st.sampled_from(["auto", 0.7]),
        "verbose": st.sampled_from([0, False]),
    }
)
SOME_X = np.random.default_rng(1).uniform(-99, 400, (500, 3))


@pytest.fixture(scope="module")
def model():
    return fit_one(min_samples_cell=10)


def saved_and_loaded(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "any.name"
    save_table(model, path)
    return load_table(path)


@given(naive.stacks(max_models=7), OPTIONS, st.randoms(use_true_random=False))
def test_loaded_estimator_is_the_same(tmp_path_factory, stack, options, random):
    n_models = stack.X.shape[1]
    if options["default_weights"] in ("list", "array"):
        weights = np.array([random.random() + 0.1 for _ in range(n_models)])
        weights /= weights.sum()
        as_list = options["default_weights"] == "list"
        options = {**options, "default_weights": list(weights) if as_list else weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = EnsIRRegressor(stack.bin_width, **options)
        model.fit(stack.X, stack.y, stack.sample_weight)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    for X in (stack.X, stack.X.astype(np.float64) * 1.3 - 40):
        for one, other in zip(
            model.predict(X, return_std=True), loaded.predict(X, return_std=True), strict=True
        ):
            assert_array_equal(one, other)
        assert_array_equal(model.predict_weights(X), loaded.predict_weights(X))
    for one, other in zip(model.bin_edges_, loaded.bin_edges_, strict=True):
        assert_array_equal(one, other)


def test_loaded_estimator_can_be_cloned_fitted_and_altered(model, tmp_path_factory):
    loaded = saved_and_loaded(model, tmp_path_factory)
    again = clone(loaded).set_params(bin_width=64).fit(SOME_X, SOME_X[:, 0])
    assert_same(again, clone(model).set_params(bin_width=64).fit(SOME_X, SOME_X[:, 0]))
    loaded.weights_[:] = 1 / 3  # no view of the file
    assert_same(saved_and_loaded(loaded, tmp_path_factory), loaded)


@given(st.lists(st.text(max_size=9), min_size=3, max_size=3, unique=True))
def test_names_of_models_come_back(model, tmp_path_factory, names):
    named = copy(model)
    named.feature_names_in_ = np.array(names, dtype=object)
    assert_same(saved_and_loaded(named, tmp_path_factory), named)


def test_reordered_columns_are_an_error_after_loading_as_before(tmp_path_factory):
    X = pd.DataFrame(SOME_X, columns=["Müller", "网络", "c d"])
    loaded = saved_and_loaded(EnsIRRegressor().fit(X, SOME_X[:, 1]), tmp_path_factory)
    loaded.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X.iloc[:, ::-1])


def test_cross_validated_estimator_comes_back_as_what_it_chose(tmp_path_factory):
    y = SOME_X[:, 0]
    model = EnsIRRegressorCV([32, 64], shrinkages=[10, 100], select="best").fit(SOME_X, y)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model.best_estimator_, loaded)
    chosen = loaded.bin_width, loaded.shrinkage, loaded.objective
    assert chosen == (model.bin_width_, model.shrinkage_, model.objective_)
    assert_array_equal(model.predict(SOME_X), loaded.predict(SOME_X))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("regressor", [None, EnsIRRegressor(64, shrinkage=3)])
@pytest.mark.parametrize("names", [None, ("a", "Ünï", "c")])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.filterwarnings("ignore:No value of X and y is above 255")
def test_image_ensemble_comes_back(tmp_path_factory, per_channel, regressor, names, dtype):
    stacks, targets = ([image.astype(dtype) for image in images] for images in scenes())
    model = ImageEnsemble(regressor, per_channel=per_channel).fit(stacks, targets)
    model.model_names_ = names
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    assert len(loaded.regressors_) == (3 if per_channel else 1)
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)
    clone(loaded).fit(stacks, targets)


@pytest.mark.parametrize(("axis", "n_channels"), [(None, 1), (0, 2), (-1, 1)])
def test_layout_of_the_channels_comes_back(tmp_path_factory, axis, n_channels):
    stacks, targets = scenes(n_channels)
    if axis is None:
        stacks, targets = [s[..., 0] for s in stacks], [t[..., 0] for t in targets]
    elif axis == 0:
        stacks, targets = [np.moveaxis(s, -1, 1) for s in stacks], [t.T for t in targets]
        targets = [target.swapaxes(1, 2) for target in targets]
    model = ImageEnsemble(channel_axis=axis).fit(stacks, targets)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)


def test_image_ensemble_of_cross_validated_estimators_keeps_what_each_channel_chose(
    tmp_path_factory,
):
    stacks, targets = scenes()
    search = EnsIRRegressorCV([32, 64], shrinkages=[10], cv=LeaveOneGroupOut(), **SEARCH_OF_0_1)
    model = ImageEnsemble(search).fit(stacks, targets)
    loaded = saved_and_loaded(model, tmp_path_factory)
    for one, other in zip(model.regressors_, loaded.regressors_, strict=True):
        assert type(other) is EnsIRRegressor
        assert_same(one.best_estimator_, other)
    chosen = model.regressors_[0].estimators_[0]
    assert loaded.regressor.get_params() == chosen.get_params()
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("regressor", [EnsIRRegressor(32), EnsIRRegressorCV()])
def test_image_ensemble_remembers_that_the_input_is_a_model(regressor, tmp_path_factory):
    stacks, targets = scenes()
    without = ImageEnsemble(regressor).fit(stacks, targets)
    model = ImageEnsemble(regressor, include_input=True).fit(
        [s[:2] for s in stacks], targets, [s[2] for s in stacks]
    )
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert loaded.include_input is True
    assert loaded.n_models_ == 3
    found = loaded.predict([s[:2] for s in stacks], [s[2] for s in stacks])
    for one, other in zip(without.predict(stacks), found, strict=True):
        assert_array_equal(one, other)
    assert saved_and_loaded(without, tmp_path_factory).include_input is False


def test_averaged_tables_of_plain_parameters_keep_their_ancestors(tmp_path_factory):
    """Rows in unseen cells get the weights of wider ones, which format 1 does not know."""
    stacks, targets = scenes()
    search = EnsIRRegressorCV(objectives=("likelihood",), cv=LeaveOneGroupOut(), select="average")
    model = ImageEnsemble(search).fit(stacks, targets)
    assert len(model.regressors_[0].estimators_[0].ancestor_levels_)
    loaded = saved_and_loaded(model, tmp_path_factory)
    others = [255 - stack for stack in stacks]  # of many unseen cells
    for one, other in zip(model.predict(others), loaded.predict(others), strict=True):
        assert_array_equal(one, other)


def test_last_format_holds_all_parameters_and_arrays():
    """A new parameter or array belongs into a format of a number that no version has out."""
    last = FORMATS[max(FORMATS)]
    assert {*last.params, *NOT_SAVED} == set(EnsIRRegressor().get_params())
    assert last.fields == FIELDS


def test_format_1_stays_what_it_is():
    assert len(FORMATS[1].params) == 11
    assert "data_range" not in FORMATS[1].params
    assert list(FORMATS[1].fields)[:2] == ["bin_width", "cells"]
    assert len(FORMATS[1].fields) == 12


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({"bin_width": 32}, 1),
        ({"bin_width": 32, "data_range": 255}, 1),
        ({}, 2),
        ({"bin_width": 32, "data_range": 100}, 2),
    ],
)
def test_a_file_has_the_lowest_format_that_can_hold_it(params, number, tmp_path):
    save_table(fit_one(**params), tmp_path / "table")
    header = json.loads(entries_of((tmp_path / "table").read_bytes())["header.json"])
    assert header["format_number"] == number
    assert ("data_range" in header["tables"][0]) == (number == 2)


@pytest.mark.parametrize("searched", [False, True])
def test_what_was_counted_for_intervals_is_kept(searched, tmp_path_factory):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 400)
    X = y[:, None] + rng.normal(size=(400, 3)) * [3, 6, 9]
    if searched:
        model = EnsIRRegressorCV(cv=3).fit(X, y)
    else:
        model = EnsIRRegressor(128).fit(X, y).calibrate(X, y)
    loaded = saved_and_loaded(model, tmp_path_factory)
    for one, other in zip(model.predict_interval(X), loaded.predict_interval(X), strict=True):
        assert_array_equal(one, other)
