"""Work shared out among threads of this process: NumPy and compiled loops leave the lock."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")
_MISSING = object()


class _Helper:
    """A thread that has begun, to be waited for."""

    def __init__(self) -> None:
        self.has_ended = False
        self._at_work = allocate_lock()
        self._at_work.acquire()

    def end(self) -> None:
        self.has_ended = True
        self._at_work.release()

    def wait(self) -> None:
        while not self.has_ended:  # an interruption may come with the lock
            self._at_work.acquire(timeout=0.1)


def in_threads(
    function: Callable[[Step], Result], steps: Sequence[Step], n_threads: int = 1
) -> list[Result]:
    """Return what a function makes of each step, in their order, whoever has made it.

    The calling thread works as well. After an error no step begins any more, and the first one is
    raised when all threads have ended. Threads start in some 50 microseconds, where joblib's take
    milliseconds: as long as a whole image takes.
    """
    n_threads = min(n_threads, len(steps))
    if n_threads < 2:
        return [function(step) for step in steps]
    results: list[Any] = [_MISSING] * len(steps)
    errors: list[BaseException] = []
    taking, left = allocate_lock(), iter(range(len(steps)))
    helpers: list[_Helper] = []  # that have begun
    ended: list[bool] = []

    def work() -> None:
        while not errors:
            try:
                with taking:
                    number = next(left, None)
                if number is None:
                    return
                results[number] = function(steps[number])
            except BaseException as error:  # an interruption as well
                errors.append(error)

    def help_out() -> None:
        helper = _Helper()
        helpers.append(helper)
        try:
            if not ended:
                work()
        finally:
            helper.end()

    # `threading` would wait for a thread to begin, for ever if there is no memory for that.
    try:
        with suppress(RuntimeError):  # no more can be had: those that are there do the work
            for _ in range(n_threads - 1):
                start_new_thread(help_out, ())
        work()
    except BaseException as error:  # an interruption
        errors.append(error)
    while not all(helper.has_ended for helper in helpers) or not ended:
        try:
            ended.append(True)  # whoever has not begun has nothing to do
            for helper in helpers:
                helper.wait()
        except BaseException as error:  # the threads end with their steps, and we after them
            errors.append(error)
    if errors:
        raise errors[0]
    if any(result is _MISSING for result in results):
        raise MemoryError("A thread had no memory to say what went wrong.")
    return results
