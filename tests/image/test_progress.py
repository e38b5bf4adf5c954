"""Steps that run several at a time come back in order, and end where one of them fails."""

import threading
import time

import pytest

from skensir.image.progress import in_parallel, n_cores


def working_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("skensir")]


@pytest.mark.parametrize("n_jobs", [1, 2, 7, None])
@pytest.mark.parametrize("n_steps", [0, 1, 3, 30])
def test_results_come_in_the_order_of_the_steps(n_jobs, n_steps):
    def slow_at_first(step):
        time.sleep(0.02 / (1 + step))
        return step * step

    results = list(in_parallel(slow_at_first, range(n_steps), "Squaring", n_jobs))
    assert results == [step * step for step in range(n_steps)]


def test_as_many_steps_as_jobs_run_at_a_time_and_few_results_wait():
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
    assert not working_threads()


def test_who_wants_no_more_ends_the_steps():
    begun = []
    for _ in in_parallel(begun.append, range(100), "Noting", 2):
        break
    assert len(begun) <= 4
    assert not working_threads()


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
    assert not working_threads()


def test_an_error_about_time_is_one_of_the_step():
    def fail(step):
        raise TimeoutError("the disk")

    with pytest.raises(TimeoutError, match="the disk"):
        list(in_parallel(fail, range(3), "Failing"))


def test_there_is_a_core():
    assert n_cores() >= 1
