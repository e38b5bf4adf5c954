"""`python -m skensir.cli` is the command `skensir`."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO, cast

from skensir._text import printable
from skensir.cli import main
from skensir.cli.interruption import ending_at_signals, ignore_signals


def console() -> NoReturn:
    """Run the command line and end the program."""
    with ending_at_signals():
        keep_terminal()
    code = main()
    ignore_signals()  # all is done, and what comes now must not look like a failure
    sys.exit(code)


class _Escaping:
    """The standard output, to which control characters, such as those in names, go escaped.

    So does what its encoding has no bytes for.
    """

    def __init__(self, file: TextIO) -> None:
        if isinstance(file, TextIOWrapper):
            file.reconfigure(errors="backslashreplace")
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write("\n".join(map(printable, text.split("\n"))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def keep_terminal() -> None:
    """Let none but us speak on the terminal: decoders of images print what they think of a file."""
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    # Where a standard file is closed, the next file that is opened would take its place.
    while (opened := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(opened)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - until the program ends
    sys.stdout = cast(TextIO, _Escaping(sys.stdout))
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        return
    sys.stderr = os.fdopen(os.dup(2), "w", 1, sys.stderr.encoding, "backslashreplace")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


if __name__ == "__main__":
    console()
