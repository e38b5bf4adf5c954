"""The command `skensir`: one module per command, each a plain function and its arguments."""

from skensir.cli.main import main

__all__ = ["main"]
