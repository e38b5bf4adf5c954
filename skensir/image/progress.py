"""A bar of progress over images, one after the other or several at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from skensir._optional import import_optional
from skensir._threads import Helpers, in_threads
from skensir.image.step_queue import StepQueue

Step = TypeVar("Step")
Result = TypeVar("Result")


def progress(steps: Iterable[Step], label: str) -> Iterator[Step]:
    """Return the steps behind a bar: on a terminal only, and gone when it is full."""
    return iter(_bar(steps, label))


def _bar(steps: Iterable[Any] | None, label: str, total: int | None = None) -> Any:
    """Return a bar of tqdm, which starts no thread: that may wait for memory for ever."""
    tqdm = import_optional("tqdm", "A bar of progress").tqdm
    quiet = type("Bar", (tqdm,), {"monitor_interval": 0})
    return quiet(steps, label, total, leave=False, disable=None, miniters=1)


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
    n_threads = min(n_jobs or n_cores(), max(1, len(steps)))
    queue = StepQueue(function, steps)
    helpers = Helpers(queue.work)
    try:
        with _bar(None, label, len(steps)) as bar:
            helpers.start(n_threads)
            for number in range(len(steps)):
                queue.may_begin(number + 2 * n_threads)
                result = queue.result(number, check)
                bar.update()
                yield result
    finally:
        queue.end()
        helpers.end()


def side_by_side(function: Callable[[Step], Result], steps: Sequence[Step]) -> list[Result]:
    """Return what a function makes of each step, a thread for each.

    In a thread of `in_parallel` it is one after the other: the cores have work already.
    """
    is_main = threading.get_ident() == threading.main_thread().ident
    return in_threads(function, steps, len(steps) if is_main else 1)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
