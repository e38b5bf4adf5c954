"""No output takes the place of what a command reads or of another output, nor is a link in circles.

Of every command, each argument that is read and each that is written.
"""

import itertools
import os
from pathlib import Path

import pytest
from commands import MODULES, assert_mistake, paths_of, run

from skensir.cli import compare, evaluate, figure
from skensir.cli.arguments import Command

COMMANDS = [module.COMMAND for module in MODULES]
# Text that may name a file, and a folder.
FILES, FOLDERS = {"--scenes", "--hold-out", "--ensembles"}, {"--target", "--input"}


def written_by(command):
    return [names for names in paths_of(command) if names.startswith("-")]


def read_by(command, texts):
    paths = [names for names in paths_of(command) if not names.startswith("-")]
    return paths + [usage.split()[0] for usage in command.arguments if usage.split()[0] in texts]


def pairs(texts):
    """Return each command with what it reads and what it writes."""
    return [
        (command, read, written)
        for command in COMMANDS
        for written in written_by(command)
        for read in read_by(command, texts)
    ]


def call(command, values):
    """Return a command line; other arguments that must be there are of no file."""
    positional = [usage.split()[0] for usage in command.arguments if not usage.startswith("-")]
    arguments = [values.get(name, "none") for name in positional]
    options = [(names.split("/")[-1], values[names]) for names in values if names[0] == "-"]
    if "-o/--output" in written_by(command) and "-o/--output" not in values:
        options.append(("-o", "out.png"))
    name = command.run.__name__.replace("_", "-")
    return [name, *arguments, *itertools.chain.from_iterable(options)]


def name_of(value):
    return value.run.__name__ if isinstance(value, Command) else None


@pytest.mark.parametrize(("command", "read", "written"), pairs(FILES), ids=name_of)
@pytest.mark.parametrize("is_link", [False, True])
def test_no_file_that_is_read_is_written(in_tmp_path, capsys, command, read, written, is_link):
    file, link = Path("file.png"), Path("link")
    file.write_bytes(b"read")
    link.symlink_to(file)
    name = str(link if is_link else file)
    for given in [name, f"NAME={name}"] if read == "--ensembles" else [name]:
        line = call(command, {read: given, written: "./file.png"})
        assert_mistake(capsys, line, "file.png is read, must be another path to be written to")
    assert file.read_bytes() == b"read"
    assert len(list(in_tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("command", "read", "written"), pairs(FOLDERS | {"--ensembles"}), ids=name_of
)
def test_no_image_that_is_read_is_written(in_tmp_path, capsys, command, read, written):
    """Nor where sub-folders or files are links to it."""
    for folder in ("real/sub", "set", "elsewhere/sub"):
        Path(folder).mkdir(parents=True)
    image = Path("real/sub/1.png")
    image.write_bytes(b"read")
    Path("set/linked").symlink_to(image.parent.absolute())
    Path("elsewhere/sub/2.png").symlink_to(image.absolute())
    for folder in ("real", "set", "elsewhere"):
        line = call(command, {read: f"./{folder}", written: str(image)})
        assert_mistake(capsys, line, f"{image} is among the images of {folder}, which are read")
    assert image.read_bytes() == b"read"


def test_images_beside_others_are_refused_but_what_lies_beside_sub_folders_is_not(folders, capsys):
    assert run("figure", "test", "-o", "test/figure.png") == 0
    assert run("fit", "train", "-o", "train/m.skensir") == 0
    assert run("predict", "train/m.skensir", "test", "-o", "out") == 0
    Path("out/tables").mkdir()
    for table in ("out/t.csv", "out/tables/t.csv"):
        assert run("evaluate", "out", "test/gt", "--no-perceptual", "--table", table) == 0
    capsys.readouterr()
    line = ["figure", "test", "--ensembles", "out", "-o"]
    for image in ("out/9.png", "out/new.png"):
        assert_mistake(capsys, [*line, image], f"{image} is among the images of out, which are")


def test_a_number_of_scenes_or_a_pattern_is_no_file_that_is_read(folders):
    """Whatever lies there under the same name."""
    assert run("fit", "train", "-o", "1") == 0
    assert run("fit", "train", "-o", "1", "--hold-out", "1") == 0
    assert run("fit", "train", "-o", "gt", "--target", "gt") == 0
    assert run("fit", "train", "-o", "gt", "--target", "gt") == 0


def test_a_result_of_the_name_of_the_model_or_that_is_a_link_to_an_image_is_refused(
    folders, capsys
):
    Path("out").mkdir()
    assert run("fit", "train", "-o", "out/9.png") == 0
    Path("out/10.png").symlink_to("../test/alpha/10.png")
    before = {path: path.read_bytes() for path in Path().rglob("*.png")}
    capsys.readouterr()
    line = ["predict", "out/9.png", "test", "-o", "out"]
    assert_mistake(
        capsys, line, "out/9.png would replace out/9.png, which is read; name another folder."
    )
    Path("out/9.png").rename("model")
    line[1] = "model"
    assert_mistake(capsys, line, "out/10.png would replace test/alpha/10.png, which is read")
    Path("model").rename("out/9.png")
    assert {path: path.read_bytes() for path in Path().rglob("*.png")} == before


TWICE = [(c, *two) for c in COMMANDS for two in itertools.combinations(written_by(c), 2)]
TWICE += [(module.COMMAND, "--table", "--table") for module in (compare, evaluate)]
TWICE += [(figure.COMMAND, "-o/--output", "-o/--output")]


@pytest.mark.parametrize(("command", "first", "second"), TWICE, ids=name_of)
def test_no_output_is_written_twice(in_tmp_path, capsys, command, first, second):
    Path("link").symlink_to("file.png")
    line = [*call(command, {first: "file.png"}), second.split("/")[-1], "link"]
    assert_mistake(capsys, line, " would be written twice.")
    assert os.listdir() == ["link"]


@pytest.mark.parametrize(
    ("command", "written"),
    [(c, written) for c in COMMANDS for written in written_by(c) or paths_of(c)],
    ids=name_of,
)
@pytest.mark.parametrize("target", ["l1", "l2", "nowhere/l"])
def test_links_that_lead_nowhere_are_named_before_the_work(
    folders, capsys, command, written, target
):
    assert run("fit", "train", "-o", "model") == 0
    capsys.readouterr()
    suffix = {"--table": ".csv", "--scenes-table": ".csv", "--report": ".html"}.get(written, ".png")
    link, other = f"l1{suffix}", f"l2{suffix}"
    target += suffix
    Path(link).symlink_to(target)
    Path(other).symlink_to(link)
    values = {"model": "model", "folder": "test"} if command.run.__name__ == "predict" else {}
    assert_mistake(capsys, call(command, {**values, written: link}), link)
    assert os.readlink(link) == target
    assert sorted(os.listdir()) == [link, other, "model", "test", "train"]
