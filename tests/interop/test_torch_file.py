"""Files of torch.save, damaged in every way: read equal or not at all."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch_files import (
    FORMS,
    NAMES,
    Storage,
    Tensor,
    assert_refused,
    legacy_file,
    pickled,
    read_weights,
    refuse,
    synthetic,
    write,
    zip_file,
)

from skensir.interop import _torch_file
from skensir.interop.released import read_released

BODY, (STORAGE,) = pickled(Tensor(synthetic()))


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1},
        {"offset": -1},
        {"offset": 10**30},
        {"offset": 0.0},
        {"size": (4, 4, 4, 3, 4)},
        {"size": (4, 4, 4, 3, 0)},
        {"size": (4, 4, 4, 3, -3)},
        {"size": [4, 4, 4, 3, 3]},
        {"size": (4, 4, 4, 3)},
        {"size": (True,) * 5},
        {"stride": (144, 36, 9, 3, 2)},
        {"stride": (-144, 36, 9, 3, 1)},
        {"stride": (10**30, 36, 9, 3, 1)},
        {"stride": None},
        {"storage": Storage(synthetic().ravel()[:-1])},
        {"storage": Storage(synthetic(), size=575)},
        {"storage": Storage(synthetic(), size=-1)},
        {"storage": Storage(synthetic(), size=2**62)},
        {"storage": Storage(synthetic(), size="576")},
        {"storage": Storage(synthetic(), size=True)},
        {"storage": 5},
    ],
)
def test_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, change):
    tensor = Tensor(synthetic())
    vars(tensor).update(change)
    path = write(tmp_path / "WEIGHTS.pth", tensor)
    assert_refused(path)
    vars(tensor).update(vars(Tensor(synthetic())))  # and it is the change that is refused
    assert_allclose(read_weights(write(path, tensor)), synthetic().reshape(-1, 3, 3), atol=2e-7)


SINGLE = np.dtype("f4")


def reconstruct(shape=(2, 2, 2), dtype=SINGLE, fortran=False, data=bytes(32)):
    """Pickle a NumPy array by its parts, which need not fit."""
    function, arguments, _ = np.empty(1).__reduce__()

    class Array:
        def __reduce__(self):
            return function, arguments, (1, shape, dtype, fortran, data)

    return pickled(Array())[0]


@pytest.mark.parametrize(
    "parts",
    [
        {"shape": (2, 2, 3)},
        {"shape": (2**40, 2**40)},
        {"shape": (-2, -4)},
        {"shape": (0,), "data": b""},
        {"shape": (1,) * 40, "data": bytes(4)},
        {"shape": 8},
        {"shape": "ab"},
        {"data": bytes(31)},
        {"data": bytes(36)},
        {"data": [1.0] * 8},
        {"data": "text"},
        {"data": None},
        {"dtype": np.dtype("O")},
        {"dtype": np.dtype("V4")},
        {"dtype": np.dtype("S4")},
        {"dtype": np.dtype("M8[s]")},
        {"dtype": "f4"},
        {"dtype": None},
    ],
)
def test_numpy_array_of_parts_that_do_not_fit_is_refused(tmp_path, parts):
    refuse(tmp_path, reconstruct(**parts))


def test_numpy_array_of_parts_that_fit_is_read(tmp_path):
    """Otherwise the test above shows nothing."""
    path = tmp_path / "WEIGHTS.pth"
    path.write_bytes(zip_file(reconstruct(data=np.full(8, 0.5, "f4").tobytes())))
    assert_array_equal(read_weights(path), np.full((4, 1, 2), 0.5))


def test_archive_that_inflates_is_refused(tmp_path):
    path = tmp_path / "WEIGHTS.pth"
    storage = Storage(np.zeros(10**7, "f8"))
    path.write_bytes(zip_file(BODY, [storage], compression=zipfile.ZIP_DEFLATED))
    assert_refused(path, "compressed")


def test_numbers_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "WEIGHTS.pth", FORMS["dict of tensors"](synthetic()))
    monkeypatch.setattr(_torch_file, "MAX_NUMBERS", 575)
    assert_refused(path, "more than 575 numbers")
    monkeypatch.setattr(_torch_file, "MAX_NUMBERS", 576)
    read_released(path)


def test_byte_order_is_little_or_big(tmp_path):
    path = tmp_path / "WEIGHTS.pth"
    content = zip_file(BODY, [STORAGE], order=">")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert entries["WEIGHTS/byteorder"] == b"big"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**entries, "WEIGHTS/byteorder": b"middle"}.items():
            archive.writestr(name, data)
    assert_refused(path, "byteorder")


def test_old_file_whose_storages_do_not_fit_is_refused(tmp_path):
    path, content = tmp_path / "WEIGHTS.pth", legacy_file(Tensor(synthetic()))
    length, n_bytes = struct.pack("<q", 576), 576 * 4
    assert content.count(length) == 1
    path.write_bytes(content)
    assert_allclose(read_weights(path), synthetic().reshape(-1, 3, 3), atol=2e-7)
    path.write_bytes(content.replace(length, struct.pack("<q", 575)))
    assert_refused(path, "storage '0'")
    path.write_bytes(content[: -n_bytes + 4])
    assert_refused(path, "cut off")
    path.write_bytes(legacy_file(Tensor(synthetic(), storage=Storage(synthetic(), 2**62))))
    path.write_bytes(path.read_bytes().replace(length, struct.pack("<q", 2**62)))
    assert_refused(path, "cut off")
    path.write_bytes(content.replace(pickle.dumps(["0"], 2), pickle.dumps([], 2)))
    assert_refused(path, "strides")


def test_storage_that_is_missing_is_named(tmp_path):
    path = tmp_path / "WEIGHTS.pth"
    path.write_bytes(zip_file(BODY))
    assert_refused(path, "storage '0'")
    two = {"a/data.pkl": BODY, "b/data.pkl": BODY}
    for entries, words in ((two, "2 entries"), ({"a/other": b""}, "0 entries")):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name, data)
        assert_refused(path, words)


@pytest.mark.parametrize("content", [b"", b"PK", b"text", bytes(1000), pickle.dumps({})])
def test_files_that_torch_did_not_write_are_refused(tmp_path, content):
    (tmp_path / "WEIGHTS.pth").write_bytes(content)
    assert_refused(tmp_path / "WEIGHTS.pth")


SMALL = synthetic(2, 2, 2)
SMALL_FILES = [
    zip_file(*pickled(FORMS["dict of tensors"](SMALL))),
    zip_file(*pickled(SMALL)),
    legacy_file(FORMS["dict of parts of one storage"](SMALL)),
    legacy_file(SMALL),
]


def flipped(data, damaged, name):
    """Flip bits of some bytes."""
    damaged = bytearray(damaged)
    for _ in range(data.draw(st.integers(1, 3), label=f"flips of {name}")):
        place = data.draw(st.integers(0, len(damaged) - 1), label="place")
        damaged[place] ^= data.draw(st.integers(1, 255), label="bits")
    return bytes(damaged)


def assert_sound_or_refused(path):
    """Check that a table comes out whole or not at all, and nothing else ever happens."""
    try:
        weights = read_weights(path)
    except ValueError:
        assert_refused(path)
        return None
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    return weights


@given(st.data())
def test_damaged_archive_is_read_equal_or_not_at_all(tmp_path_factory, data):
    content = data.draw(st.sampled_from(SMALL_FILES[:2]))
    damaged = flipped(data, content, "the file")
    path = tmp_path_factory.mktemp("damaged") / "WEIGHTS.pth"
    path.write_bytes(damaged[: data.draw(st.sampled_from([None, len(damaged) // 2]))])
    weights = assert_sound_or_refused(path)
    if weights is not None:
        assert_allclose(weights, SMALL.reshape(-1, 2, 2), atol=2e-7)


@given(st.data())
def test_pickle_of_any_bytes_is_read_soundly_or_not_at_all(tmp_path_factory, data):
    """Without checksums, which anybody can set, or which old files do not have."""
    path = tmp_path_factory.mktemp("damaged") / "WEIGHTS.pth"
    form = data.draw(st.sampled_from(NAMES))
    body, storages = pickled(FORMS[form](SMALL), data.draw(st.sampled_from([2, 4])))
    path.write_bytes(zip_file(flipped(data, body, "the pickle"), storages))
    assert_sound_or_refused(path)
    path.write_bytes(flipped(data, data.draw(st.sampled_from(SMALL_FILES[2:])), "an old file"))
    assert_sound_or_refused(path)


@pytest.mark.parametrize("content", SMALL_FILES)
def test_every_truncated_file_is_refused(tmp_path, content):
    for length in range(0, len(content), 7):
        (tmp_path / "WEIGHTS.pth").write_bytes(content[:length])
        assert_refused(tmp_path / "WEIGHTS.pth")
