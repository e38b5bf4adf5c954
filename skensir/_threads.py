"""Work shared out among threads of this process: NumPy and compiled loops leave the lock."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")
_MISSING = object()


class Helpers:
    """Threads that do some work beside the one that starts them.

    `threading`, and pools of it, would wait for a thread to begin, for ever if there is no memory
    for that. Here nobody waits for a thread that has not begun.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._begun: list[_Helper] = []
        self._has_ended = False

    def start(self, n_threads: int) -> None:
        """Start so many threads, or as many as the system allows."""
        with suppress(RuntimeError):  # which says that there can be no more
            for _ in range(n_threads):
                start_new_thread(self._help, ())

    def end(self) -> None:
        """Wait for the threads that have begun: they end their work, and others begin none.

        An interruption of this thread is raised when they have ended.
        """
        interruptions = []
        while not (self._has_ended and all(helper.has_ended for helper in self._begun)):
            try:
                self._has_ended = True
                for helper in self._begun:
                    helper.wait()
            except BaseException as error:
                interruptions.append(error)
        if interruptions:
            raise interruptions[0]

    def _help(self) -> None:
        helper = _Helper()
        self._begun.append(helper)
        try:
            if not self._has_ended:
                with suppress(MemoryError):  # the others do the work
                    self._work()
        finally:
            helper.end()


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

    The calling thread works as well. After an error no step begins any more. When all threads have
    ended, an interruption is raised, or the error of the first step that has one: all steps before
    it have been taken. Threads start in some 50 microseconds, where joblib's take milliseconds: as
    long as a whole image takes.
    """
    n_threads = min(n_threads, len(steps))
    if n_threads < 2:
        return [function(step) for step in steps]
    results: list[Any] = [_MISSING] * len(steps)
    errors: list[tuple[int, BaseException]] = []
    taking, left = allocate_lock(), iter(range(len(steps)))

    def work() -> None:
        number: int | None = 0
        while not errors:
            try:
                with taking:
                    number = next(left, None)
                if number is None:
                    return
                results[number] = function(steps[number])
            except BaseException as error:  # an interruption as well
                errors.append((number or 0, error))

    helpers = Helpers(work)
    try:
        helpers.start(n_threads - 1)
        work()
    except BaseException as error:
        errors.append((0, error))
    try:
        helpers.end()
    except BaseException as error:
        errors.append((0, error))
    if errors:
        raise min(errors, key=lambda one: (isinstance(one[1], Exception), one[0]))[1]
    if any(result is _MISSING for result in results):
        raise MemoryError("A thread had no memory to say what went wrong.")
    return results
