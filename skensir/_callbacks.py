"""Progress of `fit`: scikit-learn's callbacks where it has them, lines of text where asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from skensir._track import Track

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn before 1.9
    _with_callbacks = None

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's, without callbacks to support."""


def with_callbacks(method: Method) -> Method:
    """Let scikit-learn's callbacks follow a `fit`, in versions that have them."""
    return method if _with_callbacks is None else cast(Method, _with_callbacks(method))


@contextmanager
def fit_progress(estimator: Any, n_stages: int, **data: Any) -> Iterator[Track]:
    """Announce a fit of so many stages; yield the function that reports the steps of a stage.

    It has the form of `skensir._track.Track`. A callback that asks to stop ends a stage
    that may stop after the step.
    """
    root = None
    if hasattr(estimator, "_init_callback_context"):
        root = estimator._init_callback_context(max_subtasks=n_stages)
        root.call_on_fit_task_begin(estimator=estimator, **data)

    def track(steps: Sequence[Any], name: str, may_stop: bool = False) -> Iterable[Any]:
        told = _print_progress(estimator, steps, name) if estimator.verbose > 1 else steps
        if root is None:
            return told
        stage = root.subcontext(task_name=name, max_subtasks=len(steps))
        return _call_back(estimator, stage, told, may_stop)

    yield track
    if root is not None:
        root.call_on_fit_task_end(estimator=estimator, **data)


def _call_back(estimator: Any, stage: Any, steps: Iterable[Any], may_stop: bool) -> Iterator[Any]:
    """Pass the steps on, each a task of its own below that of the stage."""
    stage.call_on_fit_task_begin(estimator=estimator)
    try:
        for step in steps:
            task = stage.subcontext().call_on_fit_task_begin(estimator=estimator)
            try:
                yield step
            finally:  # also where the loop is left early, as EM does when it has converged
                stop = task.call_on_fit_task_end(estimator=estimator)
            if stop and may_stop:
                break
    finally:
        stage.call_on_fit_task_end(estimator=estimator)


def _print_progress(estimator: Any, steps: Sequence[Any], name: str) -> Iterator[Any]:
    """Pass the steps on and print a line after every tenth of them."""
    tenth = max(1, len(steps) // 10)
    for number, step in enumerate(steps, 1):
        yield step
        if number % tenth == 0 or number == len(steps):
            print(f"[{type(estimator).__name__}] {name}: {number} of {len(steps)}", flush=True)
