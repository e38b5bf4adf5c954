"""What the displays share: axes of their own or the user's, panels in a grid, colours, names."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skensir._checks import check_mapping, check_names, in_one_line, shown
from skensir._optional import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage
    from matplotlib.typing import ColorType

    # What the user may give for panels.
    AxesLike: TypeAlias = Axes | Sequence[Axes] | NDArray[Any]

# The palette of Okabe and Ito, which the colour-blind tell apart, without its black.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")

# Of a figure of our own, inches: area of a panel, largest width and height of the figure.
_PANEL_AREA, _WIDTH, _HEIGHT = 9.0, 12.0, 8.0
_SHAPE = 3.0  # width of such a figure as a multiple of its height, about

# Mean width of a letter as a multiple of the size of the font.
_LETTER = 0.6


def model_colors(n_models: int) -> list[ColorType]:
    """Return a colour for each model that the colour-blind tell apart."""
    if n_models <= len(_PALETTE):
        return list(_PALETTE[:n_models])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 1, n_models)))


def check_model_names(
    model_names: Sequence[str] | None, n_models: int, estimator: Any = None
) -> list[str]:
    """Return a name for each model: those given, those that the estimator knows, or numbers."""
    for attribute in ("feature_names_in_", "model_names_"):  # of a data frame, of a reference set
        if model_names is None:
            model_names = getattr(estimator, attribute, None)
    if model_names is None:
        return [f"model {m}" for m in range(n_models)]
    return check_names(model_names, "model_names", n_models)


def _grid_shape(n_panels: int, aspect: float, shape: float) -> tuple[int, int]:
    """Return rows and columns of panels that together are about `shape` as wide as high."""
    n_columns = int(np.clip(round(np.sqrt(n_panels * shape / aspect)), 1, n_panels))
    n_rows = -(-n_panels // n_columns)
    return n_rows, -(-n_panels // n_rows)


def settings_of_images(im_kw: Any) -> dict[str, Any]:
    """Return the arguments of imshow that the user gives."""
    return {} if im_kw is None else dict(check_mapping(im_kw, "im_kw", "of arguments of imshow"))


def single_axes(ax: Axes | None, caller: str) -> Axes:
    """Return the axes that the user gives, or those of a new figure with room for a legend."""
    plt = import_optional("matplotlib.pyplot", caller)
    axes: Axes
    if ax is not None:
        if not isinstance(ax, plt.Axes):
            raise TypeError(f"ax == {shown(ax)}, must be None or an Axes of matplotlib.")
        axes = ax
        return axes
    axes = plt.subplots(figsize=(8, 4.5), layout="constrained")[1]
    return axes


def set_legend(ax: Axes, *, beside: bool) -> None:
    """Put the legend beside the axes, or where it hides least."""
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if beside else {}
    ax.legend(frameon=not beside, fontsize="small", **place)


def _make_panels(
    plt: ModuleType, ax: AxesLike | None, n_panels: int, image_shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return `n_panels` axes for images: of a new figure, in the place of one, or those given.

    Parameters
    ----------
    plt : module
        pyplot.
    ax : None, Axes or array-like of Axes
        None makes a figure. One Axes is turned off and its place divided. Of many there must be
        as many as panels.
    n_panels : int
    image_shape : tuple of int
        Height and width of the images.

    Returns
    -------
    axes : ndarray of shape (n_panels,)
    """
    axes: NDArray[Any]
    aspect = image_shape[1] / image_shape[0]
    if ax is None:
        n_rows, n_columns = _grid_shape(n_panels, aspect, _SHAPE)
        width = min(np.sqrt(_PANEL_AREA * aspect), _WIDTH / n_columns, _HEIGHT / n_rows * aspect)
        # A narrow panel still has a title.
        size = n_columns * max(width, 1.2) + 1, n_rows * (width / aspect + 0.5)
        _, axes = plt.subplots(n_rows, n_columns, squeeze=False, figsize=size, layout="compressed")
    elif isinstance(ax, plt.Axes):
        if not ax.axison:
            raise ValueError(
                "ax is turned off, most likely by another display: pass that display's axes_."
            )
        place = ax.get_subplotspec()
        if place is None:
            raise ValueError(
                "ax has no place in a grid that could be divided: pass one that plt.subplots "
                f"made, or {n_panels} axes."
            )
        ax.set_axis_off()
        n_rows, n_columns = _grid_shape(n_panels, aspect, ax.bbox.width / ax.bbox.height)
        axes = place.subgridspec(n_rows, n_columns).subplots(squeeze=False)
    else:
        axes = np.asarray(ax, dtype=object)
        if not all(isinstance(one, plt.Axes) for one in axes.flat):
            raise TypeError(f"ax == {shown(ax)}, must be None, or one or more Axes of matplotlib.")
        if axes.size != n_panels:
            raise ValueError(f"ax has {axes.size} axes, must be one or {n_panels}, one per panel.")
    for spare in axes.ravel()[n_panels:]:
        spare.remove()
    return axes.ravel()[:n_panels]


def _set_title(axis: Axes, title: str, image_shape: tuple[int, ...]) -> None:
    """Set a title, in lines that are no longer than the image above which they stand."""
    points = 72 / axis.figure.dpi
    width = min(axis.bbox.width, axis.bbox.height * image_shape[1] / image_shape[0]) * points
    text = axis.set_title(title, fontsize="medium")
    letters = max(6, int(width / (_LETTER * float(text.get_fontsize()))))
    text.set_text("\n".join(textwrap.fill(line, letters) for line in title.split("\n")))


class ImagePanels:
    """What displays of several images with one colour bar have in common.

    Their attributes `images_`, `colorbar_`, `axes_`, `ax_`, `bounding_ax_` and `figure_` are set
    here.
    """

    images_: list[AxesImage]
    colorbar_: Colorbar
    axes_: NDArray[Any]
    ax_: Axes
    bounding_ax_: Axes | None
    figure_: Figure | SubFigure

    def _show(
        self,
        images: Sequence[NDArray[Any]],
        titles: Sequence[str],
        ax: AxesLike | None,
        im_kw: Mapping[str, Any],
        *,
        label: str,
        largest: float = -np.inf,
    ) -> None:
        """Show a panel for each title, the images in the first of them, and a colour bar.

        The colour bar has a tip if `largest` of all values lies beyond it.
        """
        plt = import_optional("matplotlib.pyplot", f"{type(self).__name__}.plot")
        shape = images[0].shape
        self.axes_ = _make_panels(plt, ax, len(titles), shape)
        self.bounding_ax_ = ax if isinstance(ax, plt.Axes) else None
        self.ax_ = self.bounding_ax_ or self.axes_[0]
        self.figure_ = self.ax_.figure
        panels = list(self.axes_[: len(images)])
        try:
            self.images_ = [
                axis.imshow(image, **im_kw) for axis, image in zip(panels, images, strict=True)
            ]
        except (AttributeError, TypeError, ValueError) as error:
            said = in_one_line(str(error))
            raise ValueError(f"im_kw == {shown(im_kw)}, must be of imshow: {said}") from error
        first = self.images_[0]
        extend = "max" if largest > first.get_clim()[1] else None
        self.colorbar_ = self.figure_.colorbar(
            first, ax=panels, label=label, pad=0.02, extend=extend
        )
        for axis, title in zip(self.axes_, titles, strict=True):
            axis.set(xticks=[], yticks=[])
            _set_title(axis, title, shape)
