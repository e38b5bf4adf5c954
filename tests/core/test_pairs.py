"""Triangles of pairs of models are the symmetric matrices that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._sums.pairs import model_pairs, n_pairs, quadratic_form, symmetric


@given(st.integers(1, 45), st.integers(0, 300), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_triangle_is_the_matrix_whose_products_it_holds(n_models, n_cells, by_cell, seed):
    """On both sides of the number of models from which matrices are taken, however sums lie."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(n_cells, n_models, 3))
    matrices = errors @ errors.transpose(0, 2, 1)
    lines = [matrices[:, i, j] for i in range(n_models) for j in range(i, n_models)]
    triangles = np.array(lines) if by_cell else np.ascontiguousarray(np.array(lines).T).T
    assert len(triangles) == n_pairs(n_models)
    np.testing.assert_array_equal(symmetric(triangles, n_models), matrices)

    weights = rng.normal(size=(n_cells, n_models))
    expected = (np.einsum("cik,ci->ck", errors, weights) ** 2).sum(axis=1)
    scale = (np.abs(weights).sum(axis=1) ** 2 * np.abs(matrices).max(axis=(1, 2))).max(initial=1.0)
    found = quadratic_form(triangles, weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * scale)


def test_pairs_are_those_of_all_callers_and_cannot_be_altered():
    for of_pairs in model_pairs(4):
        with pytest.raises(ValueError, match="read-only"):
            of_pairs[0] = 1
