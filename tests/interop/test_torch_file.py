"""Whatever a file holds, nothing of it is run; damaged, it is read equal or not at all."""

import io
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch_files import (
    NAME,
    Storage,
    Tensor,
    archive,
    assert_refused,
    pickled,
    read_weights,
    refuse,
    synthetic,
    table_of,
    torch_file,
    write,
)

from skensir.interop import _torch_file, released

SMALL = synthetic(2, 2, 2)
BODY, STORAGES = pickled(table_of(SMALL))
SMALL_FILE = torch_file(BODY, STORAGES)


def entries_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as entries:
        return {name: entries.read(name) for name in entries.namelist()}


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1},
        {"offset": -1},
        {"offset": 10**30},
        {"offset": 0.0},
        {"size": (3,)},
        {"size": (1,)},
        {"size": (0,)},
        {"size": (-2,)},
        {"size": (10**30,)},
        {"size": [2.0]},
        {"size": (1, 2)},
        {"size": ()},
        {"stride": (2,)},
        {"stride": (-1,)},
        {"stride": (1, 1)},
        {"stride": None},
        {"gradient": 1},
        {"hooks": None},
        {"storage": Storage(SMALL[0, 0, 0][:1])},
        {"storage": Storage(SMALL[0, 0, 0], size=1)},
        {"storage": Storage(SMALL[0, 0, 0], size=-1)},
        {"storage": Storage(SMALL[0, 0, 0], size=2**62)},
        {"storage": Storage(SMALL[0, 0, 0], size="2")},
        {"storage": Storage(SMALL[0, 0, 0].astype("f8"))},
        {"storage": 5},
    ],
)
def test_tensor_that_is_not_a_row_of_its_storage_is_refused(tmp_path, change):
    table = table_of(SMALL)
    tensor = table[(0, 0)][0]
    names = ("offset", "size", "stride", "gradient", "hooks")
    storage, parts = tensor.storage, dict(zip(names, tensor.arguments, strict=True))
    assert change.keys() <= {"storage", *parts}
    tensor.storage = change.pop("storage", storage)
    tensor.arguments = list((parts | change).values())
    path = write(tmp_path / NAME, table)
    assert_refused(path)
    tensor.storage, tensor.arguments = storage, list(parts.values())  # it is the change
    assert_allclose(read_weights(write(path, table)), SMALL.reshape(-1, 2, 2), atol=2e-7)


def calls(function, *arguments):
    """Return something whose pickle calls a function."""

    class Caller:
        def __reduce__(self):
            return function, arguments

    return Caller()


HOSTILE = {
    "os.system": lambda command: calls(os.system, command),
    "eval": lambda command: calls(eval, f"__import__('os').system({command!r})"),
    "getattr": lambda command: calls(getattr, "text", "upper"),
    "within a list": lambda command: {(0, 0): [calls(os.system, command)]},
    "as a key": lambda command: {calls(os.system, command): [Tensor(SMALL[0, 0, 0])]},
    "import": lambda command: calls(__import__, "this"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_a_file_asks_for_is_not_run(tmp_path, name, protocol):
    canary = tmp_path / "canary"
    body, _ = pickled(HOSTILE[name](f"touch {canary}"), protocol)
    refuse(tmp_path, body, "nothing of it was run" if protocol == 2 else "opcode")
    assert not canary.exists()
    if name == "os.system":  # the file is as dangerous as this test thinks
        pickle.loads(body)
        assert canary.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"(S'true'\nios\nsystem\n.", "STRING"),
        (b"(K\x01ios\nsystem\n.", "INST"),
        (b"(cos\nsystem\nX\x04\x00\x00\x00trueo.", "os system"),
        (b"\x80\x02ctorch\nFloatStorage\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02ctorch\nFloatStorage\n}X\x01\x00\x00\x00aK\x01sb.", "BUILD"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(X\x01\x00\x00\x00ae.", "Name"),
        (b"\x80\x02ctorch._utils._rebuild_tensor_v2\n__globals__\n.", "__globals__"),
        (b"\x80\x04\x8c\x05torch\x8c\x14_utils.os.system.xyz\x93.", "SHORT_BINUNICODE"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "not a tensor"),
        (b"\x80\x02X\x18\x00\x00\x00collections OrderedDict.)R.", "not a tensor"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01R.", "not a tensor"),
        (b"\x80\x02ccollections\nOrderedDict\n)Rccollections\nOrderedDict\n)R.", "dict"),
        (b"\x80\x02K\x01K\x02R.", "not a tensor"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "single precision"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02a.", "stack is empty"),
        (b"\x80\x02K\x01\x87.", "stack is empty"),
        (b"\x80\x02](K\x01K\x01u0.", "POP"),
        (b"\x80\x02}(K\x01u.", "added to a Pairs"),
        (b"\x80\x02K\x01K\x01K\x01s.", "added to a int"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02K\x01", "not that of a table"),
        (b"\xff.", "not that of a table"),
        (b"", "not that of a table"),
    ],
)
def test_pickle_by_hand_is_refused(tmp_path, body, words):
    refuse(tmp_path, body, words)


def nested_tuples():
    """Return a dict whose key, hashed, would overflow the stack of the interpreter."""
    return b"\x80\x02}K\x01" + b"\x85" * 2 * 10**5 + b"K\x01s."


def laughs():
    """Return a list of lists of lists ..., each with a hundred times the same."""
    body = b"\x80\x02](" + b"K\x01" * 100 + b"eq\x00"
    for level in range(10):
        put, get = bytes([ord("q"), level + 1]), bytes([ord("h"), level])
        body += b"](" + get * 100 + b"e" + put
    return body + b"."


def channels_without_end():
    """Return a table whose many cells have the same long list of the same tensor."""
    table = table_of(SMALL)
    row = table[(0, 0)][0]
    channels = [row] * 10**4
    return pickled({(i, j): channels for i in range(100) for j in range(100)})[0]


@pytest.mark.parametrize(
    "body",
    [
        b"\x80\x02]r\xff\xff\xff\xff.",  # a memo of 64 GB, if it were an array
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"abc.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"K\x01.",
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"\x80\x02" + b"](" * 10**4 + b"K\x01" + b"e" * 10**4 + b".",
        nested_tuples(),
        laughs(),
        channels_without_end(),
        b"\x80\x02" + b"]0" * 2**23 + b".",
        b"\x80\x02" + b"\x88" * (2**24 + 10) + b".",
    ],
    ids=range(13),
)
def test_bomb_costs_no_more_than_a_table(tmp_path, body, monkeypatch):
    if len(body) > 2**20:  # the same limit, at a size that a test can afford
        monkeypatch.setattr(_torch_file, "MAX_PICKLE", 2**16)
    path = tmp_path / NAME
    path.write_bytes(torch_file(body, STORAGES))
    tracemalloc.start()
    try:
        assert_refused(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * released.MAX_WEIGHTS + 200 * len(body)
    finally:
        tracemalloc.stop()


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
WORDS = [
    b"",
    b"\x01",
    b"\x00\x00",
    b"os\nsystem\n",
    b"torch\nFloatStorage\n",
    b"\x02\x00\x00\x00f4",
]


@given(st.lists(st.tuples(st.sampled_from(OPCODES), st.sampled_from(WORDS)), max_size=40))
def test_any_opcodes_are_refused(tmp_path_factory, program):
    path = tmp_path_factory.mktemp("programs") / NAME
    path.write_bytes(torch_file(b"".join(map(b"".join, program)) + b"."))
    assert_refused(path)


def test_archive_that_inflates_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / NAME, "w", zipfile.ZIP_DEFLATED) as entries:
        entries.writestr("archive/data.pkl", BODY)
        entries.writestr("archive/data/0", bytes(10**8))
    assert_refused(tmp_path / NAME, "compressed")


def test_files_of_newer_versions_say_their_byte_order(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(archive(entries_of(SMALL_FILE) | {"archive/byteorder": b"little"}))
    assert_allclose(read_weights(path), SMALL.reshape(-1, 2, 2), atol=2e-7)
    path.write_bytes(archive(entries_of(SMALL_FILE) | {"archive/byteorder": b"big"}))
    assert_refused(path, "little-endian")


def test_entry_that_is_missing_is_named(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(torch_file(BODY))
    assert_refused(path, "storage '0'")
    two = {"a/data.pkl": BODY, "b/data.pkl": BODY}
    for entries, words in ((two, "2 entries"), ({"a/other": b""}, "0 entries")):
        path.write_bytes(archive(entries))
        assert_refused(path, words)


@pytest.mark.parametrize("content", [b"", b"PK", b"text", bytes(1000), pickle.dumps({})])
def test_files_that_torch_did_not_write_are_refused(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    assert_refused(tmp_path / NAME)


def flipped(data, content):
    """Flip bits of some bytes."""
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3), label="flips")):
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
def test_damaged_file_is_read_equal_or_not_at_all(tmp_path_factory, data):
    damaged = flipped(data, SMALL_FILE)
    path = tmp_path_factory.mktemp("damaged") / NAME
    path.write_bytes(damaged[: data.draw(st.sampled_from([None, len(damaged) // 2]))])
    weights = assert_sound_or_refused(path)
    if weights is not None:
        assert_allclose(weights, SMALL.reshape(-1, 2, 2), atol=2e-7)


@given(st.data())
def test_pickle_of_any_bytes_is_read_soundly_or_not_at_all(tmp_path_factory, data):
    """With right checksums, which anybody can set."""
    path = tmp_path_factory.mktemp("damaged") / NAME
    path.write_bytes(torch_file(flipped(data, BODY), STORAGES))
    assert_sound_or_refused(path)


def test_every_truncated_file_is_refused(tmp_path):
    for length in range(0, len(SMALL_FILE), 7):
        (tmp_path / NAME).write_bytes(SMALL_FILE[:length])
        assert_refused(tmp_path / NAME)
