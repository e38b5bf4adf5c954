"""Fitted models of every kind, and rows that lie on the edges of their bins or just beside them."""

import copy
import warnings
from functools import cache

import numpy as np

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble

# What sums in a dtype are off by, of values up to 255.
TOLERANCE = {"float32": 2e-5 * 255, "float64": 1e-12 * 255, "uint8": 1e-12 * 255}
SQUARED = {"objective": "squared_error"}
NESTED = {"shrink_to": "parent", "shrinkage": 30.0}
# Name: parameters of a regressor; of the search where there are none.
KINDS = {
    "likelihood": {},
    "narrow": {"bin_width": 3.3},
    "signed": {**SQUARED, "positive": False, "fit_intercept": True},
    "deviations": {**SQUARED, "axes": "deviations", "bin_width": 4.7},
    "summary": {**SQUARED, "axes": "summary", "bin_width": 8},
    "nested": {**SQUARED, **NESTED, "bin_width": 16},
    "nested, many cells": {**SQUARED, **NESTED, "bin_width": 0.7},
    "search": None,
}


def rows(n_rows, n_models, dtype, seed=0):
    """Make predictions and truth from 0 to 255; most models are good somewhere."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 255, n_rows)
    spread = 1 + 9 * np.abs(y[:, None] / 255 - np.linspace(0, 1, n_models))
    X = y[:, None] + spread * rng.standard_normal((n_rows, n_models))
    if np.dtype(dtype).kind == "u":
        X = np.clip(np.rint(X), 0, np.iinfo(dtype).max)
    return X.astype(dtype), y


def fit(kind, n_models):
    """Return a model of a kind, with weights of its own in every cell."""
    return copy.deepcopy(_fit_once(kind, n_models))


@cache
def _fit_once(kind, n_models):
    X, y = rows(3000, n_models, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, and steps
        if KINDS[kind] is None:
            return EnsIRRegressorCV(cv=3).fit(X, y).solve()
        model = EnsIRRegressor(max_iter=5, **KINDS[kind]).fit(X, y)
    rng = np.random.default_rng(1)
    for name in ("weights_", "ancestor_weights_"):
        weights = rng.dirichlet(np.ones(n_models), len(getattr(model, name)))
        setattr(model, name, weights)
    return model


def tables_of(model):
    """Return the regressors of one table each that a model predicts by."""
    return getattr(model, "estimators_", None) or [model]


def on_edges(model, n_rows, dtype, seed=0):
    """Make rows of which half lie on edges or one step beside, and some beyond all bins."""
    n_models = model.n_features_in_
    X, _ = rows(n_rows, n_models, np.float64, seed)
    rng = np.random.default_rng(seed)
    X[rng.random(n_rows) < 0.2] *= 1.3
    half = X[: n_rows // 2]
    tables = tables_of(model)
    for part, table in zip(np.array_split(half, len(tables)), tables, strict=True):
        width = table.bin_width_
        edges = np.rint(part / width) * width
        if table.axes_ == "deviations":  # their edges lie so far from the first model
            edges = part[:, :1].round() + np.rint((part - part[:, :1]) / width) * width
        part[:] = edges
    if np.dtype(dtype).kind == "u":
        return np.clip(np.rint(X), 0, np.iinfo(dtype).max).astype(dtype)
    X = X.astype(dtype)
    half = X[: n_rows // 2]
    step = rng.integers(-1, 2, half.shape)
    ends = np.array([-np.inf, 0, np.inf], dtype=dtype)
    half[:] = np.where(step, np.nextafter(half, ends[step + 1]), half)
    return X


def images(n_channels, seed=0):
    """Make what three networks give, (3, height, width, n_channels) in 8 bits, and the truth."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 256, (40, 30, n_channels))
    noise = [rng.integers(-n, n + 1, target.shape) for n in (4, 8, 16)]
    stack = np.clip(np.stack([target + n for n in noise]), 0, 255)
    return stack.astype(np.uint8), target.astype(np.uint8)


def with_numbered_cells(model):
    """Give each cell an intercept that no sum of weights makes up for: it says where a row is."""
    for table in tables_of(model):
        table.set_params(objective="squared_error", fit_intercept=True)
        n_cells, n_ancestors = len(table.cells_), len(table.ancestor_cells_)
        table.intercepts_ = 4096.0 * (1 + np.arange(n_cells))
        table.ancestor_intercepts_ = 4096.0 * (1 + n_cells + np.arange(n_ancestors))
    return model


def fit_images(regressor, stack, target, **params):
    """Fit an ensemble on one image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is one, and small
        return ImageEnsemble(regressor, **params).fit([stack], [target])
