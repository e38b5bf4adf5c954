"""Names of files that are not UTF-8, or that the encoding of the terminal does not have."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from commands import run
from image_folders import make_folder
from report_pages import make_scene, row, write_and_parse

NOT_UTF8 = os.fsdecode(b"q\xff\xfe")
SHOWN = r"q\udcff\udcfe"


def rename(folder, name):
    """Give the first scene of a folder another name, if the system lets files have it."""
    try:
        for part in folder.iterdir():
            (part / "9.png").rename(part / f"{name}.png")
    except OSError:
        pytest.skip("names of files are UTF-8 here")


@pytest.fixture
def fitted(folders):
    """A model beside a folder that has a scene whose name is not UTF-8."""
    train, test = folders
    rename(test, NOT_UTF8)
    assert run("fit", train, "-o", "m.skensir") == 0
    return train, test


def test_results_have_the_names_of_their_sources(fitted, capfd):
    assert run("predict", "m.skensir", "test", "-o", "out") == 0
    assert sorted(os.listdir(b"out")) == [b"10.png", b"q\xff\xfe.png"]
    made = {path.name: path.stat().st_mtime_ns for path in os.scandir("out")}
    assert run("predict", "m.skensir", "test", "-o", "out", "--resume") == 0
    assert {path.name: path.stat().st_mtime_ns for path in os.scandir("out")} == made


def test_tables_have_the_names_escaped(fitted, capfd):
    files = [f"--scenes-table=s{suffix}" for suffix in (".csv", ".md", ".tex")]
    assert run("evaluate", "test/alpha", "test/gt", "--no-perceptual", *files) == 0
    with open("s.csv", encoding="utf-8", newline="") as file:
        assert {line["scene"] for line in csv.DictReader(file)} == {"10", SHOWN}
    with open("s.md", encoding="utf-8") as file:
        assert SHOWN.replace("\\", "\\\\") in file.read()
    with open("s.tex", encoding="utf-8") as file:
        assert SHOWN.replace("\\", r"\textbackslash{}") in file.read()


def test_a_report_of_such_folders_is_written(fitted, capfd):
    train, test = fitted
    folder = test.rename(test.with_name(os.fsdecode(b"d\xff")))
    options = ["--no-perceptual", "--no-trees", "--report", "r.html", "--table", "t.md"]
    assert run("compare", train, folder, *options) == 0
    with open("r.html", encoding="utf-8") as file:
        page = file.read()
    assert f'data-name="{SHOWN}"' in page
    assert r"d\udcff" in page


def test_a_page_has_the_scenes_under_the_names_that_it_looks_up(tmp_path):
    names = [NOT_UTF8, "café", "\U0001f600", "\u2028", 'a\\"</script>']
    scores = {name: {"a": {"psnr": 30.0}} for name in names}
    image = np.zeros((2, 2, 3), np.uint8)
    scenes = [make_scene(name, {"a": image}, image) for name in names]
    page = write_and_parse(tmp_path, [row("a", psnr=30.0)], scenes, scores=scores)
    assert page.data["scenes"] == [SHOWN, *names[1:]]
    assert [scene["name"] for scene in page.scenes] == page.data["scenes"]


@pytest.mark.skipif(sys.platform == "win32", reason="locales are POSIX's")
@pytest.mark.parametrize(
    ("settings", "name", "told"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, "caf\u0113", rb"caf\u0113 "),
        ({"PYTHONIOENCODING": "ascii"}, "café", rb"caf\xe9 "),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            "café",
            rb"caf\udcc3\udca9 ",
        ),
    ],
)
def test_no_output_is_lost_to_the_encoding_of_the_terminal(in_tmp_path, settings, name, told):
    rename(make_folder(in_tmp_path / "test"), name)
    (in_tmp_path / "test").rename(in_tmp_path / name)
    command = "evaluate", f"{name}/alpha", f"{name}/gt", "--no-perceptual", "--scenes-table=s.csv"
    done = subprocess.run(
        [sys.executable, "-m", "skensir.cli", *command],
        capture_output=True,
        check=False,
        env={**os.environ, **settings},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert told.strip() in done.stdout
    with open("s.csv", encoding="utf-8") as file:
        text = file.read()
    assert name in text or told.decode().strip() in text
