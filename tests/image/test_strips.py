"""An image that is combined in strips is the one that is combined as a whole, bit for bit."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.linear_model import LinearRegression

from skensir import EnsIRRegressor
from skensir.image import ImageEnsemble, read_image, strips, write_image
from skensir.image.strips import combine_scene

DTYPES = {"uint8": 255, "uint16": 65535, "float32": 255}


def stacks(dtype, size, seed, *, grey):
    """Return predictions of three models and the truth."""
    rng = np.random.default_rng(seed)
    peak = DTYPES[dtype]
    truth = rng.uniform(0, peak, size if grey else (*size, 3))
    spread = peak * np.array([0.01, 0.04, 0.09]).reshape(3, *[1] * truth.ndim)
    made = truth + spread * rng.standard_normal((3, *truth.shape))
    return (np.clip(np.rint(part), 0, peak).astype(dtype) for part in (made, truth))


@given(
    seed=st.integers(0, 99),
    dtype=st.sampled_from(list(DTYPES)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    pixels=st.integers(1, 300),
    bits=st.sampled_from([None, 8, 16]),
    grey=st.booleans(),
    per_channel=st.booleans(),
)
def test_strips_are_the_image_and_its_weights(
    tmp_path_factory, seed, dtype, size, pixels, bits, grey, per_channel
):
    prediction, _ = stacks(dtype, size, seed, grey=grey)
    ensemble = ImageEnsemble(
        EnsIRRegressor(min_samples_cell=9),
        channel_axis=None if grey else -1,
        per_channel=per_channel,
    ).fit(*([part] for part in stacks(dtype, (50, 50), seed, grey=grey)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "_PIXELS", pixels)
        combined = combine_scene(ensemble, prediction, bits, weight_maps=True)
    [image], [weights] = (f([prediction]) for f in (ensemble.predict, ensemble.predict_weights))
    if dtype != "float32":
        bits = bits or 8 * prediction.dtype.itemsize
        image = image * ((2**bits - 1) / DTYPES[dtype])
    path = tmp_path_factory.mktemp("strips") / "whole.tif"
    write_image(path, image if bits else image.astype(np.float32), bits)
    assert_array_equal(combined.image, read_image(path))
    assert combined.image.dtype == (f"uint{bits}" if bits else np.float32)
    if not grey:
        weights = weights.mean(axis=-1)
    assert_array_equal(combined.weight_maps, np.rint(255 * weights))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_lies_beyond_black_and_white_is_clipped(dtype):
    """As signed weights and intercepts make it."""
    peak = DTYPES[dtype]
    prediction = np.linspace(0, peak, 120).astype(dtype).reshape(1, 10, 4, 3)
    steep = np.clip(3.0 * prediction[0] - peak, 0, peak)
    ensemble = ImageEnsemble(LinearRegression(), per_channel=False)
    ensemble.fit([prediction.astype(float)], [3.0 * prediction[0] - peak])
    image = combine_scene(ensemble, prediction, None).image
    assert image.dtype == dtype
    assert_array_equal(image, np.rint(steep))


def test_memory_is_that_of_the_result_and_a_strip():
    ensemble = ImageEnsemble(EnsIRRegressor(min_samples_cell=9)).fit(
        *([part] for part in stacks("uint8", (50, 50), 0, grey=False))
    )
    prediction = np.zeros((3, 2000, 1500, 3), np.uint8)
    combine_scene(ensemble, prediction[:, :100], None)
    tracemalloc.start()
    try:
        combined = combine_scene(ensemble, prediction, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    in_doubles = 8 * combined.image.size
    assert peak < combined.image.nbytes + 14 * 8 * strips._PIXELS
    assert combined.image.nbytes + 14 * 8 * strips._PIXELS < in_doubles / 4
