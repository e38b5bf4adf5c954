"""Image files keep every bit, are whole or absent, and errors name the file."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from disks import room_for
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from PIL import Image

import skensir.image
from skensir.image import read_image, write_image

LOSSLESS = (".png", ".tif", ".TIFF", ".npy")
# What other programs write and `read_image` knows, with the number of channels and the dtype.
READ_ONLY = {
    ".bmp": (3, np.uint8),
    ".dib": (3, np.uint8),
    ".webp": (3, np.uint8),
    ".ppm": (3, np.uint16),
    ".pnm": (3, np.uint8),
    ".pgm": (1, np.uint16),
    ".pfm": (3, np.float32),
}


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def save_pillow(path, image, **options):
    image.save(path, **options)
    return path


def save_opencv(path, image):
    """Write an image as OpenCV does, without loss."""
    if READ_ONLY[path.suffix][0] == 1:
        image = image[..., 0]
    else:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else []
    assert cv2.imwrite(str(path), image, options)
    return image if image.ndim == 2 else image[..., ::-1]


# ---- every bit


@pytest.mark.parametrize("suffix", READ_ONLY)
def test_formats_that_are_only_read_keep_every_bit(tmp_path, suffix):
    n_channels, dtype = READ_ONLY[suffix]
    whole = np.uint16 if dtype == np.uint16 else np.uint8
    written = save_opencv(tmp_path / f"a{suffix}", noise(30, 41, 3, dtype=whole).astype(dtype))
    image = read_image(tmp_path / f"a{suffix}")
    assert image.dtype == dtype
    assert image.shape == ((30, 41, 3) if n_channels == 3 else (30, 41))
    assert_array_equal(image, written)
    with pytest.raises(ValueError, match=r"must end in one of \.png, .* to be written"):
        write_image(tmp_path / f"b{suffix}", image)
    assert not (tmp_path / f"b{suffix}").exists()


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".ppm"])
def test_files_of_another_program_are_read_the_same(tmp_path, suffix):
    image = noise(20, 31, 3)
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    save_pillow(tmp_path / f"a{suffix}", Image.fromarray(image), **options)
    assert_array_equal(read_image(tmp_path / f"a{suffix}"), image)


def test_grey_in_bmp_stays_grey_and_a_webp_has_it_three_times(tmp_path):
    image = noise(20, 31)
    save_pillow(tmp_path / "a.bmp", Image.fromarray(image))
    assert_array_equal(read_image(tmp_path / "a.bmp"), image)
    save_pillow(tmp_path / "a.webp", Image.fromarray(image), lossless=True)
    assert_array_equal(read_image(tmp_path / "a.webp"), np.stack([image] * 3, axis=-1))


@given(
    image=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.sampled_from([(1, 1), (3, 5), (2, 3, 3), (1, 7, 3)]),
    ),
    suffix=st.sampled_from(LOSSLESS),
)
def test_whole_numbers_survive_writing_and_reading(tmp_path_factory, image, suffix):
    path = tmp_path_factory.mktemp("round") / f"image{suffix}"
    write_image(path, image)
    again = read_image(path)
    assert again.dtype == image.dtype
    assert_array_equal(again, image)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_floats_survive_in_tiff_and_npy(tmp_path, dtype, suffix, shape):
    image = np.random.default_rng(0).normal(100, 300, shape).astype(dtype)
    path = tmp_path / f"image{suffix}"
    write_image(path, image)
    assert read_image(path).dtype == dtype
    assert_array_equal(read_image(path), image)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_16_bit_files_of_other_programs_are_read_exactly(tmp_path, shape):
    """Where the cut to 8 bits that imageio makes of RGB is no help: neighbours differ by one."""
    image = noise(*shape, dtype=np.uint16)
    image.flat[:4] = 256, 257, 65534, 65535
    png = tmp_path / "deep.png"
    stored = image if image.ndim == 2 else image[..., ::-1]
    png.write_bytes(cv2.imencode(".png", stored)[1].tobytes())
    assert_array_equal(read_image(png), image)
    if image.ndim == 3:
        assert imageio.imread(png, plugin="pillow").dtype == np.uint8  # the trap is there
    big_endian = tmp_path / "big.tif"
    tifffile.imwrite(big_endian, image, byteorder=">")
    assert_array_equal(read_image(big_endian), image)
    assert read_image(big_endian).dtype.isnative


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_written_files_are_the_same_to_other_programs(tmp_path, suffix):
    """Red is red, and the values are not scaled."""
    image = noise(6, 5, 3)
    path = tmp_path / f"image{suffix}"
    write_image(path, image)
    assert_array_equal(imageio.imread(path), image)
    deep = noise(6, 5, dtype=np.uint16)
    write_image(path, deep)
    assert_array_equal(np.asarray(Image.open(path)), deep)


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_is_decoded_as_others_do(tmp_path, colour, options):
    smooth = np.add.outer(np.arange(60), np.arange(70))[..., None] + np.array([0, 40, 90])
    image = (smooth + noise(60, 70, 3) // 8).astype(np.uint8)
    image = Image.fromarray(image if colour else image[..., 0])
    path = save_pillow(tmp_path / "image.JPG", image, quality=90, **options)
    difference = read_image(path).astype(int) - imageio.imread(path)
    assert np.abs(difference).max() <= 1  # builds of the JPEG library may round differently


def test_jpeg_is_written_with_little_loss(tmp_path):
    image = (np.add.outer(np.arange(64), np.arange(64))[..., None] + [0, 30, 60]).astype(np.uint8)
    write_image(tmp_path / "image.jpg", image)
    assert np.abs(read_image(tmp_path / "image.jpg").astype(int) - image).mean() < 2


# ---- unusual files


def test_palettes_and_few_bits_become_8_bits(tmp_path):
    palette = Image.fromarray(noise(9, 8, 3)).quantize(7)
    path = save_pillow(tmp_path / "palette.png", palette)
    assert_array_equal(read_image(path), np.asarray(palette.convert("RGB")))
    black_white = noise(9, 8) > 127
    path = save_pillow(tmp_path / "bits.png", Image.fromarray(black_white))
    assert_array_equal(read_image(path), np.where(black_white, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_orientation_that_a_camera_notes_is_not_applied(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    image = Image.fromarray(noise(4, 9, 3))
    path = save_pillow(tmp_path / f"turned{suffix}", image, exif=exif)
    assert read_image(path).shape == (4, 9, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_an_error(tmp_path, mode):
    image = Image.fromarray(noise(4, 5)).convert(mode)
    image.putalpha(254)
    path = save_pillow(tmp_path / "alpha.png", image)
    with pytest.raises(ValueError, match=r"alpha\.png: .*alpha channel that is not opaque"):
        read_image(path)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_compressed_by_lzw_is_read(tmp_path, bits):
    image = (noise(40, 50, 3).astype(np.uint16) * 257).astype(f"uint{bits}")
    path = tmp_path / "packed.tif"
    flag = 5  # LZW
    assert cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, flag])
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].compression == flag
    assert_array_equal(read_image(path), image)


def test_an_alpha_channel_that_says_nothing_is_dropped(tmp_path):
    rgb = noise(4, 5, 3)
    path = save_pillow(tmp_path / "opaque.png", Image.fromarray(rgb).convert("RGBA"))
    np.testing.assert_array_equal(read_image(path), rgb)


@pytest.mark.parametrize("name", ["Bär 雨.png", "été.jpg", "π.tif", "Ж.npy"])
def test_names_and_folders_in_any_script(tmp_path, name):
    folder = tmp_path / "画像 ñ"
    folder.mkdir()
    image = np.full((8, 8), 77, np.uint8)
    write_image(folder / name, image)
    assert_array_equal(read_image(str(folder / name)), image)
    assert [path.name for path in folder.iterdir()] == [name]


# ---- rounding


@given(
    values=hnp.arrays(
        np.float64, (2, 3), elements=st.floats(-1e9, 1e9) | st.floats(-2, 2) | st.just(65535.5)
    ),
    bits=st.sampled_from([8, 16]),
    suffix=st.sampled_from(LOSSLESS),
)
def test_floats_are_clipped_and_rounded_once(tmp_path_factory, values, bits, suffix):
    path = tmp_path_factory.mktemp("floats") / f"image{suffix}"
    if bits == 8 and values.mean() > 512:  # which would be white everywhere
        with pytest.raises(ValueError, match=r"bits == 8 .* on average, must have some from 0 to"):
            write_image(path, values, bits=bits)
        assert not path.exists()
        return
    write_image(path, values, bits=bits)
    image = read_image(path)
    assert image.dtype == f"uint{bits}"
    assert_array_equal(image, [[round(min(max(v, 0), 2**bits - 1)) for v in r] for r in values])


def test_half_precision_reaches_the_peak_of_16_bits(tmp_path):
    write_image(tmp_path / "a.png", np.array([[65504, 3]], dtype=np.float16), bits=16)
    assert_array_equal(read_image(tmp_path / "a.png"), [[65504, 3]])


# ---- whole or absent


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy"])
@pytest.mark.parametrize("before", [True, False], ids=["replaces", "new"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, suffix, before):
    path = tmp_path / f"image{suffix}"
    if before:
        write_image(path, np.full((8, 8), 5, np.uint8))
    with room_for(1000), pytest.raises(OSError, match="too large") as caught:
        write_image(path, noise(40, 40))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path] * before
    if before:
        assert_array_equal(read_image(path), np.full((8, 8), 5))


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "nowhere" / "a.png"
    with pytest.raises(FileNotFoundError, match=r"nowhere/a\.png"):
        write_image(path, noise(4, 4))
    with pytest.raises(FileNotFoundError, match=r"nowhere/a\.png"):
        read_image(path)


# ---- mistakes


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.gz", ".png"])
def test_unknown_suffixes(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in one of \.png, .*\.npy\.") as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(ValueError, match="must end in one of"):
        write_image(tmp_path / name, noise(4, 4))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy", *READ_ONLY])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_files_that_are_cut_short(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    if suffix in READ_ONLY:
        save_opencv(path, noise(100, 120, 3))
    else:
        write_image(path, noise(100, 120, 3))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=rf"cut\{suffix} cannot be read"):
        read_image(path)


def test_a_jpeg_with_a_thumbnail_is_known_to_be_cut_short(tmp_path):
    """The thumbnail has an end of its own."""
    thumbnail = io.BytesIO()
    Image.fromarray(noise(8, 8, 3)).save(thumbnail, "JPEG")
    comment = b"\xff\xe2" + (len(thumbnail.getvalue()) + 2).to_bytes(2, "big")
    path = tmp_path / "cut.jpg"
    write_image(path, noise(100, 120, 3))
    data = path.read_bytes()
    data = data[:2] + comment + thumbnail.getvalue() + data[2:]
    path.write_bytes(data)
    assert read_image(path).shape == (100, 120, 3)
    path.write_bytes(data + b"what a camera adds")
    assert read_image(path).shape == (100, 120, 3)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"cut\.jpg cannot be read"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy", *READ_ONLY])
def test_files_that_are_no_image(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_text("<html>404 Not Found</html>" * 20)
    with pytest.raises(ValueError, match=rf"text\{suffix} cannot be read"):
        read_image(path)


def test_tiffs_that_are_no_plain_image(tmp_path):
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, noise(5, 8, 9), photometric="minisblack")
    with pytest.raises(ValueError, match=r"pages\.tif has 5 pages"):
        read_image(pages)
    palette = save_pillow(tmp_path / "palette.tif", Image.fromarray(noise(9, 8, 3)).quantize(7))
    with pytest.raises(ValueError, match=r"palette\.tif stores its colours as PALETTE"):
        read_image(palette)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((3, 4), np.int64), "int64"),
        (np.zeros((3, 4), bool), "bool"),
        (np.zeros((3, 4), complex), "complex"),
        (np.zeros(3), "of 3 numbers"),
        (np.zeros((3, 4, 5)), "of 3 x 4 x 5 numbers"),
        (np.zeros((3, 4, 1)), "of 3 x 4 x 1 numbers"),
        (np.zeros((0, 4)), "of 0 x 4 numbers"),
        (np.zeros((3, 4, 4), np.uint8), "alpha channel"),
        (np.full((3, 4), np.nan), "NaN"),
        (np.full((3, 4), np.inf), "infinity"),
    ],
)
@pytest.mark.parametrize("bits", [None, 8])
def test_arrays_that_are_no_image(tmp_path, array, word, bits):
    np.save(tmp_path / "read.npy", array)
    with pytest.raises(ValueError, match=rf"read\.npy.*{word}"):
        read_image(tmp_path / "read.npy")
    with pytest.raises(ValueError, match=rf"written\.npy.*{word}"):
        write_image(tmp_path / "written.npy", array, bits=bits)
    assert not (tmp_path / "written.npy").exists()


def test_pickles_are_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[print]], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npy cannot be read"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "image", "bits", "words"),
    [
        ("a.png", np.zeros((2, 2)), None, "bits=8 if"),
        ("a.jpg", np.zeros((2, 2), np.float32), None, "bits=8 if"),
        ("a.jpg", np.zeros((2, 2)), 16, "8 bits only"),
        ("a.jpg", np.zeros((2, 2), np.uint16), None, "8 bits only"),
        ("a.png", np.zeros((2, 2), np.uint8), 16, "the image is uint8"),
        ("a.tif", np.zeros((2, 2), np.uint16), 8, "the image is uint16"),
        ("a.tif", np.zeros((2, 2)), 12, "bits == 12"),
    ],
)
def test_formats_and_bits_that_do_not_fit(tmp_path, name, image, bits, words):
    with pytest.raises(ValueError, match=words) as caught:
        write_image(tmp_path / name, image, bits=bits)
    assert str(tmp_path / name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "call", "words"),
    [
        (
            "cv2",
            "write_image('a.png', [[1.0]], bits=8)",
            "Writing PNG and JPEG files needs opencv-python-headless",
        ),
        ("tifffile", "write_image('a.tif', [[1.0]])", "Writing TIFF files needs tifffile"),
        (
            "cv2",
            "structural_similarity(*[[[2.0] * 11] * 11] * 2)",
            "structural_similarity needs opencv-python-headless",
        ),
    ],
)
def test_a_missing_library_is_an_error_in_use_that_says_what_to_install(
    tmp_path, module, call, words
):
    program = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        f"sys.path.insert(0, {str(Path(skensir.__file__).parents[1])!r})\n"
        "from skensir.image import *\n"
        f"try:\n    {call}\nexcept ImportError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    message = f'{words}, which is not installed: pip install "skensir[image]".'
    assert run.stdout == f"{message}\n"
    assert list(tmp_path.iterdir()) == []


def test_import_loads_none_of_the_libraries():
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(skensir.__file__).parents[1])!r})\n"
        "import skensir.image\n"
        "print(sorted({'cv2', 'skimage', 'imageio', 'tifffile', 'PIL'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr
