"""A bar of progress over images, one after the other or several at a time."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from skensir._optional import import_optional

Step = TypeVar("Step")
Result = TypeVar("Result")


def progress(steps: Iterable[Step], label: str) -> Iterator[Step]:
    """Return the steps behind a bar: on a terminal only, and gone when it is full."""
    tqdm = import_optional("tqdm", "A bar of progress").tqdm
    return iter(tqdm(steps, label, leave=False, disable=None))


def in_parallel(
    function: Callable[[Step], Result],
    steps: Sequence[Step],
    label: str,
    n_jobs: int | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield what a function makes of each step, in their order, behind a bar.

    Threads do so: reading, writing and tables leave the interpreter's lock. No step begins while
    twice as many results as threads wait to be asked for. The first step that raises an error, or
    whoever asks for no more results, ends the others: those that have begun end first.

    Parameters
    ----------
    function : callable
        Is called with a step, by several threads at a time.
    steps : sequence
        What to do.
    label : str
        The text of the bar, which is shown on a terminal only.
    n_jobs : int, default=None
        Number of threads; None is one for each core.
    check : callable
        Is called about ten times a second in the thread that asks; what it raises ends the steps.
    """
    n_jobs = n_jobs or n_cores()
    tqdm = import_optional("tqdm", "A bar of progress").tqdm
    pool = ThreadPoolExecutor(min(n_jobs, max(1, len(steps))), thread_name_prefix="skensir")
    waiting: deque[Future[Result]] = deque()
    last = len(steps)

    def call(number: int) -> Result:
        nonlocal last
        if number > last:
            raise CancelledError
        try:
            return function(steps[number])
        except BaseException:
            last = min(last, number)  # at once, and not when those before it have been yielded
            raise

    try:
        with tqdm(total=len(steps), desc=label, leave=False, disable=None) as bar:
            for number in range(len(steps)):
                while len(waiting) < 2 * n_jobs and number + len(waiting) < len(steps):
                    waiting.append(pool.submit(call, number + len(waiting)))
                result = _result(waiting.popleft(), check)
                bar.update()
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def side_by_side(function: Callable[[Step], Result], steps: Sequence[Step]) -> list[Result]:
    """Return what a function makes of each step, a thread for each.

    In a thread of `in_parallel` it is one after the other: the cores have work already.
    """
    if threading.current_thread() is not threading.main_thread():
        return list(map(function, steps))
    with ThreadPoolExecutor(max(1, len(steps))) as pool:
        return list(pool.map(function, steps))


def _result(future: Future[Result], check: Callable[[], None]) -> Result:
    """Return the result of a step when it is there."""
    check()
    while not future.done():
        wait([future], timeout=0.1)
        check()
    return future.result()


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
