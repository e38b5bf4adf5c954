"""`python -m skensir.cli` is the command `skensir`."""

import sys
from typing import NoReturn

from skensir.cli import main
from skensir.cli.interruption import ignore_signals


def console() -> NoReturn:
    """Run the command line and end the program."""
    code = main()
    ignore_signals()  # all is done, and what comes now must not look like a failure
    sys.exit(code)


if __name__ == "__main__":
    console()
