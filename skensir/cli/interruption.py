"""Ctrl-C, SIGTERM and SIGHUP as something to ask for, so that nothing is left half done."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager

TYPE_CHECKING = False  # see skensir/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import Any, Self

_SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if hasattr(signal, "SIGHUP"):  # not on Windows
    _SIGNALS += (signal.SIGHUP,)


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], Any], *signals: signal.Signals
) -> Iterator[None]:
    """Have signals handled so meanwhile, but for those that are ignored, as in the background."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other can
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def ending_at_signals() -> AbstractContextManager[None]:
    """End the program at once if it is asked to while libraries are loaded.

    What Python raises at Ctrl-C may be lost there, or come out as an error of the library.
    """
    return _handled_by(lambda number, _: os._exit(128 + number), *_SIGNALS)


def ignore_signals() -> None:
    """Let what comes after the work end in peace."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """The user or the system has asked the program to end."""


class Interruption:
    """Whether the program has been asked to end, while this context lasts.

    An exception out of nowhere, as Python makes of Ctrl-C, may strike anywhere and be lost in a
    library. Here the signal is noted, and whoever works asks by `check` where it can end.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._noting = _handled_by(self._note, *_SIGNALS)

    def __enter__(self) -> Self:
        self._noting.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._noting.__exit__(*error)

    def check(self) -> None:
        """Raise Interrupted if the program is to end."""
        if self.signal is not None:
            raise Interrupted

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal has ended."""
        return 128 + (self.signal or 0)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number


class Leaving(Interruption):
    """Leave the program by an exception when it is asked to end, so that nothing is half done.

    A library may make another error of the exception, so one asks `signal` what it was. What asks
    again within a second asks for nothing else: a terminal that is closed says so twice.
    """

    _since: float  # of the clock

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and time.monotonic() < self._since + 1:
            return
        self._since = time.monotonic()
        super()._note(number, frame)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(self.exit_code)
