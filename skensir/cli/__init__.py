"""The command `skensir`: one module per command, each a plain function and its arguments."""

from skensir.cli.interruption import ending_at_signals

with ending_at_signals():  # which `main` cannot see to before it is there
    from skensir.cli.main import main

__all__ = ["main"]
