"""How arguments are declared: every parameter of a command is one, and the other way round."""

import argparse
from inspect import Parameter, signature
from pathlib import Path

import pytest

from skensir.cli import compare, demo, evaluate, figure, fit, import_released, inspect, predict
from skensir.cli.arguments import Command, add_command

MODULES = (fit, predict, evaluate, compare, figure, inspect, import_released, demo)


def parse(command, *arguments):
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers(), command)
    return vars(parser.parse_args(arguments))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_parameter_is_an_argument(module):
    command = module.COMMAND
    written = [names.split()[0].split("/")[-1] for names in command.arguments]
    functions = [command.run] if command.passes_to is None else [command.run, command.passes_to]
    parameters = [p for f in functions for p in signature(f).parameters.values()]
    names = [p.name for p in parameters if p.kind != Parameter.VAR_KEYWORD]
    if module is fit:
        names = [n for n in names if n not in ("n_scenes", "data_range")]  # not the user's
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
        "source": Path("a"),
        "target": Path("b"),
        "bits": 8,
        "names": ["x", "y"],
        "width": 3.0,
        "dry_run": True,
    }
    for mistake, message in ((["-t", "b", "--bits", "9"], "choose from 8, 16"), ([], "required")):
        with pytest.raises(SystemExit):
            parse(command, "run-it", "a", *mistake)
        assert message in capsys.readouterr().err
