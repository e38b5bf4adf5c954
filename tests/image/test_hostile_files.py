"""Files that say too much of themselves are refused by their headers."""

import io
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skensir.image import read_image
from skensir.image.headers import MAX_PIXELS, check_header, without_texts


def png(height, width, packed=b"", bits=8, colour=2, before=()):
    """Return a PNG with a header of this size, chunks, and some data that may be none."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)),
        *before,
        (b"IDAT", packed),
        (b"IEND", b""),
    ]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks:
        checksum = zlib.crc32(name + content)
        parts.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum))
    return b"".join(parts)


def tiff(side, **options):
    """Return a TIFF of a small image whose header says that its sides are longer."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((16, 16, 3), np.uint8), photometric="rgb", **options)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as read:
        names = ("TileWidth", "TileLength") if "tile" in options else ("ImageWidth", "ImageLength")
        tags = [read.pages[0].tags[name] for name in names]
        for tag in tags:
            struct.pack_into("<HI", data, tag.offset + 2, 4, 1)
            struct.pack_into("<I", data, tag.offset + 8, side)
    return bytes(data)


def bmp(height, width):
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, height, 1, 24, *[0] * 6)


SIDE = 50_000  # squared it is beyond what is allowed
TOO_LARGE = {
    "large.png": png(SIDE, SIDE),
    "large.tif": tiff(SIDE),
    "deflated.tif": tiff(SIDE, compression="zlib"),
    "tiles.tif": tiff(SIDE // 16 * 16, tile=(16, 16)),
    "large.bmp": bmp(-SIDE, SIDE),
    "large.ppm": b"P6 # 3 3\n%d %d\n255\n" % (SIDE, SIDE),
    "large.pfm": b"PF\n%d %d\n-1.0\n" % (SIDE, SIDE),
    "large.jpg": b"\xff\xd8\xff\xe0\0\4ab\xff\xc2\0\x11\x08\xf0\0\xf0\0\3" + bytes(9),
    "large.webp": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\x00" * 2,
    "renamed.png": b"P5\n%d %d 255\n" % (SIDE, SIDE),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_header_that_says_too_much_is_refused_before_anything_is_decoded(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(TOO_LARGE[name])
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=r"says that it holds \d+ x \d+ pixels, more than"
    ) as error:
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    assert str(path) in str(error.value)
    assert "SKENSIR_MAX_PIXELS" in str(error.value)


def test_the_environment_says_how_much_is_too_much(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(path)
    monkeypatch.setenv("SKENSIR_MAX_PIXELS", "1199")
    with pytest.raises(ValueError, match="holds 30 x 40 pixels, more than 1199 in all"):
        read_image(path)
    monkeypatch.setenv("SKENSIR_MAX_PIXELS", "1200")
    assert read_image(path).shape == (30, 40)
    for wrong in ("0", "-1", "many", "1e9"):
        monkeypatch.setenv("SKENSIR_MAX_PIXELS", wrong)
        with pytest.raises(ValueError, match=f"SKENSIR_MAX_PIXELS == '{wrong}', must be a whole"):
            read_image(path)
    assert MAX_PIXELS == 2**28


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([".png", ".jpg", ".bmp", ".webp", ".ppm", ".pgm", ".pfm"]),
    st.booleans(),
)
def test_the_header_says_the_size_that_the_decoder_finds(height, width, suffix, is_grey):
    suffix = ".pgm" if suffix == ".ppm" and is_grey else suffix
    is_grey = is_grey or suffix == ".pgm"
    image = np.zeros((height, width) if is_grey else (height, width, 3), "u1")
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if suffix == ".jpg" and is_grey else []
    written = image.astype(np.float32) if suffix == ".pfm" else image
    data = bytes(cv2.imencode(suffix, written, options)[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKENSIR_MAX_PIXELS", str(height * width))
        check_header(data, "it")
        if height * width > 1:
            patch.setenv("SKENSIR_MAX_PIXELS", str(height * width - 1))
            with pytest.raises(ValueError, match=f"it says that it holds {height} x {width} pixel"):
                check_header(data, "it")


@given(st.binary(max_size=60), st.sampled_from(sorted(TOO_LARGE)), st.integers(0, 80))
def test_any_header_is_read_or_refused_in_one_sentence(noise, name, kept):
    said = ""
    try:
        check_header(TOO_LARGE[name][:kept] + noise, "it")
    except ValueError as error:
        said = str(error)
    assert re.fullmatch("(it (cannot be read|says that it holds)[^\n]+)?", said)


@pytest.mark.parametrize("kind", [".webp", ".bmp", ".ppm", ".jpg"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_headers_of_another_program_are_understood(tmp_path, kind, mode):
    path = tmp_path / f"image{kind}"
    Image.new(mode, (17, 9)).save(path, lossless=True)
    assert read_image(path).shape[:2] == (9, 17)


def header(text, version=b"\x01\x00"):
    """Return a file in NumPy's format with a header of ours and 96 bytes behind it."""
    data = text.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(data)) + data + bytes(96)


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3, 1)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2**40, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, -3)}",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (4, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4, 3)}",
        "{'descr': {'names': 7}, 'fortran_order': False, 'shape': (4, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, '3')}",
        "{" * 200,
        "'" * 3,
        "\\",
        "{[]: 1}",
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x03\x00", b"\x09\x07"])
def test_headers_of_arrays_that_cannot_be_are_one_sentence(tmp_path, text, version):
    path = tmp_path / "image.npy"
    path.write_bytes(header(text, version))
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read: it is damaged")):
        read_image(path)


def test_decoders_say_nothing_on_the_terminal_of_a_command(tmp_path):
    for folder in ("model", "gt"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (32, 32)).save(tmp_path / folder / "1.png")
    # libpng prints what it thinks of data that cannot be unpacked, though the checksum is right.
    (tmp_path / "model/1.png").write_bytes(png(32, 32, packed=b"not packed"))
    command = [sys.executable, "-m", "skensir.cli", "evaluate", "model", "gt"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("skensir: ")
    assert "1.png cannot be read: it is damaged" in run.stderr


def test_texts_and_profiles_of_a_png_are_not_inflated():
    """They do not reach the decoder, and the pixels stay what they are."""
    plain = bytes(cv2.imencode(".png", np.arange(210, dtype=np.uint8).reshape(10, 7, 3))[1])
    chunks = [struct.pack(">I", 30) + name + bytes(34) for name in (b"zTXt", b"iCCP", b"iTXt")]
    behind = len(plain) - 12
    with_texts = plain[:33] + chunks[0] + chunks[1] + plain[33:behind] + chunks[2] + plain[behind:]
    assert without_texts(with_texts) == plain == without_texts(plain)
    after = plain + chunks[0]  # the image has ended
    assert without_texts(after) == after
    kept = plain[:33] + struct.pack(">I", 30) + b"tEXt" + bytes(34) + plain[33:]
    assert without_texts(kept) == kept


def animated(suffix):
    """Return a file of two images, of which a viewer shows one after the other."""
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, suffix, save_all=True, append_images=frames[1:], lossless=True)
    return file.getvalue()


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animations_are_no_images(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(animated(suffix))
    with pytest.raises(ValueError, match=r"a\.\w+ is an animation, must be one image"):
        read_image(path)


@pytest.mark.parametrize("options", [{}, {"imagej": True}])
def test_images_behind_the_first_page_of_a_tiff_count(options, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 12, 16), np.uint8), truncate=True, **options)
    with pytest.raises(ValueError, match="has 5 pages, must have one"):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pgm", b"P2 2 1 100\n50 100\n"),
        ("a.ppm", b"P3 1 1 # most\n15\n1 2 15\n"),
        ("a.pfm", b"Pf\n1 1\n-2.0\n" + struct.pack("<f", 1.0)),
    ],
)
def test_values_that_decoders_would_scale_are_refused(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(path)
    path.write_bytes(re.sub(rb"100\n|15\n(?=1)", b"255\n", data).replace(b"-2.0", b"-1.0"))
    read_image(path)


@pytest.mark.parametrize(
    "data",
    [
        b"P2\n3 1\n255\n217.0 3 4\n",
        b"P2\n3 1 255\n2 256 4\n",
        b"P3\n1 1 # of 16\n65535 1 2 65536\n",
        b"P5\n3 1\n100\n\1\x65\2",
        b"P6\n1 1\n1000\n\0\0\3\xe9\0\0",
    ],
)
def test_values_that_their_format_does_not_know_are_refused(data, tmp_path):
    path = tmp_path / "a.pnm"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="its values must be whole numbers from 0 to"):
        read_image(path)
    sound = data.replace(b"7.0", b"7").replace(b"256", b"255 #.\n").replace(b"36", b"35")
    path.write_bytes(sound.replace(b"\x65", b"\x64").replace(b"\3\xe9", b"\3\xe8"))
    assert read_image(path).max() in (100, 217, 255, 1000, 65535)


@pytest.mark.parametrize("data", [b"P5\n1 1\n", b"P2 1 1 ", b"P2 1 1 255\n", b"P6 1 1 9\n"])
def test_a_text_header_without_an_image_is_refused(data, tmp_path):
    path = tmp_path / "a.pnm"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.pnm cannot be read"):
        read_image(path)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_that_stands_for_transparency_is_refused_where_it_occurs(bits, tmp_path):
    value, n_bytes = 2**bits - 1, max(bits // 8, 1)
    path = tmp_path / "a.png"
    key = (b"tRNS", struct.pack(">H", value))
    for shown in (value - 1, value):
        line = (shown << 8 * n_bytes - bits).to_bytes(n_bytes, "big")
        path.write_bytes(png(1, 1, zlib.compress(b"\0" + line), bits, 0, [key]))
        if shown < value:
            assert read_image(path) == shown * 255 // min(value, 255) or bits == 16
    with pytest.raises(ValueError, match=r"a\.png: an image with transparent pixels"):
        read_image(path)
