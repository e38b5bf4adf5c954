"""The command `skensir`: one module per command, each a plain function and its arguments."""

try:
    from skensir.cli.main import main
except KeyboardInterrupt:  # which `main` cannot catch before it is there
    raise SystemExit(130) from None

__all__ = ["main"]
