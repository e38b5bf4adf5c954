"""Pixels as rows of stacked predictions, and regressors that are fitted on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skensir._ensir_cv import EnsIRRegressorCV
from skensir._incremental import IncrementalRegressor
from skensir._search.parts import SearchInParts, deal_out_parts
from skensir._text import sizes
from skensir._warn import warn_user
from skensir.image.combining import rows_of
from skensir.image.files import Image

# Predictions and truth of an image, both in parts that have a regressor each.
Parts: TypeAlias = tuple[Sequence[Image], Sequence[Image]]


def fit_regressors(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on the rows of all images."""
    if isinstance(regressor, EnsIRRegressorCV):
        return _fit_searches(regressor, images)
    if isinstance(regressor, IncrementalRegressor):
        models = add_images(
            regressor, images, clone, lambda model, number, X, y: model.partial_fit(X, y)
        )
        return [model.solve() for model in models]
    return _fit_gathered(regressor, images)


def add_images(
    regressor: BaseEstimator,
    images: Iterable[Parts],
    make: Callable[[Any], Any],
    add: Callable[[Any, int, Image, Image], Any],
) -> list[Any]:
    """Return what is made of the regressor for each part, to which image after image is added.

    `add` gets it, the number of the image, its rows and their truth.
    """
    made: list[Any] = []
    numbers = count()  # enumerate would hold on to an image while the next is read
    for predictions, target in images:
        made = made or [make(regressor) for _ in target]
        number = next(numbers)
        for of_part, stack, truth in zip(made, predictions, target, strict=True):
            add(of_part, number, rows_of(stack), truth.ravel())
    return made


def _fit_searches(regressor: EnsIRRegressorCV, images: Iterable[Parts]) -> list[Any]:
    """Return a search for each part, to which image after image is added where that is enough."""
    fold_of = deal_out_parts(regressor.cv, shuffle=regressor.shrink_to == "parent")
    images = iter(images)
    first = list(islice(images, 2))
    n_read, dtype = len(first), first[0][0][0].dtype
    all_images = _drain(first, images)
    # The range of floats follows from all of them; and a single image is split into areas.
    if fold_of is None or n_read == 1 or regressor._known_range(dtype) is None:
        return _fit_gathered(regressor, all_images)
    fits = add_images(
        regressor,
        all_images,
        lambda search: SearchInParts(clone(search)),
        lambda fit, number, X, y: fit.add(X, y, fold_of(number)),
    )
    return [fit.finish() for fit in fits]


def _drain(first: list[Parts], rest: Iterator[Parts]) -> Iterator[Parts]:
    """Yield the first images, which are let go then, and the rest."""
    while first:
        yield first.pop(0)
    yield from rest


def _fit_gathered(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on the rows of all images together."""
    stacks, truths = zip(*images, strict=True)
    fit_params = {}
    takes_groups = has_fit_parameter(regressor, "groups")
    if len(truths) == 1 and takes_groups and isinstance(regressor, IncrementalRegressor):
        _check_areas(regressor, truths[0][0].shape)
        warn_user(
            "Settings are chosen on parts of a single image, which are more alike than images are: "
            "the gains are too high, and on other images one convex vector may do better. Fit on "
            "several images.",
            UserWarning,
        )
    if len(truths) > 1 and takes_groups:
        fit_params["groups"] = np.repeat(np.arange(len(truths)), [t[0].size for t in truths])
    regressors = [clone(regressor) for _ in truths[0]]
    for channel, model in enumerate(regressors):
        X = np.concatenate([rows_of(stack[channel]) for stack in stacks])
        y = np.concatenate([truth[channel].ravel() for truth in truths])
        model.fit(X, y, **fit_params)
    return regressors


def _check_areas(search: Any, shape: tuple[int, ...]) -> None:
    """Raise an error unless a single image has a pixel for each fold of a search."""
    from sklearn.model_selection import KFold  # commands start fast

    cv = search.cv
    n_folds: Any = cv if isinstance(cv, Integral) else 2 if cv is None else 1
    if isinstance(cv, KFold):
        n_folds = cv.n_splits
    if math.prod(shape) < n_folds:
        raise ValueError(
            f"A single image of {sizes(shape)} pixels is too small to cross-validate; there must "
            f"be at least {n_folds} pixels."
        )
