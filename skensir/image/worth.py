"""What an ensemble is worth on images that it has not seen, from the sums of its own fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from skensir._checks import shown
from skensir._core.held_out import HeldOutParts
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._sums.axes import KINDS
from skensir._sums.statistics import CellStatistics
from skensir._typing import FloatArray, IntArray
from skensir._units import auto_bin_width
from skensir.image.ensemble import ImageEnsemble
from skensir.image.files import Image
from skensir.image.rows import Parts, add_images, fit_regressors
from skensir.image.scale import peak_of_truth
from skensir.image.search import MAX_FOLDS

# What the mean of the base models is called among them.
AVERAGE = "average"
# What is tried instead of a table that loses: from each cell for itself to all alike.
SHRINKAGES = (0.0, 1e3, 1e6)
# How a model's worth for a search is told: by the plainest of the tables that it searches.
_LIKE_SEARCH: dict[str, Any] = {
    "objective": "squared_error",
    "shrinkage": 100,
    "shrink_to": "parent",
}
# Losses in dB below this are not seen.
LEAST_LOSS = 5e-4


@dataclass(frozen=True)
class Worth:
    """PSNR of an ensemble on images held out from it, beside that of what it is made of.

    :func:`fit_and_hold_out` makes it. A part is an image, but with a search of which folds have
    several images, or areas of one: then it is a fold.

    Parameters
    ----------
    model_names : tuple of str
        Names of the base models, the input at last where it is one; their numbers where images
        have come without names.
    base_models : ndarray of shape (n_models, n_parts)
        PSNR of each base model on each part, in dB, over all channels.
    average : ndarray of shape (n_parts,)
        PSNR of the mean of the base models, without the input.
    ensemble : ndarray of shape (n_parts,)
        PSNR of the ensemble on each part, fitted on the images of the other folds. Not a number
        where nothing can be held out, as there is a single image.
    without : ndarray of shape (n_models, n_parts)
        The same without one of the models. Not a number where cells cannot be had without a model.
    like_ensemble : ndarray of shape (n_parts,)
        What `without` is to be compared with: `ensemble`, or with a search the plainer tables that
        both are of.
    n_folds : int
        Number of folds: with given settings one per image up to ten, and ten of more.
    squared_error : mapping of float to ndarray of shape (n_parts,), default={}
        PSNR, held out likewise, of tables for the squared error in the same bins, by their
        shrinkage. Empty where the ensemble does no worse than all base models and the average.

    See Also
    --------
    fit_and_hold_out : Fits an ensemble and measures it.

    Notes
    -----
    With :class:`~skensir.EnsIRRegressor` the PSNR is that of fitting on the other images and
    scoring. Much truth in 16 bits is counted on 256 steps of a bin, which changes it by less than
    1e-5 dB on photographs.

    A search says on each fold what the other folds would have chosen. Averaged tables count as no
    better than they are on average, so that the PSNR is rather too low. To leave a model out it
    takes tables in the bins of the paper, of which each cell is drawn to wider ones.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir.image import Worth
    >>> psnr = np.array([30.0, 32.0])
    >>> worth = Worth(("A", "B"), psnr + [[0], [1]], psnr, psnr + 2, psnr + [[0], [0]], psnr + 2, 2)
    >>> worth.best_rival, worth.loses, worth.losses
    (('B', 32.0), False, array([2., 2.]))
    """

    model_names: tuple[str, ...]
    base_models: FloatArray
    average: FloatArray
    ensemble: FloatArray
    without: FloatArray
    like_ensemble: FloatArray
    n_folds: int
    squared_error: Mapping[float, FloatArray] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def losses(self) -> FloatArray:
        """What is lost without each of the models, the mean over the parts in dB, (n_models,)."""
        with np.errstate(invalid="ignore"):  # nothing differs with or without
            return np.asarray((self.like_ensemble - self.without).mean(axis=1))

    @property
    def best_rival(self) -> tuple[str, float]:
        """Name and mean PSNR of the best of the base models and "average"."""
        means = [*self.base_models.mean(axis=1).tolist(), float(self.average.mean())]
        best = int(np.argmax(means))
        return (*self.model_names, AVERAGE)[best], means[best]

    @property
    def loses(self) -> bool:
        """Whether a base model or the average does better than the ensemble."""
        return self.best_rival[1] - float(self.ensemble.mean()) >= LEAST_LOSS


def fit_and_hold_out(
    ensemble: ImageEnsemble,
    predictions: Iterable[ArrayLike],
    targets: Iterable[ArrayLike],
    inputs: Iterable[ArrayLike] | None = None,
) -> Worth:
    """Fit an ensemble, and tell what it is worth on images that it has not seen.

    Every image is read once, and held out from the sums that `fit` gathers.

    Parameters
    ----------
    ensemble : ImageEnsemble
        With :class:`~skensir.EnsIRRegressor` or :class:`~skensir.EnsIRRegressorCV` as regressor. It
        is fitted as by its `fit`.
    predictions, targets, inputs : iterable of array-like
        As in `ImageEnsemble.fit`.

    Returns
    -------
    worth : Worth
        The PSNR of each base model, of their average, of the ensemble, and without each model.

    Raises
    ------
    ValueError
        As in `ImageEnsemble.fit`; of other regressors, or a `cv` that holds out not each row once.

    See Also
    --------
    Worth : What is returned, and how it is measured.

    Examples
    --------
    >>> import numpy as np
    >>> from skensir.image import ImageEnsemble, fit_and_hold_out
    >>> rng = np.random.default_rng(0)
    >>> targets = rng.integers(10, 245, size=(3, 1, 64, 48, 3))
    >>> n = np.reshape([4, 4, 40], (3, 1, 1, 1))
    >>> predictions = targets + rng.integers(-n, n + 1, size=(3, 3, 64, 48, 3))
    >>> targets = targets[:, 0]
    >>> worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    >>> worth.base_models.mean(axis=1).round(1)
    array([39.9, 39.9, 20.8])
    >>> worth.losses.round(1)
    array([ 2.7,  2.8, -6.5])
    """
    regressor, truth = _regressor_of(ensemble), _Truth()
    if isinstance(regressor, EnsIRRegressorCV):
        ensemble._fit(truth.seen_by(fit_regressors), predictions, targets, inputs)
        return _worth_of_search(ensemble, truth)
    if isinstance(regressor, EnsIRRegressor):
        sums: list[_ImageSums] = []
        kept = truth.seen_by(partial(_fit_and_keep, kept=sums))
        ensemble._fit(kept, predictions, targets, inputs)
        return _worth_of_tables(ensemble, truth, sums)
    raise ValueError(
        f"The regressor of ensemble is {shown(regressor)}, must be an EnsIRRegressor or an "
        "EnsIRRegressorCV."
    )


def _regressor_of(ensemble: Any) -> BaseEstimator:
    """Return the regressor to clone of what has to be an ensemble of images."""
    if not isinstance(ensemble, ImageEnsemble):
        raise TypeError(f"ensemble == {shown(ensemble)}, must be an ImageEnsemble.")
    return ensemble._regressor()


def _fit_and_keep(
    regressor: BaseEstimator, images: Iterable[Parts], *, kept: list[_ImageSums]
) -> list[EnsIRRegressor]:
    """Return a clone for each part, fitted on all images, and keep the sums of each image."""
    kept += add_images(regressor, images, _ImageSums, _ImageSums.add)
    return [sums.model.solve() for sums in kept]


class _Truth:
    """The smallest and the largest value of the truth of all images that have been seen."""

    def __init__(self) -> None:
        self._ends: list[Any] = []

    def seen_by(self, fit: Callable[[BaseEstimator, Iterable[Parts]], list[Any]]) -> Any:
        """Return a function that fits to images, and looks at the truth of each meanwhile."""
        # `map` holds no image while the next is read.
        return lambda regressor, images: fit(regressor, map(self._note, images))

    def _note(self, parts: Parts) -> Parts:
        seen = [end for part in parts[1] for end in (part.min(), part.max())]
        self._ends = [min(self._ends[:1] + seen), max(self._ends[1:] + seen)]
        return parts

    def peak(self, ensemble: ImageEnsemble) -> float:
        """Return the peak for the PSNR of an ensemble fitted on the images."""
        return peak_of_truth(np.array(self._ends), ensemble.pixel_dtype_, ensemble.regressors_[0])


class _ImageSums:
    """The sums of each image, those of each fold, and the regressor to which they are added."""

    def __init__(self, regressor: EnsIRRegressor) -> None:
        self.model = clone(regressor)
        self.folds: list[CellStatistics] = []
        self.images: list[list[CellStatistics]] = []

    def add(self, number: int, X: Image, y: Image) -> None:
        """Add the rows of an image to the regressor and to a fold."""
        sums = self.model._sums_of(X, y)
        self.model._add_statistics([sums])
        fold = number % MAX_FOLDS
        if number < MAX_FOLDS:
            self.folds.append(sums)
            self.images.append([])
        else:
            self.folds[fold] = CellStatistics.merge([self.folds[fold], sums])
        self.images[fold].append(sums._replace(truth=None))

    def order(self) -> IntArray:
        """Return where each image stands among the images of all folds."""
        numbers = [
            fold + place * MAX_FOLDS
            for fold, images in enumerate(self.images)
            for place in range(len(images))
        ]
        return np.argsort(numbers)

    def held_out(self) -> HeldOutParts:
        """Return the images of each fold, and the sums of the other folds."""
        return HeldOutParts.of_folds(self.folds, self.images)


def _worth_of_tables(ensemble: ImageEnsemble, truth: _Truth, sums: Sequence[_ImageSums]) -> Worth:
    """Return what tables with given settings are worth."""
    held_out = [of_part.held_out() for of_part in sums]
    order = sums[0].order()
    models = [of_part.model for of_part in sums]
    errors = _errors(held_out, models)[order]
    first = models[0]
    can_leave_out = first.axes == KINDS[0] and isinstance(first.default_weights, str)
    without = _errors_without(held_out, models, can_leave_out=can_leave_out)[:, order]
    measure = _Measure(ensemble, truth, held_out, order)
    worth = measure.worth(errors, without, errors, n_folds=len(sums[0].folds))
    if not worth.loses:
        return worth
    tried = {}
    for shrinkage in SHRINKAGES:
        table = EnsIRRegressor(objective="squared_error", shrinkage=shrinkage)
        tried[shrinkage] = measure.psnr(_errors(held_out, [table] * len(sums))[order])
    return replace(worth, squared_error=tried)


def _worth_of_search(ensemble: ImageEnsemble, truth: _Truth) -> Worth:
    """Return what a search is worth, whose folds are the parts."""
    searches: list[EnsIRRegressorCV] = ensemble.regressors_
    held_out, errors = [], []
    for search in searches:
        if "_statistics" not in vars(search):
            raise ValueError(
                f"cv == {shown(search.cv)} of the regressor must hold out each row once, or there "
                "are no sums of folds to tell the worth from."
            )
        [sums] = search._statistics
        width = auto_bin_width(search._current_range())
        folds = [_on_plain_bins(fold, width) for fold in sums.folds]
        held_out.append(HeldOutParts.of_folds(folds, [[fold] for fold in folds]))
        errors.append(search._held_out_mses * [fold.weight.sum() for fold in folds])
    on_predictions = held_out[0].trains[0].axes.kind == KINDS[0]
    tables = [EnsIRRegressor(**_LIKE_SEARCH)] * len(searches)
    plain = _errors(held_out, tables)
    without = _errors_without(held_out, tables, can_leave_out=on_predictions)
    order = np.arange(len(plain))
    measure = _Measure(ensemble, truth, held_out, order)
    return measure.worth(np.sum(errors, axis=0), without, plain, n_folds=len(order))


def _on_plain_bins(sums: Sequence[CellStatistics], width: float) -> CellStatistics:
    """Return sums of a fold in bins of the paper or wider ones, of predictions if there are any."""
    found = min(sums, key=lambda of_grid: (of_grid.axes.kind != KINDS[0], of_grid.bin_width))
    found = found._replace(truth=None)
    factor = int(width / found.bin_width)
    return found.coarsen(factor) if factor > 1 else found


def _errors(held_out: Sequence[HeldOutParts], tables: Sequence[EnsIRRegressor]) -> FloatArray:
    """Return the squared errors on each part, summed over the regressors."""
    n_models = held_out[0].parts[0][0].n_models
    of_regressors = [
        parts.squared_errors(table._settings(n_models))
        for parts, table in zip(held_out, tables, strict=True)
    ]
    return np.asarray(np.sum(of_regressors, axis=0))


def _errors_without(
    held_out: Sequence[HeldOutParts], tables: Sequence[EnsIRRegressor], *, can_leave_out: bool
) -> FloatArray:
    """Return the same without each of the models, (n_models, n_parts)."""
    n_models = held_out[0].parts[0][0].n_models
    n_parts = sum(map(len, held_out[0].parts))
    if not can_leave_out or n_models == 1:
        return np.full((n_models, n_parts), np.nan)
    return np.array(
        [
            _errors([parts.without_model(model) for parts in held_out], tables)
            for model in range(n_models)
        ]
    )


class _Measure:
    """PSNR from sums of squared errors over all channels of each part."""

    def __init__(
        self,
        ensemble: ImageEnsemble,
        truth: _Truth,
        held_out: Sequence[HeldOutParts],
        order: IntArray,
    ) -> None:
        self.moments = np.sum([parts.moments() for parts in held_out], axis=0)[order]
        sizes = [[p.weight.sum() for of_fold in h.parts for p in of_fold] for h in held_out]
        self.n_values = np.sum(sizes, axis=0)[order]
        self.peak = truth.peak(ensemble)
        n_models = len(self.moments[0])
        self.n_averaged = n_models - bool(ensemble.include_input)
        self.model_names = ensemble.model_names_ or tuple(map(str, range(n_models)))

    def psnr(self, squared_errors: FloatArray) -> FloatArray:
        """Return the PSNR of parts, (..., n_parts), in dB."""
        with np.errstate(divide="ignore"):  # nothing differs
            return np.asarray(10 * np.log10(self.peak**2 * self.n_values / squared_errors))

    def worth(
        self, errors: FloatArray, without: FloatArray, like: FloatArray, n_folds: int
    ) -> Worth:
        """Return the PSNR that squared errors of the ensemble stand for, and of its models."""
        averaged = self.moments[:, : self.n_averaged, : self.n_averaged]
        return Worth(
            self.model_names,
            base_models=self.psnr(np.einsum("nii->in", self.moments)),
            average=self.psnr(averaged.mean(axis=(1, 2))),
            ensemble=self.psnr(errors),
            without=self.psnr(without),
            like_ensemble=self.psnr(like),
            n_folds=n_folds,
        )
