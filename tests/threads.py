"""How the tests count threads, and keep them from beginning."""

import sys
import time

from skensir import _threads

_start = _threads.start_new_thread


def count_running():
    """Return the number of threads, those that `threading` has not started too."""
    time.sleep(0.05)  # which end after they have told that their work is done
    return len(sys._current_frames())


def start_only(n_begun, monkeypatch):
    """Let so many threads begin; one more ends at once, and then none can be had."""
    left = list(range(n_begun + 1))

    def start(function, arguments):
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        return _start(function if left else lambda: None, arguments)

    monkeypatch.setattr(_threads, "start_new_thread", start)
