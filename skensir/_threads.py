"""Work shared out among threads of this process: NumPy and compiled loops leave the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")


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
    results: list[Result | None] = [None] * len(steps)
    errors: list[BaseException] = []
    lock, left = threading.Lock(), iter(range(len(steps)))

    def work() -> None:
        while not errors:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                results[number] = function(steps[number])
            except BaseException as error:  # an interruption as well
                errors.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(n_threads - 1)]
    try:
        for thread in threads:
            thread.start()
        work()
    except BaseException as error:  # an interruption, or that no more threads can be had
        errors.append(error)
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except BaseException as error:  # the threads end with their steps, and we after them
                errors.append(error)
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]
