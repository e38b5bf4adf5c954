"""What the weights of one cell were estimated from."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from skensir._base import check_sample_weight
from skensir._checks import as_numbers, check_number, check_option, check_text, saying_of, shown
from skensir._core.combine import find_cells
from skensir._core.table import FITTED
from skensir._ensir import EnsIRRegressor
from skensir._optional import import_optional
from skensir._sums.axes import KINDS
from skensir._text import plural
from skensir._typing import AnyArray, FloatArray, IntArray
from skensir.display._figure import check_model_names, model_colors, set_legend, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Of a histogram, about.
_N_BARS = 64
_LINE_STYLES = ("-", "--", "-.", ":")
_LABEL_WIDTH = 28  # letters
# A component may be very narrow; its peak is cut off at this multiple of the highest bar.
_HEADROOM = 1.5


def single_table(estimator: Any) -> EnsIRRegressor:
    """Return the estimator that has the one table of an estimator or of a search."""
    if len(getattr(estimator, "estimators_", ())) > 1:
        raise ValueError(
            f"estimator == {shown(estimator)} has averaged tables on several axes; pass one of its "
            "estimators_."
        )
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, EnsIRRegressor):
        raise ValueError(
            f"estimator == {shown(estimator)}, must be an EnsIRRegressor or a search for one; of "
            "an ensemble of images, pass one of regressors_."
        )
    return estimator


def cell_number(estimator: EnsIRRegressor, cell: Sequence[int] | None) -> int:
    """Return the number of a cell, given by its bin indices, or of the one with most rows."""
    if cell is None:
        return int(np.argmax(estimator.cell_counts_))
    cells: IntArray = estimator.cells_
    with saying_of("cell"):
        indices = np.asarray(cell)
    if indices.shape != cells.shape[1:] or indices.dtype.kind not in "iu":
        raise ValueError(
            f"cell == {shown(cell)}, must be {cells.shape[1]} whole numbers, the bin index on each "
            "axis."
        )
    found = np.flatnonzero((cells == indices).all(axis=1))
    if not found.size:
        raise ValueError(
            f"cell == {shown(cell)} is not occupied: no row fell into it in fit. The {len(cells)} "
            "cells that are occupied are the lines of cells_."
        )
    return int(found[0])


def histogram_edges(truth: FloatArray) -> FloatArray:
    """Return the edges of the bars: whole numbers lie in the middle, where bars are that narrow."""
    lowest, highest = truth.min(), truth.max()
    if not np.array_equal(truth, np.rint(truth)):
        return np.linspace(lowest, highest, _N_BARS + 1)
    n_values = highest - lowest + 1
    step = np.ceil(n_values / _N_BARS)
    return np.asarray(lowest - 0.5 + step * np.arange(np.ceil(n_values / step) + 1))


@dataclass(eq=False, repr=False, kw_only=True)
class CellDisplay:
    """Histogram of the truth in one cell, with the mixture that was fitted to it.

    The components of the mixture and their sum lie over the histogram, as in Fig. 5 and 6 of the
    paper [1]_. Where no mixture was fitted, which are thin and degenerate cells and all cells of
    the squared error, vertical lines show the means of the models' predictions. Use
    `from_estimator` to make one.

    Parameters
    ----------
    counts : array-like of shape (n_bars,)
        Number of rows, or sum of their sample weights, in each bar of the histogram.
    edges : array-like of shape (n_bars + 1,)
        Edges of the bars.
    cell : sequence of int
        Bin indices, one per axis.
    bin_width : float
        Width of the bins.
    origin : str
        How the weights came about: "fitted", "thin" or "degenerate".
    means, weights : array-like of shape (n_models,)
        Means of the predictions in the cell, and the weights. Means that are not a number, as
        those of cells on other axes, have no lines.
    variances : array-like of shape (n_models,), default=None
        Variances of the components; None where there is no mixture.
    model_names : sequence of str, default=None
        Names of the base models; None calls them model 0, model 1, and so on.
    axes : str, default="predictions"
        What the cells are made of.

    Attributes
    ----------
    histogram_ : StepPatch
        The truth, as density.
    lines_ : list of Line2D
        A line for each model: its weighted component, or its mean.
    mixture_ : Line2D or None
        The sum of the components.
    ax_ : Axes
        Where the plot stands.
    figure_ : Figure
        The figure of `ax_`.

    See Also
    --------
    WeightMapDisplay : The weights over an image.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.display import CellDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> X = y[:, None] + rng.normal(size=(5000, 2)) * [2, 8]
    >>> display = CellDisplay.from_estimator(EnsIRRegressor().fit(X, y), X, y, cell=(3, 3))
    >>> display.origin
    'fitted'
    """

    counts: ArrayLike
    edges: ArrayLike
    cell: Sequence[int]
    bin_width: float
    origin: str
    means: ArrayLike
    weights: ArrayLike
    variances: ArrayLike | None = None
    model_names: Sequence[str] | None = None
    axes: str = "predictions"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        cell: Sequence[int] | None = None,
        sample_weight: ArrayLike | None = None,
        model_names: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the truth of the rows that fall into a cell, and what was fitted there.

        Parameters
        ----------
        estimator : EnsIRRegressor
            Fitted; of a search, such as EnsIRRegressorCV, its `best_estimator_` is taken. Where
            that is missing, as tables on several axes are averaged, pass one of `estimators_`.
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models: the reference set, or held-out rows. End bins are
            open, as in `predict`.
        y : array-like of shape (n_samples,)
            Truth.
        cell : sequence of int, default=None
            Bin indices, one per axis: a line of `cells_`. None takes the cell that had most
            rows in fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the histogram.
        model_names : sequence of str, default=None
            Names of the base models; None takes those that the estimator knows, or numbers.
        ax : Axes, default=None
            Where to plot.

        Returns
        -------
        display : CellDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the cell is not occupied, or none of the rows falls into it.
        """
        import_optional("matplotlib.pyplot", f"{cls.__name__}.from_estimator")
        estimator = single_table(estimator)
        rows = estimator._validate_predictions(X)
        truth = estimator._validate_truth(y, rows).astype(np.float64, copy=False)
        weight: FloatArray = np.ones(len(rows))
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, len(rows))
        names = check_model_names(model_names, rows.shape[1], estimator)
        number = cell_number(estimator, cell)
        return cls._from_rows(estimator, rows, truth, weight, number, names).plot(ax)

    @classmethod
    def _from_rows(
        cls,
        estimator: EnsIRRegressor,
        X: AnyArray,
        y: FloatArray,
        sample_weight: AnyArray,
        number: int,
        names: list[str],
    ) -> Self:
        """Return the display of a cell, given by its number."""
        indices = tuple(estimator.cells_[number].tolist())
        found = find_cells(X, estimator._index, estimator._table_axes()) == number
        inside = found & (sample_weight > 0)
        if not inside.any():
            raise ValueError(f"No row of X falls into the cell {indices}; pass another cell.")
        truth, weight = y[inside], sample_weight[inside]
        counts, edges = np.histogram(truth, histogram_edges(truth), weights=weight)
        origin = str(estimator.cell_origin_[number])
        has_mixture = estimator._objective().needs_truth and origin == FITTED
        return cls(
            counts=counts,
            edges=edges,
            cell=indices,
            bin_width=estimator.bin_width_,
            axes=estimator.axes_,
            origin=origin,
            means=estimator.means_[number],
            weights=estimator.weights_[number],
            variances=estimator.variances_[number] if has_mixture else None,
            model_names=names,
        )

    def _check(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray | None]:
        """Return the arrays, or raise an error that names the argument that makes no sense."""
        check_number(self.bin_width, "bin_width")
        check_option(self.axes, "axes", KINDS)
        check_text(self.origin, "origin")
        if not isinstance(self.cell, Sequence | np.ndarray) or isinstance(self.cell, str | bytes):
            raise TypeError(f"cell == {shown(self.cell)}, must be the bin index on each axis.")
        counts, edges = as_numbers(self.counts, "counts"), as_numbers(self.edges, "edges")
        if len(edges) != len(counts) + 1 or not (np.diff(edges) > 0).all():
            raise ValueError(f"edges == {shown(self.edges)}, must be {len(counts) + 1}, rising.")
        if not ((counts >= 0).all() and 0 < counts.sum() < np.inf):
            raise ValueError(f"counts == {shown(self.counts)}, must be zero or more, some above.")
        means, weights = as_numbers(self.means, "means"), as_numbers(self.weights, "weights")
        variances = None if self.variances is None else as_numbers(self.variances, "variances")
        for name, of_models in (("weights", weights), ("variances", variances)):
            if of_models is not None and of_models.shape != means.shape:
                found = shown(getattr(self, name))
                raise ValueError(f"{name} == {found}, must be {len(means)} as means are.")
        return counts, edges, means, weights, variances

    def plot(self, ax: Axes | None = None) -> Self:
        """Plot the histogram and the mixture.

        Parameters
        ----------
        ax : Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : CellDisplay
            The display itself.
        """
        counts, edges, means, weights, variances = self._check()
        names = check_model_names(self.model_names, len(means))
        own_figure = ax is None
        ax = single_axes(ax, f"{type(self).__name__}.plot")
        self.ax_, self.figure_ = ax, ax.figure
        density = counts / (counts.sum() * np.diff(edges))
        self.histogram_ = ax.stairs(density, edges, fill=True, color="0.8", label="truth")
        looks: list[dict[str, Any]] = [
            {"color": color, "label": textwrap.fill(f"{name}, weight {weight:.2f}", _LABEL_WIDTH)}
            for name, weight, color in zip(names, weights, model_colors(len(means)), strict=True)
        ]
        self.mixture_: Line2D | None = None
        self.lines_: list[Line2D] = []
        if variances is None:
            # From wide to narrow, so that lines at the same place are all seen.
            line_widths = np.linspace(6, 1.5, len(means))
            for mean, line_width, look in zip(means, line_widths, looks, strict=True):
                self.lines_.append(ax.axvline(mean, lw=line_width, **look))
        else:
            # The means belong to the grid: a narrow component lies between its other points.
            values = np.union1d(np.linspace(edges[0], edges[-1], 501), means)
            components = weights * norm.pdf(values[:, None], means, np.sqrt(variances))
            mixture = components.sum(axis=1)
            [self.mixture_] = ax.plot(values, mixture, "k", lw=2.5, label="mixture")
            for component, look in zip(components.T, looks, strict=True):
                style = _LINE_STYLES[len(self.lines_) % len(_LINE_STYLES)]
                self.lines_ += ax.plot(values, component, style, **look)
            highest = min(mixture.max(), _HEADROOM * density.max())
            ax.set_ylim(0, 1.05 * max(highest, density.max()))
        ax.set(xlabel="truth", ylabel="density")
        of_axes = "" if self.axes == "predictions" else f" of {self.axes}"
        ax.set_title(
            f"Cell {shown(self.cell)}{of_axes}, bins of width {self.bin_width:g}\n"
            f"{plural(counts.sum(), 'row')}, {self.origin}",
            fontsize="medium",
        )
        set_legend(ax, beside=own_figure)
        return self
