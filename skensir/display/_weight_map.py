"""Which base model is trusted where in an image."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skensir._base import whole_or_nothing
from skensir._checks import as_numbers, check_flag, shown
from skensir._optional import import_optional
from skensir.display._figure import ImagePanels, check_model_names, model_colors, settings_of_images
from skensir.image.arrays import as_array

if TYPE_CHECKING:
    from matplotlib.image import AxesImage

    from skensir.display._figure import AxesLike


def _weights_of_image(estimator: Any, predictions: NDArray[Any]) -> NDArray[np.float64]:
    """Return (n_models, height, width), the mean over the channels where there are any."""
    weights: NDArray[np.float64]
    if getattr(estimator, "include_input", False):
        [weights] = estimator.predict_weights([predictions[:-1]], [predictions[-1]])
    elif hasattr(estimator, "regressors_"):
        [weights] = estimator.predict_weights([predictions])
    else:
        with warnings.catch_warnings():
            # Arrays have no column names, so that a data frame in fit is not a mistake.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            rows = estimator.predict_weights(predictions.reshape(len(predictions), -1).T)
        weights = rows.T.reshape(predictions.shape)
    if weights.ndim == 4:
        axis = getattr(estimator, "channel_axis", -1)
        # An ensemble counts the axes of an image, before which here is that of the models.
        weights = weights.mean(axis=axis if axis < 0 else axis + 1)
    return weights


@dataclass(eq=False, repr=False)
class WeightMapDisplay(ImagePanels):
    """Maps of the base models' weights over an image, one panel per model.

    It shows which model is trusted where, as in Fig. 4 of the paper [1]_. Use `from_estimator`
    to make one.

    Parameters
    ----------
    weights : array-like of shape (n_models, height, width)
        Weights from 0 to 1. Those of a colour image are averaged over the channels.
    model_names : sequence of str, default=None
        Names of the base models; None calls them model 0, model 1, and so on.

    Attributes
    ----------
    images_ : list of AxesImage
        The maps, one per model.
    colorbar_ : Colorbar
        What their colours mean.
    most_trusted_ : AxesImage or None
        The map of the model with the largest weight, the first one of several.
    axes_ : ndarray of shape (n_panels,)
        The panels.
    ax_ : Axes
        `bounding_ax_`, or the first of the panels.
    bounding_ax_ : Axes or None
        The one Axes given to `plot`, which the panels share.
    figure_ : Figure
        Where they stand.

    See Also
    --------
    CellDisplay : What the weights of one cell were estimated from.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.display import WeightMapDisplay
    >>> rng = np.random.default_rng(0)
    >>> truth = np.tile(np.arange(256.0), (64, 1))
    >>> level = np.stack([truth, 255 - truth]) / 32  # of the noise in two models
    >>> predictions = truth + level * rng.normal(size=level.shape)
    >>> model = EnsIRRegressor().fit(predictions.reshape(2, -1).T, truth.ravel())
    >>> display = WeightMapDisplay.from_estimator(model, predictions, model_names=["dark", "light"])
    >>> [image.get_array().shape for image in display.images_]
    [(64, 256), (64, 256)]
    """

    weights: ArrayLike
    _: KW_ONLY
    model_names: Sequence[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        predictions: ArrayLike,
        *,
        model_names: Sequence[str] | None = None,
        most_trusted: bool = False,
        im_kw: Mapping[str, Any] | None = None,
        ax: AxesLike | None = None,
    ) -> Self:
        """Plot the weights that an estimator gives to the models in one image.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the method `predict_weights`: an ensemble of images or a regressor, which
            is applied to all channels.
        predictions : array-like of shape (n_models, height, width[, n_channels])
            What the base models make of the image, the channels where the ensemble has them, and
            the input at last where that is one of the ensemble's models.
        model_names : sequence of str, default=None
            Names of the base models; None takes those that the estimator knows, or numbers.
        most_trusted : bool, default=False
            See `plot`, also for the parameters below.
        im_kw : dict, default=None
            Arguments of ``imshow``.
        ax : Axes or array-like of Axes, default=None
            Where to plot.

        Returns
        -------
        display : WeightMapDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the predictions have another shape, or the estimator no `predict_weights`.
        """
        import_optional("matplotlib.pyplot", f"{cls.__name__}.from_estimator")
        if not hasattr(estimator, "predict_weights"):
            raise ValueError(
                f"estimator == {shown(estimator)} has no predict_weights; of a search, pass "
                "best_estimator_."
            )
        check_is_fitted(estimator)
        predictions = as_array(predictions, "predictions")
        if predictions.ndim not in (3, 4):
            raise ValueError(
                f"predictions has shape {predictions.shape}, must be (n_models, height, width) or "
                "(n_models, height, width, n_channels)."
            )
        names = check_model_names(model_names, len(predictions), estimator)
        weights = _weights_of_image(estimator, predictions)
        return cls(weights, model_names=names).plot(ax, most_trusted=most_trusted, im_kw=im_kw)

    @whole_or_nothing
    def plot(
        self,
        ax: AxesLike | None = None,
        *,
        most_trusted: bool = False,
        im_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Plot the maps.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            None makes a new figure. One Axes is turned off and the panels stand in its place; of
            several there must be as many as panels.
        most_trusted : bool, default=False
            Whether to add a panel with the model of largest weight at each pixel. It has the
            colour that the frame of the model's own panel has.
        im_kw : dict, default=None
            Arguments of ``imshow`` for the weights, such as ``{"vmin": 0.2, "vmax": 0.5}`` where
            the default range from 0 to 1 shows too little contrast.

        Returns
        -------
        display : WeightMapDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the weights or the axes do not fit, or the names are not one per model.
        """
        check_flag(most_trusted, "most_trusted")
        weights = as_numbers(self.weights, "weights", 3)
        if not weights.size:
            raise ValueError(
                f"weights has shape {weights.shape}, must be (n_models, height, width)."
            )
        names = check_model_names(self.model_names, len(weights))
        titles = [
            f"{name}\nmean {weight.mean():.2f}" for name, weight in zip(names, weights, strict=True)
        ]
        if most_trusted:
            titles.append("most trusted\n(colours of the frames)")
        im_kw = {"vmin": 0, "vmax": 1, "cmap": "viridis", **settings_of_images(im_kw)}
        self._show(list(weights), titles, ax, im_kw, label="weight")
        self.most_trusted_ = self._show_most_trusted(weights) if most_trusted else None
        return self

    def _show_most_trusted(self, weights: NDArray[Any]) -> AxesImage:
        """Show the model of largest weight in the last panel, and frame the others in colours."""
        from matplotlib.colors import ListedColormap

        colors = model_colors(len(weights))
        *others, axis = self.axes_
        cmap = ListedColormap(colors)
        image: AxesImage = axis.imshow(weights.argmax(axis=0), cmap=cmap, interpolation="nearest")
        image.set_clim(-0.5, len(weights) - 0.5)
        for other, color in zip(others, colors, strict=True):
            other.spines[:].set(color=color, linewidth=4)
        return image
