"""Errors and warnings of the library in the words of the command line."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from skensir._text import printable

# Arguments whose option has another name.
_SAID = {"include_input": "input"}
# What is said of rows and columns where the command line has images.
_WORDS = {
    "EnsIRRegressorCV": "--cv",
    "X has columns that are": "Outputs of a base model are",
    "scale of y": "scale of the truth",
    "predictions of y": "the outputs",
}
# No part of a path or of a quotation.
_NAME = r"(?<![\w/.'-])([a-z]+(?:_[a-z]+)*)"
_SETTING = rf"{_NAME}=(-?\w+)(?![\w/'-]|\.\w)"


def in_options(sentence: str, options: Collection[str]) -> str:
    """Say by options of a command what the library says by arguments of Python.

    The library writes ``name == value`` for what an argument is, ``name=value`` for what it may
    be, and its name in backquotes. Where the command has such an option, that takes the place of
    the argument; advice after a semicolon to set one that it does not have is left out.
    """
    known = {*options, *_SAID}
    main, *advice = sentence.rstrip(".").split("; ")
    kept = [part for part in advice if {name for name, _ in re.findall(_SETTING, part)} <= known]
    text = "; ".join([main, *kept]) + "." * sentence.endswith(".")
    text = re.sub(rf"{_NAME} == ([^,;]+)", lambda m: f"{_option(m[1], known)} is {m[2]}", text)
    text = re.sub(_SETTING, lambda m: _setting(m[1], m[2]) if m[1] in known else m[0], text)
    text = re.sub(r"`([a-z_]+)`", lambda m: _option(m[1], known), text)
    for written, said in _WORDS.items():
        text = text.replace(written, said)
    return " ".join(text.split())


def _option(name: str, known: Collection[str]) -> str:
    """Return how the command line names an argument, in words where it has no such option."""
    return f"--{name.replace('_', '-')}" if name in known else name.replace("_", " ")


def _setting(name: str, value: str) -> str:
    """Return how the command line sets an argument."""
    option = "--" + _SAID.get(name, name).replace("_", "-")
    if value == "False":
        return option.replace("--", "--no-", 1)
    return option if value == "True" else f"{option} {value}"


def tell(text: str) -> None:
    """Print something beside the results, if somebody can read it: a terminal may be gone."""
    try:
        print(text, file=sys.stderr)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the program ends


@contextmanager
def warnings_as_notes(options: Collection[str]) -> Iterator[None]:
    """Print what the library warns of as a sentence, and once where only its numbers differ."""
    told: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        sentence = in_options(str(message), options)
        kind = re.sub(r"(?<![\w/.-])\d[\d.,]*%?(?![\w/-])", "", sentence)
        if kind not in told:
            told.add(kind)
            tell(f"skensir: note: {printable(sentence)}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
