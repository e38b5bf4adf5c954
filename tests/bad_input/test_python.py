"""Whatever an argument of a public callable is given, it is taken or refused by one sentence."""

import contextlib
import os
import pickle
import re
from unittest import mock

import numpy as np
import pytest
from fault_table import ARGUMENTS, LAZY, LAZY_OR_NOTHING
from hypothesis import settings
from right_calls import arguments_of, class_of, public_callables, right_calls

CALLABLES = public_callables()
CALLS = right_calls()
# Plain records of what functions return, which hold what they are given.
RECORDS = {"demo.RestoredPhotograph", "image.Worth", "interop.frames.CellSums"}
# Checked by tests of their own.
ELSEWHERE = {"interop.torch.EnsembleModule.forward": "tests/interop/test_torch.py"}
# What takes long, and must not have begun.
WORK = (
    "skensir._fitted_table.accumulate",
    "skensir._ensir_cv.sum_up_folds",
    "skensir._ensir_cv.pass_over",
    "skensir.baselines.pooled_error_moments",
    "skensir.image.ensemble.read_images",
    "skensir.interop.dask.compute_sum",
)
# What Dask has in chunks.
LAZY_ARGUMENTS = ("X", "y", "sample_weight", "groups")
# What shows only when rows are looked at.
LATE = {"near overflow"}
LATE_ARGUMENTS = {"channel_axis"}
# With the quick profile each callable is tried with one in so many faults, others than the next.
PART = 4
IS_THOROUGH = settings().max_examples > 100


def kind_of(name, argument):
    """Return what the table says of an argument, of this callable or of all."""
    if name.startswith("interop.dask") and name.count(".") > 2 and argument in LAZY_ARGUMENTS:
        return LAZY if argument in ("X", "y") else LAZY_OR_NOTHING
    parts = name.removeprefix("interop.dask.Dask").split(".")
    for end in range(len(parts), 0, -1):
        for start in range(end):
            found = ARGUMENTS.get(".".join([*parts[start:end], argument]))
            if found is not None:
                return found
    return ARGUMENTS[argument]


def cases():
    """Return name and argument of each case, those of a constructor for ** parameters."""
    tried = set()
    for name, function in CALLABLES.items():
        own_function = getattr(function, "__func__", function)
        if name in RECORDS or name in ELSEWHERE or own_function in tried:
            continue  # an inherited method is tried once
        tried.add(own_function)
        for argument in arguments_of(function):
            if argument == "**params":
                own = class_of(name.split(".")[-2])
                yield from ((name, "**" + parameter) for parameter in arguments_of(own))
            else:
                yield name, argument


CASES = list(cases())


def test_the_table_has_every_argument_of_every_public_callable():
    assert set(CALLABLES) - RECORDS - set(ELSEWHERE) == set(CALLS)
    assert [case for case in CASES if kind_of(case[0], case[1].lstrip("*")) is None] == []


def test_the_table_has_no_argument_that_is_not_there():
    arguments = {argument.lstrip("*") for _, argument in CASES}
    assert {key.split(".")[-1] for key in ARGUMENTS} <= arguments | {"*images"}


def is_same(before, after):
    """Tell whether a state is as before."""
    return (
        after[0].keys() == before[0].keys()
        and all(after[0][key] is before[0][key] for key in before[0])
        and after[1] == before[1]
    )


def state_of(thing):
    """Return what must be as before: attributes, and their content where it can be pickled."""
    attributes = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    with contextlib.suppress(Exception):
        return attributes, pickle.dumps(thing)
    return attributes, None


def what_is_wrong(said, pattern, argument):
    """Return what is wrong with a sentence, nothing if it is right."""
    for known, name in (("name", argument), ("single", argument.removesuffix("s"))):
        pattern = pattern.replace(f"{{{known}}}", name)
    if not re.search(pattern, said):
        return f"does not fit to {pattern}"
    if not (said.isprintable() or "feature names" in said):  # which scikit-learn has in lines
        return "is not one line"
    return "is long" if len(said) > 500 else ""


@pytest.mark.parametrize(("name", "argument"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_a_fault_is_taken_or_refused_by_a_sentence(name, argument, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call, place = CALLS[name], CASES.index((name, argument))
    own = argument.lstrip("*")
    right = None if call.of_owner else call.arguments().get(own)
    faults = list(kind_of(name, own).faults(right))
    tried = faults if IS_THOROUGH else faults[place % PART :: PART]
    wrong = {
        fault: found
        for fault, value, pattern in tried
        if (
            found := outcome(
                call,
                own,
                value,
                pattern,
                late=fault in LATE or own in LATE_ARGUMENTS,
                either=own != argument,
            )
        )
    }
    assert wrong == {}


def outcome(call, argument, value, pattern, *, late, either):
    """Return what is wrong with what comes of a call, nothing if it is right."""
    thing, method = call.prepare(**{argument: value})
    before, files = state_of(thing), os.listdir()
    given = [value for value in method.keywords.values() if type(value) is np.ndarray]
    arrays = [(array, array.copy()) for array in given]
    with contextlib.ExitStack() as stack:
        if pattern is not None and call.of_owner and not late:
            for place in WORK:
                stack.enter_context(mock.patch(place, side_effect=AssertionError("work")))
        try:
            method()
        except OSError as error:  # in the words of the system, with the path
            said = str(error)[:100]
        except (TypeError, ValueError) as error:
            said = str(error)
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"
        else:
            return "" if pattern is None or either else "is taken"
    if pattern is None and not either:
        return f"is refused: {said}"
    if found := what_is_wrong(said, "{single}" if either else pattern, argument):
        return f"{found}: {said}"
    if not is_same(before, state_of(thing)):
        return "alters the object"
    if os.listdir() != files:
        return "leaves files"
    return (
        ""
        if all(array.tobytes() == copy.tobytes() for array, copy in arrays)
        else "alters its arguments"
    )
