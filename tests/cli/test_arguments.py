"""How arguments are declared: every parameter of a command is one, and the other way round."""

import argparse
import re
from inspect import Parameter, signature
from pathlib import Path

import pytest
from commands import MODULES, assert_mistake, paths_of

from skensir.cli import compare, evaluate, figure, fit, predict
from skensir.cli.arguments import Command, add_command
from skensir.cli.common import CommandError

# What commands pass on themselves.
NOT_THE_USERS = {
    fit: {"folder", "n_scenes", "data_range"},
    evaluate: {"folders"},
    compare: {"folder"},
    figure: set(),
    predict: {"models", "target"},
}


def parse(command, *arguments):
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers(), command)
    return vars(parser.parse_args(arguments))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_parameter_is_an_argument(module):
    command = module.COMMAND
    written = [names.split()[0].split("/")[-1] for names in command.arguments]
    parameters = list(signature(command.run).parameters.values())
    for function in command.passes_to:
        parameters += signature(function).parameters.values()
    names = {p.name for p in parameters if p.kind != Parameter.VAR_KEYWORD}
    names -= NOT_THE_USERS.get(module, set())
    assert sorted(w.lstrip("-").replace("-", "_") for w in written) == sorted(names)


def test_types_and_defaults_are_those_of_the_function(capsys):
    def run_it(
        source: Path,
        target: Path,
        bits: int | None = None,
        names: list[str] | None = None,
        width: float = 2.5,
        dry_run: bool = False,
    ) -> None:
        """Do nothing."""

    arguments = {
        "source SOURCE": "what is read",
        "-t/--target FILE": "what is written",
        "--bits {8,16}": "of a pixel",
        "--names NAME": "of models",
        "--width W": "(default: %(default)s)",
        "--dry-run": "write nothing",
    }
    command = Command(run_it, "Run.", arguments)
    assert parse(command, "run-it", "a", "-t", "b") == {
        "run": run_it,
        "by_option": ["target", "bits", "names", "width", "dry_run"],
        "source": Path("a"),
        "target": Path("b"),
        "bits": None,
        "names": None,
        "width": 2.5,
        "dry_run": False,
    }
    options = ["--bits", "8", "--names", "x", "y", "--width", "3", "--dry-run"]
    parsed = parse(command, "run-it", "a", "--target", "b", *options)
    assert parsed == {
        "run": run_it,
        "by_option": ["target", "bits", "names", "width", "dry_run"],
        "source": Path("a"),
        "target": Path("b"),
        "bits": 8,
        "names": ["x", "y"],
        "width": 3.0,
        "dry_run": True,
    }
    with pytest.raises(SystemExit):
        parse(command, "run-it", "a")
    assert "required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (["--bits", "9"], "--bits is '9', must be 8 or 16."),
        (["--bits", "x"], "--bits is 'x', must be 8 or 16."),
        (["--width", "0"], "--width is '0', must be a number above zero."),
        (["--width", "inf"], "--width is 'inf', must be a number above zero."),
        (["--width", "nan"], "--width is 'nan', must be a number above zero."),
        (["--rows", "-1"], "--rows is '-1', must be a number, zero or more."),
        (["--border", "1.5"], "--border is '1.5', must be a whole number, zero or more."),
        (["--border", "-1"], "--border is '-1', must be a whole number, zero or more."),
        (["--names", "x", "y", "x"], "--names has 'x' twice, must be different names."),
    ],
)
def test_values_that_are_not_allowed_are_named(mistake, message):
    def run_it(
        *,
        bits: int = 8,
        width: float = 1,
        rows: float = 1,
        border: int = 1,
        names: list[str] | None = None,
    ) -> None:
        """Do nothing."""

    usages = ("--bits {8,16}", "--width W", "--rows S", "--border N", "--names NAME")
    command = Command(run_it, "Run.", dict.fromkeys(usages, ""))
    assert parse(command, "run-it", "--rows", "0", "--border", "0")["rows"] == 0
    with pytest.raises(CommandError, match=f"^{re.escape(message)}$"):
        parse(command, "run-it", *mistake)


@pytest.mark.parametrize(
    ("command", "written"),
    [(module.COMMAND, written) for module in MODULES for written in paths_of(module.COMMAND)],
    ids=lambda value: value.run.__name__ if isinstance(value, Command) else value,
)
@pytest.mark.parametrize("value", ["", "a\0b"])
def test_no_path_is_empty_or_one_that_the_system_cannot_write(
    capsys, in_tmp_path, command, written, value
):
    name = written.split("/")[-1]
    call = command.run.__name__.replace("_", "-")
    positional = [usage.split()[0] for usage in command.arguments if not usage.startswith("-")]
    given = [value if one == written else "x" for one in positional]
    option = [f"{name}={value}"] if name.startswith("-") else []
    assert_mistake(
        capsys, [call, *given, *option], f"skensir: {name} is {value!r}, must be the path"
    )
    assert list(in_tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "name="])
def test_no_ensemble_of_a_figure_is_without_a_path(capsys, folders, value):
    call = ["figure", "test", "-o", "figure.png", "--ensembles", value]
    assert_mistake(capsys, call, f"skensir: --ensembles is {value!r}, must be the path")
