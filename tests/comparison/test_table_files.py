"""Tables as files: what is read back from CSV, Markdown and LaTeX is what was measured."""

import csv
import math
import re
from io import StringIO

import pandas as pd
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st

from skensir.comparison.table_files import to_latex, to_markdown, to_text, write_tables
from skensir.comparison.tables import Row, results_table, scene_tables

NAMES = [
    *("EnsIR, squared error", 'the "best"', "=1+1", "under_score", "50% & more", "a|b", "*a*"),
    *("[draft]", "{x}", "~^\\$#", "<b>", "two\nlines", "émigré ×"),
]
SETS = {
    "Rain_100%": [Row(name, 30 + n / 7, 0.9 + n / 700, n / 3) for n, name in enumerate(NAMES)],
    "B": [Row(name, 20 + n / 9, 0.8 + n / 900, n / 3) for n, name in enumerate(NAMES)],
}


def read_markdown(text):
    """Return the cells of a table, as a reader of Markdown would see them."""
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line] for line in lines]


def read_latex(text):
    """Return the cells of tabulars, as TeX would set them; raise where a brace is missing."""
    words = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^"}
    words |= {"textless": "<", "textgreater": ">", "textbar": "|"}
    tables = []
    for body in re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", text, flags=re.DOTALL):
        body = re.sub(r"\\(top|mid|bottom)rule|\\cmidrule\(lr\)\{[\d-]+\}", "", body)
        rows = [row for row in body.split("\\\\\n") if row.strip()]
        for row in rows:
            assert not re.match(r"\s*[\[*]", row), "an argument of the end of the row before"
        cells = [[c.strip() for c in re.split(r"(?<!\\)&", row)] for row in rows]
        for cell in (cell for row in cells for cell in row):
            depth = 0
            for brace in re.findall(r"(?<!\\)[{}]", cell):
                depth += 1 if brace == "{" else -1
                assert depth >= 0
            assert depth == 0
            assert not re.search(r"(?<!\\)[&%#_$]", cell.replace(r"$\infty$", ""))
        for name, letter in words.items():
            cells = [
                [cell.replace(f"\\{name}{{}}", f"\0{ord(letter)};") for cell in row]
                for row in cells
            ]
        cells = [[re.sub(r"\{([\[\]*])\}", r"\1", cell) for cell in row] for row in cells]
        cells = [[re.sub(r"\\([{}$&#_%])", r"\1", cell) for cell in row] for row in cells]
        tables.append(
            [[re.sub("\0(\\d+);", lambda m: chr(int(m[1])), cell) for cell in row] for row in cells]
        )
    return tables


def in_one_line(names):
    return [" ".join(name.split()) for name in names]


def test_csv_reads_back_with_every_digit(tmp_path):
    write_tables([tmp_path / "t.csv"], SETS, None, {})
    frame = pd.read_csv(tmp_path / "t.csv")
    assert list(frame.columns) == [
        *("name", "Rain_100% psnr", "Rain_100% ssim", "B psnr", "B ssim"),
        *("mean psnr", "mean ssim", "seconds_fit"),
    ]
    assert list(frame["name"]) == NAMES
    # Older versions of pandas read the last digit as it comes.
    assert list(frame["B psnr"]) == pytest.approx([row.psnr for row in SETS["B"]], rel=1e-14)
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["Rain_100% ssim"]) for row in rows] == [r.ssim for r in SETS["Rain_100%"]]


# All but the carriage return, which only a line of CSV ends with.
letters = st.characters(codec="utf-8", exclude_characters="\0\r")


@share_of_cases(3 / 4)
@given(st.lists(st.text(letters), min_size=1))
def test_csv_gives_back_whatever_a_row_is_called(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    names = list(dict.fromkeys(names))
    write_tables([path], {"": [Row(name, 30.0, 0.5) for name in names]}, None, {})
    found = list(csv.reader(StringIO(path.read_bytes().decode(), newline="")))
    assert found[0] == ["name", "psnr", "ssim"]
    assert found[1:] == [[name, "30.0", "0.5"] for name in names]


def test_infinity_and_numbers_that_are_not_there(tmp_path):
    rows = {"": [Row("a", math.inf, 1.0), Row("b", None, math.nan), Row("c", 30.0, 0.5)]}
    paths = [tmp_path / f"t.{suffix}" for suffix in ("csv", "md", "tex")]
    write_tables(paths, rows, None, {})
    frame = pd.read_csv(paths[0])
    assert list(frame["psnr"].fillna(-1)) == [math.inf, -1, 30.0]
    cells = read_markdown(paths[1].read_text("utf-8"))[2:]
    assert cells == [
        ["a", "**∞**", "**1.0000**"],
        ["b", "-", "-"],
        ["c", "<u>30.000</u>", "<u>0.5000</u>"],
    ]
    assert r"a & \textbf{$\infty$} & \textbf{1.0000} \\" in paths[2].read_text("utf-8")
    assert "inf*" in to_text(results_table(rows))


def test_markdown_is_aligned_and_shows_names_as_they_are():
    text = to_markdown([results_table(SETS)])
    assert len({len(line) for line in text.splitlines()}) == 1
    head, rule, *rows = read_markdown(text)
    assert head[1:3] == ["Rain_100% PSNR (dB)", "Rain_100% SSIM"]
    assert all(re.fullmatch(":?-+:?", cell) for cell in rule)
    assert [row[0] for row in rows] == in_one_line(NAMES)
    assert rows[-1][1] == f"**{SETS['Rain_100%'][-1].psnr:.3f}**"
    assert rows[-2][1] == f"<u>{SETS['Rain_100%'][-2].psnr:.3f}</u>"


def test_latex_is_whole_and_shows_names_as_they_are():
    [cells] = read_latex(to_latex([results_table(SETS)]))
    assert cells[0][1:] == [
        r"\multicolumn{2}{c}{Rain_100%}",
        r"\multicolumn{2}{c}{B}",
        r"\multicolumn{2}{c}{Mean}",
        r"\multicolumn{1}{c}{}",
    ]
    names = [name.replace('"', "''") for name in in_one_line(NAMES)]
    assert [row[0] for row in cells[2:]] == names
    assert {len(row) for row in cells[1:]} == {8}
    assert cells[-1][1] == rf"\textbf{{{SETS['Rain_100%'][-1].psnr:.3f}}}"
    assert cells[-2][1] == rf"\underline{{{SETS['Rain_100%'][-2].psnr:.3f}}}"


def test_tables_of_scenes_have_the_numbers_of_each(tmp_path):
    scores = {
        scene: {name: {"psnr": 30 + n / 7 + s, "ssim": 1 / (2 + n)} for n, name in enumerate("ab")}
        for s, scene in enumerate(["clip_1/0001", "clip_1/0002"])
    }
    write_tables(None, {}, [tmp_path / "s.csv", tmp_path / "s.tex"], {"A": scores, "B": scores})
    frame = pd.read_csv(tmp_path / "s.csv").set_index(["set", "scene", "name"])
    assert len(frame) == 8
    for scene, of_scene in scores.items():
        for name, numbers in of_scene.items():
            assert dict(frame.loc[("B", scene, name)]) == numbers
    tables = read_latex((tmp_path / "s.tex").read_text("utf-8"))
    assert [table[0][0] for table in tables] == [
        *("A, PSNR (dB)", "A, SSIM", "B, PSNR (dB)", "B, SSIM"),
    ]
    assert tables[0][1] == ["clip_1/0001", r"\underline{30.000}", r"\textbf{30.143}"]
    write_tables(None, {}, [tmp_path / "one.csv"], {"": scores})
    assert list(pd.read_csv(tmp_path / "one.csv").columns) == ["scene", "name", "psnr", "ssim"]


@pytest.mark.parametrize("sets", [SETS, {"a set with a long name": SETS["B"]}])
def test_text_is_aligned_and_only_the_best_is_marked(sets):
    table = results_table(sets)
    lines = to_text(table).splitlines()
    rows = [line for line in lines if re.search(r"\d\.\d{3}", line)]
    points = {
        tuple(m.start() for m in re.finditer(r"(?<=\d)\.", row)) for row in rows if "." in row
    }
    assert len(points) == 1
    assert sum(line.count("*") for line in rows) == 2 + len(table.heads) - 1


def test_markdown_of_several_tables_has_an_empty_line_between():
    scores = {"1": {name: {"psnr": 30.0, "ssim": 0.5} for name in "ab"}}
    first, second = to_markdown(scene_tables({"": scores})).split("\n\n")
    assert first.startswith("| PSNR (dB) |")
    assert second.startswith("| SSIM ")
