"""Pixels as rows of stacked predictions, and regressors that are fitted on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skensir._base import warn_user
from skensir._incremental import IncrementalRegressor
from skensir.image.files import Image

# Predictions and truth of an image, both in parts that have a regressor each.
Parts: TypeAlias = tuple[Sequence[Image], Sequence[Image]]


def rows_of(stack: Image) -> Image:
    """Return the predictions of (n_models, ...) pixel by pixel, (n_pixels, n_models)."""
    return stack.reshape(len(stack), -1).T


def fit_regressors(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on the rows of all images."""
    # What has groups splits the rows itself, and must have them all.
    in_parts = isinstance(regressor, IncrementalRegressor)
    if in_parts and not has_fit_parameter(regressor, "groups"):
        return _fit_image_by_image(regressor, images)
    return _fit_gathered(regressor, images)


def _fit_image_by_image(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on one image after the other."""
    regressors: list[Any] = []
    for predictions, target in images:
        regressors = regressors or [clone(regressor) for _ in target]
        for model, stack, truth in zip(regressors, predictions, target, strict=True):
            model.partial_fit(rows_of(stack), truth.ravel())
    for model in regressors:
        model.solve()
    return regressors


def _fit_gathered(regressor: BaseEstimator, images: Iterable[Parts]) -> list[Any]:
    """Return a clone for each part, fitted on the rows of all images together."""
    stacks, truths = zip(*images, strict=True)
    fit_params = {}
    takes_groups = has_fit_parameter(regressor, "groups")
    if len(truths) == 1 and takes_groups and isinstance(regressor, IncrementalRegressor):
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
