"""How the tests run a command, and what they ask of its errors."""

import re

from skensir.cli import main


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
