"""From the command line to a command, and from errors to one sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, NoReturn

from skensir import __version__
from skensir._checks import in_one_line
from skensir._text import printable
from skensir.cli.arguments import add_command
from skensir.cli.common import CommandError
from skensir.cli.interruption import Leaving, ending_at_signals
from skensir.cli.outputs import check_outputs
from skensir.cli.sentences import in_options, tell, warnings_as_notes

# The modules of the commands; that of the one which is called is loaded alone.
_COMMANDS = (
    "fit",
    "predict",
    "evaluate",
    "compare",
    "figure",
    "inspect",
    "import_released",
    "demo",
    "sample",
)

# What argparse says, by its pattern, and how we say it.
_SAID: dict[str, str] = {
    r"the following arguments are required: command": "Name a command",
    r"the following arguments are required: ([^,]+)": r"\1 is missing",
    r"the following arguments are required: (.+)": r"\1 are missing",
    r"argument command: invalid choice: ('.*?') .*": r"There is no command \1",
    r"argument (?:.+/)?(\S+): expected (?:at least )?one argument": r"\1 needs a value",
    r"argument (?:.+/)?(\S+): ignored explicit argument ('.*')": r"\1 takes no value, not even \2",
    r"ambiguous option: (\S+) could match (.+)": r"\1 may be one of \2",
}


# What is told in a sentence; of the last what `threading` says, whose error has no class.
_TOLD = (CommandError, ValueError, OSError, ImportError, MemoryError, RuntimeError)
_NO_THREAD = ("can't start new thread",)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, without the usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # What argparse takes for a number and no option: here lists such as -1,0,4,4 as well.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        """Raise what `main` is to print."""
        for pattern, said in _SAID.items():
            if match := re.fullmatch(pattern, message):
                message = match.expand(said)
                break
        raise CommandError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a help; argparse passes over what cannot be written, which is an error here."""
        print(message, end="", file=file, flush=True)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the values of an argument; argparse takes that of ``--option=--`` for none."""
        if action.nargs is None and arg_strings == ["--"]:
            self.error(f"argument {'/'.join(action.option_strings)}: expected one argument")
        return super()._get_values(action, arg_strings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments; what is not known is an error of the command that got it."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            raise CommandError(
                f"{self.prog} has no argument {' '.join(unknown)!r}; see {self.prog} --help."
            )
        return parsed, unknown


def _make_parser(called: str | None) -> argparse.ArgumentParser:
    """Return the parser of the command that is called, or of all if there is none such."""
    parser: argparse.ArgumentParser = _Parser(
        prog="skensir",
        description="Combine the predictions of several models by a lookup table of weights.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    known = [name for name in _COMMANDS if name.replace("_", "-") == called]
    for name in known or _COMMANDS:
        with ending_at_signals():
            module = import_module(f"skensir.cli.{name}")
        add_command(commands, module.COMMAND)
    return parser


def _sentence(error: Exception, options: Collection[str]) -> str:
    """Return what went wrong in one line; errors of the system name the file first."""
    if isinstance(error, OSError) and error.strerror is not None:
        if error.filename is None and isinstance(error, FileNotFoundError):  # of `os.getcwd`
            return "The current folder is not there any more: change to another one."
        return f"{error.filename or 'standard output'}: {error.strerror}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for what the files hold."
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
        return f"A library cannot be loaded, perhaps for want of memory: {in_one_line(str(error))}"
    if isinstance(error, RuntimeError):
        return "The system lets this program start no more threads."
    return in_options(str(error), options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        0 after success, 2 after a mistake of the user or a failure of the system; 130 after
        Ctrl-C, 143 after SIGTERM and 129 after SIGHUP.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # we say in one sentence what is wrong
    with Leaving() as leaving:
        try:
            return _run(sys.argv[1:] if argv is None else list(argv), leaving)
        except BaseException:
            if leaving.signal is None:
                raise
            return leaving.exit_code  # what a shell expects of an interrupted program


def _run(arguments: list[str], leaving: Leaving) -> int:
    """Run a command, and return the exit code after a mistake too."""
    options: dict[str, Any] = {}
    try:
        # A command is a function whose parameters have the names of its options.
        options = vars(_make_parser(next(iter(arguments), None)).parse_args(arguments))
        command, by_option = options.pop("run"), options.pop("by_option")
        check_outputs(options, by_option)
        with warnings_as_notes(options):
            command(**options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has had enough; nor can the interpreter write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except _TOLD as error:
        if leaving.signal is not None or (type(error) is RuntimeError and error.args != _NO_THREAD):
            raise
        tell(f"skensir: {printable(_sentence(error, options))}")
        return 2
    except KeyboardInterrupt:  # in a program that handles signals itself
        return 130
    return 0
