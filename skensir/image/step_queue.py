"""Steps that threads share, and that are done even if no thread has the memory to begin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")
_MISSING = object()
_MOMENT = 0.1  # seconds, after which a thread looks round even if nobody has called it


class StepQueue(Generic[Step, Result]):
    """Steps that threads take one after the other, and what comes of them.

    It takes no memory to tell what came of a step, so a thread that has none left ends between two
    steps. A step that none takes is for whoever asks for its result.
    """

    def __init__(self, function: Callable[[Step], Result], steps: Sequence[Step]) -> None:
        self._function = function
        self._steps = steps
        self._results: list[Any] = [_MISSING] * len(steps)
        self._errors: list[BaseException | None] = [None] * len(steps)
        self._changed = threading.Condition()
        self._n_begun = self._n_allowed = 0
        self._has_ended = False

    def may_begin(self, n_steps: int) -> None:
        """Let so many steps begin, of which the earlier ones have."""
        with self._changed:
            self._n_allowed = min(n_steps, len(self._steps))
            self._changed.notify_all()

    def end(self) -> None:
        """Let no step begin any more."""
        self._has_ended = True
        with self._changed:
            self._changed.notify_all()

    def work(self) -> None:
        """Take steps until the last has begun."""
        while True:
            with self._changed:
                while self._n_begun == self._n_allowed < len(self._steps) and not self._has_ended:
                    self._changed.wait(_MOMENT)
                if self._has_ended or self._n_begun == len(self._steps):
                    return
                number = self._n_begun
                self._n_begun = number + 1
            self._do(number)

    def result(self, number: int, check: Callable[[], None]) -> Result:
        """Return the result of a step when it is there, once."""
        check()
        while not self._is_done(number):
            with self._changed:
                is_called = self._is_done(number) or self._changed.wait(_MOMENT)
                is_left = self._n_begun == number and not is_called
                self._n_begun += is_left
            check()
            if is_left:
                self._do(number)
        if (error := self._errors[number]) is not None:
            raise error
        result: Result = self._results[number]
        self._results[number] = None  # which may be large
        return result

    def _is_done(self, number: int) -> bool:
        return self._results[number] is not _MISSING or self._errors[number] is not None

    def _do(self, number: int) -> None:
        try:
            self._results[number] = self._function(self._steps[number])
        except BaseException as error:
            self._errors[number] = error
            self._has_ended = True  # at once, and not when those before it have been yielded
        with self._changed:
            self._changed.notify_all()
