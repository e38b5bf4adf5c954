"""Bridges to other libraries, each in a module of its own and of no concern to the rest."""
