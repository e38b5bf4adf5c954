"""Which base model is trusted where in an image."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skensir.display._figure import (
    check_model_names,
    import_pyplot,
    make_panels,
    model_colors,
    set_title,
    show_image,
)


class WeightMapDisplay:
    """Maps of the base models' weights over an image, one panel a model.

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
        The maps, one a model.
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

    def __init__(self, weights, *, model_names=None):
        self.weights = weights
        self.model_names = model_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        predictions,
        *,
        model_names=None,
        most_trusted=False,
        im_kw=None,
        ax=None,
    ):
        """Plot the weights that an estimator gives to the models in one image.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the method `predict_weights`: an ensemble of images or a regressor, which
            is applied to all channels.
        predictions : array-like of shape (n_models, height, width[, n_channels])
            What the base models make of the image, the channels where the ensemble has them.
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
        import_pyplot(f"{cls.__name__}.from_estimator")
        if not hasattr(estimator, "predict_weights"):
            raise ValueError(
                f"estimator == {estimator!r} has no predict_weights; of a search, pass "
                "best_estimator_."
            )
        check_is_fitted(estimator)
        predictions = np.asarray(predictions)
        if predictions.ndim not in (3, 4):
            raise ValueError(
                f"predictions has shape {predictions.shape}, must be (n_models, height, width) or "
                "(n_models, height, width, n_channels)."
            )
        n_models = len(predictions)
        names = check_model_names(model_names, n_models, estimator)
        if hasattr(estimator, "regressors_"):
            [weights] = estimator.predict_weights([predictions])
        else:
            with warnings.catch_warnings():
                # Arrays have no column names, so that a data frame in fit is no mistake.
                warnings.filterwarnings("ignore", "X does not have valid feature names")
                weights = estimator.predict_weights(predictions.reshape(n_models, -1).T)
            weights = weights.T.reshape(predictions.shape)
        if weights.ndim == 4:
            axis = getattr(estimator, "channel_axis", -1)
            # An ensemble counts the axes of an image, before which here is that of the models.
            weights = weights.mean(axis=axis if axis < 0 else axis + 1)
        return cls(weights, model_names=names).plot(ax, most_trusted=most_trusted, im_kw=im_kw)

    def plot(self, ax=None, *, most_trusted=False, im_kw=None):
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
            If the weights or the axes do not fit, or the names are not one a model.
        """
        import_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.colors import ListedColormap

        weights = np.asarray(self.weights)
        if weights.ndim != 3 or not weights.size:
            raise ValueError(
                f"weights has shape {weights.shape}, must be (n_models, height, width)."
            )
        n_models, *shape = weights.shape
        names = check_model_names(self.model_names, n_models)
        self.bounding_ax_, self.axes_ = make_panels(ax, n_models + bool(most_trusted), shape)
        self.ax_ = self.axes_[0] if self.bounding_ax_ is None else self.bounding_ax_
        self.figure_ = self.ax_.figure
        im_kw = {"vmin": 0, "vmax": 1, "cmap": "viridis", **(im_kw or {})}
        self.images_ = [
            show_image(axis, weight, **im_kw)
            for axis, weight in zip(self.axes_, weights, strict=False)
        ]
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0], ax=list(self.axes_[:n_models]), label="weight", pad=0.02
        )
        for axis, name, weight in zip(self.axes_, names, weights, strict=False):
            set_title(axis, f"{name}\nmean {weight.mean():.2f}", shape)
        self.most_trusted_ = None
        if most_trusted:
            axis, colors = self.axes_[n_models], model_colors(n_models)
            self.most_trusted_ = show_image(
                axis,
                weights.argmax(axis=0),
                cmap=ListedColormap(colors),
                vmin=-0.5,
                vmax=n_models - 0.5,
                interpolation="nearest",
            )
            set_title(axis, "most trusted\n(colours of the frames)", shape)
            for other, color in zip(self.axes_, colors, strict=False):
                other.spines[:].set(color=color, linewidth=4)
        return self
