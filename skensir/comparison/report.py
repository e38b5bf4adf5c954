"""The report: one HTML page with tables, and images to be compared in place.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from skensir.comparison.report import write_report
>>> row = {"name": "Average", "psnr": 37.8, "ssim": 0.97, "seconds_fit": 0, "seconds_image": 1}
>>> target = np.full((4, 6), 100)
>>> scene = {"name": "0001", "target": target, "images": {"Average": target + 0.6}}
>>> scene |= {"weight_maps": {}, "scores": {"Average": {"psnr": 52.6, "ssim": 1.0}}}
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder, "report.html")
...     write_report(path, "Deraining", [row], [scene | {"data_range": 255}])
...     path.read_text("utf-8")[:15]
'<!DOCTYPE html>'
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from skensir._files import whole_file
from skensir._text import encodable
from skensir.comparison.layers import scene_data
from skensir.comparison.measure import ComparedScene
from skensir.comparison.tables import MEASURES, ORACLE, Mark, Measure, Scores, rank
from skensir.comparison.telling import Choice

_SCRIPTS = ("pictures.js", "view.js", "scores.js", "page.js")  # one program, in this order


def write_report(
    path: str | os.PathLike[str],
    title: str,
    table: Sequence[Mapping[str, Any]],
    scenes: Iterable[ComparedScene],
    notes: str = "",
    *,
    scores: Scores | None = None,
    choice: Choice = Choice(),  # noqa: B008 - it is a tuple
) -> None:
    """Write one HTML page that shows tables and the images behind them, without any network.

    The images, their error maps and the weights of the models are switched in place, or two are set
    against each other, all at the same zoom. Images are clipped and rounded to 8 bits, 16 bits are
    scaled to 8, and nothing is lost after that; errors are those of the images that are shown, with
    one colour scale for a scene. Weights are shown in steps of 1/32.

    Parameters
    ----------
    path : str or path-like
        Where the report goes. A file of this name is replaced once the new one is whole.
    title : str
        The heading.
    table : sequence of mapping
        The rows: `name`, and the numbers of `MEASURES`, which are None where there is none. Names
        differ.
    scenes : iterable of ComparedScene
        The images, first those of the scene that the page opens on; consumed with one scene in
        memory at a time, and no further than fits.
    notes : str, default=""
        Text below the table; blank lines separate paragraphs.
    scores : Scores, default=None
        What was measured of each scene, also of those without images: a table of its own.
    choice : Choice, default=Choice()
        The rows that are shown first, and how large the page may become: scenes that do not fit
        are left out, but for the first.

    Raises
    ------
    OSError
        If the file cannot be written. Nothing is left behind then, nor after any other error, and
        a file that was there before stays.
    ValueError
        If names are twice in the table or not in it, if an array has another shape than the
        target, or if values are not finite or out of their range. The message names the scene.
    """
    names = [row["name"] for row in table]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"table has the name {name!r} twice, names must differ.")
    data = _page_data(names, scores or {}, choice)
    before, after = _page_html(title, table, notes, data)
    with whole_file(path) as file:
        file.write(before)
        room = choice.max_bytes - len(before) - len(after)
        # A loop would keep a scene while the next one is made.
        file.writelines(_that_fit(map(_scene_writer(names, choice.lead), scenes), room))
        file.write(after)


def _page_html(
    title: str, table: Sequence[Mapping[str, Any]], notes: str, data: dict[str, Any]
) -> tuple[bytes, bytes]:
    """Return what stands before and after the scenes."""
    columns = {key: MEASURES[key] for key in MEASURES if all(key in row for row in table)}
    values = {
        "title": escape(title),
        "style": _part("style.css"),
        "heads": "\n".join(map(_head_html, columns.values())),
        "blanks": "<td></td>" * len(columns),
        "results": _results_html(table, columns),
        "notes": _notes_html(notes),
        "data": _json_html(data),
        "script": "\n".join(map(_part, _SCRIPTS)),
    }
    before, after = (
        re.sub(r"\{\{(\w+)\}\}", lambda match: encodable(values[match[1]]), part).encode()
        for part in _part("page.html").split("{{scenes}}")
    )
    return before, after


def _that_fit(texts: Iterable[bytes], room: float) -> Iterator[bytes]:
    """Yield the first text, and those after it as long as they have room together."""
    for number, text in enumerate(texts):
        room -= len(text)
        if number and room < 0:
            return
        yield text


def _part(name: str) -> str:
    """Read a part of the page."""
    return files("skensir.comparison").joinpath("page", name).read_text("utf-8")


def _notes_html(notes: str) -> str:
    """Make paragraphs of plain text."""
    paragraphs = re.split(r"\n\s*\n", notes.strip())
    return "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)


def _head_html(column: Measure) -> str:
    """Return the head of a column; its first click brings what is wanted to the top."""
    first = "descending" if column.better is max else "ascending"
    head = f'<button type="button">{escape(column.head)}</button>'
    return f'<th scope="col" data-first="{first}">{head}</th>'


def _results_html(table: Sequence[Mapping[str, Any]], columns: Mapping[str, Measure]) -> str:
    """Lay out the rows of the table; the best of a column and its ties are strong."""
    names = [row["name"] for row in table]
    marks = {
        key: rank(names, [row[key] for row in table], column) for key, column in columns.items()
    }
    rows = []
    for number, row in enumerate(table):
        name = f'<th scope="row"><button type="button">{escape(row["name"])}</button></th>'
        cells = (
            _number_html(row[key], column, marks[key][number]) for key, column in columns.items()
        )
        rows.append(f'<tr data-row="{number + 1}">{name}{"".join(cells)}</tr>')
    return "\n".join(rows)


def _number_html(number: float | None, column: Measure, mark: Mark) -> str:
    """Return the cell of a number, which is empty but for a dash if there is none."""
    if number is None or math.isnan(number):
        return "<td>–</td>"
    text = f"{number:,.{column.digits}f}".replace("inf", "∞")
    if mark is Mark.BEST:
        text = f'<strong title="best of the column">{text}</strong>'
    return f'<td data-value="{float(number)!r}">{text}</td>'


def _page_data(names: Sequence[str], scores: Scores, choice: Choice) -> dict[str, Any]:
    """Return what the page needs besides the scenes: the scores of all, and what it opens on."""
    measured = {key for of_rows in scores.values() for of_row in of_rows.values() for key in of_row}
    rows = {name: number for number, name in enumerate(names, 1)}
    return {
        "scenes": list(scores),
        "metrics": [
            {
                "head": column.head,
                "digits": column.digits,
                "descending": column.better is max,
                "values": [
                    [_number(of_rows.get(name, {}).get(key)) for name in names]
                    for of_rows in scores.values()
                ],
            }
            for key, column in MEASURES.items()
            if key in measured and column.better is not None
        ],
        "lead": rows.get(choice.lead or ""),
        "rival": rows.get(choice.rival or ""),
        "oracle": rows.get(ORACLE),
        "reason": choice.reason,
    }


def _number(value: float | None) -> float | str | None:
    """Return a number as JSON can have it: infinity is a word that JavaScript makes a number of."""
    if value is None or math.isnan(value):
        return None
    return round(float(value), 6) if math.isfinite(value) else f"{'-' * (value < 0)}Infinity"


def _json_html(data: Any) -> str:
    """Return JSON for an element: no tag can begin in the text, so none can end the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    # What the page could not hold is text here as well, for names are looked up.
    return re.sub("[\ud800-\udfff]", lambda match: rf"\\u{ord(match[0]):x}", text)


def _scene_writer(names: Sequence[str], lead: str | None) -> Callable[[ComparedScene], bytes]:
    """Return what makes the element of a scene, with JSON in it."""

    def write(scene: ComparedScene) -> bytes:
        try:
            text = _json_html(scene_data(names, lead, scene))
        except ValueError as error:
            raise ValueError(f"Scene {scene['name']!r}: {error}.") from None
        name = escape(scene["name"])
        html = f'<script type="application/json" class="scene" data-name="{name}">{text}</script>\n'
        return encodable(html).encode()

    return write
