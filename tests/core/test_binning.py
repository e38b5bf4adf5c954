"""Values to bin indices, as floor division has it."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skensir._sums.binning import (
    MAX_BIN_INDEX,
    bin_indices,
    check_bin_indices,
    model_columns,
    row_chunks,
)

BIN_WIDTHS = st.one_of(st.integers(1, 70_000), st.floats(1e-3, 1e6))
VALUES = st.one_of(
    *(
        hnp.arrays(dtype, st.integers(0, 30), elements=elements)
        for dtype, elements in {
            np.uint8: st.integers(0, 255),
            np.uint16: st.integers(0, 2**16 - 1),
            np.int16: st.integers(-(2**15), 2**15 - 1),
            np.int64: st.integers(-(10**12), 10**12),
            np.float32: st.floats(-1e6, 1e6, width=32),
            np.float64: st.floats(-1e12, 1e12),
        }.items()
    )
)


@given(VALUES, BIN_WIDTHS)
def test_bin_index_is_the_floor_of_value_over_width(values, bin_width):
    indices = bin_indices(values, float(bin_width))
    assert indices.shape == values.shape
    assert indices.tolist() == [naive.bin_index(value, float(bin_width)) for value in values]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bins_as_wide_as_all_values_of_a_dtype_or_a_little_less_or_more(dtype):
    largest = np.iinfo(dtype).max
    values = np.array([0, 1, largest - 1, largest], dtype=dtype)
    assert bin_indices(values, largest - 1.0).tolist() == [0, 0, 1, 1]
    assert bin_indices(values, largest + 0.0).tolist() == [0, 0, 0, 1]
    assert bin_indices(values, largest + 1.0).tolist() == [0, 0, 0, 0]


@given(st.integers(-1000, 1000), st.sampled_from([0.25, 1.0, 3.0, 32.0]))
def test_lower_edge_belongs_to_the_bin_and_the_upper_edge_does_not(index, bin_width):
    edge = np.array([index * bin_width])
    assert bin_indices(edge, bin_width)[0] == index
    # Below zero, the nearest number is so small that the division would lose it.
    below = np.nextafter(edge, -np.inf) if index else np.array([-1e-300])
    assert bin_indices(below, bin_width)[0] == index - 1


@given(hnp.arrays(np.uint8, st.integers(1, 30)), BIN_WIDTHS)
def test_equal_values_fall_into_equal_bins_whatever_their_dtype(values, bin_width):
    expected = bin_indices(values, float(bin_width)).tolist()
    for dtype in (np.uint16, np.int16, np.uint32, np.int64, np.float32, np.float64):
        assert bin_indices(values.astype(dtype), float(bin_width)).tolist() == expected


def test_bins_too_narrow_to_be_told_apart_are_an_error_that_names_the_width():
    wide_enough = 1e12 / MAX_BIN_INDEX
    assert bin_indices(np.array([1e12]), 2 * wide_enough) == MAX_BIN_INDEX / 2
    check_bin_indices(bin_indices(np.array([1e12]), 2 * wide_enough), 2 * wide_enough)
    with pytest.raises(ValueError, match=r"bin_width == 1e-05, must be at least .* 1e\+12"):
        check_bin_indices(bin_indices(np.array([1.0, -1e12]), 1e-5), 1e-5)
    check_bin_indices(np.array([2.0**53 - 1, 1 - 2.0**53]), 1.0)
    for beyond in (1.5 * 2**53, -1.5 * 2**53):
        with pytest.raises(ValueError, match="bin_width"):
            check_bin_indices(np.array([0.0, beyond]), 1.0)


@given(st.integers(0, 300_000), st.integers(1, 200))
def test_chunks_cover_every_row_once_in_order(n_rows, n_models):
    chunks = list(row_chunks(n_rows, n_models))
    assert [chunk.start for chunk in chunks] == [0, *(chunk.stop for chunk in chunks)][:-1]
    assert all(chunk.start < chunk.stop for chunk in chunks)
    assert n_rows == (chunks[-1].stop if chunks else 0)


def test_columns_of_a_chunk_are_contiguous_lines_in_the_dtype_they_came_in():
    X = np.arange(12, dtype=np.uint8).reshape(4, 3)
    columns = model_columns(X, slice(1, 3))
    assert columns.dtype == np.uint8
    assert columns.flags.c_contiguous
    assert columns.tolist() == [[3, 6], [4, 7], [5, 8]]
