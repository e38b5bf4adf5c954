"""Format 2 of the table file: other axes, parents, signs, intercepts, and averages of tables."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, LeaveOneGroupOut
from table_files import (
    assert_refused,
    assert_same,
    edited,
    entries_of,
    put,
    scenes,
    set_field,
    write_entries,
)
from tables import SEARCH_OF_0_1, images

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table

SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("predictions", "deviations", "summary")
pytestmark = pytest.mark.filterwarnings("ignore:Most rows")


def draw_rows(seed, n_rows=200):
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 40, n_rows)
    return y[:, None] + rng.normal(size=(n_rows, int(rng.integers(1, 5)))) * 3, y


def saved_and_loaded(model, folder):
    save_table(model, folder / "table")
    loaded = load_table(folder / "table")
    save_table(loaded, folder / "again")
    assert (folder / "again").read_bytes() == (folder / "table").read_bytes()
    return loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def assert_predicts_the_same(loaded, model, X):
    rows = np.vstack([X, X * 2 - 30])
    for one, other in zip(
        loaded.predict(rows, return_std=True), model.predict(rows, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.predict_weights(rows), model.predict_weights(rows))


@share_of_cases(3 / 4)
@given(
    SEEDS,
    st.fixed_dictionaries(
        {
            "axes": st.sampled_from(KINDS),
            "shrink_to": st.sampled_from(["pooled", "parent"]),
            "positive": st.booleans(),
            "fit_intercept": st.booleans(),
            "shrinkage": st.sampled_from([0.0, 20.0]),
            "bin_width": st.sampled_from(["auto", 4.0]),
            "data_range": st.sampled_from(["auto", 50.0]),
            "default_weights": st.sampled_from(["auto", "uniform"]),
        }
    ),
)
def test_one_table_of_every_kind_comes_back(folder, seed, params):
    X, y = draw_rows(seed)
    model = EnsIRRegressor(objective="squared_error", **params).fit(X, y)
    loaded = saved_and_loaded(model, folder)
    assert_same(loaded, model)
    assert_predicts_the_same(loaded, model, X)


@share_of_cases(3 / 8)
@given(
    SEEDS,
    st.fixed_dictionaries(
        {
            "axes": st.sampled_from(["auto", "summary", ["deviations", "predictions"]]),
            "bin_widths": st.sampled_from(["auto", [4.0, 8.0], [3.0, 5.0]]),
            "select": st.sampled_from(["auto", "average", "best"]),
            "positive": st.sampled_from(["auto", True, False]),
        }
    ),
)
def test_a_search_comes_back_as_its_tables(folder, seed, params):
    X, y = draw_rows(seed)
    names = [f"model {number}" for number in range(X.shape[1])]
    model = EnsIRRegressorCV(**params, cv=KFold(3)).fit(pd.DataFrame(X, columns=names), y)
    loaded = saved_and_loaded(model, folder)
    if len(model.estimators_) == 1:
        assert_same(loaded, model.best_estimator_)
    else:
        assert type(loaded) is EnsIRRegressorCV
        assert_same(loaded.estimators_, model.estimators_)
        np.testing.assert_array_equal(loaded.shares_, model.shares_)
        with pytest.raises(ValueError, match="needs the statistics of the rows"):
            loaded.partial_fit(X, y, np.arange(len(y)) % 2)
    frame = pd.DataFrame(X, columns=names)
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    np.testing.assert_array_equal(loaded.predict_weights(frame), model.predict_weights(frame))
    if len(names) > 1:
        with pytest.raises(ValueError, match="feature names"):
            loaded.predict(frame[names[::-1]])


def test_images_whose_channels_average_different_tables_come_back(folder):
    stacks, targets = scenes()
    stacks, targets = stacks * 2, targets * 2
    search = EnsIRRegressorCV(
        axes=["predictions", "summary"], select="average", cv=LeaveOneGroupOut()
    )
    model = ImageEnsemble(search.set_params(bin_widths=[64.0])).fit(stacks, targets)
    loaded = saved_and_loaded(model, folder)
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(getattr(r, "estimators_", [r])) for r in loaded.regressors_] == [
        len(r.estimators_) for r in model.regressors_
    ]


@pytest.mark.parametrize(
    ("model", "number"),
    [
        (EnsIRRegressor(32.0), 1),
        (EnsIRRegressor(32.0, data_range=255, objective="squared_error", shrinkage=9), 1),
        (EnsIRRegressorCV([32.0, 64.0], cv=3, **SEARCH_OF_0_1), 2),  # which is calibrated
        (EnsIRRegressor(), 2),
        (EnsIRRegressor(32.0, objective="squared_error", axes="deviations"), 2),
        (EnsIRRegressor(32.0, objective="squared_error", shrink_to="parent"), 2),
        (EnsIRRegressor(32.0, objective="squared_error", positive=False), 2),
        (EnsIRRegressor(32.0, objective="squared_error", fit_intercept=True), 2),
        (EnsIRRegressorCV([32.0, 64.0], cv=3), 2),
    ],
    ids=str,
)
def test_a_file_has_the_lowest_format_that_can_hold_it(model, number, folder):
    X, y, *_ = images(600)
    save_table(model.fit(X, y), folder / "table")
    header = json.loads(entries_of((folder / "table").read_bytes())["header.json"])
    assert header["format_number"] == number
    assert ("shares" in header) == (number == 2)


@pytest.fixture(scope="module")
def average(folder):
    """Return the entries of a file with several tables, whose first is of nested cells."""
    X, y, *_ = images(900)
    params = {"shrink_to": "parent", "shrinkage": 9.0, "fit_intercept": True}
    tables = [
        EnsIRRegressor(32.0, objective="squared_error", axes=kind, **params).fit(X, y)
        for kind in KINDS
    ]
    model = EnsIRRegressorCV()._set_tables(tables, np.array([0.5, 0.25, 0.25]))
    save_table(model, folder / "average")
    return entries_of((folder / "average").read_bytes())


def drop_last(array):
    return array[:-1]


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("header.json", set_field(["shares"], [[0.5, 0.25, 0.5]]), "must sum to one, not to 1.25"),
        ("header.json", set_field(["shares"], [[0.5, 0.5]]), "do not fit to its tables"),
        ("header.json", set_field(["shares"], [[0.5, 0.5, 0.0, 0.0]]), "do not fit to its tables"),
        ("header.json", set_field(["shares"], [[1.0], [1.0], [1.0]]), "calibrations"),
        ("header.json", set_field(["calibrations"], [[[5, 1e308], [6, 1e308]]]), "sum is beyond"),
        ("header.json", set_field(["shares"], [[]]), "do not fit to its tables"),
        ("header.json", set_field(["shares"], [0.2, 0.3, 0.5]), "do not fit to its tables"),
        ("header.json", set_field(["shares"], []), "do not fit to its tables"),
        ("header.json", set_field(["shares"], [[2.0, -1.0, 0.0]]), "between zero and one"),
        ("header.json", set_field(["shares"], [[1, 0, 0]]), "between zero and one"),
        ("header.json", set_field(["shares"], [[float("nan")] * 3]), "between zero and one"),
        ("header.json", set_field(["shares"], None), "must have the fields"),
        ("header.json", set_field(["tables", 0, "n_axes"], 2), "cells_ must have"),
        ("header.json", set_field(["tables", 0, "n_ancestors"], 1), "must have dtype"),
        ("header.json", set_field(["tables", 0, "n_ancestors"], -1), "cannot have -1"),
        ("header.json", set_field(["tables", 0, "data_range"], 0.0), "data_range_ == 0.0, must be"),
        ("header.json", set_field(["tables", 0, "data_range"], float("inf")), "data_range_ == inf"),
        ("header.json", set_field(["tables", 0, "data_range"], 255), "data_range"),
        ("header.json", set_field(["tables", 0, "params", "axes"], "errors"), "axes == 'errors'"),
        ("header.json", set_field(["tables", 0, "params", "positive"], 1), "positive"),
        ("header.json", set_field(["tables", 0, "params", "shrink_to"], "root"), "shrink_to"),
        ("header.json", set_field(["tables", 0, "params", "objective"], "likelihood"), "needs obj"),
        ("axes_", lambda axes: np.array("errors", axes.dtype), "axes_ == 'errors', must be"),
        ("axes_", lambda axes: np.array("summary", axes.dtype), "do not fit to axes_"),
        ("weights_", put(-0.25), "weights_ must lie between zero and one"),
        ("ancestor_weights_", put(-0.25), "ancestor_weights_ must lie between zero and one"),
        ("ancestor_weights_", put(np.nan), "ancestor_weights_ must lie between zero and one"),
        ("ancestor_weights_", lambda w: w * 0.9, "ancestor_weights_ must sum to one"),
        ("ancestor_weights_", drop_last, "ancestor_weights_ must have"),
        ("ancestor_levels_", put(0), "ancestor_levels_ must rise, from one to below 64"),
        ("ancestor_levels_", put(64, -1), "ancestor_levels_ must rise, from one to below 64"),
        ("ancestor_levels_", lambda levels: levels[::-1], "ancestor_levels_ must rise"),
        ("ancestor_cells_", put(99), "ancestor_cells_ of level 1 must hold the cells_"),
        ("ancestor_cells_", lambda cells: cells[::-1].copy(), "must hold the cells_"),
        ("intercepts_", put(np.inf), "intercepts_ must be finite"),
        ("default_intercept_", lambda c: np.array(np.nan), "default_intercept_ must be finite"),
        ("ancestor_intercepts_", put(np.nan), "ancestor_intercepts_ must be finite"),
        ("ancestor_rmse_", put(np.nan), "ancestor_rmse_ must be finite"),
        ("ancestor_rmse_", put(-1.0), "ancestor_rmse_ must not be negative"),
    ],
)
def test_hostile_averages_are_refused_in_one_sentence(average, tmp_path, name, edit, words):
    header = json.loads(average["header.json"])
    assert header["tables"][0]["n_ancestors"] > 2
    write_entries(tmp_path / "table", edited(average, name, edit))
    assert_refused(tmp_path / "table", words)


def test_tables_of_different_models_do_not_average(average, tmp_path):
    X, y, *_ = images(300, n_models=2)
    save_table(EnsIRRegressor().fit(X, y), tmp_path / "other")
    other = entries_of((tmp_path / "other").read_bytes())
    header = json.loads(average["header.json"])
    header["tables"][2] = json.loads(other["header.json"])["tables"][0]
    entries = {**average, "header.json": json.dumps(header).encode()}
    for name, data in other.items():
        if name.startswith("0/"):
            entries[name.replace("0/", "2/")] = data
    write_entries(tmp_path / "table", entries)
    assert_refused(tmp_path / "table", "models")


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("intercepts_", put(3.0), "intercepts_ must be zero"),
        ("ancestor_intercepts_", put(3.0), "intercept"),
        ("default_intercept_", lambda c: np.array(3.0), "default_intercept_ must be zero"),
    ],
)
def test_intercepts_of_a_table_without_any_are_refused(tmp_path, name, edit, words):
    X, y, *_ = images(600)
    model = EnsIRRegressor(32.0, objective="squared_error", shrink_to="parent", shrinkage=9)
    save_table(model.fit(X, y), tmp_path / "table")
    entries = entries_of((tmp_path / "table").read_bytes())
    write_entries(tmp_path / "table", edited(entries, name, edit))
    assert_refused(tmp_path / "table", words)
