"""Hard cases of every programme on cells, measured against the same formulas in 50 digits."""

from fractions import Fraction

import exact
import naive
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

from skensir import EnsIRRegressor
from skensir._core.least_squares import _SIGNED_RIDGE, signed_weights, simplex_weights
from skensir._core.likelihood import Likelihood, fit_mixtures
from skensir._sums.histogram import TruthCounter

SEEDS = st.integers(0, 2**32 - 1)


def nearly_equal_means(rng, n_models, n_rows):
    """Return truth, means and variances where the farthest components are hardly told apart.

    Distances are up to 10**13 variances, and densities there differ by a factor of e or so.
    """
    variance = 10.0 ** rng.uniform(-7, -1)
    distance = np.sqrt(1e13 * variance) * 10.0 ** rng.uniform(-3, 0)
    truth = np.rint(16 + 6 * rng.standard_normal(n_rows))
    truth += np.rint(distance) * rng.integers(-1, 2, n_rows)
    shifts = rng.uniform(-3, 3, n_models) * variance / distance
    return truth, 16.3 + shifts, np.full(n_models, variance)


def far_truth(rng, n_models, n_rows):
    """Return truth that lies where most components have no density that a float can hold."""
    truth = np.rint(16 + 40 * rng.standard_normal(n_rows))
    truth[rng.integers(n_rows)] = 10.0 ** rng.integers(3, 9)
    return truth, rng.uniform(0, 32, n_models), 10.0 ** rng.uniform(-8, 2, n_models)


def narrow_components(rng, n_models, n_rows):
    """Return components so narrow that hardly any truth lies in one."""
    truth = np.rint(16 + 6 * rng.standard_normal(n_rows))
    return truth, rng.uniform(0, 32, n_models), 10.0 ** rng.uniform(-12, -4, n_models)


@given(
    SEEDS,
    st.sampled_from([nearly_equal_means, far_truth, narrow_components]),
    st.integers(1, 5),
    st.integers(1, 12),
    st.sampled_from([0.0, 5.0]),
    st.integers(1, 25),
)
@example(105, nearly_equal_means, 4, 9, 0.0, 12)
@example(7, far_truth, 5, 8, 5.0, 21)
def test_mixtures(seed, kind, n_models, n_rows, shrinkage, n_steps):
    rng = np.random.default_rng(seed)
    truth, means, variances = kind(rng, n_models, n_rows)
    sample_weight = rng.integers(1, 9, n_rows) * 0.25
    weights, prior = rng.dirichlet(np.ones(n_models) * 20), rng.dirichlet(np.ones(n_models))
    reg_var = min(variances) if kind is nearly_equal_means else 10.0 ** rng.uniform(-12, -2)
    counter = TruthCounter(1.0)
    counter.add(np.zeros(n_rows, dtype=int), truth, sample_weight)
    settings = Likelihood(max_iter=n_steps, tol=-np.inf, reg_var=reg_var, shrinkage=shrinkage)
    fit = fit_mixtures(
        counter.finish(),
        np.zeros(1),
        means[None],
        variances[None],
        weights[None],
        settings,
        prior_weights=prior,
    )
    expected, expected_variances = exact.mixture(
        truth,
        sample_weight,
        means,
        variances,
        weights,
        n_steps=n_steps,
        reg_var=reg_var,
        shrinkage=shrinkage,
        prior_weights=prior,
    )
    np.testing.assert_allclose(fit.weights[0], np.array(expected, dtype=float), atol=1e-6)
    # A weight that no float can hold is zero, and then the component keeps its variance.
    held = [float(weight) > 1e-250 for weight in expected]
    expected_variances = np.array(expected_variances, dtype=float)
    np.testing.assert_allclose(fit.variances[0, held], expected_variances[held], rtol=1e-5)


def independent(rng, shape):
    """Return errors that may have much in common."""
    common = rng.choice([0, 1, 30]) * rng.standard_normal((shape[0], 1))
    return 100 * (rng.standard_normal(shape) + common)


def of_other_scales(rng, shape):
    """Return errors of models of which some are a million times as good as others."""
    return independent(rng, shape) * 10.0 ** rng.uniform(-2, 4, shape[1])


def duplicates(rng, shape):
    """Return errors of which some are equal."""
    return independent(rng, shape)[:, rng.integers(0, shape[1], shape[1])]


def nearly_equal(rng, shape):
    """Return errors that differ in the last digits only."""
    return 1e4 * (1 + 10.0 ** rng.uniform(-4, 0) * rng.standard_normal(shape))


def opposite(rng, shape):
    """Return errors of which the last cancels the first, and is larger."""
    errors = independent(rng, shape)
    errors[:, -1] = -errors[:, 0] * 10.0 ** rng.integers(-1, 4) + rng.standard_normal(shape[0])
    return errors


def cancelling(rng, shape):
    """Return errors of which some are huge, but cancel each other."""
    scale = 10.0 ** rng.uniform(0, 6, shape[1])
    errors = rng.standard_normal(shape) * scale
    errors[:, -1] = -errors[:, :-1].sum(axis=1) * 10.0 ** rng.uniform(-1, 1) / shape[1]
    return errors + rng.standard_normal((shape[0], 1))


KINDS = [independent, of_other_scales, duplicates, nearly_equal, opposite, cancelling]


def draw_moments(kind, seed):
    """Return sums of products of whole numbers, which a float holds exactly."""
    rng = np.random.default_rng(seed)
    n_models = int(rng.integers(2, 6))
    n_rows = int(rng.choice([1, 2, n_models - 1, 3 * n_models, 50]))
    errors = np.clip(np.rint(kind(rng, (n_rows, n_models))), -(2**21), 2**21)
    errors[0, ~errors.any(axis=0)] = 1.0  # a model without any error needs no programme
    return errors.T @ errors


def excess(moments, weights, best, squares=None):
    """Return how much more weights err than the best ones, in units of what rounding may do.

    These are the rounding of the moments, and 1e-10 of the squared error of the best model. Where
    moments are what is left of larger ones, `squares` is the diagonal of those.
    """
    with mp.workdps(exact.DIGITS):
        moments, weights = exact.exactly(moments), exact.exactly(weights)
        total = sum(weights)
        weights = [weight / total for weight in weights]
        own = [line[i] for i, line in enumerate(moments)]
        squares = own if squares is None else exact.exactly(squares)
        size = max(
            sum(mp.sqrt(square) * abs(weight) for square, weight in zip(squares, some, strict=True))
            for some in (weights, best)
        )
        unit = size**2 * 2**-52 + min(own) * mp.mpf("1e-10")
        more = exact.quadratic(moments, weights) - exact.quadratic(moments, best)
        return float(more / unit if unit else more)


@given(SEEDS, st.sampled_from(KINDS))
@example(0, cancelling)
@example(105, cancelling)
def test_convex_weights(seed, kind):
    moments = draw_moments(kind, seed)
    weights = simplex_weights(moments[None])[0]
    assert (weights >= 0).all()
    assert excess(moments, weights, exact.simplex(moments)) <= 1


@given(SEEDS, st.sampled_from(KINDS))
def test_signed_weights(seed, kind):
    moments = draw_moments(kind, seed)
    best = exact.signed(moments, _SIGNED_RIDGE)
    ridged = moments + _SIGNED_RIDGE * np.diag(np.diag(moments))
    assert abs(excess(ridged, signed_weights(moments[None])[0], best)) <= 1


@given(SEEDS, st.sampled_from(KINDS), st.integers(-3, 6), st.booleans())
@example(0, cancelling, -1, False)
def test_nested_tables(seed, kind, decade, intercept):
    rng = np.random.default_rng(seed)
    n_rows, n_models = int(rng.integers(2, 13)), int(rng.integers(1, 5))
    y = np.rint(rng.uniform(-100, 100, n_rows))
    errors = np.clip(np.rint(kind(rng, (n_rows, n_models))), -(2**21), 2**21)
    X, sample_weight = y[:, None] + errors, rng.integers(1, 9, n_rows) * 0.25
    width = 2.0 ** rng.integers(3, 15)
    model = EnsIRRegressor(
        width,
        data_range=255,
        axes="deviations",
        objective="squared_error",
        shrink_to="parent",
        shrinkage=10.0**decade,
        fit_intercept=intercept,
    ).fit(X, y, sample_weight)
    cells = [naive.bins_on_axes(row, width, "deviations") for row in X]
    fractions = np.vectorize(Fraction, otypes=[object])
    nested = naive.Nested(
        cells, fractions(errors), fractions(sample_weight), Fraction(10.0**decade)
    )
    for cell, weights, constant in zip(
        model.cells_, model.weights_, model.intercepts_, strict=True
    ):
        moments = nested.moments(0, tuple(cell.tolist()))
        products, mean = moments[:-1, :-1], moments[:-1, -1]
        centred = products - np.outer(mean, mean) if intercept else products
        best = exact.simplex(centred)
        # The moments are rounded once a row and once a level.
        assert excess(centred, weights, best, squares=np.diag(products)) <= 64
        expected = -weights @ mean.astype(float) if intercept else 0.0
        scale = weights @ np.abs(mean.astype(float))
        assert abs(constant - expected) <= 1e-12 * scale
