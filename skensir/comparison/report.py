"""The report: one HTML page with a table, and images to be compared in place.

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

import base64
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skensir._files import whole_file
from skensir.comparison.measure import ComparedScene
from skensir.comparison.text import is_best
from skensir.image.files import Image, encode_opencv
from skensir.image.metrics import error_map

# The digits that a column of numbers shows, and which of them is the best. report.html has the
# heads of the columns, in the same order.
_COLUMNS = {
    "psnr": (3, max),
    "ssim": (4, max),
    "seconds_fit": (3, min),
    "seconds_image": (3, min),
}
_ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # ends of colour scales, but for powers of ten


def write_report(
    path: str | os.PathLike[str],
    title: str,
    table: Sequence[Mapping[str, Any]],
    scenes: Iterable[ComparedScene],
    notes: str = "",
) -> None:
    """Write one HTML page that shows a table and the images behind it, without any network.

    In a browser the images, their error maps and the weights of the models are switched in place,
    all at the same zoom, so that the same pixels can be compared. Images are clipped and rounded to
    8 bits, 16 bits are scaled to 8; errors are taken before that. All error maps of a scene have
    one colour scale.

    Parameters
    ----------
    path : str or path-like
        Where the report goes. A file of this name is replaced once the new one is whole.
    title : str
        The heading.
    table : sequence of mapping
        The rows: `name`, and the numbers `psnr` (dB), `ssim`, `seconds_fit` and `seconds_image`,
        which are None where there is none. Names differ.
    scenes : iterable of ComparedScene
        The images; consumed once, with one scene in memory at a time.
    notes : str, default=""
        Text below the table; blank lines separate paragraphs.

    Raises
    ------
    OSError
        If the file cannot be written. Nothing is left behind then, nor after any other error, and
        a file that was there before stays.
    ValueError
        If names are twice in the table or not in it, if an array has another shape than the
        target, or if values are not finite or out of their range. The message names the scene.
    """
    path = Path(path)
    names = [row["name"] for row in table]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"table has the name {name!r} twice, names must differ.")
    values = {
        "title": escape(title),
        "results": _results_html(table),
        "notes": _notes_html(notes),
        "script": _part_of_report("report.js"),
    }
    before, after = (
        re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], part)
        for part in _part_of_report("report.html").split("{{scenes}}")
    )

    with whole_file(path) as file:
        file.write(before.encode())
        # A loop would keep a scene while the next one is made.
        file.writelines(map(str.encode, map(partial(_scene_html, names, path), scenes)))
        file.write(after.encode())


def _part_of_report(name: str) -> str:
    """Read a file that lies beside this one."""
    return files("skensir.comparison").joinpath(name).read_text("utf-8")


def _notes_html(notes: str) -> str:
    """Make paragraphs of plain text."""
    paragraphs = re.split(r"\n\s*\n", notes.strip())
    return "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)


def _results_html(table: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the rows of the table; the best of a column and its ties are strong."""
    rows = []
    for number, row in enumerate(table, 1):
        name = f'<th scope="row"><button type="button">{escape(row["name"])}</button></th>'
        cells = (_number_html(row, column, table) for column in _COLUMNS)
        rows.append(f'<tr data-row="{number}">{name}{"".join(cells)}</tr>')
    return "\n".join(rows)


def _number_html(row: Mapping[str, Any], column: str, table: Sequence[Mapping[str, Any]]) -> str:
    """Return the cell of a number, which is empty but for a dash if there is none."""
    number, (digits, better) = row[column], _COLUMNS[column]
    if number is None or math.isnan(number):
        return "<td>–</td>"
    text = f"{number:,.{digits}f}".replace("inf", "∞")
    if is_best(row, column, table, digits, better):
        text = f'<strong title="best of the column">{text}</strong>'
    return f'<td data-value="{float(number)!r}">{text}</td>'


def _scene_html(names: Sequence[str], path: Path, scene: ComparedScene) -> str:
    """Return the element of a scene, with JSON in it."""
    try:
        data = _scene_data(names, path, scene)
    except ValueError as error:
        raise ValueError(f"Scene {scene['name']!r}: {error}.") from None
    # No tag can begin in the text, so none can end the element.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    name = escape(scene["name"])
    return f'<script type="application/json" class="scene" data-name="{name}">{text}</script>\n'


def _scene_data(names: Sequence[str], path: Path, scene: ComparedScene) -> dict[str, Any]:
    """Return what the report needs of a scene.

    Its `layers` are one list for the truth and one for each row of the table: a PNG of the image,
    one of its error, and one of each model's weight; None where there is none.
    """
    weight_maps, data_range = scene["weight_maps"], scene["data_range"]
    for name in (*scene["images"], *weight_maps):
        if name not in names:
            raise ValueError(f"there is something of {name!r}, which is not in the table")
    if not 0 < data_range < math.inf:
        raise ValueError(f"data_range == {data_range}, must be positive and finite")
    target = _checked_image(scene["target"], "the target")
    images = {name: _checked_image(image, repr(name)) for name, image in scene["images"].items()}
    for name, image in images.items():
        if image.shape != target.shape:
            raise ValueError(f"{name!r} has shape {image.shape}, but the target {target.shape}")
    errors = {name: error_map(target, image) for name, image in images.items()}
    top = _scale_end(list(errors.values()))
    models = list(dict.fromkeys(model for weights in weight_maps.values() for model in weights))

    def png(image: Image, largest: float) -> str:
        image = np.rint(image * (255 / largest)).clip(0, 255).astype(np.uint8)
        return base64.b64encode(encode_opencv(image, ".png", path)).decode("ascii")

    layers: list[list[str | None]] = [[None] * (2 + len(models)) for _ in range(1 + len(names))]
    layers[0][0] = png(target, data_range)
    for layer, name in zip(layers[1:], names, strict=True):
        if name in images:
            layer[:2] = png(images[name], data_range), png(errors[name], top)
        for model, weight in weight_maps.get(name, {}).items():
            layer[2 + models.index(model)] = png(_checked_weight(weight, model, target), 1)
    return {
        "range": float(data_range),
        "channels": ["grey"] if target.ndim == 2 else ["R", "G", "B"],
        "top": top,  # of the colours of error maps
        "models": models,
        "layers": layers,
    }


def _checked_image(values: ArrayLike, name: str) -> Image:
    """Return (height, width) or (height, width, 3) in double precision."""
    image = np.asarray(values, dtype=np.float64)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
        raise ValueError(
            f"{name} has shape {image.shape}, must be (height, width) or (height, width, 3)"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"{name} has NaN or infinity, must be finite")
    return image


def _checked_weight(values: ArrayLike, model: str, target: Image) -> Image:
    """Return a weight map, whose values may miss 0 and 1 by rounding."""
    weight = np.asarray(values, dtype=np.float64)
    if weight.shape != target.shape[:2]:
        raise ValueError(
            f"a weight map of {model!r} has shape {weight.shape}, must be {target.shape[:2]}"
        )
    if not ((weight >= -1e-6) & (weight <= 1 + 1e-6)).all():
        raise ValueError(f"a weight map of {model!r} has values that are not from 0 to 1")
    return weight


def _scale_end(errors: Sequence[Image]) -> float:
    """Return a round number up to which the colours of a scene's error maps reach.

    It lies above the 99.5th percentile of the result that is the median in this respect, so that an
    input with large errors does not take the contrast from the results.
    """
    end = float(np.median([np.percentile(error, 99.5) for error in errors])) if errors else 0.0
    if end == 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(end))
    rounded = next((number for number in _ROUND if number * power >= end), _ROUND[-1])
    return float(f"{rounded * power:.2g}")
