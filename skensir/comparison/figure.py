"""The figure of a paper, drawn: the same part of all images of a scene side by side.

Examples
--------
>>> import numpy as np
>>> from skensir.comparison.figure import draw_figure
>>> from skensir.comparison.shown_scenes import Box, ShownScene
>>> truth = np.zeros((48, 64, 3), np.uint8)
>>> scene = ShownScene("0001", truth, Box(16, 16, 16, 16))
>>> scene.parts = {"MPRNet": truth[16:32, 16:32], "Truth": truth[16:32, 16:32]}
>>> figure = draw_figure([scene], width=5)
>>> [len(figure.axes), round(figure.get_figwidth())]
[3, 5]
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from skensir._optional import import_optional
from skensir.comparison.figure_layout import Bar, Layout, Line, Picture, Place, lay_out
from skensir.comparison.shown_scenes import ShownScene
from skensir.comparison.tables import Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.0
FORMATS = (".png", ".pdf")
_BOX = "#E5101D"  # a red


def draw_figure(
    scenes: Sequence[ShownScene], *, errors: bool = False, width: float = WIDTH
) -> Figure:
    """Return the figure of some scenes.

    Parameters
    ----------
    scenes : sequence of ShownScene
        The rows. Maps of weights are shown where they have some.
    errors : bool, default=False
        Whether maps of the absolute errors are shown, all on one scale.
    width : float, default=7
        Of the figure in inches. Letters have 7 points, or less where images are small.

    Returns
    -------
    figure : Figure
        Of matplotlib, with as many dots per inch as show each pixel as a square of dots.

    Raises
    ------
    ValueError
        If a box is so wide that this is not possible.
    """
    import_optional("matplotlib", "A figure")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layout = lay_out(scenes, width, errors=errors)
    size = layout.width / layout.dpi, layout.height / layout.dpi
    figure = Figure(figsize=size, dpi=layout.dpi)
    canvas: Any = FigureCanvasAgg(figure)
    page = _Page(figure, layout, canvas.get_renderer())
    for item in layout.items:
        page.draw(item)
    return figure


def encode_figure(figure: Figure, suffix: str) -> bytes:
    """Return a figure as a file of this suffix: equal figures give equal files.

    Text in PDF stays text, in fonts that publishers accept.
    """
    from matplotlib import rc_context

    date = {"CreationDate": None} if suffix == ".pdf" else {}
    buffer = BytesIO()
    with rc_context({"pdf.fonttype": 42}):
        figure.savefig(buffer, format=suffix[1:], dpi="figure", metadata=date)
    return buffer.getvalue()


class _Page:
    """A figure on which things are drawn at places in dots."""

    def __init__(self, figure: Figure, layout: Layout, renderer: Any) -> None:
        self.figure, self.layout, self.renderer = figure, layout, renderer

    def draw(self, item: Picture | Line | Bar) -> None:
        """Draw an item of the layout."""
        draw: Any = {Picture: self._draw_picture, Line: self._draw_line, Bar: self._draw_bar}
        draw[type(item)](item)

    def _position(self, x: float, y: float) -> tuple[float, float]:
        """Return a point in the coordinates of the figure, which start at the bottom."""
        return x / self.layout.width, 1 - y / self.layout.height

    def _axes(self, place: Place) -> Axes:
        """Return axes that fill a place."""
        left, bottom = self._position(place.x, place.y + place.height)
        size = place.width / self.layout.width, place.height / self.layout.height
        axes = self.figure.add_axes((left, bottom, *size))
        axes.set_axis_off()
        return axes

    def _draw_picture(self, picture: Picture) -> None:
        image, place = picture.image, picture.place
        factor, rest = divmod(place.width, image.shape[1])
        settings: dict[str, Any] = {"aspect": "auto", "interpolation": "antialiased"}
        if not rest and factor * image.shape[0] == place.height:
            # In this size already, as readers of PDF would smooth what they enlarge.
            image = image.repeat(factor, axis=0).repeat(factor, axis=1)
            settings["interpolation"] = "none"
        if picture.colours is not None:
            settings |= {"cmap": picture.colours, "vmin": 0, "vmax": picture.largest}
        self._axes(place).imshow(image, **settings)
        if picture.frame is not None:
            self._draw_frame(picture.frame)

    def _draw_frame(self, frame: Place) -> None:
        """Mark a part of an image: red within white, which is seen on every ground."""
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import Normal, Stroke

        left, bottom = self._position(frame.x, frame.y + frame.height)
        size = frame.width / self.layout.width, frame.height / self.layout.height
        box = Rectangle((left, bottom), *size, fill=False, edgecolor=_BOX, linewidth=1)
        box.set_path_effects([Stroke(linewidth=1.8, foreground="white"), Normal()])
        self.figure.add_artist(box)

    def _draw_line(self, line: Line) -> None:
        """Draw pieces of text beside each other: the best bold, the second underlined."""
        texts = [self._text(piece, mark) for piece, mark in line.pieces]
        widths = [text.get_window_extent(self.renderer).width for text in texts]
        space = 0.25 * self._letter()
        x = line.x - (sum(widths) + space * (len(texts) - 1)) / 2
        baseline = line.y + 1.05 * self._letter()
        for text, width, (_, mark) in zip(texts, widths, line.pieces, strict=True):
            text.set_position(self._position(x, baseline))
            if mark == Mark.SECOND:
                self._underline(x, baseline + 0.18 * self._letter(), width)
            x += width + space

    def _letter(self) -> float:
        """Return the size of letters in dots."""
        return self.layout.font / 72 * self.layout.dpi

    def _text(self, text: str, mark: Mark) -> Any:
        """Return text that is drawn; a dollar sign is a letter in it."""
        weight = "bold" if mark == Mark.BEST else "normal"
        style: dict[str, Any] = {"fontsize": self.layout.font, "weight": weight}
        return self.figure.text(0, 0, text, va="baseline", parse_math=False, **style)

    def _underline(self, x: float, y: float, width: float) -> None:
        from matplotlib.lines import Line2D

        ends = [self._position(x, y), self._position(x + width, y)]
        line = Line2D(*zip(*ends, strict=True), color="black", linewidth=0.6)
        self.figure.add_artist(line)

    def _draw_bar(self, bar: Bar) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        axes = self._axes(bar.place)
        axes.set_axis_on()
        scale = ScalarMappable(Normalize(0, bar.largest), bar.colours)
        shown = self.figure.colorbar(scale, cax=axes, orientation="horizontal")
        shown.set_ticks([0, bar.largest], labels=["0", f"{bar.largest:.3g}"])
        shown.ax.tick_params(labelsize=self.layout.font, length=2, pad=1.5, width=0.5)
        shown.outline.set_linewidth(0.5)
        first, last = shown.ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        axes.set_title(bar.label, fontsize=self.layout.font, pad=3, parse_math=False)
