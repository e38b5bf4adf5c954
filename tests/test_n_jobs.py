"""Threads change nothing but the time: tables, sums and predictions are equal to the last bit."""

import threading
import time
from unittest import mock

import joblib
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed, parallel_config
from noisy_images import images
from numpy.testing import assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from threads import count_running, start_only

from skensir import EnsIRRegressor, EnsIRRegressorCV, _jobs, _threads
from skensir._core import combine as combine_module
from skensir._jobs import count_threads
from skensir._sums import accumulate as accumulate_module
from skensir._sums import matrices as matrices_module
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import KINDS, Axes
from skensir._threads import in_threads
from skensir.image import ImageEnsemble

MANY_CORES = mock.patch.object(_jobs, "_n_cores", return_value=8)


@given(
    stack=naive.stacks(max_models=4),
    kind=st.sampled_from(KINDS),
    size=st.integers(1, 20),
    waiting=st.integers(0, 9),
    at_once=st.integers(1, 5),
    n_threads=st.integers(2, 5),
    resolution=st.sampled_from([None, 0.7]),
    many=st.sampled_from([0, 20]),
)
def test_sums_do_not_depend_on_threads_nor_on_how_many_chunks_are_looked_up_at_once(
    stack, kind, size, waiting, at_once, n_threads, resolution, many
):
    def sum_up(n_threads):
        axes = Axes(stack.bin_width, kind)
        return accumulate(
            *stack[:3],
            axes=axes,
            target_resolution=resolution,
            with_errors=True,
            n_threads=n_threads,
        )

    with (
        mock.patch.object(accumulate_module, "row_chunks", naive.in_chunks(size)),
        mock.patch.object(accumulate_module, "_MAX_WAITING", waiting),
        mock.patch.object(accumulate_module, "_BATCH", at_once),
        mock.patch.object(accumulate_module, "_MANY_MODELS", many),
        mock.patch.object(matrices_module, "row_chunks", naive.in_chunks(size)),
        mock.patch.object(matrices_module, "_MAX_WAITING", waiting),
    ):
        one, other = sum_up(1), sum_up(n_threads)
        with mock.patch.object(accumulate_module, "_BATCH", 1):
            one_by_one = sum_up(1)
    for sums in (other, one_by_one):
        assert_array_equal(sums.cells, one.cells)
        assert_array_equal(sums.sums, one.sums)
    if resolution is not None:
        for field, expected in zip(other.truth, one.truth, strict=True):
            assert_array_equal(field, expected)


def rows(n_rows, dtype=np.float64, n_models=3):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    X = y[:, None] + rng.normal(size=(n_rows, n_models)) * np.geomspace(2, 8, n_models)
    return X.clip(0, 255).astype(dtype), y


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "estimator",
    [
        EnsIRRegressor(),
        EnsIRRegressor(8, objective="squared_error", shrink_to="parent", shrinkage=30),
        EnsIRRegressorCV(cv=3),
    ],
)
def test_estimators_are_the_same_with_any_n_jobs(estimator, dtype):
    X, y = rows(100_000, dtype)
    estimator.set_params(n_jobs=None).fit(X, y)
    expected = *estimator.predict(X, return_std=True), estimator.predict_weights(X)
    with MANY_CORES:
        for n_jobs in (2, 3, -1):
            estimator.set_params(n_jobs=n_jobs).fit(X, y)
            found = *estimator.predict(X, return_std=True), estimator.predict_weights(X)
            for one, other in zip(found, expected, strict=True):
                assert_array_equal(one, other)


@pytest.mark.parametrize("axis", [-1, 0, 1, None])
@pytest.mark.parametrize("regressor", [None, EnsIRRegressorCV(), LinearRegression()])
def test_images_are_the_same_with_any_n_jobs(axis, regressor):
    predictions, targets = images(n_channels=None if axis is None else 3)
    if axis is not None:
        predictions = [
            np.moveaxis(image, -1, axis + 1 if axis >= 0 else -1) for image in predictions
        ]
        targets = [np.moveaxis(image, -1, axis) for image in targets]
    alone = ImageEnsemble(regressor, channel_axis=axis).fit(predictions, targets)
    with MANY_CORES, mock.patch.object(combine_module, "row_chunks", naive.in_chunks(100)):
        several = ImageEnsemble(regressor, channel_axis=axis, n_jobs=3).fit(predictions, targets)
        found = several.predict(predictions)
    for one, other in zip(alone.predict(predictions), found, strict=True):
        assert_array_equal(one, other)
    assert getattr(several.regressors_[0], "n_jobs", 3) in (3, None)


def test_no_thread_is_more_than_asked_for():
    running, most, lock = 0, 0, threading.Lock()
    barrier = threading.Barrier(3)

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 3:
            barrier.wait(20)  # three do run at a time
        with lock:
            running -= 1
        return number

    assert in_threads(work, range(20), 3) == list(range(20))
    assert most == 3


MOMENTS = {"start": (_threads, "start_new_thread"), "wait": (_threads._Helper, "wait")}


@pytest.mark.parametrize("error", [ValueError("step 5"), KeyboardInterrupt()])
def test_the_first_error_ends_the_work_and_no_thread_is_left(error):
    done, n_threads = [], count_running()

    def work(number):
        if number == 5:
            raise error
        done.append(number)

    with pytest.raises(type(error)) as caught:
        in_threads(work, range(10_000), 4)
    assert caught.value is error
    assert len(done) < 10_000
    assert count_running() == n_threads


@pytest.mark.parametrize("moment", ["start", "wait"])
def test_an_interruption_while_threads_start_or_end_leaves_none(moment, monkeypatch):
    """As Ctrl-C may come at any moment, not only in the work."""
    n_threads, done, main = count_running(), [], threading.get_ident()
    usual = getattr(*MOMENTS[moment])

    def interrupted(*arguments):
        monkeypatch.setattr(*MOMENTS[moment], usual)
        if moment == "start":
            usual(*arguments)
        raise KeyboardInterrupt

    def work(number):
        done.append(number)  # this thread is done first, and has to wait for the others
        time.sleep(0.001 if threading.get_ident() == main else 0.05)

    monkeypatch.setattr(*MOMENTS[moment], interrupted)
    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(500), 3)
    assert moment == "wait" or len(done) < 500
    assert count_running() == n_threads


@pytest.mark.parametrize("n_begun", [0, 1])
def test_threads_that_cannot_begin_are_done_without(n_begun, monkeypatch):
    """For want of memory they may also end before they have begun, and say nothing."""
    start_only(n_begun, monkeypatch)
    assert in_threads(str, range(100), 9) == list(map(str, range(100)))


def test_n_jobs_means_what_joblib_says():
    with MANY_CORES:
        assert [count_threads(n_jobs) for n_jobs in (None, 1, 3, 99)] == [1, 1, 3, 8]
        assert count_threads(-1) == min(8, joblib.cpu_count())
    with MANY_CORES, parallel_config(n_jobs=4):
        assert count_threads(None) == 4
        assert count_threads(2) == 2


def test_workers_of_a_search_do_not_start_threads_of_their_own():
    for backend in ("loky", "threading"):
        found = Parallel(2, backend=backend)(delayed(count_threads)(n) for n in (None, 2, -1))
        assert found == [1, 1, 1] or backend == "loky"
        assert max(found) <= max(1, joblib.cpu_count() // 2)


def test_a_search_over_a_grid_finds_the_same_with_threads_within_processes():
    X, y = rows(3000)
    grid = {"bin_width": [64, 128]}
    results = [
        GridSearchCV(
            EnsIRRegressor(min_samples_cell=5, n_jobs=inner), grid, cv=3, n_jobs=outer
        ).fit(X, y)
        for inner, outer in ((None, None), (2, 2))
    ]
    scores = [search.cv_results_["mean_test_score"] for search in results]
    assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("n_jobs", "error", "message"),
    [
        (0, ValueError, "n_jobs == 0, must be None, or a whole number that is not zero"),
        (1.5, TypeError, r"n_jobs == 1\.5, must be None, or a whole number"),
        ("all", TypeError, "n_jobs == 'all', must be None, or a whole number"),
    ],
)
def test_an_n_jobs_that_is_none_is_an_error_before_any_work(n_jobs, error, message):
    X, y = rows(300)
    for estimator in (EnsIRRegressor(), EnsIRRegressorCV()):
        with pytest.raises(error, match=message):
            estimator.set_params(n_jobs=n_jobs).fit(X, y)
        assert not hasattr(estimator, "n_features_in_")
    with pytest.raises(error, match=message):
        ImageEnsemble(n_jobs=n_jobs).fit(*images())
