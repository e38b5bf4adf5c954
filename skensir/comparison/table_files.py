"""Tables of results as text: for the terminal, and as files of CSV, Markdown and LaTeX.

Examples
--------
>>> from skensir.comparison.table_files import to_markdown
>>> from skensir.comparison.tables import Row, results_table
>>> rows = [Row("MPRNet", 30.428, 0.8905), Row("MAXIM", 30.838, 0.9043)]
>>> rows.append(Row("EnsIR", 31.739, 0.9095))
>>> print(to_markdown([results_table({"Rain100H": rows})]), end="")
|        |     PSNR (dB) |          SSIM |
| :----- | ------------: | ------------: |
| MPRNet |        30.428 |        0.8905 |
| MAXIM  | <u>30.838</u> | <u>0.9043</u> |
| EnsIR  |    **31.739** |    **0.9095** |
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any

from skensir._files import write_whole
from skensir._text import encodable
from skensir.comparison.tables import (
    Mark,
    Row,
    Scores,
    Table,
    columns_of,
    mean_rows,
    results_table,
    scene_tables,
)

TABLE_SUFFIXES = (".csv", ".md", ".tex")
_GAP = "  "  # between columns


def write_tables(
    table: Sequence[Path] | None,
    results: Mapping[str, Sequence[Row]],
    scenes_table: Sequence[Path] | None,
    sets: Mapping[str, Scores],
) -> None:
    """Write the table of all test sets and the numbers of each scene, in formats by the suffixes.

    Each file is written whole, or holds what it held before.

    Parameters
    ----------
    table, scenes_table : sequence of Path or None
        The files; None is for none. CSV has every digit and no marks: a line for each row of the
        table, and one for each scene and image. Markdown and LaTeX have what is shown, the best
        bold and the second underlined; of the scenes a table for each measure.
    results : mapping of str to sequence of Row
        The rows of each test set, by its name.
    sets : mapping of str to Scores
        Likewise; a set without a name is not named in CSV.
    """
    for path in table or ():
        _write(path, lambda: _results_csv(results), lambda: [results_table(results)])
    for path in scenes_table or ():
        _write(path, lambda: _scenes_csv(sets), lambda: scene_tables(sets))


def _write(path: Path, lines: Callable[[], list[Any]], tables: Callable[[], list[Table]]) -> None:
    """Write the lines of CSV, or tables in the other formats, by the suffix."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        content = StringIO(newline="")
        csv.writer(content, lineterminator="\n").writerows(lines())
        text = encodable(content.getvalue())
    else:
        text = {".md": to_markdown, ".tex": to_latex}[suffix](tables())
    write_whole(path, text.encode())


def _results_csv(results: Mapping[str, Sequence[Row]]) -> list[list[Any]]:
    """Return the lines of CSV, where None becomes an empty field and floats keep every digit."""
    columns = columns_of(results)
    head = ["name", *(f"{of_set} {key}".strip() for of_set, key in columns)]
    names = [row.name for row in mean_rows(results)]
    return [
        head,
        *([name, *values] for name, *values in zip(names, *columns.values(), strict=True)),
    ]


def _scenes_csv(sets: Mapping[str, Scores]) -> list[list[Any]]:
    """Return the lines of CSV."""
    lines = []
    for of_set, scores in sets.items():
        for scene, of_rows in scores.items():
            for name, numbers in of_rows.items():
                lines.append([*([of_set] if of_set else []), scene, name, *numbers.values()])
    named = ["set"] if all(sets) else []
    return [[*named, "scene", "name", *numbers], *lines]


def to_text(table: Table) -> str:
    """Lay out a table as aligned lines for a terminal; an asterisk marks the best."""
    has_marks = [any(row[c].mark for _, row in table.rows) for c in range(len(table.heads))]
    columns = []
    for c, head in enumerate(table.heads):
        pad = " " if has_marks[c] else ""
        cells = [row[c].text + ("*" if row[c].mark == Mark.BEST else pad) for _, row in table.rows]
        columns.append([head + pad, *cells])
    groups = _groups(table)
    widths = [max(map(len, column)) for column in columns]
    for title, first, end in groups:
        # The last column of a group is as wide as the title needs.
        inside = sum(widths[first:end]) + len(_GAP) * (end - first - 1)
        widths[end - 1] += max(0, len(title) - inside)
    names = [table.corner, *(_one_line(name) for name, _ in table.rows)]
    width = max(map(len, names))
    lines = [
        _GAP.join(
            [f"{name:{width}}", *(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))]
        )
        for name, *row in zip(names, *columns, strict=True)
    ]
    if any(title for title, _, _ in groups):
        spans = (sum(widths[a:b]) + len(_GAP) * (b - a - 1) for _, a, b in groups)
        titles = (f"{title:^{span}}" for (title, _, _), span in zip(groups, spans, strict=True))
        lines.insert(0, _GAP.join([" " * width, *titles]).rstrip())
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return encodable(" ".join(text.split()))


def _groups(table: Table) -> list[tuple[str, int, int]]:
    """Return the title of each group of columns, its first column and the one after its last."""
    groups = []
    for title, columns in groupby(range(len(table.heads)), lambda c: table.groups[c]):
        places = list(columns)
        groups.append((title, places[0], places[-1] + 1))
    return groups


def to_markdown(tables: Sequence[Table]) -> str:
    """Return aligned tables of Markdown: the best bold, the second underlined."""
    marked = {Mark.NONE: "{}", Mark.BEST: "**{}**", Mark.SECOND: "<u>{}</u>"}
    texts = []
    for table in tables:
        # Markdown has one line for the heads.
        heads = [f"{g} {h}".strip() for g, h in zip(table.groups, table.heads, strict=True)]
        lines = [[_markdown_text(text) for text in (table.corner, *heads)]]
        for name, row in table.rows:
            cells = (marked[cell.mark].format(cell.text.replace("inf", "∞")) for cell in row)
            lines.append([_markdown_text(name), *cells])
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
        aligned = [
            [name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])] for name, *cells in lines
        ]
        aligned.insert(1, rule)
        texts.append("".join(f"| {' | '.join(row)} |\n" for row in aligned))
    return "\n".join(texts)


def _markdown_text(text: str) -> str:
    """Return text in one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", _one_line(text))


# What LaTeX would take for a command or show as another letter. A line that began with a bracket or
# an asterisk would be an argument of the end of the line before.
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
    **{letter: f"{{{letter}}}" for letter in "[]*"},
}


def _latex_text(text: str) -> str:
    """Return text in one line that LaTeX shows as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def to_latex(tables: Sequence[Table]) -> str:
    """Return tables of LaTeX with the rules of booktabs: the best bold, the second underlined."""
    marked = {Mark.NONE: "{}", Mark.BEST: r"\textbf{{{}}}", Mark.SECOND: r"\underline{{{}}}"}
    texts = ["% The rules are those of \\usepackage{booktabs}.\n"]
    for table in tables:
        groups = _groups(table)
        lines = [f"\\begin{{tabular}}{{l{'r' * len(table.heads)}}}", r"\toprule"]
        if any(title for title, _, _ in groups):
            titles = (f"\\multicolumn{{{b - a}}}{{c}}{{{_latex_text(t)}}}" for t, a, b in groups)
            rules = (f"\\cmidrule(lr){{{a + 2}-{b + 1}}}" for title, a, b in groups if title)
            lines += [rf" & {' & '.join(titles)} \\", " ".join(rules)]
        heads = (_latex_text(head) for head in (table.corner, *table.heads))
        lines += [rf"{' & '.join(heads)} \\", r"\midrule"]
        for number, (name, row) in enumerate(table.rows, 1):
            if table.has_mean and number == len(table.rows):
                lines.append(r"\midrule")
            cells = (marked[c.mark].format(c.text.replace("inf", r"$\infty$")) for c in row)
            lines.append(rf"{' & '.join([_latex_text(name), *cells])} \\")
        texts.append("\n".join([*lines, r"\bottomrule", "\\end{tabular}\n"]))
    return "\n".join(texts)
