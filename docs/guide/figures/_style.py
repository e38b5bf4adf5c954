"""What the figures of the guide have in common: colours for light and dark pages, and sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib.pyplot as plt


class Colors(NamedTuple):
    """Colours that can be told apart on their background, also by the colour-blind."""

    ink: str
    faint: str
    first: str
    second: str
    third: str
    weights: str  # a colour map, from all weight on the second model to all on the first


LIGHT = Colors("#222222", "#b8b8b8", "#0072b2", "#d55e00", "#008060", "RdBu")
DARK = Colors("#e6e6e6", "#5c5c5c", "#56b4e9", "#f0914a", "#2fc99e", "RdBu")


@contextmanager
def style(colors: Colors) -> Iterator[None]:
    """Draw on a transparent ground, in the ink of a page."""
    ink = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"),
        colors.ink,
    )
    sizes = {"font.size": 11, "axes.titlesize": 11, "axes.titlelocation": "left"}
    ground = {"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "auto"}
    spines = {"axes.spines.top": False, "axes.spines.right": False}
    legend = {"legend.frameon": False, "legend.fontsize": 10}
    with plt.rc_context({**ink, **sizes, **ground, **spines, **legend}):
        yield
