"""The version, which packaging, table files and pickles read from here."""

__version__ = "0.1.0.dev0"
