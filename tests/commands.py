"""How the tests run a command, and what they ask of its errors."""

import re
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import get_args

from skensir.cli import (
    compare,
    demo,
    evaluate,
    figure,
    fit,
    import_released,
    inspect,
    main,
    predict,
    sample,
)

MODULES = (fit, predict, evaluate, compare, figure, inspect, import_released, demo, sample)


def run(*arguments):
    """Return the exit code of the command."""
    return main([str(argument) for argument in arguments])


def assert_one_sentence(capfd, message):
    """Check what the user sees: one line that says it, no traceback."""
    printed = capfd.readouterr()
    lines = [line for line in printed.err.splitlines() if re.match("skensir: (?!note: )", line)]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert "Traceback" not in printed.err
    assert "Error" not in lines[0]
    assert lines[0].endswith(".")


def assert_mistake(capsys, arguments, *words):
    """Check that a mistake costs exit code 2 and one sentence that contains the words."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"skensir: .+\.\n", captured.err)
    for word in words:
        assert word in captured.err


def paths_of(command):
    """Return the arguments that are files or folders, by how they are written."""
    parameters = dict(signature(command.run, eval_str=True).parameters)
    for function in command.passes_to:
        parameters |= signature(function, eval_str=True).parameters
    for usage in command.arguments:
        written = usage.split()[0]
        kind = parameters[written.split("/")[-1].lstrip("-").replace("-", "_")].annotation
        kinds = get_args(kind) if isinstance(kind, UnionType) else [kind]
        if Path in kinds or list[Path] in kinds:
            yield written
