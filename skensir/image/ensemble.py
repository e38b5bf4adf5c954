"""Any regressor of stacked predictions, applied to whole images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skensir._base import available_if
from skensir._checks import check_flag, check_n_jobs, shown
from skensir._documentation import Documented
from skensir._ensir import EnsIRRegressor
from skensir._jobs import count_threads
from skensir._state import PlainState
from skensir.image.combining import CombinesImages, predict_weights, rows_of
from skensir.image.files import Image
from skensir.image.inputs import INPUT_MODEL
from skensir.image.layout import Layout, check_given, read_images
from skensir.image.metrics import peak_signal_noise_ratio
from skensir.image.rows import Parts, fit_regressors
from skensir.image.scale import given_range, peak_of_truth


def _regressor_has(method: str) -> Callable[[Any], bool]:
    """Return what tells of an ensemble whether its regressor has a method."""
    return lambda ensemble: hasattr(ensemble._regressor(), method)


class ImageEnsemble(CombinesImages, PlainState, Documented, RegressorMixin, BaseEstimator):  # type: ignore[misc]
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
    include_input : bool, default=False
        Whether the degraded image that the models have restored is one more base model, the last
        one. It must have the size and depth of their outputs. Its weight says where to keep it.
    n_jobs : int, default=None
        How many threads combine an image. In `fit` the regressor gets it where its own `n_jobs` is
        None. What comes out is the same, to the last bit.

    Attributes
    ----------
    regressors_ : list of estimators
        The fitted regressors: one per channel, or one in all.
    n_channels_ : int
        Number of channels; 1 for grey images.
    n_models_ : int
        Number of base models, the input among them where it is one.
    pixel_dtype_ : dtype or None
        uint8 or uint16 where the images have such values: those to predict must not be the
        other. None where they do not.
    model_names_ : tuple of str or None
        Names of the base models, where the predictions are those of a :class:`ReferenceSet`;
        "input" at last, where that is one.

    See Also
    --------
    ReferenceSet : A folder of images, read one scene at a time.
    skensir.EnsIRRegressor : The regressor that is the default.
    skensir.EnsIRRegressorCV : Chooses its settings, for each channel by itself.

    Notes
    -----
    An estimator of skensir with `partial_fit`, which gives what one `fit` gives, is fed image by
    image: where images are read when asked for, at most two are in memory at a time. The
    `partial_fit` of other libraries, such as a step of gradient descent, is not a `fit` in parts,
    so for all other regressors the rows of all images are gathered first. 8- and 16-bit predictions
    keep their dtype. A regressor whose `fit` has the argument `groups` gets the number of the image
    that each row is from, if there are several: ``EnsIRRegressorCV(cv=LeaveOneGroupOut())`` holds
    out whole images. :class:`~skensir.EnsIRRegressorCV` is fed image by image where `cv` is that,
    None or GroupKFold, which deal images out in turn, whatever their sizes; but for floats with
    ``data_range="auto"``, whose range follows from all of them. That of
    :class:`~skensir.EnsIRRegressor` follows from the first image, and it warns if others go beyond.

    In :class:`~sklearn.model_selection.GridSearchCV` and the like an image counts as one sample.
    They make lists of the images of each split, which are then in memory, and have no place for
    inputs; give these as the last of the predictions there.

    Images may be tensors of PyTorch on any device, or lists of these, one per model; for (channels,
    height, width) take ``channel_axis=0``. Results are arrays of NumPy. Values from 0 to 1 are fine
    where all images have them; ``EnsIRRegressor(data_range=1.0)`` says so.

    A regressor that cross-validates does so for each channel by itself. That is as good as one
    choice for all channels: on photographs the two differ by less than 0.005 dB.

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
    __metadata_request__fit = dict.fromkeys(("predictions", "targets", "inputs"), UNUSED)
    __metadata_request__predict = dict.fromkeys(("predictions", "inputs"), UNUSED)
    __metadata_request__score = __metadata_request__fit

    n_jobs: int | None = None  # of what was pickled before there was such a parameter

    def _take_state(self, state: dict[str, Any]) -> None:
        super()._take_state(state)
        for model in vars(self).get("regressors_", ()):
            if getattr(model, "n_features_in_", self.n_models_) != self.n_models_:
                raise ValueError("regressors_ and n_models_ do not fit together.")

    def __init__(
        self,
        regressor: BaseEstimator | None = None,
        *,
        per_channel: bool = True,
        channel_axis: int | None = -1,
        include_input: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.regressor = regressor
        self.per_channel = per_channel
        self.channel_axis = channel_axis
        self.include_input = include_input
        self.n_jobs = n_jobs

    def fit(
        self,
        predictions: Iterable[ArrayLike],
        targets: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None = None,
    ) -> Self:
        """Fit the regressors.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image; without the last axis for grey images.
        targets : iterable of array-like of shape (height, width, n_channels)
            The truth of each image.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            The degraded image of each scene, with `include_input`. None reads them from the
            :class:`ReferenceSet` that the predictions are those of.

        Returns
        -------
        self : ImageEnsemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            If an image does not fit to its truth, to its input or to the first image; the message
            names its number, or its scene where the predictions are those of a
            :class:`ReferenceSet`.
        """
        return self._fit(fit_regressors, predictions, targets, inputs)

    def _fit(
        self,
        fit: Callable[[BaseEstimator, Iterable[Parts]], list[Any]],
        predictions: Iterable[ArrayLike],
        targets: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None,
    ) -> Self:
        """Set the fitted attributes; a function makes regressors of the parts of all images."""
        check_given("targets", targets)
        check_n_jobs(self.n_jobs)
        check_flag(self.per_channel, "per_channel")
        check_flag(self.include_input, "include_input")
        regressor = self._regressor()
        if isinstance(regressor, type) or not hasattr(regressor, "fit"):
            raise TypeError(
                f"regressor == {shown(regressor)}, must be None or an estimator of scikit-learn."
            )
        if self.n_jobs is not None and getattr(regressor, "n_jobs", 0) is None:
            regressor = clone(regressor).set_params(n_jobs=self.n_jobs)
        layout = Layout(self._axis())
        models = getattr(predictions, "models", None)
        if models is not None and self.include_input:
            if INPUT_MODEL in models:
                raise ValueError(
                    f"A base model has the name {INPUT_MODEL!r}, which is that of the degraded "
                    "image where it is one more model; rename its folder, or take "
                    "include_input=False."
                )
            models = (*models, INPUT_MODEL)
        inputs = self._inputs(predictions, inputs)
        images = (
            (self._channels(prediction), self._channels(target))
            for prediction, target in read_images(
                layout, predictions, targets, inputs, peak=given_range(regressor)
            )
        )
        self.regressors_ = fit(regressor, images)
        self.n_models_ = (layout.n_models or 0) + bool(self.include_input)
        self.n_channels_, self.pixel_dtype_ = layout.n_channels or 1, layout.pixel_dtype
        self.model_names_ = models
        return self

    def predict(
        self, predictions: Iterable[ArrayLike], inputs: Iterable[ArrayLike] | None = None
    ) -> list[NDArray[np.float64]]:
        """Combine the predictions of each image.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image, the models in the order they had in `fit`.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            As in `fit`.

        Returns
        -------
        images : list of ndarray of shape (height, width, n_channels)
            The combinations, neither rounded nor clipped: in single precision where the predictions
            have that, in double precision otherwise.
        """
        images = self._images_to_predict(predictions, inputs)
        n_threads = count_threads(self.n_jobs)
        return [self._combine(prediction, n_threads) for prediction, _ in images]

    @available_if(_regressor_has("predict_weights"))
    def predict_weights(
        self, predictions: Iterable[ArrayLike], inputs: Iterable[ArrayLike] | None = None
    ) -> list[NDArray[np.float64]]:
        """Return the weights that `predict` gives to the models, where the regressor shows them.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            As in `fit`.

        Returns
        -------
        weights : list of ndarray of shape (n_models, height, width, n_channels)
            Weights of each pixel, that of the input at last where it is a model; those of the
            models sum to one.
        """
        images = self._images_to_predict(predictions, inputs)
        return [self._apply(predict_weights, prediction) for prediction, _ in images]

    @available_if(_regressor_has("predict_interval"))
    def predict_interval(
        self,
        predictions: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None = None,
        *,
        coverage: float = 0.9,
    ) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
        """Return intervals that hold the truth with a given probability, where the regressor can.

        `calibrate` comes first, but for :class:`~skensir.EnsIRRegressorCV`: its `fit` calibrates on
        the images that it holds out. The probability holds on average over the pixels of images
        like those, in each channel, not for each pixel by itself.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            As in `fit`.
        coverage : float, default=0.9
            The probability, between zero and one.

        Returns
        -------
        lower, upper : list of ndarray of shape (height, width, n_channels)
            Ends of the intervals, in the unit of the pixels; they may lie beyond black and white.
        """
        lower, upper = [], []
        for prediction, _ in self._images_to_predict(predictions, inputs):
            ends = self._apply(
                lambda model, X: np.stack(model.predict_interval(X, coverage), axis=1), prediction
            )
            lower.append(ends[0])
            upper.append(ends[1])
        return lower, upper

    @available_if(_regressor_has("calibrate"))
    def calibrate(
        self,
        predictions: Iterable[ArrayLike],
        targets: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None = None,
    ) -> Self:
        """Learn from images that were not fitted on how wide `predict_interval` has to be.

        What was learnt before is forgotten. One image is in memory at a time.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.
        targets : iterable of array-like of shape (height, width, n_channels)
            The truth of each image.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            As in `fit`.

        Returns
        -------
        self : ImageEnsemble
            The ensemble, whose regressors are calibrated.
        """
        check_given("targets", targets)
        images = self._images_to_predict(predictions, inputs, targets)
        regressors = [copy(regressor) for regressor in self.regressors_]
        add = False
        for prediction, target in images:
            parts = zip(self._channels(prediction), self._channels(target), strict=True)
            for regressor, (stack, truth) in zip(regressors, parts, strict=True):
                regressor.calibrate(rows_of(stack), truth.ravel(), add=add)
            add = True
        self.regressors_ = regressors  # once no image can raise an error any more
        return self

    def score(
        self,
        predictions: Iterable[ArrayLike],
        targets: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None = None,
    ) -> float:
        """Return the mean PSNR of the combinations, over all channels, in dB.

        Parameters
        ----------
        predictions : iterable of array-like of shape (n_models, height, width, n_channels)
            The base models' predictions of each image.
        targets : iterable of array-like of shape (height, width, n_channels)
            The truth of each image. The peak is 255 for 8 bits and 65535 for 16; that of floats
            is the regressor's `data_range` where that is a number, the peak of the predictions
            that `fit` saw in whole numbers, 1 where all values lie from 0 to 1, and else 255.
        inputs : iterable of array-like of shape (height, width, n_channels), default=None
            As in `fit`.

        Returns
        -------
        psnr : float
            Mean over the images.

        Raises
        ------
        ValueError
            If an image does not fit to its truth or to those of `fit`, or the peak of floats is not
            known: some are negative, and none is above 1.
        """
        check_given("targets", targets)
        scores = []
        for prediction, target in self._images_to_predict(predictions, inputs, targets):
            combined = self._combine(prediction, count_threads(self.n_jobs))
            peak = peak_of_truth(target, self.pixel_dtype_, self.regressors_[0])
            scores.append(peak_signal_noise_ratio(target, combined, data_range=peak))
        return float(np.mean(scores))

    def _regressor(self) -> BaseEstimator:
        """Return the regressor to clone."""
        return EnsIRRegressor() if self.regressor is None else self.regressor

    def _images_to_predict(
        self,
        predictions: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None,
        targets: Iterable[ArrayLike] | None = None,
    ) -> Iterator[tuple[Image, Any]]:
        check_is_fitted(self)
        return super()._images_to_predict(predictions, inputs, targets)
