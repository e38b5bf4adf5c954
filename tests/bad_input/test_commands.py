"""Whatever an option of a command is given, a mistake is one sentence and exit code 2."""

import argparse
import re
from pathlib import Path

import pytest
from commands import run
from image_folders import make_folder

from skensir.cli.main import _COMMANDS, _make_parser

# By how the value of an argument is written in the help: what is wrong for it.
NO_NUMBERS = ("", "x", "nan", "1e", "0x10", "1,5", "--", "a\0b", "9" * 5000)
PATHS = ("a\0b", "x" * 300, "nowhere/file")
FAULTS = {
    "W": (*NO_NUMBERS, "0", "-1", "inf", "-inf", "1e400"),
    "S": (*NO_NUMBERS, "-1", "inf", "1e400", "1e308"),
    "N": (*NO_NUMBERS, "-1", "1.5", "inf"),
    "JOBS": (*NO_NUMBERS, "0", "-1", "1.5"),
    "INCHES": (*NO_NUMBERS, "0", "-1", "inf"),
    "choices": ("", "x", "RGB", "a\nb", "x" * 300),
    "MODEL": (*PATHS, "train"),
    "FILE": (*PATHS, "train"),
    "OUT": (*PATHS, "notes.txt"),
    "FOLDER": (*PATHS, "", "notes.txt"),
    "REFERENCE_SET": (*PATHS, "", "notes.txt", "empty"),
    "TEST_SET": (*PATHS, "notes.txt", "empty"),
    "GT": (*PATHS, "notes.txt", "empty"),
    "WEIGHTS.pth": (*PATHS, "train", "notes.txt"),
    "NAME": ("", "x", "a\0b", "..", "a\nb", "x" * 300),
    "ENSEMBLE": (*PATHS, "x=nowhere"),
    "SCENE": ("", "x", "a\0b"),
    "X,Y,W,H": ("", "1", "1,2,3", "a,b,c,d", "1,2,3,-4", "1e400,1,1,1"),
    "PATTERN": ("", "x", "a\0b", "x=*"),
    "TEXT": ("no-such-suffix", "a\0b"),
    "FILE|GLOB": ("no-such-scene", "a\0b", "empty"),
    "N|GLOB": ("no-such-scene", "0", "999", "a\0b"),
}
# What is rightly taken: an input that is not there is none, but where it is asked for.
TAKEN = {("fit", "--input"), ("predict", "--input"), ("compare", "--input"), ("figure", "--input")}
# What every command needs beside what is tried.
RIGHT = {
    "fit": ["train", "-o", "made"],
    "predict": ["model", "test", "-o", "made"],
    "evaluate": ["train/alpha", "train/gt"],
    "compare": ["train", "test", "--no-trees", "--no-perceptual"],
    "figure": ["test", "-o", "made.png"],
    "inspect": ["model"],
    "import-released": ["notes.txt", "-o", "made"],
    "demo": ["-o", "nowhere/made.png"],
    "sample": ["made"],
}


def arguments_of_commands():
    """Return command and argument of everything that takes a value, from the parsers."""
    [commands] = [
        action
        for action in _make_parser(None)._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return [
        (name, action)
        for name, parser in commands.choices.items()
        for action in parser._actions
        if action.nargs != 0
    ]


ARGUMENTS = arguments_of_commands()
IDS = [f"{name} {action.option_strings or action.dest}" for name, action in ARGUMENTS]


def faults_of(action):
    """Return what is wrong for an argument."""
    values = action.metavar or action.dest.upper()
    return FAULTS["choices" if values.startswith("{") else values]


def line(name, action, value):
    """Return a right command line but for one value."""
    right = list(RIGHT[name])
    if action.option_strings:
        option = action.option_strings[-1]
        if action.required:
            right = right[: right.index("-o")]
        return [name, *right, f"{option}={value}"]
    places = [
        other.dest for command, other in ARGUMENTS if command == name and not other.option_strings
    ]
    right[places.index(action.dest)] = value
    return [name, *right]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    make_folder(folder / "train", sizes={"9": (12, 12), "10": (13, 12)})
    make_folder(folder / "test", seed=1, sizes={"9": (12, 12), "10": (13, 12)})
    (folder / "notes.txt").write_text("nothing that a command reads\n")
    (folder / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run("fit", "train", "-o", "model") == 0
    return folder


def test_every_kind_of_argument_of_every_command_is_in_the_table():
    assert {name for name, _ in ARGUMENTS} == {name.replace("_", "-") for name in _COMMANDS}
    assert set(RIGHT) == {name for name, _ in ARGUMENTS}
    for _, action in ARGUMENTS:
        assert faults_of(action)


@pytest.mark.parametrize(("name", "action"), ARGUMENTS, ids=IDS)
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_is_one_sentence(name, action, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    wrong = {}
    for value in faults_of(action):
        before = sorted(place.rglob("*"))
        arguments = line(name, action, value)
        code = run(*arguments)
        printed = capsys.readouterr()
        said = [part for part in printed.err.splitlines() if "skensir: note: " not in part]
        is_right = code == 2 and len(said) == 1 and re.fullmatch(r"skensir: .+\.", said[0])
        if code == 0 and (name, (action.option_strings or [""])[-1]) in TAKEN:
            made = [path for path in Path().glob("made*") if path.is_file()]
            for path in made:
                path.unlink()
        elif not (is_right and said[0].isprintable() and printed.out == ""):
            wrong[value[:20]] = (code, said, printed.out[:80])
        elif sorted(place.rglob("*")) != before:
            wrong[value[:20]] = "files were made"
    assert wrong == {}
