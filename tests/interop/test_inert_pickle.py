"""Whatever a pickle asks for, nothing is run, and a bomb costs no more than a table."""

import os
import pickle
import pickletools
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch_files import Storage, Tensor, assert_refused, pickled, refuse, synthetic, zip_file

from skensir.interop import _torch_file
from skensir.interop.released import read_released


def test_opcodes_that_torch_writes(tmp_path):
    """Written out by hand: a tensor of one bin and two models, with a storage of its own."""
    body = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01"
        b"ctorch\nFloatStorage\nq\x02X\x01\x00\x00\x000q\x03X\x03\x00\x00\x00cpuq\x04K\x02tq\x05Q"
        b"K\x00K\x01K\x01K\x02\x87q\x06K\x02K\x02K\x01\x87q\x07\x89ccollections\nOrderedDict\n"
        b"q\x08)Rq\ttq\nRq\x0b."
    )
    path = tmp_path / "WEIGHTS.pth"
    path.write_bytes(zip_file(body, [Storage(np.array([0.25, 0.75], "f4"))], name="archive"))
    assert_array_equal(read_released(path).weights_, [[0.25, 0.75]])


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
    "within a list": lambda command: [synthetic(), calls(os.system, command)],
    "as a key": lambda command: {(0, 1): 1.0, calls(os.system, command): 1.0},
    "import": lambda command: calls(__import__, "this"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_a_file_asks_for_is_not_run(tmp_path, name, protocol):
    canary = tmp_path / "canary"
    body, _ = pickled(HOSTILE[name](f"touch {canary}"), protocol)
    refuse(tmp_path, body, "nothing of it was run")
    assert not canary.exists()
    if name == "os.system":  # the file is as dangerous as this test thinks
        pickle.loads(body)
        assert canary.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"(S'true'\nios\nsystem\n.", "STRING"),
        (b"(K\x01ios\nsystem\n.", "INST"),
        (b"(cos\nsystem\nX\x04\x00\x00\x00trueo.", "os.system"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.", "Pairs"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(X\x01\x00\x00\x00ae.", "list"),
        (b"\x80\x02ctorch._utils._rebuild_tensor_v2\n__globals__\n.", "__globals__"),
        (b"\x80\x04\x8c\x05torch\x8c\x14_utils.os.system.xyz\x93.", "_utils.os"),
        (b"\x80\x04K\x01K\x02\x93.", "int"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "Call"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00rot_13\x86R.", "Call"),
        (b"\x80\x02K\x01K\x02R.", "int"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "storage"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02a.", "damaged"),
        (b"\x80\x02](K\x01K\x01u.", "list"),
        (b"\x80\x02}(K\x01u.", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02K\x01", "damaged"),
        (b"\xff.", "damaged"),
        (b"", "damaged"),
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


@pytest.mark.parametrize(
    "body",
    [
        b"\x80\x02]r\xff\xff\xff\xff.",  # a memo of 64 GB, if it were an array
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"abc.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"K\x01.",
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"\x80\x02" + b"](" * 10**4 + b"K\x01" + b"e" * 10**4 + b".",
        nested_tuples(),
        laughs(),
        b"\x80\x02" + b"]0" * 2**23 + b".",
        b"\x80\x02" + b"N" * (2**24 + 10) + b".",
        pickled(Tensor(np.ones(1, "f4"), size=(2**12,) * 3, stride=(0, 0, 0)))[0],
    ],
    ids=range(12),
)
def test_bomb_costs_no_more_than_a_table(tmp_path, body, monkeypatch):
    if len(body) > 2**20:  # the same limit, at a size that a test can afford
        monkeypatch.setattr("skensir.interop._inert_pickle.MAX_PICKLE", 2**16)
    path = tmp_path / "WEIGHTS.pth"
    path.write_bytes(zip_file(body, [Storage(np.ones(1, "f4"))]))
    tracemalloc.start()
    try:
        assert_refused(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * _torch_file.MAX_NUMBERS + 200 * len(body)
    finally:
        tracemalloc.stop()


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
WORDS = [b"", b"\x01", b"\x00\x00", b"os\nsystem\n", b"numpy\ndtype\n", b"\x02\x00\x00\x00f4"]


@given(st.lists(st.tuples(st.sampled_from(OPCODES), st.sampled_from(WORDS)), max_size=40))
def test_any_opcodes_are_refused(tmp_path_factory, program):
    path = tmp_path_factory.mktemp("programs") / "WEIGHTS.pth"
    path.write_bytes(zip_file(b"".join(map(b"".join, program)) + b"."))
    assert_refused(path)
