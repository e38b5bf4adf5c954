"""Rows summed up in small batches, and the comparison of their sums."""

from contextlib import ExitStack
from unittest import mock

import naive
import numpy as np
from hypothesis import strategies as st

from skensir._sums import accumulate as accumulate_module
from skensir._sums import histogram as histogram_module
from skensir._sums import matrices as matrices_module
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes

SUMS = "cells", "weight", "offsets", "squared_offsets", "error_products"
RESOLUTIONS = st.sampled_from([1.0, 0.25, 0.7, 40.0])


@st.composite
def small_batches(draw):
    """Cut rows into small chunks, let few wait for their cells and counts, and keep little."""
    return {
        (accumulate_module, "row_chunks"): naive.in_chunks(draw(st.integers(1, 50))),
        (accumulate_module, "_FIRST_ROWS"): draw(st.sampled_from([1, 7, 2**15])),
        (accumulate_module, "_MAX_WAITING"): draw(st.integers(0, 40)),
        (accumulate_module, "_MAX_LEFT"): draw(st.sampled_from([1, 2**21])),
        (accumulate_module, "_MANY_MODELS"): draw(st.sampled_from([0, 20])),
        (matrices_module, "row_chunks"): naive.in_chunks(draw(st.integers(1, 50))),
        (matrices_module, "_MAX_ROWS"): draw(st.sampled_from([1, 30, 2**20])),
        (matrices_module, "_MAX_WAITING"): draw(st.integers(0, 40)),
        (matrices_module, "_BATCH"): draw(st.integers(1, 8)),
        (matrices_module, "_MAX_PRODUCTS"): draw(st.sampled_from([1, 2**11])),
        (matrices_module, "_MAX_PRODUCT"): draw(st.sampled_from([1, 30, 2**18])),
        (histogram_module, "_MAX_PENDING"): draw(st.integers(0, 40)),
    }


def accumulate_in(batches, stack, resolution, kind="predictions", **asked):
    with ExitStack() as patches:
        for (module, name), value in batches.items():
            patches.enter_context(mock.patch.object(module, name, value))
        return accumulate(
            stack.X,
            stack.y,
            stack.sample_weight,
            axes=Axes(stack.bin_width, kind),
            target_resolution=resolution,
            **asked,
        )


def assert_same_truth(histogram, cell, places):
    """Compare one cell of a histogram with a dict: place on the grid -> weight, weighted sum."""
    mine = histogram.cell == cell
    assert histogram.step[mine].tolist() == sorted(places)
    expected = np.array([places[place] for place in sorted(places)]).reshape(-1, 2)
    np.testing.assert_allclose(histogram.weight[mine], expected[:, 0], rtol=1e-13)
    values = histogram.values_from(np.zeros(cell + 1 + histogram.cell.max(initial=0)))[mine]
    np.testing.assert_allclose(values, expected[:, 1] / expected[:, 0], rtol=1e-13, atol=1e-13)


def assert_same_statistics(one, other):
    assert one.bin_width == other.bin_width
    for name in SUMS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.truth.resolution == other.truth.resolution
    for name in ("cell", "step", "weight", "excess"):
        np.testing.assert_array_equal(getattr(one.truth, name), getattr(other.truth, name), name)
