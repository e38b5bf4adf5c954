"""The version, which packaging, table files and pickles read from here."""

__version__ = "0.2.0"
