"""Compressed TIFFs are read as their plain twins, or refused as they are."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from skensir.image import read_image
from skensir.image.tiff_segments import check_segments

PACKED = {"LZW": "tiff_lzw", "PACKBITS": "packbits"}
RNG = np.random.default_rng(0)
STEPS = RNG.integers(0, 4, (60, 80, 1)).repeat(3, axis=2).astype(np.uint8)
NOISE = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
IMAGES = {
    "grey": NOISE[..., 0],
    "RGB": NOISE,
    "16 bits": NOISE[..., 0] * np.uint16(255),
    "floats": NOISE[..., 0].astype(np.float32),
}


def packed(image, compression, mode=None, **tags):
    """Return a TIFF by Pillow, whose tags are named by their numbers behind a t."""
    file = io.BytesIO()
    image = Image.fromarray(image) if mode is None else Image.frombytes(mode, *image)
    numbered = {int(name[1:]): value for name, value in tags.items()}
    image.save(file, "tiff", compression=compression, tiffinfo=numbered)
    return file.getvalue()


def with_tag(data, name, value):
    """Return a TIFF that says something else than it holds."""
    file = io.BytesIO(data)
    with tifffile.TiffFile(file) as read:
        read.pages[0].tags[name].overwrite(value)
        return file.getvalue()


def strips(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        return list(zip(page.dataoffsets, page.databytecounts, strict=True))


def read(folder, data):
    path = folder / "a.tif"
    path.write_bytes(data)
    return read_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("compression", ["raw", *PACKED.values(), "tiff_deflate"])
def test_pixels_of_a_tiff_come_in_the_order_they_are_stored_in(
    tmp_path, compression, image, orientation
):
    data = packed(image, compression, t274=orientation)
    assert_array_equal(read(tmp_path, data), image, strict=True)


@pytest.mark.parametrize("compression", ["raw", *PACKED.values(), "tiff_deflate", "jpeg"])
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("LA", "an image of 6 x 8 x 2 numbers, must be of height x width"),
        ("RGBA", "with an alpha channel that is not opaque"),
        ("1", "has values of 1 bits, must have 8 or 16, or floats"),
    ],
)
def test_what_a_plain_tiff_is_refused_for_a_packed_one_is(tmp_path, mode, words, compression):
    if (mode, compression) == ("1", "jpeg"):
        compression = "group4"  # which is for this mode only
    data = packed(((8, 6), bytes(range(192))), compression, mode)
    with pytest.raises(ValueError, match=words):
        read(tmp_path, data)


@pytest.mark.parametrize("compression", PACKED.values())
def test_three_channels_of_no_colour_are_never_read_as_one(tmp_path, compression):
    data = with_tag(packed(NOISE, compression), "PhotometricInterpretation", 1)
    with pytest.raises(ValueError, match="holds 40 x 50 x 3 numbers of uint8 as MINISBLACK packed"):
        read(tmp_path, data)
    plain = with_tag(packed(NOISE, "raw"), "PhotometricInterpretation", 1)
    assert_array_equal(read(tmp_path, plain), NOISE)


@pytest.mark.parametrize("compression", ["NONE", *PACKED])
def test_values_of_12_bits_are_refused(tmp_path, compression):
    data = packed(np.zeros((4, 9), np.uint16), PACKED.get(compression, "raw"))
    with pytest.raises(ValueError, match="has values of 12 bits"):
        read(tmp_path, with_tag(data, "BitsPerSample", 12))


@pytest.mark.parametrize("rows", [1, 7, 40, 60])
@pytest.mark.parametrize("image", [NOISE, STEPS], ids=["noise", "steps"])
@pytest.mark.parametrize("compression", PACKED.values())
def test_damaged_strips_are_refused(tmp_path, compression, image, rows):
    data = packed(image, compression, t278=rows)
    assert_array_equal(read(tmp_path, data), image)
    places = strips(data)
    begin, length = places[len(places) // 2]
    half = begin + length // 2
    zeroed = data[:half] + bytes(begin + length - half) + data[begin + length :]
    lengths = [n for _, n in places]
    lengths[len(places) // 2] = length // 2
    cut = with_tag(data, "StripByteCounts", lengths)
    away = with_tag(data, "StripOffsets", [len(data), *(place for place, _ in places[1:])])
    for damaged in (zeroed, cut, away):
        with pytest.raises(ValueError, match="cannot be read: it is damaged"):
            read(tmp_path, damaged)


@pytest.mark.parametrize("compression", PACKED)
def test_tiles_are_read_and_checked_like_strips(tmp_path, compression):
    image = np.pad(STEPS[:40, :50, 0], ((0, 8), (0, 14)))
    file = io.BytesIO()
    tifffile.imwrite(file, image[:40, :50], tile=(16, 16), photometric="minisblack")
    data, places, lengths = file.getvalue(), [], []
    for row, column in np.ndindex(3, 4):
        tile = image[16 * row :, 16 * column :][:16, :16]
        one = packed(np.ascontiguousarray(tile), PACKED[compression])
        ((begin, length),) = strips(one)
        places.append(len(data))
        lengths.append(length)
        data += one[begin : begin + length]
    for name, value in (("TileOffsets", places), ("TileByteCounts", lengths)):
        data = with_tag(data, name, value)
    data = with_tag(data, "Compression", tifffile.COMPRESSION[compression])
    assert_array_equal(read(tmp_path, data), image[:40, :50])
    with pytest.raises(ValueError, match="cannot be read: it is damaged"):
        read(tmp_path, with_tag(data, "TileByteCounts", [lengths[0] // 2, *lengths[1:]]))


@pytest.mark.parametrize("compression", PACKED.values())
def test_bits_may_be_stored_the_other_way_round(tmp_path, compression):
    data = packed(NOISE, compression, t266=2)
    assert data != packed(NOISE, compression, t266=1)
    assert_array_equal(read(tmp_path, data), NOISE)


@pytest.mark.parametrize("compression", [5, 32773])
def test_plain_bytes_that_are_said_to_be_packed_are_refused(tmp_path, compression):
    data = with_tag(packed(NOISE, "raw"), "Compression", compression)
    with pytest.raises(ValueError, match="cannot be read: it is damaged"):
        read(tmp_path, data)


def unpacked_lzw(strip):
    """Decode LZW one code after the other."""
    bits = "".join(f"{byte:08b}" for byte in strip)
    decoded, table, width, before = [], [], 9, b""
    assert bits.startswith("100000000")
    while len(bits) >= width:
        code, bits = int(bits[:width], 2), bits[width:]
        if code == 257:
            break
        if code == 256:
            table, width, before = [bytes([n]) for n in range(256)] + [b"", b""], 9, b""
            continue
        if before:
            table.append(before + (table[code][:1] if code < len(table) else before[:1]))
        before = table[code]
        decoded.append(before)
        width = min(max(9, (len(table) + 1).bit_length()), 12)
    return b"".join(decoded)


@given(st.integers(0, 2**32), st.integers(1, 256), st.integers(0, 2))
def test_what_lzw_packs_is_known_without_its_bytes(seed, n_values, n_wrong):
    """As a decoder that goes from code to code finds it, in strips whole and damaged."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, n_values, (1, 6000), dtype=np.uint8)
    data = bytearray(packed(image, "tiff_lzw"))
    ((begin, length),) = strips(data)
    for place in rng.integers(begin, begin + length, n_wrong):
        data[place] ^= 1 << rng.integers(8)
    try:
        is_whole = len(unpacked_lzw(data[begin : begin + length])) == image.size
    except (IndexError, AssertionError):
        is_whole = False
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if is_whole:
            check_segments(file.pages[0], bytes(data), "LZW")
        else:
            with pytest.raises(ValueError, match=r"a strip|a code|a table"):
                check_segments(file.pages[0], bytes(data), "LZW")
