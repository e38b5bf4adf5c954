"""Image files with every bit of their values: PNG, TIFF, NumPy's own format, and others."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from operator import index
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skensir._checks import check_path, in_one_line, saying_of, shown
from skensir._files import read_whole, write_whole
from skensir._optional import import_optional
from skensir._text import sizes
from skensir.image.headers import check_header, check_pixels, transparent_grey, without_texts
from skensir.image.memory import lack_of_memory
from skensir.image.tiff_segments import check_segments

Image = NDArray[Any]

_DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
# What decodes the bytes of a file, and what encodes an image; None for files that are only read.
Codec: TypeAlias = tuple[Callable[..., Image], Callable[..., bytes] | None]
# The mean of no image of 8 bits lies so far beyond white: it is on another scale.
_FAR_BEYOND_8_BITS = 512.0
_QUALITY = 95  # of JPEG, from 0 to 100: OpenCV's own default, said here so that it stays


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image with all bits of its values.

    Parameters
    ----------
    path : str or path-like
        A file that ends in .png, .bmp, .dib, .webp, .pgm, .ppm, .pnm, .pfm, .jpg, .jpeg, .tif,
        .tiff or .npy, in small or capital letters.

    Returns
    -------
    image : ndarray of shape (height, width) or (height, width, 3)
        Grey values, or red, green and blue. 8 bits come as uint8, 16 bits as uint16, never scaled;
        TIFF, .pfm and .npy may also hold floats. Except in TIFF, a palette is resolved to its
        colours, and 1, 2 or 4 bits of grey become 8. An alpha channel that is opaque everywhere is
        dropped. WebP knows no grey, so that such an image has three equal channels.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the suffix is another one, if the content is damaged or cut short, if its header says
        that there are more than 2**28 pixels, or if it is not a grey or RGB image of finite values,
        such as one with transparent pixels. The message names the file.

    See Also
    --------
    write_image : The way back.

    Notes
    -----
    A small file may hold a large image, so the size is read from the header before anything is
    decoded. The environment variable ``SKENSIR_MAX_PIXELS`` says how many pixels are too many.

    The orientation that a camera notes in a file (EXIF, or a tag of TIFF) is not applied: pixels
    come in the order they are stored in, as networks and evaluation programs see them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skensir.image import read_image, write_image
    >>> image = np.array([[0, 1, 65535]], dtype=np.uint16)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder, "deep.png"), image)
    ...     read_image(Path(folder, "deep.png"))
    array([[    0,     1, 65535]], dtype=uint16)
    """
    path = check_path(path)
    decode, _ = _codec_of(path)
    image = _without_opaque_alpha(decode(read_whole(path), path))
    _check_image(image, path)
    return in_native_order(image)


def in_native_order(image: Image) -> Image:
    """Return an image whose dtype is the one of its name, however the bytes lay."""
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def write_image(path: str | os.PathLike[str], image: ArrayLike, bits: int | None = None) -> None:
    """Write an image whole or not at all.

    The file has its name only once all of it is written, whatever goes wrong meanwhile, but for a
    power failure: the last seconds before that may leave files that are empty or cut short, which
    :func:`read_image` tells.

    Parameters
    ----------
    path : str or path-like
        A name that ends in .png, .jpg, .jpeg, .tif, .tiff or .npy. A file of this name is replaced.
    image : array-like of shape (height, width) or (height, width, 3)
        Grey values, or red, green and blue. uint8 and uint16 are written as they are, except that
        JPEG holds 8 bits only and is lossy (quality 95).
    bits : {8, 16}, default=None
        Clips and rounds floats to whole numbers, once and without scaling: 8 is for values from
        0 to 255, 16 for values from 0 to 65535. PNG and JPEG need it for floats; with None, TIFF
        and .npy keep floats as they are.

    Raises
    ------
    OSError
        If the file cannot be written, for example because the disk is full. Nothing is left
        behind then, and a file that was there before stays.
    ValueError
        If the suffix is another one, if the format cannot hold such an image, if `bits` does not
        fit to it or to its values, or if a value is not finite. The message names the file.

    See Also
    --------
    read_image : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skensir.image import read_image, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder, "restored.png"), [[-3.2, 0.4, 254.7]], bits=8)
    ...     read_image(Path(folder, "restored.png"))
    array([[  0,   0, 255]], dtype=uint8)
    """
    path = check_path(path)
    # What can be made again is not worth the milliseconds that a flush to the disk takes.
    write_whole(path, encode_image(path, image, bits), flushed=False)


def encode_image(path: Path, image: ArrayLike, bits: int | None = None) -> bytes:
    """Return the bytes that `write_image` writes to a file of this name."""
    _, encode = _codec_of(path)
    if encode is None:
        writable = [suffix for suffix, (_, encodes) in _CODECS.items() if encodes is not None]
        raise ValueError(f"{path} must end in one of {', '.join(writable)} to be written.")
    if np.ma.is_masked(image):
        raise ValueError("image has masked values, must have none.")
    with saying_of("image"):
        image = in_native_order(np.asarray(image))
    _check_image(image, path)
    image = _to_bits(image, bits, path)
    return encode(image, path.suffix.lower(), path)


def _codec_of(path: Path) -> Codec:
    """Return what decodes and encodes files of this suffix, or raise an error without any."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{in_one_line(str(path))} must end in one of {', '.join(SUFFIXES)}.")
    return _CODECS[suffix]


def _check_image(image: Image, path: Path) -> None:
    """Raise an error that names the file unless the array is a grey or RGB image."""
    if image.dtype.name not in _DTYPES:
        raise ValueError(f"{path}: an image of {image.dtype}, must be of {', '.join(_DTYPES)}.")
    if image.ndim == 3 and image.shape[2] == 4:
        raise ValueError(
            f"{path}: an image with an alpha channel that is not opaque; save it as grey or RGB."
        )
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
        raise ValueError(
            f"{path}: an image of {sizes(image.shape)} numbers, must be of height x width "
            "or height x width x 3."
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(f"{path}: an image with NaN or infinity, must be finite.")


def _without_opaque_alpha(image: Image) -> Image:
    """Drop a fourth channel that says nothing: some programs write one to every PNG."""
    if image.ndim != 3 or image.shape[2] != 4 or image.dtype.kind != "u":
        return image
    opaque = (image[..., 3] == np.iinfo(image.dtype).max).all()
    return np.ascontiguousarray(image[..., :3]) if opaque else image


def _to_bits(image: Image, bits: int | None, path: Path) -> Image:
    """Round floats to whole numbers of `bits` bits; leave everything else as it is."""
    if bits is None:
        return image
    if not isinstance(bits, int) or bits not in (8, 16):
        raise ValueError(f"bits == {shown(bits)} for {path}, must be 8, 16 or None.")
    dtype = np.dtype(f"uint{bits}")
    if image.dtype.kind == "f":
        # Single values may be whatever they are.
        if bits == 8 and (mean := image.mean(dtype=np.float64)) > _FAR_BEYOND_8_BITS:
            raise ValueError(
                f"bits == 8 for {path} but the image has values of {mean:g} on average, must have "
                "some from 0 to 255; take bits=16 if they are from 0 to 65535."
            )
        return np.clip(np.rint(image.astype(np.float64)), 0, np.iinfo(dtype).max).astype(dtype)
    if image.dtype != dtype:
        raise ValueError(
            f"bits == {bits} for {path} but the image is {image.dtype}, which is written as it is; "
            "leave bits out, or scale the values yourself."
        )
    return image


def _decode_opencv(data: bytes, path: Path) -> Image:
    """Decode what OpenCV knows without the cut to 8 bits that most readers make."""
    check_header(data, path)
    if not data.startswith(b"\x89PNG"):
        return _decode_checked(data, path)
    image = _decode_checked(without_texts(data), path)
    # Of colours and palettes OpenCV makes a fourth channel, of grey it does not.
    if (value := transparent_grey(data)) is not None and (image == value).any():
        raise ValueError(f"{path}: an image with transparent pixels; save it without them.")
    return image


@contextmanager
def _passing_over(error_of_opencv: type[Exception]) -> Iterator[None]:
    """Pass over errors of OpenCV, but for a lack of memory, which is no fault of the image."""
    with suppress(error_of_opencv), lack_of_memory(error_of_opencv):
        yield


def _decode_checked(data: bytes, path: Path) -> Image:
    """Decode a file whose header says how much will come of it."""
    cv2 = import_optional("cv2", f"Reading {path.suffix} files")
    image: Image | None = None
    # OpenCV 4 fills what is missing of a JPEG with grey and says nothing: the last scan, which
    # begins at FFDA, must come to an end, FFD9.
    if data.rfind(b"\xff\xd9") >= data.rfind(b"\xff\xda") or data[:2] != b"\xff\xd8":
        with _passing_over(cv2.error):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{path} cannot be read: it is damaged, cut short or not an image.")
    if image.ndim == 3:
        order = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        with _passing_over(cv2.error):
            image = cv2.cvtColor(image, order)
    return image


def encode_opencv(image: Image, suffix: str, path: Path) -> bytes:
    """Encode an image of whole numbers as PNG or JPEG."""
    if image.dtype.kind == "f":
        raise ValueError(
            f"{path} can hold whole numbers only and the image has {image.dtype} values; pass "
            "bits=8 if they lie between 0 and 255, bits=16 if between 0 and 65535."
        )
    if image.dtype == np.uint16 and suffix != ".png":
        raise ValueError(f"{path} can hold 8 bits only and the image has 16; write a PNG or TIFF.")
    cv2 = import_optional("cv2", "Writing PNG and JPEG files")
    if image.ndim == 3:
        with _passing_over(cv2.error):
            image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    options = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    encoded = False
    with _passing_over(cv2.error):
        encoded, buffer = cv2.imencode(suffix, image, options)
    if not encoded:
        raise ValueError(f"{path}: an image of {sizes(image.shape)} cannot be written as {suffix}.")
    return bytes(buffer)


@contextmanager
def _as_damaged(path: Path, otherwise: str) -> Iterator[None]:
    """Tell that the file is damaged, whatever goes wrong inside: decoders raise nearly anything."""
    try:
        yield
    except (ModuleNotFoundError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read: it is damaged, cut short, or {otherwise}."
        ) from error


def _decode_tiff(data: bytes, path: Path) -> Image:
    """Decode a TIFF of one page."""
    tifffile = import_optional("tifffile", "Reading TIFF files")
    with _as_damaged(path, "no TIFF"):
        buffer = BytesIO(data)
        file = tifffile.TiffFile(buffer)
        n_pages, page = len(file.pages), file.pages[0]
        if n_pages == 1:  # there may be more images than pages that tell of them
            n_pages = max(1, math.prod(file.series[0].shape) // max(1, math.prod(page.shape)))
        photometric, compression = page.photometric.name, page.compression.name
        # Tags may hold several numbers, or a text, where one number belongs.
        depth, height, width, n_bits = map(
            index, (page.imagedepth, page.imagelength, page.imagewidth, page.bitspersample)
        )
        shape, dtype, n_bits_held = page.shape, page.dtype, 8 * page.dtype.itemsize
        # A tile may be larger than the image.
        sides = [(height, width)]
        if page.is_tiled:
            sides.append((index(page.tilelength) * index(page.tiledepth), index(page.tilewidth)))
    if n_pages != 1:
        raise ValueError(f"{path} has {n_pages} pages, must have one.")
    # The values of the others, such as places in a palette, are not brightness.
    if photometric not in ("MINISBLACK", "RGB"):
        raise ValueError(f"{path} stores its colours as {photometric}; save it as grey or RGB.")
    if depth != 1 or shape[:2] != (height, width) or shape[2:] not in ((), (3,), (4,)):
        raise ValueError(
            f"{path}: an image of {sizes(shape)} numbers, must be of height x width "
            "or height x width x 3."
        )
    if n_bits != n_bits_held:
        raise ValueError(f"{path} has values of {n_bits} bits, must have 8 or 16, or floats.")
    for size in sides:
        check_pixels(*size, path)
    with _as_damaged(path, "no TIFF"):
        check_segments(page, data, compression)
        if compression in ("NONE", "ADOBE_DEFLATE", "DEFLATE"):
            return np.asarray(page.asarray())
        # Of all formats, it is TIFF that OpenCV turns whatever it is told.
        for tag in page.tags.getall("Orientation", ()):
            tag.overwrite(1)
    # Decoders of compressed files are an option of tifffile, and OpenCV has the usual ones, but
    # leaves out channels that it has no use for, and scales what has other bits.
    image = _decode_checked(buffer.getvalue(), path)
    if (image.shape, image.dtype) != (shape, dtype):
        raise ValueError(
            f"{path} holds {sizes(shape)} numbers of {dtype} as {photometric} packed by "
            f"{compression}, which cannot be read as they are; save it without compression."
        )
    return image


def _encode_tiff(image: Image, *_: Any) -> bytes:
    """Encode an image as a TIFF of one page, without compression."""
    tifffile = import_optional("tifffile", "Writing TIFF files")
    buffer = BytesIO()
    photometric = "minisblack" if image.ndim == 2 else "rgb"
    tifffile.imwrite(buffer, image, photometric=photometric, metadata=None)
    return buffer.getvalue()


def _decode_numpy(data: bytes, path: Path) -> Image:
    """Decode an array of NumPy's format, without pickles."""
    with _as_damaged(path, "no array of numbers"):
        return _array_of(data).copy()


# What NumPy writes, in its order or another; Python 2 wrote some whole numbers with an L.
_NPY_HEADER = re.compile(
    rb"\s*+\{\s*+(?:'(?:descr'\s*+:\s*+'(?P<dtype>[<>|=]?[bcfiu]\d++)'"
    rb"|fortran_order'\s*+:\s*+(?P<in_columns>True|False)"
    rb"|shape'\s*+:\s*+\((?P<shape>[\d\s,L]*+)\))\s*+,?\s*+)*+\}\s*+"
)


def _array_of(data: bytes) -> Image:
    """Return the array in the bytes of a file in NumPy's format, as a view of them.

    NumPy evaluates the header as Python, whose parser warns of some and runs out of memory on some.
    """
    version = data[6:8]
    if not data.startswith(b"\x93NUMPY") or version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("no such format")
    begin = 10 if version == b"\1\0" else 12
    end = begin + int.from_bytes(data[8:begin], "little")
    header = _NPY_HEADER.fullmatch(data, begin, end)
    if end > len(data) or header is None or None in header.groups():
        raise ValueError("no such header")
    shape = tuple(map(int, re.findall(rb"\d+", header["shape"])))
    order: Literal["F", "C"] = "F" if header["in_columns"] == b"True" else "C"
    # Of a header that asks for more than there is NumPy makes an error.
    return np.ndarray(shape, header["dtype"].decode(), data, end, order=order)


def _encode_numpy(image: Image, *_: Any) -> bytes:
    """Encode an array in NumPy's format, without pickles."""
    buffer = BytesIO()
    np.save(buffer, image, allow_pickle=False)
    return buffer.getvalue()


# Of the files of each suffix.
_CODECS: dict[str, Codec] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg"), (_decode_opencv, encode_opencv)),
    **dict.fromkeys(
        (".bmp", ".dib", ".webp", ".pgm", ".ppm", ".pnm", ".pfm"), (_decode_opencv, None)
    ),
    **dict.fromkeys((".tif", ".tiff"), (_decode_tiff, _encode_tiff)),
    ".npy": (_decode_numpy, _encode_numpy),
}
SUFFIXES = tuple(_CODECS)
