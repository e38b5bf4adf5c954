"""Estimators made of sums go on as after partial_fit, and searches work from sums of folds."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dask_chunks import assert_same_results
from frames import LIBRARIES, columns_of, pixels, pl, stacked
from tables import assert_same_table

from skensir import EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir.interop.dask import DaskEnsIRRegressor
from skensir.interop.frames import cell_sums

RANGE = 255


def named(X, names):
    # Of pandas, whose names scikit-learn 1.6 sees with any version of it.
    return pd.DataFrame(dict(zip(names["models"], np.asarray(X).T, strict=True)))


@LIBRARIES
@pytest.mark.parametrize("kind", ["real", "pixels", "likelihood", "given", "pooled"])
def test_a_search_has_the_results_of_partial_fit(make, kind):
    X, y, weight, folds = stacked(4000)
    asked, params = {"bin_width": "auto"}, {"data_range": RANGE}
    if kind == "pixels":
        X, y = pixels(X, y)
        params = {}
    elif kind == "likelihood":
        asked |= {"axes": "predictions", "objective": "likelihood"}
        params |= {"axes": "predictions", "objectives": ("likelihood", "squared_error")}
        params |= {"max_iter": 20, "tol": 10.0}
    elif kind == "given":
        asked = {"bin_width": 7.0, "axes": ("summary", "deviations")}
        params |= {"bin_widths": [7.0, 28.0], "axes": ("deviations", "summary")}
    elif kind == "pooled":
        asked = {"bin_width": 8.0, "axes": "predictions"}
        params |= {"shrink_to": "pooled", "axes": "predictions"}
    columns, names = columns_of(X, y, weight, folds)
    sums = cell_sums(
        make(columns), **names, **asked | {k: v for k, v in params.items() if k == "data_range"}
    )
    model = EnsIRRegressorCV.from_cell_sums(sums, **params).solve()
    expected = EnsIRRegressorCV(**params).partial_fit(X, y, groups=folds, sample_weight=weight)
    assert_same_results(model, expected.solve())
    predicted = model.predict(named(X, names))
    np.testing.assert_allclose(predicted, expected.predict(X), rtol=1e-12)
    assert {"ridge", "convex"} <= set(model.gains_)


@LIBRARIES
def test_a_search_without_parameters_takes_what_was_summed_up(make):
    X, y, _, folds = stacked(4000)
    columns, names = columns_of(X, y, folds=np.char.add("scene ", folds.astype(str)))
    columns["fold"] = columns["fold"].tolist()
    sums = cell_sums(make(columns), **names, bin_width="auto", data_range=RANGE)
    model = EnsIRRegressorCV.from_cell_sums(sums)
    assert sums.folds == ["scene 0", "scene 1", "scene 2", "scene 3"]
    assert model.solve().n_splits_ == 4
    assert set(model.axes) == {"predictions", "deviations", "summary"}
    assert model.bin_widths == "auto"
    chosen = cell_sums(make(columns), **names, bin_width={"deviations": 3.0}, data_range=RANGE)
    model = EnsIRRegressorCV.from_cell_sums(chosen).solve()
    assert (model.bin_widths, model.axes) == ([3.0], ["deviations"])
    assert model.bin_width_ == 3.0


def test_narrowest_bins_are_those_that_the_first_rows_can_fill():
    X, y, _, folds = stacked(4000, n_models=5)
    X, y = 30 * X, 30 * y
    columns, names = columns_of(X, y, folds=folds)
    sums = cell_sums(pl.LazyFrame(columns), **names, bin_width="auto", data_range=RANGE * 32)
    search = EnsIRRegressorCV(data_range=RANGE * 32).partial_fit(named(X, names), y, groups=folds)
    assert sums.bin_widths == {kind: min(w) for kind, w in search._widths.items() if w}
    assert len(set(sums.bin_widths.values())) > 1


def test_folds_are_put_together_for_one_table():
    X, y, weight, folds = stacked()
    columns, names = columns_of(X, y, weight, folds)
    sums = cell_sums(
        pl.LazyFrame(columns),
        **names,
        bin_width=20.0,
        axes=("deviations", "predictions"),
        objective="likelihood",
        data_range=RANGE,
    )
    model = EnsIRRegressor.from_cell_sums(sums, axes="predictions", target_resolution="auto")
    params = {"bin_width": 20.0, "data_range": RANGE}
    assert_same_table(
        model, EnsIRRegressor(**params).fit(X, y, weight), rtol=1e-9, relative_atol=1e-11
    )
    other = {"axes": "deviations", "objective": "squared_error", "fit_intercept": True}
    model = EnsIRRegressor.from_cell_sums(sums, **other)
    expected = EnsIRRegressor(**params, **other).fit(X, y, weight)
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-11)


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_more_rows_may_come(objective):
    X, y, weight, _ = stacked()
    parts = [slice(0, 2000), slice(2000, 3500), slice(3500, None)]
    params = {"bin_width": 20.0, "data_range": RANGE, "objective": objective}
    made = []
    for rows in parts:
        columns, names = columns_of(X[rows], y[rows], weight[rows])
        sums = cell_sums(pl.LazyFrame(columns), **names, **params)
        made.append(EnsIRRegressor.from_cell_sums(sums, objective=objective))
    model = (
        made[0].merge(made[1]).partial_fit(named(X[parts[2]], names), y[parts[2]], weight[parts[2]])
    )
    whole = EnsIRRegressor(**params).fit(named(X, names), y, weight)
    assert_same_table(model, whole, rtol=1e-9, relative_atol=1e-11)
    model = EnsIRRegressor(**params).merge(made[2])
    expected = EnsIRRegressor(**params).fit(X[parts[2]], y[parts[2]], weight[parts[2]])
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-11)


def test_a_range_may_be_given_to_the_estimator():
    """Its constants follow from it, not its bins."""
    X, y, *_ = stacked()
    columns, names = columns_of(X, y)
    sums = cell_sums(pl.LazyFrame(columns), **names, bin_width=20.0, data_range=RANGE)
    params = {"bin_width": 20.0, "data_range": 1e5, "default_weights": "inverse_deviation"}
    model = EnsIRRegressor.from_cell_sums(sums, **params)
    expected = EnsIRRegressor(**params).fit(X, y)
    assert model.data_range_ == expected.data_range_ == 1e5
    assert_same_table(model, expected, rtol=1e-9, relative_atol=1e-11)


def test_a_search_on_some_of_the_axes_has_all_rivals():
    X, y, _, folds = stacked()
    columns, names = columns_of(X, y, folds=folds)
    sums = cell_sums(pl.LazyFrame(columns), **names, bin_width="auto", data_range=RANGE)
    params = {"data_range": RANGE, "axes": "deviations"}
    model = EnsIRRegressorCV.from_cell_sums(sums, **params).solve()
    expected = EnsIRRegressorCV(**params).partial_fit(X, y, groups=folds).solve()
    assert_same_results(model, expected)
    assert "ridge" in model.gains_


def test_a_search_keeps_no_sums_that_rows_to_come_will_not_have():
    X, y, weight, folds = stacked()
    columns, names = columns_of(X, y, weight, folds)
    asked = {"bin_width": 20.0, "axes": "predictions", "data_range": RANGE}
    sums = cell_sums(pl.LazyFrame(columns), **names, **asked, objective="likelihood")
    assert EnsIRRegressorCV.from_cell_sums(sums, objectives=["likelihood"]).bin_widths == [20.0]
    model = EnsIRRegressorCV.from_cell_sums(sums, fit_intercept=False)
    model.partial_fit(named(X, names), y, folds, weight).solve()
    for asks_for_more in ({"objectives": ["likelihood"]}, {"fit_intercept": True}):
        model = EnsIRRegressorCV.from_cell_sums(sums, fit_intercept=False)
        with pytest.raises(ValueError, match="have other bin_widths"):
            model.set_params(**asks_for_more).partial_fit(named(X, names), y, folds, weight)


def test_more_rows_may_come_to_a_search():
    X, y, weight, folds = stacked()
    half = slice(0, 3000), slice(3000, None)
    columns, names = columns_of(*(array[half[0]] for array in (X, y, weight, folds)))
    asked = {"bin_width": "auto", "axes": "deviations", "data_range": RANGE}
    sums = cell_sums(pl.LazyFrame(columns), **names, **asked)
    params = {"axes": "deviations", "data_range": RANGE}
    rest = named(X[half[1]], names), y[half[1]], folds[half[1]], weight[half[1]]
    model = EnsIRRegressorCV.from_cell_sums(sums, **params).partial_fit(*rest)
    expected = EnsIRRegressorCV(**params)
    first = named(X[half[0]], names), y[half[0]], folds[half[0]], weight[half[0]]
    expected.partial_fit(*first).partial_fit(*rest)
    assert_same_results(model.solve(), expected.solve())


def test_an_estimator_made_of_sums_is_solved_when_needed_and_saved(tmp_path):
    X, y, *_ = stacked()
    columns, names = columns_of(X, y)
    sums = cell_sums(pl.LazyFrame(columns), **names, bin_width="auto", data_range=RANGE)
    model = EnsIRRegressor.from_cell_sums(sums)
    with pytest.raises(AttributeError, match=r"call solve\(\) or predict\(\)"):
        _ = model.weights_
    predicted = model.predict(named(X, names))
    save_table(model, tmp_path / "table.npz")
    np.testing.assert_array_equal(
        load_table(tmp_path / "table.npz").predict(named(X, names)), predicted
    )
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(named(X, names).iloc[:, ::-1])
    assert type(DaskEnsIRRegressor.from_cell_sums(sums)) is DaskEnsIRRegressor


def sums_of(**asked):
    X, y, weight, folds = stacked(500)
    columns, names = columns_of(X, y, weight, folds if asked.pop("folds", False) else None)
    asked = {"bin_width": 20.0, "data_range": RANGE} | asked
    return cell_sums(pl.LazyFrame(columns), **names, **asked)


@pytest.mark.parametrize(
    ("asked", "params", "message"),
    [
        ({}, {"bin_width": 32}, "bin_width == 32.0, must be 20.0 as in other rows"),
        ({}, {"bin_width": -1}, "bin_width == -1, must be > 0"),
        ({}, {"axes": "deviations"}, "axes == 'deviations', must be one of 'predictions'"),
        ({"axes": "deviations"}, {}, "axes == 'deviations' needs objective='squared_error'"),
        ({"objective": "squared_error"}, {}, "objective == 'likelihood' needs the histogram"),
        ({}, {"target_resolution": 0.5}, "target_resolution == 0.5, must be 0.078125"),
        (
            {"axes": ("predictions", "deviations"), "objective": "squared_error"},
            {"objective": "squared_error"},
            "axes has to be given: the sums are on deviations, predictions",
        ),
        (
            {"axes": "summary", "objective": "squared_error"},
            {"objective": "squared_error", "data_range": 1.0},
            r"data_range == 1, must be \S+ as in other rows that are already summed up on axes",
        ),
    ],
)
def test_parameters_that_ask_for_other_sums_are_an_error(asked, params, message):
    with pytest.raises(ValueError, match=message):
        EnsIRRegressor.from_cell_sums(sums_of(**asked), **params)


@pytest.mark.parametrize(
    ("asked", "params", "message"),
    [
        ({}, {}, "sums are of rows without folds: call cell_sums with folds"),
        ({"folds": True}, {"bin_widths": [16.0]}, "have other bin_widths"),
        ({"folds": True}, {"bin_widths": [20.0, 30.0]}, "have other bin_widths"),
        ({"folds": True}, {"objectives": ["likelihood"]}, "have other bin_widths"),
        ({"folds": True}, {"bin_widths": "auto", "shrink_to": "pooled"}, "have other bin_widths"),
        ({"folds": True}, {"scoring": "psnr"}, "scoring == 'psnr'"),
        (
            {"folds": True, "bin_width": {"deviations": 3, "predictions": 20}},
            {},
            "have other bin_widths",
        ),
    ],
)
def test_parameters_that_a_search_has_no_sums_for_are_an_error(asked, params, message):
    with pytest.raises(ValueError, match=message):
        EnsIRRegressorCV.from_cell_sums(sums_of(**asked), **params)


@pytest.mark.parametrize("make", [EnsIRRegressor, EnsIRRegressorCV])
def test_what_is_no_sums_is_an_error_that_says_so(make):
    for sums in (None, 3, stacked(10)[0]):
        with pytest.raises(
            TypeError, match=r"must be what skensir\.interop\.frames\.cell_sums returns"
        ):
            make.from_cell_sums(sums)


def altered(whole, **changes):
    """Return sums of which the first statistics are others."""
    (first, *line), *lines = whole.statistics
    return replace(whole, statistics=[[first._replace(**changes), *line], *lines])


DAMAGED = {
    "NaN": (lambda s, st: altered(s, sums=st.sums * np.nan), "sums of the sums must be finite"),
    "signs": (lambda s, st: altered(s, sums=-st.sums), "are of cells without rows"),
    "squares": (
        lambda s, st: altered(s, sums=st.sums * ([[1]] + [[-1]] * (len(st.sums) - 1))),
        "must not be negative where they are of squares",
    ),
    "fewer cells": (lambda s, st: altered(s, cells=st.cells[:-2]), "sums of the sums must have"),
    "order": (lambda s, st: altered(s, cells=st.cells[::-1].copy()), "in lexicographic order"),
    "list": (lambda s, st: altered(s, cells=st.cells.tolist()), "cells of the sums must have"),
    "width": (
        lambda s, st: altered(s, axes=st.axes._replace(bin_width=0.0)),
        "bin_width of the sums == 0.0, must be > 0",
    ),
    "number of models": (lambda s, st: altered(s, n_models=2), "cells of the sums must have"),
    "truth": (lambda s, st: altered(s, truth=3), "they hold values of other types"),
    "fewer names": (lambda s, st: replace(s, models=s.models[1:]), "n_models == 3, must be 2: one"),
    "range": (lambda s, st: replace(s, data_range=np.nan), "data_range == nan, must be > 0"),
    "pixels": (lambda s, st: replace(s, pixels=None), "they hold values of other types"),
    "nothing": (lambda s, st: replace(s, statistics=[]), "0 lines of statistics, must be"),
    "None": (lambda s, st: replace(s, statistics=None), "they hold values of other types"),
    "no axes": (
        lambda s, st: replace(s, statistics=[[] for _ in s.statistics]),
        r"axes == \[\], must be distinct",
    ),
    "one fold": (lambda s, st: replace(s, folds=[1]), "folds == .1. with 4 lines of stat"),
    "no folds": (lambda s, st: replace(s, folds=None), "folds == None with 4 lines"),
    "equal folds": (
        lambda s, st: replace(s, folds=[1, 1, 2, 3]),
        "distinct, with a line each",
    ),
    "folds unlike": (
        lambda s, st: replace(s, statistics=[s.statistics[0], *sums_of().statistics * 3]),
        "must be of the same sums in every fold",
    ),
}


@pytest.mark.parametrize("make", [EnsIRRegressor, EnsIRRegressorCV])
@pytest.mark.parametrize("damage", DAMAGED)
def test_sums_that_were_altered_are_told(make, damage):
    change, message = DAMAGED[damage]
    sums = sums_of(folds=True, axes="predictions")
    params = {"objective": "squared_error"} if make is EnsIRRegressor else {}
    make.from_cell_sums(pickle.loads(pickle.dumps(sums)), **params)
    with pytest.raises(ValueError, match=f"sums are not as cell_sums makes them: .*{message}"):
        make.from_cell_sums(change(sums, sums.statistics[0][0]), **params)
