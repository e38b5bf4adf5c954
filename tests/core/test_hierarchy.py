"""Nested cells: the design's recursion, row by row, against all levels at once."""

import naive
import numpy as np
import pytest
from drawn import share_of_cases
from hypothesis import given
from hypothesis import strategies as st

from skensir import EnsIRRegressor
from skensir._core.hierarchy import (
    Hierarchy,
    exchangeable,
    moment_lines,
    n_lines,
    n_widenings,
    squared_errors,
)
from skensir._core.least_squares import simplex_weights
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import KINDS, Axes

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw):
    """Draw few rows of whole numbers whose models err differently, some with weight zero."""
    rng = np.random.default_rng(draw(SEEDS))
    n_rows, n_models = draw(st.integers(4, 60)), draw(st.integers(1, 4))
    y = rng.integers(0, 200, n_rows).astype(float)
    X = y[:, None] + rng.integers(-30, 31, (n_rows, n_models)) + rng.integers(-9, 10, n_models)
    weight = rng.integers(0, 4, n_rows).astype(float) if draw(st.booleans()) else np.ones(n_rows)
    weight[0] = 1.0
    return X.astype(float), y, weight


def naive_line(moments, positive, intercept):
    """Return weights and intercept of least squared error from moments of errors and a one."""
    products, mean = moments[:-1, :-1], moments[:-1, -1]
    if intercept:
        products = products - np.outer(mean, mean)
    if positive:
        weights = simplex_weights(products[None])[0]
    else:
        weights = np.linalg.pinv(products, hermitian=True) @ np.ones(len(products))
        weights = weights / weights.sum()
    return weights, -weights @ mean if intercept else 0.0


@pytest.mark.parametrize("kind", KINDS)
@given(
    problem=problems(),
    width=st.sampled_from([2.0, 8.0, 32.0]),
    shrinkage=st.sampled_from([3.0, 40.0, 1000.0]),
    intercept=st.booleans(),
)
def test_tables_follow_from_the_recursion(kind, problem, width, shrinkage, intercept):
    X, y, weight = problem
    model = EnsIRRegressor(
        width,
        data_range=255,
        axes=kind,
        objective="squared_error",
        shrinkage=shrinkage,
        shrink_to="parent",
        fit_intercept=intercept,
    ).fit(X, y, weight)
    unit = 8.0 if kind == "summary" else 1.0
    seen = weight > 0
    cells = [naive.bins_on_axes(row, width, kind, unit) for row in X[seen]]
    nested = naive.Nested(cells, X[seen] - y[seen, None], weight[seen], shrinkage)
    # Whatever lies within the known bins, whether its cell was seen or not.
    low, high = np.min(cells, axis=0), np.max(cells, axis=0)
    asked = [*X[:6], *np.random.default_rng(0).permuted(X, axis=0)[:20]]
    for row in asked:
        cell = np.clip(naive.bins_on_axes(row, width, kind, unit), low, high)
        moments = nested.nearest(tuple(cell.tolist()))
        weights, constant = naive_line(moments, True, intercept)
        prediction, std = model.predict([row], return_std=True)
        np.testing.assert_allclose(
            prediction,
            [weights @ row + constant],
            rtol=1e-6,
            atol=1e-6 * np.abs(X - y[:, None]).max(),
        )
        extended = np.append(weights, constant)
        if shrinkage >= model.min_samples_cell:
            np.testing.assert_allclose(
                std**2, [extended @ moments @ extended], rtol=1e-5, atol=1e-8
            )


@given(problem=problems(), shrinkage=st.sampled_from([10.0, 500.0]), intercept=st.booleans())
def test_signed_weights_solve_their_equations(problem, shrinkage, intercept):
    """The moments times the weights are the same for every model."""
    X, y, weight = problem
    params = {"objective": "squared_error", "shrink_to": "parent", "axes": "deviations"}
    model = EnsIRRegressor(
        8.0, shrinkage=shrinkage, positive=False, fit_intercept=intercept, **params
    ).fit(X, y, weight)
    seen = weight > 0
    cells = [naive.bins_on_axes(row, 8.0, "deviations") for row in X[seen]]
    nested = naive.Nested(cells, X[seen] - y[seen, None], weight[seen], shrinkage)
    for cell, weights, constant in zip(
        model.cells_, model.weights_, model.intercepts_, strict=True
    ):
        moments = nested.moments(0, tuple(cell.tolist()))
        products, mean = moments[:-1, :-1], moments[:-1, -1]
        if intercept:
            products = products - np.outer(mean, mean)
            assert constant == pytest.approx(-weights @ mean, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(weights.sum(), 1, rtol=1e-9)
        gradient = products @ weights
        scale = np.abs(products).max() * np.abs(weights).sum()
        np.testing.assert_allclose(gradient, gradient[0], atol=1e-7 * scale)


def test_so_many_pseudo_rows_that_only_averaging_is_left():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 500)
    X = y[:, None] + rng.normal(size=(500, 3)) * [1, 5, 20]
    for kind in KINDS:
        model = EnsIRRegressor(
            16.0,
            axes=kind,
            objective="squared_error",
            shrinkage=1e15,
            shrink_to="parent",
            fit_intercept=True,
        ).fit(X, y)
        np.testing.assert_allclose(model.predict(X), X.mean(axis=1), rtol=1e-9)


@given(SEEDS, st.integers(1, 4), st.integers(1, 6))
def test_every_level_has_the_sums_of_its_children(seed, n_axes, n_levels):
    rng = np.random.default_rng(seed)
    cells = np.unique(rng.integers(-9, 9, (30, n_axes)), axis=0)
    sums = rng.normal(size=(2, 3, len(cells)))
    hierarchy = Hierarchy(cells, n_levels)
    for level, of_level in enumerate(hierarchy.add_up(sums)):
        expected = {}
        for number, cell in enumerate(cells.tolist()):
            wide = naive.wider(cell, level)
            expected[wide] = expected.get(wide, 0) + sums[:, :, number]
        assert [tuple(cell) for cell in hierarchy.cells[level].tolist()] == sorted(expected)
        np.testing.assert_allclose(of_level, np.stack([expected[c] for c in sorted(expected)], -1))


@given(SEEDS, st.integers(1, 3), st.integers(1, 6))
def test_a_cell_is_known_if_rows_lie_in_the_widest_around_it(seed, n_axes, n_levels):
    """However little they weigh."""
    rng = np.random.default_rng(seed)
    cells = np.unique(rng.integers(-9, 9, (30, n_axes)), axis=0)
    depths = rng.integers(0, n_levels, 2)
    sums = np.where(rng.random((2, 1, len(cells))) < 0.3, 0.01, 0.0)
    hierarchy = Hierarchy(cells, n_levels)
    known = hierarchy.known(hierarchy.add_up(sums), depths)
    for of_set, depth, found in zip(sums, depths, known, strict=True):
        widest = [naive.wider(cell, depth) for cell in cells.tolist()]
        occupied = {widest[i] for i in np.flatnonzero(of_set[0])}
        assert found.tolist() == [cell in occupied for cell in widest]


def as_lines(moments):
    """Return moments or sums of errors and a one as a line."""
    upper = np.triu_indices(len(moments) - 1)
    return np.array([moments[-1, -1], *moments[:-1, :-1][upper], *moments[:-1, -1]])


@share_of_cases(5 / 8)
@given(SEEDS, st.integers(1, 3), st.sampled_from([0.0, 0.25, 30.0]))
def test_each_set_of_rows_has_widest_cells_of_its_own(seed, n_models, shrinkage):
    """Those have all rows for parent, and so have wider ones; rows weigh less than one."""
    rng, n_levels = np.random.default_rng(seed), 4
    cells = np.unique(rng.integers(-6, 6, (8, 2)), axis=0)
    own = rng.integers(0, len(cells), 15)
    own_cells = [tuple(cell) for cell in cells[own].tolist()]
    errors = rng.normal(size=(15, n_models)) + rng.normal(size=n_models)
    depths = rng.integers(0, n_levels, 3)
    weights = rng.integers(0, 3, (3, 15)) * 0.25
    weights[:, 0] = 0.25
    several = []
    for depth, weight in zip(depths, weights, strict=True):
        several.append(naive.Nested(own_cells, errors, weight, shrinkage))
        several[-1].top = depth
    sums = np.array(
        [
            [as_lines(nested.sums(nested.occupied(0, tuple(cell)))) for cell in cells.tolist()]
            for nested in several
        ]
    ).swapaxes(1, 2)
    hierarchy = Hierarchy(cells, n_levels)
    moments, pooled = hierarchy.shrink(hierarchy.add_up(sums), shrinkage, n_models, depths)
    for number, nested in enumerate(several):
        np.testing.assert_allclose(pooled[number], as_lines(nested.pooled()), atol=1e-12)
        for level, found in enumerate(moments):
            for cell, line in zip(hierarchy.cells[level].tolist(), found[number].T, strict=True):
                expected = nested.moments(level, tuple(cell))
                if level > nested.top:
                    rows = nested.occupied(level, tuple(cell))
                    expected = nested.drawn_to(nested.sums(rows), nested.pooled())
                np.testing.assert_allclose(line, as_lines(expected), atol=1e-12)


@given(SEEDS, st.integers(1, 4), st.sampled_from([1e-6, 1.0, 1e6]), st.booleans())
def test_squared_errors_are_those_of_the_rows(seed, n_models, unit, intercept):
    rng = np.random.default_rng(seed)
    errors = unit * rng.normal(size=(3, 7, n_models))
    errors[0] = errors[0, :1]  # equal rows, which the constant makes up for in full
    weights, constants = rng.normal(size=(3, n_models)), unit * rng.normal(size=3) * intercept
    if intercept:
        constants[0] = -weights[0] @ errors[0, 0]
    ones = np.ones((7, 1))
    lines = np.stack([as_lines(e.T @ e) for e in (np.hstack([part, ones]) for part in errors)], 1)
    found = squared_errors(lines if intercept else lines[:-n_models], weights, constants)
    expected = np.square(np.einsum("cri,ci->cr", errors, weights) + constants[:, None]).sum(axis=1)
    scale = np.square(errors).sum(axis=(1, 2)) * np.square(weights).sum(axis=1)
    assert (found >= 0).all()
    assert (np.abs(found - expected) <= 1e-12 * scale).all()


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 90)), min_size=1))
def test_bins_double_until_an_axis_has_one_or_two(ends):
    low = [start for start, _ in ends]
    high = [start + length for start, length in ends]
    times = n_widenings(low, high)

    def most(times):
        return max(b // 2**times - a // 2**times for a, b in zip(low, high, strict=True))

    assert most(times) <= 1
    assert times == 0 or most(times - 1) > 1


def test_exchangeable_moments_know_no_model_from_another():
    # Two models: weight, products of the first with itself, of both, of the second; mean errors.
    [root] = exchangeable(np.array([[1.0, 2.0, 5.0, 4.0, 7.0, -7.0]]), n_models=2)
    assert root.tolist() == [1.0, 3.0, 5.0, 3.0, 0.0, 0.0]


@pytest.mark.parametrize("with_errors", [False, True])
@pytest.mark.parametrize("n_models", [1, 4])
def test_so_many_lines_as_are_told_make_the_moments(n_models, with_errors):
    X = np.arange(5.0 * n_models).reshape(5, n_models)
    statistics = accumulate(X, X[:, 0], axes=Axes(8.0), with_errors=True)
    lines = moment_lines(statistics, with_errors=with_errors)
    assert len(lines) == n_lines(n_models, with_errors=with_errors)
