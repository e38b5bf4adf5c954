"""From the command line to a command, and from errors to one sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from skensir import __version__
from skensir.cli import compare, demo, evaluate, figure, fit, import_released, inspect, predict
from skensir.cli.arguments import add_command
from skensir.cli.common import CommandError


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise the message for `main` to print."""
        raise CommandError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def _make_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="skensir",
        description="Combine the predictions of several models by a lookup table of weights.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for command in (fit, predict, evaluate, compare, figure, inspect, import_released, demo):
        add_command(commands, command.COMMAND)
    return parser


def _sentence(error: Exception) -> str:
    """Return what went wrong in one line; errors of the system name the file first."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    text = str(error)
    # What Python code would pass is an option here.
    text = text.replace("crop=True", "--crop").replace("include_input=False", "--no-input")
    text = text.replace("pass its name as target, or target=None for predictions alone", "--target")
    return " ".join(text.split())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        0 after success, 2 after a mistake of the user, 130 after an interruption.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # we say in one sentence what is wrong
    try:
        # A command is a function whose parameters have the names of its options.
        options = vars(_make_parser().parse_args(argv))
        options.pop("run")(**options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has had enough; nor can the interpreter write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CommandError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"skensir: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # what a shell expects of an interrupted program
    return 0
