"""Many threads and processes at one estimator: they predict the same, to the last bit."""

import multiprocessing
import os
import pickle
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skensir import EnsIRRegressor, EnsIRRegressorCV, _jobs

IS_LONG = settings.get_current_profile_name() == "thorough"


def rows(n_rows, dtype=np.float64):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, 3)) * [2, 4, 8]
    return X.clip(0, 255).astype(dtype), y


@pytest.fixture
def often_switching():
    """Let threads take turns far more often than they usually do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def all_at_once(*functions):
    """Call the functions in threads of their own, which begin together, and return the results."""
    barrier = threading.Barrier(len(functions))

    def call(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [task.result() for task in [pool.submit(call, function) for function in functions]]


@pytest.mark.parametrize(
    ("estimator", "n_times"),
    [
        (EnsIRRegressor(min_samples_cell=1), 8),
        (EnsIRRegressorCV([64.0], axes=["predictions"], data_range=255), 2),
    ],
)
def test_threads_may_all_be_the_first_to_predict(estimator, n_times, often_switching):
    """The table is solved then; whoever looks meanwhile finds all of it or none."""
    X, y = rows(1000)
    expected = None
    for _ in range(50 * n_times if IS_LONG else n_times):
        model = clone(estimator)
        for part in range(4):
            model.partial_fit(X[part::4], y[part::4])
        expected = pickle.loads(pickle.dumps(model)).predict(X) if expected is None else expected

        def reload(model=model):
            copies = [pickle.loads(pickle.dumps(model)) for _ in range(5)]
            clone(model)
            return copies[-1].predict(X)

        predict = [lambda model=model: model.predict(X)] * 8
        for found in all_at_once(*predict, reload):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("no_numba", ["", "1"])
def test_many_threads_predict_with_one_estimator(no_numba, monkeypatch, often_switching):
    monkeypatch.setenv("SKENSIR_NO_NUMBA", no_numba)
    monkeypatch.setattr(_jobs, "_n_cores", lambda: 4)
    n_times = 500 if IS_LONG else 3
    X, y = rows(2**16 + 5, np.uint8)  # enough for compiled loops
    model = EnsIRRegressor(n_jobs=2).fit(X, y)
    few = X[:100]
    expected = model.predict(X)

    def predict():
        for number in range(n_times):
            chosen = few if number % 5 else X
            np.testing.assert_array_equal(model.predict(chosen), expected[: len(chosen)])

    def fit():
        own = EnsIRRegressor(n_jobs=2).fit(X, y)
        np.testing.assert_array_equal(own.predict(X), expected)

    def reload():
        for _ in range(n_times):
            np.testing.assert_array_equal(
                pickle.loads(pickle.dumps(model)).predict(few), expected[:100]
            )

    all_at_once(*[predict] * 8, fit, fit, reload)


def predict_and_fit(model, X, y):
    return model.predict(X), EnsIRRegressor(n_jobs=2).fit(X, y).predict(X)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"] if IS_LONG else ["fork"])
def test_forked_processes_predict_and_fit_after_threads_have(start, monkeypatch):
    monkeypatch.setattr(_jobs, "_n_cores", lambda: 4)
    X, y = rows(2**16 + 5, np.uint8)
    model = EnsIRRegressor(n_jobs=2).fit(X, y)
    expected = model.predict(X)
    assert ("numba" in sys.modules) >= (find_spec("numba") is not None)
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        tasks = [pool.submit(predict_and_fit, model, X, y) for _ in range(3)]
        for task in tasks:
            for found in task.result(timeout=300):
                np.testing.assert_array_equal(found, expected)


class DiesInWorker(EnsIRRegressor):
    """An estimator whose worker is killed, as a system does that is out of memory."""

    def fit(self, X, y):
        if self.min_samples_cell == 1.0 and os.environ.get("NO_WORKER") != str(os.getpid()):
            os.kill(os.getpid(), 9)
        return super().fit(X, y)


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.skipif(not IS_LONG, reason="to start workers takes ten seconds")
@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs were given:UserWarning")
def test_a_worker_of_joblib_that_is_killed_is_told_and_the_next_search_works(monkeypatch):
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    X, y = rows(600)
    estimator = DiesInWorker(32.0)
    monkeypatch.setenv("NO_WORKER", str(os.getpid()))
    before = estimator.get_params()
    search = GridSearchCV(estimator, {"min_samples_cell": [1.0, 20.0]}, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError):
        search.fit(X, y)
    assert estimator.get_params() == before
    assert set(vars(estimator)) == set(before)
    assert not hasattr(search, "best_estimator_")
    search.set_params(param_grid={"min_samples_cell": [5.0, 20.0]})
    assert len(search.fit(X, y).predict(X)) == 600
