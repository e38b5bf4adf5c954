"""Prediction and score on dask collections are lazy, and those in memory."""

import pickle

import numpy as np
import pytest
from dask_chunks import NAMES, as_frame, cloudpickle, da, dask, dd, in_chunks, stacked
from sklearn.metrics import r2_score

from skensir import EnsIRRegressor
from skensir.interop.dask import DaskEnsIRRegressor

pytestmark = pytest.mark.usefixtures("in_this_thread")


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
    plain = EnsIRRegressor(32).fit(data, y)
    model = DaskEnsIRRegressor(32).fit(lazy, *in_chunks(y, chunks=y_chunks))
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
    DaskEnsIRRegressor(data_range=255).fit(lazy[NAMES], lazy.y, lazy.weight)
    assert sum(made) == len(frame)
    made.clear()
    DaskEnsIRRegressor().fit(lazy[NAMES], lazy.y, lazy.weight)  # it looks for the range first
    assert sum(made) == 2 * len(frame)


def test_the_table_is_in_the_graph_once_however_many_chunks_there_are():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 255, (20_000, 3))
    model = DaskEnsIRRegressor(4, objective="squared_error", min_samples_cell=0)
    model.fit(*in_chunks(X, X[:, 0], chunks=1000))
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


@pytest.mark.parametrize("value", [0.0, 7.0, 255.0])
def test_score_on_constant_truth_is_that_of_the_plain_estimator(value):
    X, y, _ = stacked()
    plain, (lazy_X, lazy_y) = EnsIRRegressor().fit(X, y), in_chunks(X, np.full(len(X), value))
    model = DaskEnsIRRegressor().fit(*in_chunks(X, y))
    assert model.score(lazy_X, lazy_y) == plain.score(X, np.full(len(X), value)) == 0.0
