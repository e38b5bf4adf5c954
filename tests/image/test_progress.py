"""Steps that run several at a time come back in order, and end where one of them fails."""

import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from threads import count_running, start_only

from skensir.image import step_queue
from skensir.image.progress import in_parallel, n_cores, side_by_side


@pytest.fixture(autouse=True)
def no_thread_is_left():
    n_threads = count_running()
    yield
    assert count_running() == n_threads


@pytest.fixture
def patient(monkeypatch):
    """Let a thread only do what it is called for, however slow the machine is."""
    monkeypatch.setattr(step_queue, "_MOMENT", 20)


@pytest.mark.parametrize("n_jobs", [1, 2, 7, None])
@pytest.mark.parametrize("n_steps", [0, 1, 3, 30])
def test_results_come_in_the_order_of_the_steps(n_jobs, n_steps):
    def slow_at_first(step):
        time.sleep(0.02 / (1 + step))
        return step * step

    results = list(in_parallel(slow_at_first, range(n_steps), "Squaring", n_jobs))
    assert results == [step * step for step in range(n_steps)]


def test_as_many_steps_as_jobs_run_at_a_time_and_few_results_wait(patient):
    running, most, begun = set(), [], []

    def note(step):
        begun.append(step)
        running.add(step)
        most.append(len(running))
        time.sleep(0.005)
        running.remove(step)

    results = in_parallel(note, range(40), "Noting", 3)
    for n_taken, _ in enumerate(results):
        time.sleep(0.002)
        assert len(begun) <= n_taken + 2 * 3
    assert max(most) == 3


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_the_first_error_ends_the_steps(n_jobs):
    begun = []

    def fail_at_five(step):
        begun.append(step)
        if step >= 5:
            time.sleep(0.01 * (step == 5))  # the others are faster
            raise ValueError(step)
        return step

    results, taken = in_parallel(fail_at_five, range(100), "Failing", n_jobs), []
    with pytest.raises(ValueError, match=r"^5$"):
        taken.extend(results)
    assert taken == list(range(5))
    assert max(begun) < 5 + n_jobs


def test_who_wants_no_more_ends_the_steps():
    begun = []
    for _ in in_parallel(begun.append, range(100), "Noting", 2):
        break
    assert len(begun) <= 4


def test_what_the_check_raises_ends_a_step_that_would_wait():
    release = threading.Event()
    n_checks = []

    def check():
        n_checks.append(1)
        if len(n_checks) == 3:
            release.set()
            raise KeyError

    with pytest.raises(KeyError):
        list(in_parallel(lambda _: release.wait(10), range(9), "Waiting", 2, check=check))


@pytest.mark.parametrize("n_begun", [0, 1, 2])
def test_threads_that_cannot_begin_are_done_without(n_begun, monkeypatch):
    """For want of memory they may also end before they have begun, and say nothing."""
    start_only(n_begun, monkeypatch)
    assert list(in_parallel(str, range(3), "Naming", 3)) == list("012")
    start_only(n_begun, monkeypatch)
    assert side_by_side(str, range(9)) == list("012345678")


def test_a_thread_without_memory_ends_between_two_steps(monkeypatch):
    """And the steps are done by whoever asks for their results."""
    main, done_by = threading.get_ident(), []

    def wait(*_):
        if threading.get_ident() == main:
            return usual(*_)
        raise MemoryError

    usual = threading.Condition.wait
    monkeypatch.setattr(threading.Condition, "wait", wait)
    results = in_parallel(lambda _: done_by.append(threading.get_ident()), range(9), "Noting", 2)
    next(results)
    time.sleep(0.05)  # in which the others do four steps, and would wait
    assert list(results) == [None] * 8
    assert done_by[4:] == [main] * 5


@pytest.mark.parametrize("n_begun", [0, 3])
def test_the_error_is_that_of_the_first_step_that_has_one(n_begun, monkeypatch):
    def fail(step):
        time.sleep(0.02 * (step == 1))  # the others are faster
        if step:
            raise ValueError(step)

    start_only(n_begun, monkeypatch)
    for together in (side_by_side, lambda *given: list(in_parallel(*given, "Failing", 4))):
        with pytest.raises(ValueError, match=r"^1$"):
            together(fail, range(9))


def test_no_library_starts_threads_of_its_own():
    """Such as tqdm, which would wait for one that has no memory to begin."""
    code = "; ".join(
        [
            "import sys",
            "from skensir.image.progress import in_parallel, progress",
            "print(*in_parallel(lambda _: len(sys._current_frames()), range(5), 'Noting', 2))",
            "print(*[len(sys._current_frames()) for _ in progress(range(2), 'Noting')])",
        ]
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    of_steps, of_bar = (set(line.split()) for line in found.stdout.splitlines())
    assert of_steps <= {"2", "3"}
    assert of_bar == {"1"}


def test_no_step_is_at_work_when_the_steps_have_ended():
    ended, begun = [], threading.Barrier(3)

    def work(step):
        if step:
            begun.wait(20)
            time.sleep(0.1)
            ended.append(step)

    results = in_parallel(work, range(3), "Working", 3)
    next(results)
    begun.wait(20)
    results.close()
    assert sorted(ended) == [1, 2]


def test_the_calling_thread_does_no_step_while_others_can(patient):
    """It has to show how far it is, and to look whether the user wants an end."""
    done_by = set()
    for _ in in_parallel(lambda _: done_by.add(threading.get_ident()), range(300), "Noting", 2):
        pass
    assert threading.get_ident() not in done_by


def test_results_are_not_kept():
    """They may be large, and few are there at a time."""
    made = []
    for result in in_parallel(np.zeros, [10] * 9, "Making", 2):
        made.append(weakref.ref(result))
        assert all(ref() is None for ref in made[:-2])


def test_side_by_side_has_a_thread_for_each_unless_several_work_already():
    together = threading.Barrier(3)
    side_by_side(lambda _: together.wait(20), range(3))

    def who(_):
        time.sleep(0.02)
        return threading.get_ident()

    [found] = in_parallel(lambda _: side_by_side(who, "ab"), "c", "Looking", 1)
    assert len(set(found)) == 1


def test_an_error_about_time_is_one_of_the_step():
    def fail(step):
        raise TimeoutError("the disk")

    with pytest.raises(TimeoutError, match="the disk"):
        list(in_parallel(fail, range(3), "Failing"))


def test_there_is_a_core():
    assert n_cores() >= 1
