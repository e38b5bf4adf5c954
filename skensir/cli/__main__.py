"""`python -m skensir.cli` is the command `skensir`."""

import sys

from skensir.cli import main

sys.exit(main())
