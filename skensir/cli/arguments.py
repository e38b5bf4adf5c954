"""How commands say what their arguments are, and the parser that is made of that."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, TypeAlias, get_args

from skensir.cli.common import CommandError

# What the parsers of the commands are added to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Arguments of several commands: the convention of PSNR and SSIM, and files of tables.
SCORING = {
    "--channel {rgb,luma}": "compare all channels, or the brightness of BT.601 (default: "
    "%(default)s)",
    "--crop-border N": "pixels to leave out at every side (default: %(default)s)",
}
TABLES = {
    "--table FILE": "write the table: .csv, .md or .tex, with the best bold and the second "
    "underlined but in CSV; may be given several times",
    "--scenes-table FILE": "write the numbers of each scene likewise",
}
PERCEPTUAL = {
    "--no-perceptual": "leave out LPIPS and DISTS, which are measured where pyiqa or lpips is "
    "installed",
}

# What the numbers may be that are written so.
_DOMAINS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "W": (lambda width: 0 < width < math.inf, "a number above zero"),
    "S": (lambda rows: 0 <= rows < math.inf, "a number, zero or more"),
    "JOBS": (lambda number: number >= 1, "a whole number above zero"),
    "N": (lambda number: number >= 0, "a whole number, zero or more"),
}


class Command(NamedTuple):
    """A command: a function that is called with what the command line says.

    Attributes
    ----------
    run : callable
        The function. Its name is that of the command, and its parameters tell the types of the
        arguments, their defaults, and which must be given.
    description : str
        A sentence for the help of `skensir` and that of the command.
    arguments : mapping of str to str
        What each argument is, by how it is written. ``model MODEL`` stands for the parameter
        `model`, ``-o/--output FILE`` for `output`, and ``--bits {8,16}`` takes one of these. ``W``
        is a number above zero, ``S`` one that may be zero, ``N`` a whole number, ``JOBS`` one above
        zero. A list of paths is given as several arguments, or by repeating the option. Paths that
        are options are written to, and others read, see `skensir.cli.outputs`.
    details : str
        More sentences, for the help of the command alone.
    epilog : str
        What stands below the arguments, in lines as they are.
    passes_to : tuple of callables
        The functions that get the keyword arguments that `run` only passes on.
    """

    run: Callable[..., None]
    description: str
    arguments: Mapping[str, str]
    details: str = ""
    epilog: str = ""
    passes_to: tuple[Callable[..., Any], ...] = ()


def add_command(commands: Commands, command: Command) -> None:
    """Add a command to the parsers of `skensir`."""
    formatter = argparse.RawDescriptionHelpFormatter if command.epilog else argparse.HelpFormatter
    parser = commands.add_parser(
        command.run.__name__.replace("_", "-"),
        help=command.description,
        description=f"{command.description} {command.details}".strip(),
        epilog=command.epilog,
        formatter_class=formatter,
    )
    parameters = dict(signature(command.run, eval_str=True).parameters)
    for function in command.passes_to:
        parameters |= signature(function, eval_str=True).parameters
    by_option = []
    for usage, text in command.arguments.items():
        written, _, values = usage.partition(" ")
        names = written.split("/")
        parameter = parameters[names[-1].lstrip("-").replace("-", "_")]
        settings = _settings(written, parameter, values)
        if written.startswith("-"):
            settings["required"] = parameter.default is Parameter.empty
            settings["default"] = None if settings["required"] else parameter.default
            by_option.append(parameter.name)
        parser.add_argument(*names, help=text, **settings)
    parser.set_defaults(run=command.run, by_option=by_option)


def _settings(written: str, parameter: Parameter, values: str) -> dict[str, Any]:
    """Return what argparse has to know to make an argument of its type."""
    annotation, name = parameter.annotation, written.split("/")[-1]
    kind = get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation
    if kind is bool:
        return {"action": "store_true"}
    if kind == list[str]:
        return {"nargs": "+", "metavar": values, "action": _Different}
    if kind == list[Path]:
        # An option is given for each file, so that it takes no argument that stands behind it.
        n_values = "+" if parameter.default is Parameter.empty else "*"
        several = {"action": "append"} if written.startswith("-") else {"nargs": n_values}
        return {**several, "type": partial(_read, name, Path, values), "metavar": values}
    return {"type": partial(_read, name, kind, values), "metavar": values}


def _read(name: str, kind: Callable[[str], Any], values: str, text: str) -> Any:
    """Return the value of an argument, or say what is allowed."""
    if values.startswith("{"):
        options = values[1:-1].split(",")
        if text not in options:
            *others, last = options
            raise CommandError(f"{name} is {text!r}, must be {', '.join(others)} or {last}.")
        return kind(text)
    if kind is Path and (not text or "\0" in text):
        raise CommandError(f"{name} is {text!r}, must be the path of a file or folder.")
    is_right, allowed = _DOMAINS.get(values, (lambda _: True, "a number"))
    with suppress(ValueError):
        value = kind(text)
        if is_right(value):
            return value
    raise CommandError(f"{name} is {text!r}, must be {allowed}.")


class _Different(argparse.Action):
    """Takes several values, no two of which are equal."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the values."""
        twice = [value for place, value in enumerate(values) if value in values[:place]]
        if twice:
            raise CommandError(f"{option_string} has {twice[0]!r} twice, must be different names.")
        setattr(namespace, self.dest, values)
