"""Any regressor of stacked predictions, applied to whole images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from numbers import Integral
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skensir._base import available_if
from skensir._ensir import EnsIRRegressor
from skensir._state import PlainState
from skensir.image.files import Image
from skensir.image.metrics import peak_of, peak_signal_noise_ratio
from skensir.image.pixel_format import check_scale

# Predictions and truth of an image, both in parts that have a regressor each.
Parts: TypeAlias = tuple[Sequence[Image], Sequence[Image]]

# Tables for values up to this have not been made for floats from 0 to 1, with whatever outliers.
_FAR_BEYOND_ONE = 16.0

# What all images of an ensemble have in common, by its attributes, and how an error says it of one.
_LAYOUT = {
    "n_models_": "there are {} models",
    "n_channels_": "there are {} channels",
    "pixel_dtype_": "the pixels are {}",
}


def _rows(stack: Image) -> Image:
    """Return the predictions of (n_models, ...) pixel by pixel, (n_pixels, n_models)."""
    return stack.reshape(len(stack), -1).T


def _fit_image_by_image(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on one image after the other."""
    regressors: list[Any] = []
    for predictions, target in images:
        regressors = regressors or [clone(regressor) for _ in target]
        for model, stack, truth in zip(regressors, predictions, target, strict=True):
            model.partial_fit(_rows(stack), truth.ravel())
    for model in regressors:
        model.solve()
    return regressors


def _fit_gathered(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on the rows of all images together."""
    stacks, truths = zip(*images, strict=True)
    fit_params = {}
    if len(truths) > 1 and has_fit_parameter(regressor, "groups"):
        fit_params["groups"] = np.repeat(np.arange(len(truths)), [t[0].size for t in truths])
    regressors = [clone(regressor) for _ in truths[0]]
    for channel, model in enumerate(regressors):
        X = np.concatenate([_rows(stack[channel]) for stack in stacks])
        y = np.concatenate([truth[channel].ravel() for truth in truths])
        model.fit(X, y, **fit_params)
    return regressors


class ImageEnsemble(PlainState, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Combine the predictions of several models for whole images.

    Pixels become rows of stacked predictions, `fit` fits clones of a regressor on them, and
    `predict` puts images together again. Images may differ in size.

    Parameters
    ----------
    regressor : estimator, default=None
        Any regressor whose features are the predictions of the base models; None is
        :class:`~skensir.EnsIRRegressor`.
    per_channel : bool, default=True
        Whether each colour channel has a regressor of its own. Otherwise one is fitted on the
        pixels of all channels.
    channel_axis : int or None, default=-1
        Axis of an image, without that of the models, along which the channels lie; None for grey
        images.

    Attributes
    ----------
    regressors_ : list of estimators
        The fitted regressors: one per channel, or one in all.
    n_channels_ : int
        Number of channels; 1 for grey images.
    n_models_ : int
        Number of base models.
    pixel_dtype_ : dtype or None
        uint8 or uint16 where the images have such values: those to predict must not be the
        other. None where they do not.
    model_names_ : tuple of str or None
        Names of the base models, where the predictions are those of a :class:`ReferenceSet`.

    See Also
    --------
    ReferenceSet : A folder of images, read one scene at a time.
    skensir.EnsIRRegressor : The regressor that is the default.

    Notes
    -----
    An estimator of skensir with `partial_fit`, which gives what one `fit` gives, is fed image by
    image: where images are read when asked for, at most two are in memory at a time. The
    `partial_fit` of other libraries, such as a step of gradient descent, is not a `fit` in parts,
    so for all other regressors the rows of all images are gathered first. 8- and 16-bit predictions
    keep their dtype. A regressor whose `fit` has the argument `groups` gets the number of the image
    that each row is from, if there are several: ``EnsIRRegressorCV(cv=LeaveOneGroupOut())`` holds
    out whole images.

    In :class:`~sklearn.model_selection.GridSearchCV` and the like an image counts as one sample.
    They make lists of the images of each split, which are then in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.image import ImageEnsemble
    >>> rng = np.random.default_rng(0)
    >>> targets = [rng.integers(10, 245, size=(64, width, 3)) for width in (48, 80)]
    >>> predictions = [
    ...     np.stack([target + rng.integers(-n, n + 1, target.shape) for n in (2, 4, 8)])
    ...     for target in targets
    ... ]
    >>> ensemble = ImageEnsemble(EnsIRRegressor(objective="squared_error"))
    >>> ensemble.fit(predictions, targets).predict(predictions)[0].shape
    (64, 48, 3)
    >>> average = np.mean([np.mean((p.mean(0) - t) ** 2) for p, t in zip(predictions, targets)])
    >>> bool(ensemble.score(predictions, targets) > 10 * np.log10(255**2 / average))
    True
    """

    # What scikit-learn calls X and y; no metadata that could be routed.
    __metadata_request__fit = {"predictions": UNUSED, "targets": UNUSED}  # noqa: RUF012
    __metadata_request__predict = {"predictions": UNUSED}  # noqa: RUF012
    __metadata_request__score = {"predictions": UNUSED, "targets": UNUSED}  # noqa: RUF012

    regressors_: list[Any]
    n_channels_: int
    n_models_: int
    pixel_dtype_: np.dtype[Any] | None
    model_names_: tuple[str, ...] | None

    def __init__(
        self,
        regressor: BaseEstimator | None = None,
        *,
        per_channel: bool = True,
        channel_axis: int | None = -1,
    ) -> None:
        self.regressor = regressor
        self.per_channel = per_channel
        self.channel_axis = channel_axis

    def fit(self, predictions: Iterable[ArrayLike], targets: Iterable[ArrayLike]) -> Self:
        """Fit the regressors.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image; without the last axis for grey images.
        targets : iterable of array-like of shape (height, width, n_channels)
            The truth of each image.

        Returns
        -------
        self : ImageEnsemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            If an image does not fit to its truth or to the first image; the message names its
            number, or its scene where the predictions are those of a :class:`ReferenceSet`.
        """
        regressor = self._regressor()
        layout: dict[str, Any] = {}
        images = (
            (self._channels(prediction), self._channels(target))
            for prediction, target in self._images(predictions, targets, layout)
        )
        in_parts = isinstance(regressor, EnsIRRegressor)
        self.regressors_ = (_fit_image_by_image if in_parts else _fit_gathered)(regressor, images)
        self.n_models_, self.n_channels_, self.pixel_dtype_ = (layout[name] for name in _LAYOUT)
        self.model_names_ = getattr(predictions, "models", None)
        return self

    def predict(self, predictions: Iterable[ArrayLike]) -> list[NDArray[np.float64]]:
        """Combine the predictions of each image.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image, the models in the order they had in `fit`.

        Returns
        -------
        images : list of ndarray of shape (height, width, n_channels)
            The combinations in double precision, neither rounded nor clipped.
        """
        images = self._images_to_predict(predictions)
        return [self._apply("predict", prediction) for prediction, _ in images]

    @available_if(lambda ensemble: hasattr(ensemble._regressor(), "predict_weights"))
    def predict_weights(self, predictions: Iterable[ArrayLike]) -> list[NDArray[np.float64]]:
        """Return the weights that `predict` gives to the models, where the regressor shows them.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.

        Returns
        -------
        weights : list of ndarray of shape (n_models, height, width, n_channels)
            Weights of each pixel; those of the models sum to one.
        """
        images = self._images_to_predict(predictions)
        return [self._apply("predict_weights", prediction) for prediction, _ in images]

    def score(self, predictions: Iterable[ArrayLike], targets: Iterable[ArrayLike]) -> float:
        """Return the mean PSNR of the combinations, over all channels, in dB.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.
        targets : iterable of array-like of shape (height, width, n_channels)
            The truth of each image. Its dtype says the peak: 65535 for uint16, 255 for every
            other. For values of another range the score is off by the same number of dB in all
            images, so what is best in a search stays best.

        Returns
        -------
        psnr : float
            Mean over the images.
        """
        scores = []
        for prediction, target in self._images_to_predict(predictions, targets):
            combined, peak = self._apply("predict", prediction), peak_of(target.dtype)
            scores.append(peak_signal_noise_ratio(target, combined, data_range=peak))
        return float(np.mean(scores))

    def _regressor(self) -> BaseEstimator:
        """Return the regressor to clone."""
        return EnsIRRegressor() if self.regressor is None else self.regressor

    def _axis(self) -> int | None:
        """Return the channels' axis counted from the end: the same with the models' axis."""
        if self.channel_axis is None:
            return None
        if not isinstance(self.channel_axis, Integral) or not -3 <= self.channel_axis <= 2:
            raise ValueError(
                f"channel_axis == {self.channel_axis!r}, must be None or from -3 to 2."
            )
        return self.channel_axis if self.channel_axis < 0 else self.channel_axis - 3

    def _channels(self, stack: Image) -> list[Image]:
        """Return parts of (n_models, height, width[, n_channels]), one per regressor."""
        axis = self._axis()
        if axis is None or not self.per_channel:
            return [stack]
        return list(np.moveaxis(stack, axis, 0))

    def _apply(self, method: str, prediction: Image) -> NDArray[np.float64]:
        """Return what a method of the regressors gives for each pixel of an image."""
        parts: list[NDArray[np.float64]] = []
        for regressor, channel in zip(self.regressors_, self._channels(prediction), strict=True):
            result = getattr(regressor, method)(_rows(channel))
            # (n_pixels,) or (n_pixels, n_models), of which the models come first.
            parts.append(result.T.reshape(*result.shape[1:], *channel.shape[1:]))
        axis = self._axis()
        return parts[0] if axis is None or not self.per_channel else np.stack(parts, axis=axis)

    def _images_to_predict(
        self, predictions: Iterable[ArrayLike], targets: Iterable[ArrayLike] | None = None
    ) -> Iterator[tuple[Image, Any]]:
        """Return an iterator over images that fit to those of `fit`."""
        check_is_fitted(self)
        models = getattr(predictions, "models", None)
        fitted_on = self.model_names_
        if models is not None and fitted_on is not None and models != fitted_on:
            raise ValueError(
                f"The predictions are those of {', '.join(models)}; the ensemble was fitted on "
                f"{', '.join(fitted_on)}, in this order."
            )
        layout = {name: getattr(self, name) for name in _LAYOUT}
        return self._images(predictions, targets, layout, self._peak())

    def _peak(self) -> int | None:
        """Return the largest value of the pixels in `fit`, None where that may be one.

        Pixels in floats leave no more behind than the range that the tables are made for.
        """
        if self.pixel_dtype_ is not None:
            return peak_of(self.pixel_dtype_)
        regressor = self.regressors_[0]
        reach = getattr(regressor, "data_range_", 0.0)
        return None if reach < _FAR_BEYOND_ONE else 255 if reach < 2**9 else 65535

    def _images(
        self,
        predictions: Iterable[ArrayLike],
        targets: Iterable[ArrayLike] | None,
        layout: dict[str, Any],
        peak: int | None = None,
    ) -> Iterator[tuple[Image, Any]]:
        """Yield predictions and truth of each image, None without targets.

        Its layout must be the one given; what that does not have yet is put into it. With `peak`
        floats from 0 to 1 are an error.
        """
        n_dimensions = 3 if self._axis() is None else 4
        if isinstance(predictions, np.ndarray) and predictions.ndim == n_dimensions:
            raise ValueError(
                f"predictions is one array of shape {predictions.shape}, must be a sequence with "
                "one array per image; put that of a single image into a list."
            )
        describe = getattr(predictions, "describe", "Image {}".format)
        n_images = 0
        for prediction, target in zip_longest(predictions, () if targets is None else targets):
            if prediction is None:
                raise ValueError(f"predictions has {n_images} images only, targets has more.")
            if target is None and targets is not None:
                raise ValueError(f"targets has {n_images} images only, predictions has more.")
            try:
                prediction = np.asarray(prediction)
                target = None if target is None else np.asarray(target)
                self._check_layout(prediction, target, layout)
            except ValueError as error:
                raise ValueError(f"{describe(n_images)}: {error}.") from None
            if peak is not None:
                check_scale(prediction, describe(n_images), peak)
            yield prediction, target
            n_images += 1
        if targets is not None and not n_images:
            raise ValueError("predictions has no image, must have at least one.")

    def _check_layout(
        self, prediction: Image, target: Image | None, layout: dict[str, Any]
    ) -> None:
        """Raise an error unless an image fits to its truth and to the layout; add to that."""
        axis = self._axis()
        if prediction.ndim != (3 if axis is None else 4):
            allowed = (
                "(n_models, height, width), as channel_axis is None"
                if axis is None
                else "n_models, height, width and n_channels; grey images need channel_axis=None"
            )
            raise ValueError(f"the predictions have shape {prediction.shape}, must have {allowed}")
        if target is not None and target.shape != prediction.shape[1:]:
            raise ValueError(
                f"each prediction has shape {prediction.shape[1:]}, but the target {target.shape}"
            )
        images = [prediction] if target is None else [prediction, target]
        dtypes = [image.dtype for image in images if image.dtype.kind == "u"]
        if len(set(dtypes)) > 1:
            raise ValueError(f"the predictions are {dtypes[0]}, but the target is {dtypes[1]}")
        n_channels = 1 if axis is None else prediction.shape[axis]
        if not n_channels:
            raise ValueError(f"the predictions have shape {prediction.shape}, without a channel")
        found = (len(prediction), n_channels, dtypes[0] if dtypes else None)
        for name, value in zip(_LAYOUT, found, strict=True):
            if layout.get(name) is None:
                layout[name] = value
            # Floats fit to either depth; but not to both, one after the other.
            elif value is not None and value != layout[name]:
                raise ValueError(f"{_LAYOUT[name].format(value)}, must be {layout[name]} as before")
