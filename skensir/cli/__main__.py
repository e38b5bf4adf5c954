"""`python -m skensir.cli` is the command `skensir`."""

import sys

from skensir.cli import main

if __name__ == "__main__":
    sys.exit(main())
