"""Tables fitted on dask collections are those of fit in memory."""

import pickle
import warnings
from itertools import pairwise

import naive
import numpy as np
import pandas as pd
import pytest
from dask_chunks import (
    NAMES,
    as_frame,
    assert_same_results,
    assert_same_table,
    da,
    dask,
    dd,
    in_chunks,
    stacked,
)
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV

pytestmark = pytest.mark.usefixtures("in_this_thread")


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


@share_of_cases(3 / 8)
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
            (EnsIRRegressorCV([8, 512], objectives=["likelihood"], cv=5), (X, y)),
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
