"""Bins on all kinds of axes: exact for whole numbers, nested, free of order and of scale."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir._sums.axes import KINDS, Axes

SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.sampled_from([0.125, 0.5, 1.0, 2.0, 3.0, 8.0, 32.0])
N_MODELS = st.integers(1, 7)
UNIT = 8.0


def draw_rows(seed, n_models, highest=256, n_rows=40):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, highest, (n_rows, 1))
    return np.clip(base + rng.integers(-20, 21, (n_rows, n_models)), 0, highest - 1)


def bins_of(X, axes):
    return np.asarray(axes.bins(np.ascontiguousarray(X.T)), dtype=np.int64).T.tolist()


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, N_MODELS, WIDTHS, st.sampled_from([np.uint8, np.uint16, np.int64, np.float32, float]))
def test_whole_numbers_have_the_exact_bins_in_every_dtype(kind, seed, n_models, width, dtype):
    X = draw_rows(seed, n_models)
    expected = [list(naive.bins_on_axes(row, width, kind, UNIT)) for row in X]
    assert bins_of(X.astype(dtype), Axes(width, kind, UNIT)) == expected


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, N_MODELS)
def test_sixteen_bits_and_large_numbers_are_exact_too(kind, seed, n_models):
    X = draw_rows(seed, n_models, highest=2**16)
    expected = [list(naive.bins_on_axes(row, 1.0, kind, UNIT)) for row in X]
    assert bins_of(X.astype(np.uint16), Axes(1.0, kind, UNIT)) == expected
    far = 2.0**40 + X
    expected = [list(naive.bins_on_axes(row, 1.0, kind, UNIT)) for row in far]
    assert bins_of(far, Axes(1.0, kind, UNIT)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_models", [2, 70])
def test_models_as_far_apart_as_a_dtype_lets_them_be(kind, dtype, n_models):
    largest = np.iinfo(dtype).max
    X = np.random.default_rng(0).choice([0, largest], (20, n_models)).astype(dtype)
    X[0], X[0, -1], X[1], X[1, -1] = 0, largest, largest, 0
    expected = [list(naive.bins_on_axes(row, 3.0, kind, UNIT)) for row in X]
    assert bins_of(X, Axes(3.0, kind, UNIT)) == expected


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, N_MODELS, WIDTHS, st.integers(1, 4))
def test_bins_nest(kind, seed, n_models, width, times):
    X = np.random.default_rng(seed).normal(100, 20, (40, n_models))
    axes = Axes(width, kind, UNIT)
    narrow = np.array(bins_of(X, axes))
    assert bins_of(X, axes.widened(2**times)) == (narrow >> times).tolist()


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, N_MODELS, WIDTHS, st.integers(-20, 20))
def test_bins_have_no_unit(kind, seed, n_models, width, power):
    X, scale = np.random.default_rng(seed).normal(100, 20, (40, n_models)), 2.0**power
    scaled = Axes(scale * width, kind, scale * UNIT)
    assert bins_of(scale * X, scaled) == bins_of(X, Axes(width, kind, UNIT))


@given(SEEDS, N_MODELS, WIDTHS, st.integers(-1000, 1000))
def test_deviations_do_not_feel_a_shift(seed, n_models, width, shift):
    X = draw_rows(seed, n_models)
    axes = Axes(width, "deviations")
    assert bins_of(X + shift, axes) == bins_of(X, axes)


def test_a_spread_whose_square_overflows_is_wider_than_others():
    """There it is the root of the difference of two infinities."""
    columns = np.array([[0.0, 0.0, -1e160], [1e100, 1e160, 0.0]])
    large, largest, as_large = Axes(1.0, "summary").bins(columns)[1]
    assert 0 < large < largest == as_large


def test_edges_of_spreads_are_known_where_their_squares_are_numbers():
    for unit, width in ((2.0**190, 2.0**187), (2.0**-190, 2.0**-193)):
        [edge] = Axes(width, "summary", unit).spread_edges(np.array([32]), 2)  # an octave
        assert edge == pytest.approx((2 * unit / 4) ** 2, rel=1e-12)
    for unit in (2.0**210, 2.0**-210):
        with pytest.raises(ValueError, match=r"unit .* predicts in NumPy only"):
            Axes(unit, "summary", unit).spread_edges(np.array([32]), 2)


@given(SEEDS, N_MODELS, WIDTHS)
def test_a_summary_does_not_feel_the_order_of_models(seed, n_models, width):
    X = draw_rows(seed, n_models)
    axes = Axes(width, "summary", UNIT)
    assert bins_of(X[:, ::-1], axes) == bins_of(X, axes)


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, N_MODELS, WIDTHS)
def test_values_lie_between_the_edges_of_their_bins(kind, seed, n_models, width):
    X = draw_rows(seed, n_models).astype(float)
    axes = Axes(width, kind, UNIT)
    mean = X.mean(axis=1)
    values = {
        "predictions": X,
        "deviations": X - mean[:, None],
        "summary": np.column_stack([mean, X.std(axis=1)]),
    }[kind]
    bins = np.array(bins_of(X, axes))
    for axis in range(axes.n_axes(n_models)):
        below = axes.lower_edges(axis, bins[:, axis])
        above = axes.lower_edges(axis, bins[:, axis] + 1)
        assert (below <= values[:, axis] + 1e-9).all()
        assert (values[:, axis] < above + 1e-9).all()
