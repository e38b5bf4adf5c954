"""A seal says what made a file and that it is whole, and no reader of images minds it."""

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from skensir.image import read_image, write_image
from skensir.image.files import encode_image
from skensir.image.seals import add_seal, has_seal, is_sealed

KINDS = {"a.png": np.uint16, "b.png": np.uint8, "c.tif": np.float32}


def make(folder, name, shape=(12, 9, 3)):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(KINDS[name])
    data = add_seal(encode_image(folder / name, image), "0a1b2c")
    (folder / name).write_bytes(data)
    return folder / name, image


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(12, 9, 3), (1, 1)])
def test_the_image_is_the_same_to_every_reader(tmp_path, name, shape):
    path, image = make(tmp_path, name, shape)
    assert_array_equal(read_image(path), image)
    if image.dtype == np.uint8:
        with Image.open(path) as opened:
            opened.load()
            assert_array_equal(np.asarray(opened), image)
            assert opened.info["Software"].startswith("skensir predict 0a1b2c")
    if name.endswith(".tif"):
        assert_array_equal(imageio.imread(path), image)


@pytest.mark.parametrize("name", KINDS)
def test_a_seal_is_known_again_and_no_other(tmp_path, name):
    path, image = make(tmp_path, name)
    assert has_seal(path, "0a1b2c")
    assert is_sealed(path)
    assert not has_seal(path, "0a1b2d")
    assert not has_seal(path, "0a1b2")
    assert not has_seal(tmp_path / "nowhere.png", "0a1b2c")
    assert not is_sealed(tmp_path)
    write_image(path, image)
    assert not has_seal(path, "0a1b2c")
    assert not is_sealed(path)


@given(
    name=st.sampled_from(list(KINDS)),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_no_bit_can_change(tmp_path_factory, name, place, bit):
    path, _ = make(tmp_path_factory.mktemp("seal"), name)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    assert not has_seal(path, "0a1b2c")


@given(name=st.sampled_from(list(KINDS)), share=st.floats(0, 1, exclude_max=True))
def test_nothing_can_be_missing(tmp_path_factory, name, share):
    path, _ = make(tmp_path_factory.mktemp("seal"), name)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert not has_seal(path, "0a1b2c")
    path.write_bytes(data + b"more")
    assert not has_seal(path, "0a1b2c")
