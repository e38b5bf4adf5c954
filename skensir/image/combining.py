"""Images combined by regressors of stacked predictions, wherever these are from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skensir._checks import shown
from skensir._core.combine import combine_parts, dtype_of_sums
from skensir.image.files import Image
from skensir.image.layout import Layout, read_images
from skensir.image.scale import scale_of


def rows_of(stack: Image) -> Image:
    """Return the predictions of (n_models, ...) pixel by pixel, (n_pixels, n_models)."""
    return stack.reshape(len(stack), -1).T


def predict(regressor: Any, rows: Image) -> NDArray[np.float64]:
    """Return what a regressor makes of rows, (n_rows,)."""
    return np.asarray(regressor.predict(rows))


def predict_weights(regressor: Any, rows: Image) -> NDArray[np.float64]:
    """Return the weights that a regressor gives to rows, (n_rows, n_models)."""
    return np.asarray(regressor.predict_weights(rows))


class CombinesImages:
    """What has regressors and combines whole images: an estimator, or what a file says."""

    per_channel: bool
    channel_axis: int | None
    include_input: bool

    regressors_: list[Any]
    n_channels_: int
    n_models_: int
    pixel_dtype_: np.dtype[Any] | None
    model_names_: tuple[str, ...] | None

    def _axis(self) -> int | None:
        """Return the channels' axis counted from the end: the same with the models' axis."""
        if self.channel_axis is None:
            return None
        axis = self.channel_axis
        if not isinstance(axis, Integral) or isinstance(axis, bool) or not -3 <= axis <= 2:
            raise ValueError(
                f"channel_axis == {shown(self.channel_axis)}, must be None or from -3 to 2."
            )
        return self.channel_axis if self.channel_axis < 0 else self.channel_axis - 3

    def _inputs(
        self, predictions: Iterable[ArrayLike], inputs: Iterable[ArrayLike] | None
    ) -> Iterable[ArrayLike] | None:
        """Return the inputs where they are to be a model: those given, or of a reference set."""
        if not self.include_input:
            if inputs is not None:
                raise ValueError("inputs are given, but include_input == False takes none.")
            return None
        if inputs is None:
            inputs = getattr(predictions, "inputs", None)
        if inputs is None:
            raise ValueError(
                "inputs == None, must be the degraded images, as include_input == True and the "
                "predictions do not come with them, as those of a ReferenceSet do while they are "
                "in no list: pass its inputs too."
            )
        return inputs

    def _channels(self, stack: Image) -> list[Image]:
        """Return parts of (n_models, height, width[, n_channels]), one per regressor."""
        axis = self._axis()
        if axis is None or not self.per_channel:
            return [stack]
        return list(np.moveaxis(stack, axis, 0))

    def _combine(self, prediction: Image, n_threads: int = 1) -> NDArray[np.float64]:
        """Return the combination of the predictions of an image."""
        rows = [rows_of(channel) for channel in self._channels(prediction)]
        # Tables take any dtype of an image as it is; others are asked as any regressor is.
        combiners: list[Any] = [
            regressor._combiner(of_part) if hasattr(regressor, "_combiner") else None
            for regressor, of_part in zip(self.regressors_, rows, strict=True)
        ]
        if None in combiners:
            return self._apply(predict, prediction)
        combined = np.empty(prediction.shape[1:], dtype_of_sums(prediction.dtype))
        parts = [part[0] for part in self._channels(combined[np.newaxis])]
        flat = [part.reshape(-1) for part in parts]
        combine_parts(list(zip(rows, combiners, flat, strict=True)), n_threads)
        for part, values in zip(parts, flat, strict=True):
            if not np.may_share_memory(part, values):  # of channels between rows and columns
                part[...] = values.reshape(part.shape)
        return combined

    def _apply(
        self, function: Callable[[Any, Image], NDArray[np.float64]], prediction: Image
    ) -> NDArray[np.float64]:
        """Return what a function of a regressor and its rows gives for each pixel of an image."""
        parts: list[NDArray[np.float64]] = []
        for regressor, channel in zip(self.regressors_, self._channels(prediction), strict=True):
            result = function(regressor, rows_of(channel))
            # (n_pixels,) or (n_pixels, n_models), of which the models come first.
            parts.append(result.T.reshape(*result.shape[1:], *channel.shape[1:]))
        axis = self._axis()
        return parts[0] if axis is None or not self.per_channel else np.stack(parts, axis=axis)

    def _images_to_predict(
        self,
        predictions: Iterable[ArrayLike],
        inputs: Iterable[ArrayLike] | None,
        targets: Iterable[ArrayLike] | None = None,
    ) -> Iterator[tuple[Image, Any]]:
        """Return an iterator over images that fit to those of `fit`."""
        models = getattr(predictions, "models", None)
        fitted_on = self.model_names_
        if fitted_on is not None and self.include_input:
            fitted_on = fitted_on[:-1]
        if models is not None and fitted_on is not None and models != fitted_on:
            raise ValueError(
                f"The predictions are those of {', '.join(models)}; the ensemble was fitted on "
                f"{', '.join(fitted_on)}, in this order."
            )
        n_models = self.n_models_ - bool(self.include_input)
        known = n_models, self.n_channels_, self.pixel_dtype_
        layout = Layout(self._axis(), *known, like=", as those of the fit are")
        inputs = self._inputs(predictions, inputs)
        scale = scale_of(self.pixel_dtype_, self.regressors_[0])
        return read_images(layout, predictions, targets, inputs, peak=scale)
