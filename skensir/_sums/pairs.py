"""Pairs of models, each with itself included: symmetric matrices are kept as upper triangles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from skensir._typing import FloatArray, IntArray

# The sums of a cell lie side by side: line by line they are read from cache.
_CELLS_IN_CACHE = 2**12

# With more models than this it is matrices that fit there, of so many values together.
_MANY_MODELS = 20
_VALUES_IN_CACHE = 2**17


def n_pairs(n_models: int) -> int:
    """Return how many pairs there are."""
    return n_models * (n_models + 1) // 2


@lru_cache(maxsize=8)
def model_pairs(n_models: int) -> tuple[IntArray, IntArray]:
    """Return first and second model of each pair, in the order of the lines of a triangle."""
    first, second = np.triu_indices(n_models)
    first.flags.writeable = second.flags.writeable = False  # all callers have the same
    return first, second


def symmetric(triangles: FloatArray, n_models: int) -> FloatArray:
    """Turn (n_pairs, n) upper triangles into (n, n_models, n_models) symmetric matrices."""
    pairs = np.empty((n_models, n_models), dtype=np.intp)
    upper = model_pairs(n_models)
    pairs[upper] = pairs.T[upper] = np.arange(len(triangles))
    return triangles.T.take(pairs, axis=1)


def quadratic_form(products: FloatArray, weights: FloatArray) -> FloatArray:
    """Return ``w' P w`` for upper triangles (n_pairs, n) of P and weights (n, n_models)."""
    n_models = weights.shape[1]
    total = np.zeros(len(weights))
    if n_models > _MANY_MODELS:
        n = max(1, _VALUES_IN_CACHE // n_models**2)
        for start in range(0, len(weights), n):
            cells = slice(start, start + n)
            of_cells = weights[cells, :, np.newaxis]
            combined = symmetric(products[:, cells], n_models) @ of_cells
            total[cells] = (combined * of_cells).sum(axis=(1, 2))
        return total
    pairs = list(zip(*model_pairs(n_models), strict=True))
    for start in range(0, len(weights), _CELLS_IN_CACHE):
        cells = slice(start, start + _CELLS_IN_CACHE)
        of_models, of_cells = np.ascontiguousarray(weights[cells].T), total[cells]
        for (model, other), line in zip(pairs, products[:, cells], strict=True):
            share = of_models[model] * of_models[other]
            of_cells += (1 if model == other else 2) * share * line
    return total
