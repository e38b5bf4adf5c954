"""On dask collections everything is as in memory, but for where the rows are."""

import os
import pickle
import signal
import subprocess
import sys
import warnings
import weakref
from itertools import pairwise

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from skensir import EnsIRRegressor, EnsIRRegressorCV

cloudpickle = pytest.importorskip("cloudpickle", reason="dask is not installed here")
dask = pytest.importorskip("dask", reason="dask is not installed here")
da = pytest.importorskip("dask.array", reason="no dask arrays here")
dd = pytest.importorskip("dask.dataframe", reason="no dask data frames here")

from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV  # noqa: E402

NAMES = ["MPRNet", "MAXIM", "Restormer"]
EXACT = ["bin_width_", "cells_", "cell_counts_", "cell_origin_", "n_iter_", "converged_"]
CLOSE = ["weights_", "cell_rmse_", "means_", "variances_", "default_weights_", "default_rmse_"]


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def assert_same_table(model, other):
    for name in EXACT:
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name), err_msg=name)
    for name in CLOSE:
        expected = np.asarray(getattr(other, name))
        atol = 1e-9 * np.abs(expected).max()
        np.testing.assert_allclose(getattr(model, name), expected, atol=atol, err_msg=name)


def stacked(n_rows=3000, *, seed=0):
    """Predictions whose best weights depend on their value, truth and sample weights."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + np.where(y[:, None] < 128, [2, 5, 9], [9, 5, 2]) * rng.normal(size=(n_rows, 3))
    return X, y, rng.integers(0, 3, n_rows).astype(float)


def in_chunks(*arrays, chunks=700):
    return [da.from_array(array, chunks=(chunks, *array.shape[1:])) for array in arrays]


def as_frame(X, y, weight, **others):
    return pd.DataFrame(X, columns=NAMES).assign(y=y, weight=weight, **others)


@st.composite
def chunks_of(draw, n_rows):
    """Draw sizes of chunks that fill the rows; some may be empty."""
    cuts = draw(st.lists(st.integers(0, n_rows), max_size=12))
    return tuple(int(size) for size in np.diff([0, *sorted(cuts), n_rows]))


# Whole numbers, so that no count and no step of EM depends on the order of a sum.
@given(
    naive.stacks(whole=True, max_models=6, max_rows=150, outliers=False),
    st.sampled_from(["likelihood", "squared_error"]),
    st.data(),
)
def test_table_is_that_of_fit_however_rows_and_models_are_chunked(stack, objective, data):
    X, y, weight, bin_width = stack
    params = {"bin_width": bin_width, "objective": objective, "max_iter": 20, "shrinkage": 3.0}
    models = data.draw(st.integers(1, X.shape[1]))
    lazy_X = da.from_array(X, chunks=(data.draw(chunks_of(len(X))), models))
    lazy_y = da.from_array(y, chunks=(data.draw(chunks_of(len(y))),))
    if weight is not None:
        weight = da.from_array(weight, chunks=(data.draw(chunks_of(len(y))),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = EnsIRRegressor(**params).fit(X, y, stack.sample_weight)
        model = DaskEnsIRRegressor(**params).fit(lazy_X, lazy_y, weight)
    assert_same_table(model, plain)
    assert model.n_features_in_ == X.shape[1]
    predicted = model.predict(lazy_X)
    assert predicted.chunks == lazy_X.chunks[:1]
    largest = np.abs(X.astype(float)).max()
    np.testing.assert_allclose(predicted.compute(), plain.predict(X), atol=1e-9 * largest)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_data_frames_give_the_same_table_too(seed, n_parts, n_other_parts, in_memory_order):
    X, y, weight = stacked(300, seed=seed)
    frame = as_frame(X, y, weight)
    frame.index = np.arange(300) if in_memory_order else np.arange(300) * 0.5 - 7
    whole = dd.from_pandas(frame, npartitions=n_parts)
    apart = dd.from_pandas(frame.weight, npartitions=n_other_parts)  # other divisions
    plain = EnsIRRegressor().fit(frame[NAMES], y, weight)
    model = DaskEnsIRRegressor().fit(whole[NAMES], whole.y, apart)
    assert_same_table(model, plain)
    assert model.feature_names_in_.tolist() == NAMES


# dask's readers with pandas 3.1
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")
def test_files_whose_lengths_nobody_knows_are_matched_part_by_part(tmp_path):
    """Also where dask would read several files as one, since few of their columns are asked for."""
    X, y, weight = stacked()
    frame = as_frame(X, y, weight)
    for folder, n_others in (("predictions", 5), ("truth", 20)):
        others = pd.DataFrame({f"other {number}": y for number in range(n_others)})
        (tmp_path / folder).mkdir()
        for number, (start, stop) in enumerate(pairwise((0, 500, 1700, 2100, 3000))):
            rows = pd.concat([frame, others], axis=1).iloc[start:stop]
            rows.to_parquet(tmp_path / folder / f"{number}.parquet", index=False)
    lazy, other = (dd.read_parquet(tmp_path / folder) for folder in ("predictions", "truth"))
    assert not lazy.known_divisions
    table = lazy[[*NAMES, "y", "weight"]].to_dask_array()
    assert np.isnan(table.shape[0])
    plain = EnsIRRegressor().fit(X, y, weight)
    for data in (
        (lazy[NAMES], lazy.y, lazy.weight),
        (lazy[NAMES], other.y, other.weight),
        (lazy[NAMES], other.y, lazy.weight),
        (table[:, :3], table[:, 3], table[:, 4]),
    ):
        assert_same_table(DaskEnsIRRegressor().fit(*data), plain)
    search = DaskEnsIRRegressorCV(cv=3).fit(lazy[NAMES], other.y, lazy.weight)
    assert_same_results(search, EnsIRRegressorCV(cv=3).fit(X, y, weight))
    predicted = search.predict(lazy[NAMES])
    assert predicted.npartitions == lazy.npartitions


def test_arrays_and_series_may_be_mixed():
    X, y, weight = stacked()
    frame = dd.from_pandas(as_frame(X, y, weight), npartitions=4)
    lazy_X, lazy_y = in_chunks(X, y, chunks=750)
    plain = EnsIRRegressor().fit(X, y, weight)
    assert_same_table(DaskEnsIRRegressor().fit(frame[NAMES], lazy_y, frame.weight), plain)
    assert_same_table(DaskEnsIRRegressor().fit(lazy_X, frame.y, frame.weight), plain)


def whole_then_not():
    """Truth of whole numbers in the first chunks, of others in the last."""
    X, y, _ = stacked()
    return X, np.where(np.arange(len(y)) < 1400, np.rint(y), y)


def test_chunks_of_whole_truth_and_others_make_one_grid():
    X, y = whole_then_not()
    assert (y[:1400] == np.rint(y[:1400])).all()
    for objective in ("likelihood", "squared_error"):
        plain = EnsIRRegressor(objective=objective).fit(X, y)
        assert_same_table(DaskEnsIRRegressor(objective=objective).fit(*in_chunks(X, y)), plain)
    scores = [
        model.fit(*data).cv_results_["mean_test_score"]
        for model, data in (
            (EnsIRRegressorCV([8, 512], objectives=["likelihood"]), (X, y)),
            (DaskEnsIRRegressorCV([8, 512], objectives=["likelihood"]), in_chunks(X, y)),
        )
    ]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-9)


def test_chunks_keep_their_dtype(monkeypatch):
    seen = set()
    sum_up = EnsIRRegressor._sum_up

    def spy(self, X, y, sample_weight):
        seen.add((X.dtype.str, y.dtype.str))
        return sum_up(self, X, y, sample_weight)

    monkeypatch.setattr(EnsIRRegressor, "_sum_up", spy)
    X, y, _ = stacked()
    pixels = np.clip(np.rint(X), 0, 255).astype(np.uint8)
    DaskEnsIRRegressor().fit(*in_chunks(pixels, y.astype(np.uint8)))
    assert seen == {("|u1", "|u1")}
    frame = dd.from_pandas(as_frame(X.astype(np.float32), y, y), npartitions=3)
    seen.clear()
    DaskEnsIRRegressor().fit(frame[NAMES], frame.y)
    assert seen == {("<f4", "<f8")}


def test_chunks_without_rows_or_without_weight_add_nothing():
    X, y, weight = stacked()
    weight[700:1400] = 0
    plain = EnsIRRegressor().fit(X, y, weight)
    lazy = in_chunks(X, y, weight)
    assert_same_table(DaskEnsIRRegressor().fit(*lazy), plain)
    kept = (np.arange(3000) // 700) % 2 == 0
    lazily_kept = da.from_array(kept, chunks=700)
    some = [array[lazily_kept] for array in lazy]  # every other chunk is empty
    assert np.isnan(some[0].shape[0])
    model = DaskEnsIRRegressor().fit(*some)
    assert_same_table(model, EnsIRRegressor().fit(X[kept], y[kept], weight[kept]))
    for method in (model.predict, model.predict_weights):
        np.testing.assert_array_equal(method(some[0]).compute(), method(X[kept]))


def test_partial_fit_and_merge_go_on_with_other_rows():
    X, y, weight = stacked()
    half = slice(None, 1500), slice(1500, None)
    whole = EnsIRRegressor().fit(X, y, weight)
    parts = [[array[rows] for array in (X, y, weight)] for rows in half]
    lazy = [in_chunks(*part) for part in parts]
    model = DaskEnsIRRegressor().partial_fit(*lazy[0])
    assert_same_table(model.partial_fit(*lazy[1]), whole)
    local = DaskEnsIRRegressor().fit(*lazy[0]).to_local()
    assert type(local) is EnsIRRegressor
    assert_same_table(local, EnsIRRegressor().fit(*parts[0]))
    assert_same_table(local.partial_fit(*parts[1]), whole)
    merged = DaskEnsIRRegressor().fit(*lazy[0]).merge(EnsIRRegressor().fit(*parts[1]))
    assert_same_table(merged, whole)
    assert_same_table(EnsIRRegressor().fit(*parts[0]).merge(merged.fit(*lazy[1])), whole)


def test_to_local_of_an_unfitted_estimator_is_unfitted():
    local = DaskEnsIRRegressor(8, shrinkage=3).to_local()
    assert local.get_params() == EnsIRRegressor(8, shrinkage=3).get_params()
    with pytest.raises(NotFittedError):
        local.predict([[1.0, 2.0, 3.0]])


def test_blocks_may_be_given_to_the_plain_estimator_one_by_one():
    """As dask-ml's Incremental does: `partial_fit` in order, each call waiting for the last."""
    X, y, _ = stacked()
    lazy_X, lazy_y = in_chunks(X, y)

    def step(model, *block):
        return pickle.loads(pickle.dumps(model)).partial_fit(*block)

    model = dask.delayed(EnsIRRegressor())
    blocks = zip(lazy_X.to_delayed().ravel(), lazy_y.to_delayed().ravel(), strict=True)
    for block in blocks:
        model = dask.delayed(step)(model, *block)
    assert_same_table(model.compute(), EnsIRRegressor().fit(X, y))


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_prediction_is_lazy_and_that_of_the_plain_estimator(kind):
    X, y, weight = stacked()
    computed = []

    def visit(part):
        computed.append(len(part))
        return part

    if kind == "array":
        data, y_chunks = X, 700
        lazy = in_chunks(X)[0]
        visited = lazy.map_blocks(visit, meta=np.empty((0, 0)))
        expected_chunks = lazy.chunks[0]
    else:
        data, y_chunks = as_frame(X, y, weight)[NAMES], 600
        lazy = dd.from_pandas(data, npartitions=5)
        visited = lazy.map_partitions(visit, meta=data.iloc[:0])
        expected_chunks = (np.nan,) * 5
    plain = EnsIRRegressor(16).fit(data, y)
    model = DaskEnsIRRegressor(16).fit(lazy, *in_chunks(y, chunks=y_chunks))
    mean, std = model.predict(visited, return_std=True)
    lazies = {
        "prediction": (model.predict(visited), plain.predict(data)),
        "prediction with std": (mean, plain.predict(data)),
        "std": (std, plain.predict(data, return_std=True)[1]),
        "weights": (model.predict_weights(visited), plain.predict_weights(data)),
    }
    assert computed == []
    for name, (collection, expected) in lazies.items():
        assert isinstance(collection, da.Array), name
        assert collection.dtype == collection._meta.dtype == np.float64
        assert collection.ndim == collection._meta.ndim == expected.ndim
        np.testing.assert_array_equal(collection.chunks[0], expected_chunks)
        np.testing.assert_allclose(collection.compute(), expected, atol=1e-9, err_msg=name)
    assert lazies["weights"][0].chunks[1] == (3,)
    computed.clear()
    dask.compute(mean, std)
    assert sum(computed) == len(X)  # the rows are visited once for both


def test_rows_are_made_once_where_predictions_and_truth_come_from_one_frame():
    """Such as one of which every partition is what networks predict for an image."""
    made = []

    def predict_image(frame):
        made.append(len(frame))
        return frame

    frame = as_frame(*stacked())
    lazy = dd.from_pandas(frame, npartitions=4).map_partitions(predict_image, meta=frame.iloc[:0])
    DaskEnsIRRegressor().fit(lazy[NAMES], lazy.y, lazy.weight)
    assert sum(made) == len(frame)


def test_the_table_is_in_the_graph_once_however_many_chunks_there_are():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 255, (20_000, 3))
    model = DaskEnsIRRegressor(4).fit(*in_chunks(X, X[:, 0], chunks=1000))
    table = model.to_local()
    del table._statistics
    unseen = da.zeros((200, 3), chunks=(2, 3))
    for lazy in (model.predict(unseen), model.predict_weights(dd.from_dask_array(unseen))):
        tasks = dict(lazy.__dask_graph__()).values()
        assert len(tasks) >= 100
        size = sum(len(cloudpickle.dumps(task)) for task in tasks)
        assert len(pickle.dumps(table)) < size < 2 * len(pickle.dumps(table))


def test_score_is_that_of_the_plain_estimator():
    X, y, weight = stacked()
    lazy = in_chunks(X, y, weight)
    plain, model = EnsIRRegressor().fit(X, y), DaskEnsIRRegressor().fit(*lazy[:2])
    assert model.score(*lazy[:2]) == pytest.approx(plain.score(X, y), rel=1e-12)
    assert model.score(*lazy) == pytest.approx(plain.score(X, y, weight), rel=1e-12)
    frame = dd.from_pandas(as_frame(X, y, weight), npartitions=4)
    model.fit(frame[NAMES], frame.y)
    assert model.score(frame[NAMES], frame.y) == pytest.approx(plain.score(X, y), rel=1e-12)
    far = 2.0**40
    near = r2_score(y, plain.predict(X))
    model.fit(*in_chunks(X + far, y + far))
    assert model.score(*in_chunks(X + far, y + far)) == pytest.approx(near, rel=1e-3)
    with np.errstate(all="raise"):
        assert model.score(*in_chunks(X + far, np.full(len(y), far))) == 0


# Plain data are treated as by the plain estimators.
@parametrize_with_checks([DaskEnsIRRegressor(), DaskEnsIRRegressorCV()])
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def replaced(array, value):
    array = array.copy()
    array.flat[2000] = value
    return array


@pytest.mark.parametrize("make", [DaskEnsIRRegressor, DaskEnsIRRegressorCV])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, w: (replaced(X, np.nan), y, w), "Input X contains NaN"),
        (lambda X, y, w: (replaced(X, np.inf), y, w), "Input X contains infinity"),
        (lambda X, y, w: (X, replaced(y, np.nan), w), "Input y contains NaN"),
        (lambda X, y, w: (X, y, replaced(w, np.nan)), "sample_weight contains NaN"),
        (lambda X, y, w: (X, y, replaced(w, -1)), r"Negative values in sample_weight.* -1\.0"),
        (lambda X, y, w: (X, y, 0 * w), "sample_weight"),
        (lambda X, y, w: (X, y[:-1], w), "y has 2999 rows, must have 3000 as X"),
        (lambda X, y, w: (X, y, w[:-1]), "sample_weight has 2999 rows, must have 3000 as X"),
        (
            lambda X, y, w: (X[:, 0], y, w),
            r"X is .* of shape \(3000,\), must be a dask array of two",
        ),
        (
            lambda X, y, w: (X, X, w),
            r"y is .* of shape \(3000, 3\), must be a dask array or series",
        ),
        (lambda X, y, w: (X[:0], y[:0], w[:0]), "rows"),
    ],
)
def test_bad_data_are_an_error_of_fit_that_says_what_is_wrong(make, change, message):
    with pytest.raises(ValueError, match=message):
        make().fit(*in_chunks(*change(*stacked())))


def test_data_that_are_not_lazy_beside_lazy_ones_are_an_error_that_names_them():
    X, y, weight = stacked()
    lazy_X, lazy_y = in_chunks(X, y)
    message = r"is of type numpy\.ndarray of shape \(3000,\), must be a dask array or series"
    with pytest.raises(ValueError, match="y " + message):
        DaskEnsIRRegressor().fit(lazy_X, y)
    with pytest.raises(ValueError, match="sample_weight " + message):
        DaskEnsIRRegressor().fit(lazy_X, lazy_y, weight)
    with pytest.raises(ValueError, match=r"y is of type builtins\.NoneType, must be a dask array"):
        DaskEnsIRRegressor().fit(lazy_X, None)
    with pytest.raises(ValueError, match=r"X is of type dask\..*Delayed.*, must be a dask array"):
        DaskEnsIRRegressor().fit(dask.delayed(X), lazy_y)


@pytest.mark.parametrize("make", [DaskEnsIRRegressor, DaskEnsIRRegressorCV])
@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_lengths_that_only_the_chunks_know_are_an_error_that_names_the_argument(make, name):
    X, y, weight = in_chunks(*stacked())
    chosen = X[:, 0] > 20
    lazy = {"X": X[chosen], "y": y[chosen], "sample_weight": weight[chosen]}
    make().fit(**lazy)
    other = {"y": y, "sample_weight": weight}[name]
    with pytest.raises(ValueError, match=rf"{name} has \d00 rows in a chunk where X has \d+"):
        make().fit(**lazy | {name: other})
    with pytest.raises(ValueError, match=f"{name} has 3 chunks, must have 5 as X"):
        make().fit(**lazy | {name: other.rechunk(1200)})


def test_parameters_are_checked_before_anything_is_computed():
    lazy_X, lazy_y = in_chunks(*stacked()[:2])
    lazy_X = lazy_X.map_blocks(pytest.fail, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="bin_width == -1, must be > 0"):
        DaskEnsIRRegressor(-1).fit(lazy_X, lazy_y)
    with pytest.raises(ValueError, match="objective == 'psnr'"):
        DaskEnsIRRegressorCV([8], objectives=["psnr"]).fit(lazy_X, lazy_y)


def test_names_of_the_models_are_checked_before_prediction():
    X, y, weight = stacked()
    frame = dd.from_pandas(as_frame(X, y, weight), npartitions=3)
    model = DaskEnsIRRegressor().fit(frame[NAMES], frame.y)
    for method in (model.predict, model.predict_weights):
        with pytest.raises(ValueError, match="must be in the same order"):
            method(frame[NAMES[::-1]])
        with pytest.raises(ValueError, match="unseen at fit time:\n- y"):
            method(frame[[*NAMES, "y"]])
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            lazy = method(in_chunks(X)[0])
        lazy.compute()  # without another word
    with pytest.raises(ValueError, match="X has 2 features, but DaskEnsIRRegressor is expecting 3"):
        DaskEnsIRRegressor().fit(*in_chunks(X, y)).predict(in_chunks(X[:, :2])[0])
    with pytest.raises(NotFittedError):
        DaskEnsIRRegressor().predict_weights(in_chunks(X)[0])


def assert_same_results(model, other):
    assert list(model.cv_results_) == list(other.cv_results_)
    assert model.cv_results_["params"] == other.cv_results_["params"]
    for key, expected in other.cv_results_.items():
        if key.endswith("test_score") and not key.startswith("rank"):  # there rounding decides
            np.testing.assert_allclose(model.cv_results_[key], expected, rtol=1e-9, err_msg=key)
    assert model.best_params_ == other.best_params_
    assert model.n_splits_ == other.n_splits_
    for name, gain in other.gains_.items():
        assert model.gains_[name] == pytest.approx(gain, rel=1e-6)
    assert_same_table(model.best_estimator_, other.best_estimator_)


def grouped(kind, *, whole):
    """Return X, y, weights and groups twice: in memory and lazy."""
    X, y, weight = stacked(1200)
    if whole:
        X, y = np.rint(X).astype(np.int32), np.rint(y).astype(np.int32)
    groups = np.random.default_rng(1).integers(0, 6, len(y)) ** 2  # of different sizes
    if kind == "frame":
        frame = as_frame(X, y, weight, scene=np.char.add("scene ", groups.astype(str)))
        lazy = dd.from_pandas(frame, npartitions=4)
        return [[f[NAMES], f.y, f.weight, f.scene] for f in (frame, lazy)]
    arrays = [X, y, weight, groups]
    lazies = in_chunks(*arrays, chunks=250)
    if kind == "array of unknown lengths":
        lazies = [array[lazies[0][:, 0] > 30] for array in lazies]
        arrays = [array[X[:, 0] > 30] for array in arrays]
    return arrays, lazies


@pytest.mark.filterwarnings("ignore:EM came to max_iter")
@pytest.mark.parametrize("kind", ["array", "array of unknown lengths", "frame"])
@pytest.mark.parametrize(
    ("cv", "bin_widths", "objectives"),
    [
        (None, "auto", ["squared_error"]),
        (3, [20.0, 40.0, 60.0], ["likelihood", "squared_error"]),
        (KFold(4), [16, 512], ["likelihood"]),
        (LeaveOneGroupOut(), "auto", ["squared_error"]),
        (LeaveOneGroupOut(), [30.0], ["likelihood"]),
        (GroupKFold(3), [24, 32, 64], ["squared_error"]),
    ],
)
def test_cross_validation_has_the_results_of_the_plain_estimator(kind, cv, bin_widths, objectives):
    whole = objectives == ["likelihood"]
    (*data, groups), (*lazy, lazy_groups) = grouped(kind, whole=whole)
    if not isinstance(cv, LeaveOneGroupOut | GroupKFold):
        groups = lazy_groups = None
    params = {"shrinkages": (0, 100), "cv": cv, "objectives": objectives, "max_iter": 20, "tol": 0}
    plain = EnsIRRegressorCV(bin_widths, **params).fit(*data, groups=groups)
    model = DaskEnsIRRegressorCV(bin_widths, **params).fit(*lazy, groups=lazy_groups)
    assert_same_results(model, plain)
    assert type(model.best_estimator_) is DaskEnsIRRegressor
    predicted = model.predict(lazy[0])
    assert isinstance(predicted, da.Array)
    np.testing.assert_allclose(predicted.compute(), plain.predict(data[0]), atol=1e-9)
    assert model.score(*lazy) == pytest.approx(plain.score(*data), rel=1e-9)
    local = model.to_local()
    assert type(local) is EnsIRRegressorCV
    assert type(local.best_estimator_) is EnsIRRegressor
    np.testing.assert_array_equal(local.predict(data[0]), predicted.compute())


def test_one_pass_sums_up_all_folds_and_widths_and_another_only_looks():
    X, y, _ = stacked()
    visited = []

    def visit(part):
        visited.append(len(part))
        return part

    lazy_X, lazy_y = in_chunks(X, y)
    lazy_X = lazy_X.map_blocks(visit, meta=np.empty((0, 0)))
    DaskEnsIRRegressorCV([20.0, 30.0, 40.0, 50.0]).fit(lazy_X, lazy_y)
    assert sum(visited) == len(X)
    visited.clear()
    DaskEnsIRRegressorCV().fit(lazy_X, lazy_y)
    assert sum(visited) == 2 * len(X)


@pytest.mark.parametrize(
    ("cv", "grouped", "message"),
    [
        (ShuffleSplit(3), False, r"cv == ShuffleSplit.* must be None, a number of folds or KFold"),
        (KFold(3, shuffle=True), False, "cv == KFold.* none of them shuffled"),
        ([([0, 1], [2, 3])], False, r"cv == \[.* must be None, a number of folds or KFold"),
        (None, True, r"cv == None does not use groups, must be LeaveOneGroupOut\(\) or GroupKFold"),
        (
            LeaveOneGroupOut(),
            False,
            r"cv == LeaveOneGroupOut\(\) needs groups",
        ),
        (4000, False, "cv asks for 4000 folds, must be at most the 3000 rows"),
        (GroupKFold(3), True, "groups has 2 different values, must have at least 3"),
    ],
)
def test_splits_that_cannot_be_made_chunk_by_chunk_are_an_error(cv, grouped, message):
    X, y, groups = stacked()
    lazy_X, lazy_y, lazy_groups = in_chunks(X, y, groups > 0)
    with pytest.raises(ValueError, match=message):
        DaskEnsIRRegressorCV(cv=cv).fit(lazy_X, lazy_y, groups=lazy_groups if grouped else None)


def test_groups_are_checked_too():
    X, y, weight = stacked()
    model = DaskEnsIRRegressorCV(cv=LeaveOneGroupOut())
    lazy_X, lazy_y, groups = in_chunks(X, y, replaced(weight, np.nan))
    with pytest.raises(ValueError, match="Input groups contains NaN"):
        model.fit(lazy_X, lazy_y, groups=groups)
    with pytest.raises(ValueError, match="groups has 2999 rows, must have 3000 as X"):
        model.fit(lazy_X, lazy_y, groups=groups[1:])
    with pytest.raises(ValueError, match="groups has 1 different values, must have at least 2"):
        model.fit(lazy_X, lazy_y, groups=in_chunks(np.zeros(3000))[0])


# Chunks of rows that are alive in this process, and the most that were so at a time.
ALIVE, MOST_ALIVE = set(), [0]
N_CHUNKS, CHUNK = 24, 5000


def make_rows(what, accident=None, block_info=None):
    """Make a chunk of X or y, of rows that exist nowhere else, and count those of X."""
    number = block_info[None]["chunk-location"][0]
    if number == N_CHUNKS // 2 and accident and not os.path.exists(accident):
        with open(accident, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    X, y, _ = stacked(CHUNK, seed=number)
    if what == "y":
        return y
    ALIVE.add(id(X))
    MOST_ALIVE[0] = max(MOST_ALIVE[0], len(ALIVE))
    weakref.finalize(X, ALIVE.discard, id(X))
    return X


def generated(accident=None):
    rows = (CHUNK,) * N_CHUNKS
    X = da.map_blocks(make_rows, "X", accident, chunks=(rows, (3,)), meta=np.empty((0, 0)))
    return X, da.map_blocks(make_rows, "y", chunks=(rows,), meta=np.empty(0))


@pytest.fixture(scope="module")
def plain_of_generated():
    with dask.config.set(scheduler="synchronous"):
        return EnsIRRegressor().fit(*dask.compute(*generated()))


def most_alive():
    return MOST_ALIVE[0]


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_local_schedulers_give_the_same_table(scheduler, plain_of_generated):
    MOST_ALIVE[0] = 0
    with dask.config.set(scheduler=scheduler, num_workers=2):
        model = DaskEnsIRRegressor().fit(*generated())
        assert_same_table(model, plain_of_generated)
        if scheduler == "threads":
            assert 1 <= MOST_ALIVE[0] <= 4  # of 24: two are worked on


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed", reason="distributed is not installed here")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_worker_processes_give_the_same_table_and_hold_a_few_chunks(client, plain_of_generated):
    X, y = generated()
    with dask.config.set(scheduler="distributed"):
        assert_same_table(DaskEnsIRRegressor().fit(X, y), plain_of_generated)
        mean = plain_of_generated.predict(X.compute(scheduler="synchronous")).mean()
        model = DaskEnsIRRegressor().merge(plain_of_generated)
        assert model.predict(X).mean().compute() == pytest.approx(mean, rel=1e-12)
    for most in client.run(most_alive).values():
        assert 1 <= most <= 4  # of 24


def test_a_worker_that_dies_half_way_changes_nothing(client, plain_of_generated, tmp_path):
    accident = tmp_path / "accident"
    X, y = generated(str(accident))
    with dask.config.set(scheduler="distributed"):
        model = DaskEnsIRRegressor().fit(X, y)
    assert accident.exists()
    assert_same_table(model, plain_of_generated)


def test_errors_come_back_from_worker_processes(client):
    X, y = generated()
    with (
        dask.config.set(scheduler="distributed"),
        pytest.raises(ValueError, match="Input X contains NaN"),
    ):
        DaskEnsIRRegressor().fit(da.where(X > 250, np.nan, X), y)


def test_without_dask_the_import_says_what_to_install():
    script = "import sys; sys.modules['dask'] = None; import skensir.interop.dask"
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert 'ImportError: skensir.interop.dask needs dask: pip install "skensir[dask]"' in (
        result.stderr
    )


@pytest.mark.parametrize("value", [0.0, 7.0, 255.0])
def test_score_on_constant_truth_is_that_of_the_plain_estimator(value):
    X, y, _ = stacked()
    plain, (lazy_X, lazy_y) = EnsIRRegressor().fit(X, y), in_chunks(X, np.full(len(X), value))
    model = DaskEnsIRRegressor().fit(*in_chunks(X, y))
    assert model.score(lazy_X, lazy_y) == plain.score(X, np.full(len(X), value)) == 0.0


def test_truth_in_memory_beside_lazy_predictions_is_an_error_that_names_it():
    X, y, _ = stacked()
    lazy_X, lazy_y = in_chunks(X, y)
    for name, arguments in (("y", (pd.Series(y), None)), ("sample_weight", (lazy_y, pd.Series(y)))):
        with pytest.raises(ValueError, match=f"{name} is .*Series.*must be a dask array or series"):
            DaskEnsIRRegressor().fit(lazy_X, *arguments)
