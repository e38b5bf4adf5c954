"""What the weights of one cell were estimated from."""

from __future__ import annotations

import textwrap
from itertools import cycle

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight

from skensir._core.binning import bin_indices
from skensir._core.table import FITTED
from skensir._ensir import EnsIRRegressor
from skensir.display._figure import (
    check_model_names,
    import_pyplot,
    model_colors,
    set_legend,
)

# Of a histogram, about.
_N_BARS = 64
_LINE_STYLES = ("-", "--", "-.", ":")
_LABEL_WIDTH = 28  # letters
# A component may be very narrow; its peak is cut off at this multiple of the highest bar.
_HEADROOM = 1.5


def rows_in_cell(X, cell, cells, bin_width):
    """Return a mask of the rows of `X` that the lookup table takes to `cell`."""
    inside = np.ones(len(X), dtype=bool)
    for column, index, occupied in zip(X.T, cell, cells.T, strict=True):
        bins = np.clip(bin_indices(column, bin_width), occupied.min(), occupied.max())
        inside &= bins == index
    return inside


def histogram_edges(truth):
    """Return the edges of the bars: whole numbers lie in the middle, where bars are that narrow."""
    lowest, highest = truth.min(), truth.max()
    if not np.array_equal(truth, np.rint(truth)):
        return np.linspace(lowest, highest, _N_BARS + 1)
    n_values = highest - lowest + 1
    step = np.ceil(n_values / _N_BARS)
    return lowest - 0.5 + step * np.arange(np.ceil(n_values / step) + 1)


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
        Bin indices, one a model.
    bin_width : float
        Width of the bins.
    origin : str
        How the weights came about: "fitted", "thin" or "degenerate".
    means, weights : array-like of shape (n_models,)
        Means of the predictions in the cell, and the weights.
    variances : array-like of shape (n_models,), default=None
        Variances of the components; None where there is no mixture.
    model_names : sequence of str, default=None
        Names of the base models; None calls them model 0, model 1, and so on.

    Attributes
    ----------
    histogram_ : StepPatch
        The truth, as density.
    lines_ : list of Line2D
        A line a model: its weighted component, or its mean.
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

    def __init__(
        self,
        *,
        counts,
        edges,
        cell,
        bin_width,
        origin,
        means,
        weights,
        variances=None,
        model_names=None,
    ):
        self.counts = counts
        self.edges = edges
        self.cell = cell
        self.bin_width = bin_width
        self.origin = origin
        self.means = means
        self.weights = weights
        self.variances = variances
        self.model_names = model_names

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, cell=None, sample_weight=None, model_names=None, ax=None
    ):
        """Plot the truth of the rows that fall into a cell, and what was fitted there.

        Parameters
        ----------
        estimator : EnsIRRegressor
            Fitted; of a search, such as EnsIRRegressorCV, its `best_estimator_` is taken.
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models: the reference set, or held-out rows. End bins are
            open, as in `predict`.
        y : array-like of shape (n_samples,)
            Truth.
        cell : sequence of int, default=None
            Bin indices, one a model: a line of `cells_`. None takes the cell that had most rows
            in fit.
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
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = getattr(estimator, "best_estimator_", estimator)
        if not isinstance(estimator, EnsIRRegressor):
            raise ValueError(
                f"estimator == {estimator!r}, must be an EnsIRRegressor or a search for one; of "
                "an ensemble of images, pass one of regressors_."
            )
        X = estimator._validate_predictions(X)
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y"))
        check_consistent_length(X, y)
        sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        names = check_model_names(model_names, X.shape[1], estimator)

        number = int(np.argmax(estimator.cell_counts_))
        if cell is not None:
            found = np.flatnonzero((estimator.cells_ == cls._check_cell(cell, X)).all(axis=1))
            if not found.size:
                raise ValueError(
                    f"cell == {cell!r} is not occupied: no row fell into it in fit. The "
                    f"{len(estimator.cells_)} cells that are occupied are the lines of cells_."
                )
            number = int(found[0])
        indices = tuple(estimator.cells_[number].tolist())
        inside = rows_in_cell(X, indices, estimator.cells_, estimator.bin_width_)
        inside &= sample_weight > 0
        if not inside.any():
            raise ValueError(f"No row of X falls into the cell {indices}; pass another cell.")
        counts, edges = np.histogram(
            y[inside], histogram_edges(y[inside]), weights=sample_weight[inside]
        )
        origin = str(estimator.cell_origin_[number])
        has_mixture = estimator.objective == "likelihood" and origin == FITTED
        display = cls(
            counts=counts,
            edges=edges,
            cell=indices,
            bin_width=estimator.bin_width_,
            origin=origin,
            means=estimator.means_[number],
            weights=estimator.weights_[number],
            variances=estimator.variances_[number] if has_mixture else None,
            model_names=names,
        )
        return display.plot(ax)

    @staticmethod
    def _check_cell(cell, X):
        """Return a cell as an array of bin indices."""
        indices = np.asarray(cell)
        if indices.shape != X.shape[1:] or indices.dtype.kind not in "iu":
            raise ValueError(
                f"cell == {cell!r}, must be {X.shape[1]} whole numbers, the bin index of each "
                "model."
            )
        return indices

    def plot(self, ax=None):
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
        plt = import_pyplot(f"{type(self).__name__}.plot")
        own_figure = ax is None
        if own_figure:
            _, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure

        counts, edges = np.asarray(self.counts, dtype=np.float64), np.asarray(self.edges)
        density = counts / (counts.sum() * np.diff(edges))
        self.histogram_ = ax.stairs(density, edges, fill=True, color="0.8", label="truth")
        means, weights = np.asarray(self.means), np.asarray(self.weights)
        names = check_model_names(self.model_names, len(means))
        labels = [
            textwrap.fill(f"{name}, weight {weight:.2f}", _LABEL_WIDTH)
            for name, weight in zip(names, weights, strict=True)
        ]
        colors = model_colors(len(means))
        self.mixture_ = None
        if self.variances is None:
            # From wide to narrow, so that lines at the same place are all seen.
            line_widths = np.linspace(6, 1.5, len(means))
            self.lines_ = [
                ax.axvline(mean, color=color, lw=line_width, label=label)
                for mean, color, line_width, label in zip(
                    means, colors, line_widths, labels, strict=True
                )
            ]
        else:
            # The means belong to the grid: a narrow component lies between its other points.
            values = np.union1d(np.linspace(edges[0], edges[-1], 501), means)
            scales = np.sqrt(self.variances)
            components = weights * norm.pdf(values[:, None], means, scales)
            [self.mixture_] = ax.plot(
                values, components.sum(axis=1), color="black", lw=2.5, label="mixture"
            )
            self.lines_ = [
                ax.plot(values, component, style, color=color, label=label)[0]
                for component, style, color, label in zip(
                    components.T, cycle(_LINE_STYLES), colors, labels, strict=False
                )
            ]
            highest = min(components.sum(axis=1).max(), _HEADROOM * density.max())
            ax.set_ylim(0, 1.05 * max(highest, density.max()))
        ax.set(xlabel="truth", ylabel="density")
        ax.set_title(
            f"Cell {self.cell}, bins of width {self.bin_width:g}\n"
            f"{counts.sum():,.10g} rows, {self.origin}",
            fontsize="medium",
        )
        set_legend(ax, beside=own_figure)
        return self
