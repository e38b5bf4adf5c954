"""EM on histograms of all cells at once: as EM row by row, one cell at a time, has it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mixtures import cells_to_fit, one_cell

from skensir._core import likelihood
from skensir._sums.histogram import TruthHistogram

SEEDS = st.integers(0, 2**32 - 1)
CENTERS = st.sampled_from(["model", "responsibility"])
REG_VARS = st.sampled_from([0.0, 1e-6, 1e-2, 30.0])
SHRINKAGES = st.sampled_from([0.0, 0.5, 20.0])


@given(cells_to_fit(), CENTERS, REG_VARS, SHRINKAGES, st.integers(1, 25))
def test_every_step_is_that_of_the_naive_computation(cells, center, reg_var, shrinkage, n_steps):
    # Without a tolerance both make the same number of steps.
    options = {
        "variance_center": center,
        # Variances about the truth's own mean may vanish, and then nothing compares any more.
        "reg_var": reg_var if center == "model" else max(reg_var, 1e-6),
        "shrinkage": shrinkage,
        "max_iter": n_steps,
        "tol": -np.inf,
    }
    fit = cells.fit(**options)
    for cell, expected in enumerate(cells.fit_naively(**options)):
        assert fit.degenerate[cell] == expected.degenerate
        np.testing.assert_allclose(fit.weights[cell], expected.weights, rtol=0, atol=1e-10)
        # Components with hardly any responsibility magnify rounding, at worst the published floor.
        alive = expected.weights > 1e-5
        deviations = np.sqrt([fit.variances[cell], expected.variances])
        np.testing.assert_allclose(*deviations[:, alive], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(*deviations, rtol=1e-6)
        np.testing.assert_allclose(
            fit.log_likelihood[cell], expected.log_likelihoods[-1], rtol=1e-9, atol=1e-9
        )
        assert fit.n_iter[cell] == len(expected.log_likelihoods)
        assert not fit.converged[cell]


@given(cells_to_fit(), CENTERS, SHRINKAGES, st.sampled_from([1e-1, 1e-3, 1e-5]))
def test_each_cell_stops_when_its_own_likelihood_rises_by_less_than_tol(
    cells, center, shrinkage, tol
):
    options = {
        "variance_center": center,
        "shrinkage": shrinkage,
        "max_iter": 60,
        "tol": tol,
        "reg_var": 1e-6,
    }
    expected = cells.fit_naively(**options)
    rises = np.concatenate([np.diff(mixture.log_likelihoods) for mixture in expected])
    assume(not np.isclose(rises, tol, rtol=1e-6, atol=1e-12).any())
    fit = cells.fit(**options)
    for cell, mixture in enumerate(expected):
        assert fit.n_iter[cell] == len(mixture.log_likelihoods)
        assert fit.converged[cell] == mixture.converged
        np.testing.assert_allclose(fit.weights[cell], mixture.weights, rtol=0, atol=1e-8)
        np.testing.assert_allclose(
            np.sqrt(fit.variances[cell]), np.sqrt(mixture.variances), rtol=1e-6
        )


@given(cells_to_fit(), REG_VARS, SHRINKAGES)
def test_likelihood_never_falls_with_variances_about_the_models(cells, reg_var, shrinkage):
    """Of the mixture; with shrinkage, of the mixture under its prior."""
    options = {"reg_var": reg_var, "shrinkage": shrinkage, "tol": -np.inf}
    before = np.full(len(cells.means), -np.inf)
    for max_iter in (1, 2, 3, 5, 9, 20, 60):
        fit = cells.fit(max_iter=max_iter, **options)
        after = np.array([cells.mean_log_likelihood(fit, c, shrinkage) for c in range(before.size)])
        assert (after >= before - 1e-12 * (1 + np.abs(after))).all()
        before = after
        np.testing.assert_allclose(fit.weights.sum(axis=1), 1, rtol=1e-14)
        assert (fit.weights >= 0).all()
        assert (fit.variances >= reg_var).all()


@given(cells_to_fit())
def test_reported_likelihood_is_that_of_the_weights_and_variances_when_converged(cells):
    fit = cells.fit(max_iter=10_000, tol=1e-4)
    assert fit.converged.all()
    for cell in range(len(cells.means)):
        assert fit.log_likelihood[cell] == pytest.approx(cells.mean_log_likelihood(fit, cell))


@given(cells_to_fit(), CENTERS, st.integers(1, 10), st.booleans())
def test_cells_do_not_influence_each_other(cells, center, n_steps, degenerate):
    options = {"variance_center": center, "max_iter": n_steps, "tol": 1e-3}
    cells.variances[0, 0] *= not degenerate  # as published; else it is floored
    together = cells.fit(**options)
    for cell in range(len(cells.means)):
        rows, one = cells.cell == cell, slice(cell, cell + 1)
        alone = cells._replace(
            cell=np.zeros(rows.sum(), dtype=int),
            truth=cells.truth[rows],
            sample_weight=cells.sample_weight[rows],
            origin=cells.origin[one],
            means=cells.means[one],
            variances=cells.variances[one],
            weights=cells.weights[one],
        ).fit(**options)
        for name in alone._fields:
            np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[one], name)


def test_a_component_without_variance_is_floored_about_the_models_and_degenerate_as_published():
    cells = one_cell([3, 4, 5, 5], [4.0, 4.5], [0.0, 1.0], [0.5, 0.5])
    about_models = cells.fit(variance_center="model", reg_var=0.1)
    assert not about_models.degenerate[0]
    assert (about_models.variances >= 0.1).all()
    published = cells.fit(variance_center="responsibility", reg_var=0.1)
    assert published.degenerate[0]
    assert published.n_iter[0] == 0
    np.testing.assert_array_equal(published.weights, cells.weights)
    np.testing.assert_array_equal(published.variances, cells.variances)


def test_a_component_that_no_row_belongs_to_dies_only_in_the_published_program():
    cells = one_cell([10, 11, 12, 13], [11.5, 1000.0], [1.0, 1.0], [0.5, 0.5])
    about_models = cells.fit(variance_center="model")
    assert not about_models.degenerate[0]
    np.testing.assert_allclose(about_models.weights, [[1.0, 0.0]], atol=1e-12)
    assert about_models.converged[0]
    published = cells.fit(variance_center="responsibility")
    assert published.degenerate[0]
    assert not published.converged[0]
    np.testing.assert_array_equal(published.weights, cells.weights)


def test_a_variance_does_not_depend_on_how_small_responsibilities_are():
    # The second component is so far away that no float holds its responsibilities, and yet the
    # nearest row has all of them.
    cells = one_cell([10, 11, 12, 13], [11.5, 1000.0], [1.0, 1.0], [0.5, 0.5])
    step = cells.fit(max_iter=1)
    assert step.weights[0, 1] == 0.0
    assert step.variances[0, 1] == pytest.approx((1000.0 - 13.0) ** 2, rel=1e-12)


def test_a_model_without_prior_weight_may_vanish_under_shrinkage():
    cells = one_cell([10, 11, 12, 13], [11.5, 1e4], [1.0, 1.0], [0.5, 0.5], [1.0, 0.0])
    fit = cells.fit(shrinkage=5.0)
    np.testing.assert_array_equal(fit.weights, [[1.0, 0.0]])
    assert fit.log_likelihood[0] == pytest.approx(cells.mean_log_likelihood(fit, 0, 5.0))


def test_without_a_tolerance_a_cell_goes_on_though_nothing_changes_any_more():
    fit = one_cell([10, 11, 12, 13], [11.0], [1.0], [1.0]).fit(tol=0.0, max_iter=7)
    assert fit.variances[0, 0] == 1.5
    assert fit.n_iter[0] == 7
    assert not fit.converged[0]


@pytest.mark.parametrize("center", ["model", "responsibility"])
def test_truth_far_from_all_components_alone_is_fitted_again(center, monkeypatch):
    """In more digits; the published program has its own rounding."""
    run, n_cells = likelihood._run, []

    def count_cells(sample, *args):
        n_cells.append(len(sample.length))
        return run(sample, *args)

    monkeypatch.setattr(likelihood, "_run", count_cells)
    near = one_cell([10, 11, 12, 13], [11.5, 1000.0], [1.0, 1.0], [0.5, 0.5])
    near.fit(variance_center=center)
    assert n_cells == [1]
    of_cells = ("origin", "means", "variances", "weights")
    both = near._replace(
        cell=np.array([0, 0, 1, 1]),
        truth=np.array([10, 11, 12, 1e7]),
        **{name: getattr(near, name).repeat(2, axis=0) for name in of_cells},
    )
    both.fit(variance_center=center)
    assert n_cells[1:] == ([2, 1] if center == "model" else [2])


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([1.0, 0.5])), max_size=12))
def test_neighbours_of_one_resolution_are_worked_on_together_while_they_are_few(several):
    """At most ten entries, that is, or a single set of rows."""
    nothing = np.zeros(0)
    several = [
        (number, TruthHistogram(resolution, np.zeros(size), nothing, nothing, nothing))
        for number, (size, resolution) in enumerate(several)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "_MAX_ENTRIES", 10)
        blocks = list(likelihood._blocks(several))

    def fit_together(*truths):
        few = sum(len(truth.cell) for truth in truths) <= 10
        return few and len({truth.resolution for truth in truths}) == 1

    assert [number for block in blocks for number, _ in block] == list(range(len(several)))
    truths = [[truth for _, truth in block] for block in blocks]
    for block, following in zip(truths, [*truths[1:], None], strict=False):
        assert len(block) == 1 or fit_together(*block)
        assert following is None or not fit_together(*block, following[0])


@given(st.floats(0.01, 1e9), cells_to_fit())
def test_strong_shrinkage_gives_the_prior_and_none_ignores_it(prior_strength, cells):
    strong = cells.fit(shrinkage=1e12, max_iter=50)
    np.testing.assert_allclose(
        strong.weights, np.tile(cells.prior_weights, (len(cells.means), 1)), atol=1e-9
    )
    other = cells._replace(prior_weights=cells.prior_weights[::-1])
    for name, array in cells.fit(max_iter=5)._asdict().items():
        np.testing.assert_array_equal(array, getattr(other.fit(max_iter=5), name), name)
    n_rows = np.bincount(cells.cell, cells.sample_weight)[:, None]
    one_step = cells.fit(shrinkage=prior_strength, max_iter=1)
    without = cells.fit(max_iter=1)
    expected = n_rows * without.weights + prior_strength * cells.prior_weights
    np.testing.assert_allclose(one_step.weights, expected / (n_rows + prior_strength), rtol=1e-9)


def test_em_recovers_the_mixture_that_made_the_truth():
    rng = np.random.default_rng(0)
    component = rng.choice(3, p=[0.2, 0.3, 0.5], size=20_000)
    means, deviations = np.array([20.0, 60.0, 110.0]), np.array([3.0, 6.0, 9.0])
    truth = np.rint(means[component] + deviations[component] * rng.standard_normal(20_000))
    fit = one_cell(truth, means, [50.0] * 3, [1 / 3] * 3).fit()
    assert fit.converged.all()
    np.testing.assert_allclose(fit.weights[0], [0.2, 0.3, 0.5], atol=0.02)
    np.testing.assert_allclose(np.sqrt(fit.variances[0]), deviations, rtol=0.05)


def test_the_variance_of_a_component_that_no_row_is_near_is_that_of_weighted_rows():
    """Its responsibilities are exp(-500000) and less, but their ratios are none of that."""
    truth, weight, mean, variance = np.array([0.0, 1.0]), np.array([1.0, 3.0]), 1e6, 1e6
    cell = one_cell(truth, [0.5, mean], [1.0, variance], [0.5, 0.5])._replace(sample_weight=weight)
    squares = (truth - mean) ** 2
    resp = weight * np.exp((squares.min() - squares) / (2 * variance))
    expected = resp @ squares / resp.sum()
    assert abs(expected / squares.mean() - 1) > 1e-7
    found = cell.fit(max_iter=1, tol=0.0).variances[0, 1]
    assert found == pytest.approx(expected, rel=1e-12)
