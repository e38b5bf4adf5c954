"""Where everything stands in the figure of a paper, in whole dots.

A row for each scene: at the left the whole image with its box, then the part in the box of all
images, enlarged by a whole factor, so that each pixel stays a square. Below them stand names and
scores. Error maps and weight maps follow under the images that they belong to, their colour bar at
the left.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skensir.comparison.shown_scenes import INPUT, TRUTH, ShownScene
from skensir.comparison.tables import MEASURES, Mark, rank
from skensir.image.files import Image

# Letters in points: those of a figure whose parts are wide enough, and the smallest.
_FONT, _SMALLEST_FONT = 7.0, 4.5
_LINE, _LETTER = 1.3, 0.58  # height of a line and mean width of a letter, times the size of letters
# In inches.
_GAP = 0.05  # between images
_LEGIBLE = 0.77  # width of a part under which its scores have room
_BAR = 0.08  # height of a colour bar

_DPI, _MOST_DPI = 300, 1200
_WHOLE = 0.14, 0.42  # of the width, least and most that is for the whole image
_MOST_LINES = 4  # of parts in a row
_DIGITS = {"psnr": 2, "ssim": 4}
_LARGEST_SHOWN = 99.5  # of the errors, the percentile where the colours end
_ERRORS, _WEIGHTS = "magma", "viridis"  # colours, as those of the displays

Piece = tuple[str, Mark]


class Place(NamedTuple):
    """A rectangle in dots from the top left corner of the figure."""

    x: int
    y: int
    width: int
    height: int


class Picture(NamedTuple):
    """An image, with colours for its values up to the largest if it has no channels."""

    place: Place
    image: Image
    colours: str | None = None
    largest: float = 1.0
    frame: Place | None = None  # what is marked in it


class Line(NamedTuple):
    """A line of text, of pieces that may be marked."""

    x: int  # of its middle
    y: int  # of its upper end
    pieces: list[Piece]


class Bar(NamedTuple):
    """What colours mean: from 0 at the left to the largest at the right, with a label above."""

    place: Place
    colours: str
    largest: float
    label: str


@dataclass
class Layout:
    """What is drawn, and the size of the figure in dots."""

    dpi: float
    font: float  # size of letters in points
    width: int
    height: int = 0
    items: list[Picture | Line | Bar] = field(default_factory=list)


class _Grid(NamedTuple):
    """What the rows have in common, in dots but for the size of letters in points."""

    dpi: float
    font: float
    left: int  # width of the place for the whole images
    part: int  # width of a column
    n_columns: int

    def dots(self, inches: float) -> int:
        """Return a length in dots."""
        return round(inches * self.dpi)

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return self.dots(_LINE * self.font / 72)

    def factor(self, scene: ShownScene) -> int:
        """Return by how much the part of a scene is enlarged."""
        return max(1, self.part // scene.box.width)

    def wrap(self, text: str, dots: int) -> list[str]:
        """Break text into lines that are no wider than some dots, if need be at underscores."""
        letter = _LETTER * self.font / 72 * self.dpi
        lines = textwrap.wrap(text.replace("_", "_ "), max(6, int(dots / letter)))
        return [line.replace("_ ", "_") for line in lines]


def lay_out(scenes: Sequence[ShownScene], width: float, *, errors: bool) -> Layout:
    """Return where everything stands.

    Parameters
    ----------
    scenes : sequence of ShownScene
        The rows.
    width : float
        Of the figure, in inches.
    errors : bool
        Whether error maps are shown.
    """
    grid = _make_grid(scenes, width)
    largest = _largest_error(scenes) if errors else None
    total = grid.left + grid.n_columns * (grid.part + grid.dots(_GAP))
    layout = Layout(grid.dpi, grid.font, total)
    for number, scene in enumerate(scenes):
        layout.height += grid.dots(2 * _GAP) if number else 0
        _add_row(layout, grid, scene, largest)
    layout.height += grid.dots(_GAP / 2)  # an underline may lie lower than its line
    return layout


def _make_grid(scenes: Sequence[ShownScene], width: float) -> _Grid:
    """Choose the number of columns: the most in which the scores below have room."""
    n_parts = max(len(scene.parts) for scene in scenes)
    aspect = float(np.median([s.whole.shape[1] / s.whole.shape[0] for s in scenes]))
    shape = float(np.median([s.box.height / s.box.width for s in scenes]))
    choices = []
    for n_lines in range(1, min(n_parts, _MOST_LINES) + 1):
        n_columns = -(-n_parts // n_lines)
        part = _part_width(width - n_columns * _GAP, n_columns, n_lines, aspect, shape)
        choices.append((part, n_columns))
    part, n_columns = next((c for c in choices if c[0] >= _LEGIBLE), max(choices))
    box = max(scene.box.width for scene in scenes)
    # The widest box fills its column.
    dpi = math.ceil(part * _DPI / box) * box / part
    if dpi > _MOST_DPI:
        raise ValueError(
            f"The widest box has {box} pixels, too many to show each of them; up to "
            f"{int(part * _MOST_DPI)} have room."
        )
    dots = round(part * dpi)
    left = round((width - n_columns * (part + _GAP)) * dpi)
    font = max(_SMALLEST_FONT, _FONT * min(1.0, part / _LEGIBLE))
    return _Grid(dpi, font, left, dots, n_columns)


def _part_width(width: float, n_columns: int, n_lines: int, aspect: float, shape: float) -> float:
    """Return how wide parts are, so that the whole image beside them is as high as their lines."""
    # Two lines of text below each part, and one below the whole image.
    text = (2 * n_lines - 1) * _LINE * _FONT / 72 + (n_lines - 1) * _GAP
    part = (width - aspect * text) / (n_columns + aspect * n_lines * shape)
    whole = width - n_columns * part
    least, most = (share * width for share in _WHOLE)
    return (width - min(max(whole, least), most)) / n_columns


def _largest_error(scenes: Iterable[ShownScene]) -> float:
    """Return where the colours of error maps end: for the results, not for the input."""
    errors = [e.ravel() for s in scenes for name, e in s.errors.items() if name != INPUT]
    return float(np.percentile(np.concatenate(errors), _LARGEST_SHOWN)) or 1.0


def _add_row(layout: Layout, grid: _Grid, scene: ShownScene, largest: float | None) -> None:
    """Add a row at the end of the layout."""
    top = layout.height
    _add_parts(layout, grid, scene)
    name = grid.wrap(scene.name, grid.left)
    room = layout.height - top - len(name) * grid.line
    place = _fit(scene.whole, Place(0, top, grid.left, room))
    scale = place.width / scene.whole.shape[1]
    x, y, width, height = (round(scale * length) for length in scene.box)
    frame = Place(place.x + x, place.y + y, width, height)
    layout.items.append(Picture(place, scene.whole, frame=frame))
    middle, below = place.x + place.width // 2, place.y + place.height
    layout.items += _lines(grid, middle, below, [[(text, Mark.NONE)] for text in name])
    if largest is not None:
        _add_maps(layout, grid, scene, scene.errors, (_ERRORS, largest, "absolute error"))
    for result, weights in scene.weights.items():
        _add_maps(layout, grid, scene, weights, (_WEIGHTS, 1.0, f"weights of {result}"))


def _lines(grid: _Grid, x: int, y: int, lines: Sequence[list[Piece]]) -> list[Line]:
    """Return lines of text below each other, with their middle and the upper end of the first."""
    return [Line(x, y + number * grid.line, pieces) for number, pieces in enumerate(lines)]


def _fit(image: Image, place: Place) -> Place:
    """Return the place of an image at the top of another, in the middle, of its own shape."""
    height, width = image.shape[:2]
    scale = min(place.width / width, place.height / height)
    own = round(scale * width), round(scale * height)
    return Place(place.x + (place.width - own[0]) // 2, place.y, *own)


def _columns(grid: _Grid, scene: ShownScene) -> list[list[tuple[str, int]]]:
    """Return the names in each line of parts, with the left end of each."""
    names, left = list(scene.parts), grid.left + grid.dots(_GAP)
    n_lines = -(-len(names) // grid.n_columns)
    per_line = -(-len(names) // n_lines)
    pitch = grid.part + grid.dots(_GAP)
    return [
        [(name, left + column * pitch) for column, name in enumerate(names[first:][:per_line])]
        for first in range(0, len(names), per_line)
    ]


def _add_parts(layout: Layout, grid: _Grid, scene: ShownScene) -> None:
    """Add the parts of a scene in the box, with names and scores below."""
    factor = grid.factor(scene)
    width, height = factor * scene.box.width, factor * scene.box.height
    captions = _captions(scene.scores)
    columns = _columns(grid, scene)
    for number, names in enumerate(columns):
        layout.height += grid.dots(_GAP) if number else 0
        texts = {name: grid.wrap(name, grid.part) for name, _ in names}
        for name, x in names:
            layout.items.append(Picture(Place(x, layout.height, width, height), scene.parts[name]))
            lines: list[list[Piece]] = [[(text, Mark.NONE)] for text in texts[name]]
            lines += [captions[name]] if name in captions else []
            layout.items += _lines(grid, x + width // 2, layout.height + height, lines)
        layout.height += height + (max(map(len, texts.values())) + 1) * grid.line


def _add_names(layout: Layout, grid: _Grid, middles: Sequence[tuple[str, int]]) -> None:
    """Add names at the end of the layout, by their middles."""
    texts = [(grid.wrap(name, grid.part), x) for name, x in middles]
    for lines, x in texts:
        layout.items += _lines(grid, x, layout.height, [[(line, Mark.NONE)] for line in lines])
    layout.height += max(len(lines) for lines, _ in texts) * grid.line


def _captions(scores: Mapping[str, Mapping[str, float]]) -> dict[str, list[Piece]]:
    """Return the scores below each image, and what they are below the truth."""
    marks = {
        key: rank(scores, [of[key] for of in scores.values()], MEASURES[key]._replace(digits=d))
        for key, d in _DIGITS.items()
    }
    captions: dict[str, list[Piece]] = {TRUTH: [("PSNR / SSIM", Mark.NONE)]}
    for number, (name, of_image) in enumerate(scores.items()):
        pieces = [
            (f"{of_image[key]:.{digits}f}".replace("inf", "∞"), marks[key][number])
            for key, digits in _DIGITS.items()
        ]
        captions[name] = [pieces[0], ("/", Mark.NONE), pieces[1]]
    return captions


def _add_maps(
    layout: Layout,
    grid: _Grid,
    scene: ShownScene,
    maps: Mapping[str, Image],
    scale: tuple[str, float, str],
) -> None:
    """Add maps below the images of the same names, and what their colours mean."""
    factor, gap = grid.factor(scene), grid.dots(_GAP)
    width, height = factor * scene.box.width, factor * scene.box.height
    colours, largest, label = scale
    top = layout.height + gap
    columns = _columns(grid, scene)
    for names in columns:
        shown = [(name, x) for name, x in names if name in maps]
        for name, x in shown:
            place = Place(x, layout.height + gap, width, height)
            layout.items.append(Picture(place, maps[name], colours, largest))
        layout.height += height + gap if shown else 0
        if len(columns) > 1 and shown:  # which line is which is not plain
            _add_names(layout, grid, [(name, x + width // 2) for name, x in shown])
    wide = min(grid.left, grid.dots(1.4))
    x = (grid.left - wide) // 2
    y = (top + layout.height - grid.dots(_BAR)) // 2
    bar = Place(x, y, wide, grid.dots(_BAR))
    layout.items.append(Bar(bar, colours, largest, "\n".join(grid.wrap(label, grid.left))))
