"""Where several images err, on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from skensir._base import whole_or_nothing
from skensir._checks import check_mapping, saying_of, shown
from skensir._optional import import_optional
from skensir.display._figure import ImagePanels, settings_of_images
from skensir.image.arrays import as_array
from skensir.image.metrics import check_axes, error_map, peak_of, peak_signal_noise_ratio

if TYPE_CHECKING:
    from skensir.display._figure import AxesLike

# Of the errors, the percentile where the colours end: a few pixels would leave the rest dark.
_LARGEST_SHOWN = 99.5


def _check_image(image: ArrayLike, name: str) -> NDArray[Any]:
    """Return an array of finite values."""
    with saying_of(name):
        array = as_array(image, name)
        checked: NDArray[Any] = check_array(array, ensure_2d=False, allow_nd=True, input_name=name)
    return checked


@dataclass(eq=False, repr=False)
class ErrorMapDisplay(ImagePanels):
    """Maps of the absolute errors of several images, side by side on one colour scale.

    As in Fig. 1 to 3 of the paper [1]_. Use `from_predictions` to make one.

    Parameters
    ----------
    errors : dict of str to array-like of shape (height, width)
        Absolute error of each image, by title. Those of a colour image are averaged over the
        channels.
    psnr : dict of str to float
        Peak signal-to-noise ratio of each image, in dB, by title.

    Attributes
    ----------
    images_ : list of AxesImage
        The maps, in the order of `errors`.
    colorbar_ : Colorbar
        What their colours mean.
    axes_ : ndarray of shape (n_images,)
        The panels.
    ax_ : Axes
        `bounding_ax_`, or the first of the panels.
    bounding_ax_ : Axes or None
        The one Axes given to `plot`, which the panels share.
    figure_ : Figure
        Where they stand.

    See Also
    --------
    WeightMapDisplay : Which base model is trusted where.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> import numpy as np
    >>> from skensir.display import ErrorMapDisplay
    >>> target = np.full((32, 48), 100, dtype=np.uint8)
    >>> display = ErrorMapDisplay.from_predictions(target, {"one off": target + 1})
    >>> round(display.psnr["one off"], 2)
    48.13
    """

    errors: Mapping[str, ArrayLike]
    psnr: Mapping[str, float]

    @classmethod
    def from_predictions(
        cls,
        target: ArrayLike,
        images: Mapping[str, ArrayLike],
        *,
        data_range: float | None = None,
        im_kw: Mapping[str, Any] | None = None,
        ax: AxesLike | None = None,
    ) -> Self:
        """Plot the absolute errors of images.

        Parameters
        ----------
        target : array-like of shape (height, width[, n_channels])
            The truth.
        images : dict of str to array-like of the same shape
            What is compared with it, by title.
        data_range : float, default=None
            Peak of the PSNR, which is that of all pixels and channels together. None takes 255
            for 8-bit and 65535 for 16-bit targets; any other target needs a number.
        im_kw : dict, default=None
            See `plot`, also for the parameter below.
        ax : Axes or array-like of Axes, default=None
            Where to plot.

        Returns
        -------
        display : ErrorMapDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there is no image, the shape of an image is not the target's, or `data_range` is
            missing or below the values of a whole-numbered target.
        """
        import_optional("matplotlib.pyplot", f"{cls.__name__}.from_predictions")
        target = _check_image(target, "target")
        check_axes(target)
        if data_range is None:
            if target.dtype not in (np.uint8, np.uint16):
                raise ValueError(
                    f"data_range == None, must be a number for a target of dtype {target.dtype}: "
                    "255 if its values go from 0 to 255, 1 if they go from 0 to 1."
                )
            data_range = peak_of(target.dtype)
        check_mapping(images, "images", "of arrays")
        errors, psnr = {}, {}
        for name, image in images.items():
            image = _check_image(image, f"images[{name!r}]")
            if image.shape != target.shape:
                raise ValueError(
                    f"images[{name!r}] has shape {image.shape}, must have that of the target, "
                    f"{target.shape}."
                )
            psnr[name] = peak_signal_noise_ratio(target, image, data_range=data_range)
            errors[name] = error_map(target, image)
        return cls(errors, psnr).plot(ax, im_kw=im_kw)

    @whole_or_nothing
    def plot(self, ax: AxesLike | None = None, *, im_kw: Mapping[str, Any] | None = None) -> Self:
        """Plot the maps.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            None makes a new figure. One Axes is turned off and the panels stand in its place; of
            several there must be as many as images.
        im_kw : dict, default=None
            Arguments of ``imshow``. The colours go from 0 to the 99.5th percentile of all errors
            unless it has "vmax".

        Returns
        -------
        display : ErrorMapDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the errors are not images of one shape, or the axes do not fit.
        """
        given = check_mapping(self.errors, "errors", "of arrays")
        errors = [as_array(error, f"errors[{name!r}]") for name, error in given.items()]
        shapes = {name: error.shape for name, error in zip(given, errors, strict=True)}
        if len(set(shapes.values())) != 1 or errors[0].ndim != 2 or not errors[0].size:
            raise ValueError(
                f"errors has the shapes {shown(shapes)}, must be at least one image, all of one "
                "shape (height, width)."
            )
        psnr = check_mapping(self.psnr, "psnr", "of numbers by title, as errors")
        for name in given:
            if not isinstance(psnr.get(name), Real):
                raise ValueError(f"psnr[{name!r}] == {shown(psnr.get(name))}, must be a number.")
        largest = np.max(errors)
        # Where nearly all pixels are right the percentile is zero, which is not a scale.
        brightest = np.percentile(errors, _LARGEST_SHOWN) or largest or 1.0
        im_kw = {"vmin": 0, "vmax": brightest, "cmap": "magma", **settings_of_images(im_kw)}
        titles = [f"{name}\n{psnr[name]:.2f} dB" for name in given]
        label = "absolute error (unit of the image)"
        self._show(errors, titles, ax, im_kw, label=label, largest=largest)
        return self
