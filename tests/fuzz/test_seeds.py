"""Every reader on sound files, on changed ones, and on those that broke a promise once.

`run.py` goes on with the same readers and changes for as long as one likes.
"""

import warnings
from importlib.util import find_spec
from random import Random

import numpy as np
import pytest
from fuzz import guard, mutator
from fuzz.findings import FINDINGS
from fuzz.samples import SAMPLES
from fuzz.targets import TARGETS

from skensir.image import read_image
from skensir.interop.released import read_released
from skensir.persistence import load_table

# How many changed files of each, which take about a second.
CHANGED = {"released": 40, "table": 60, "command": 40, "onnx": 12, "folder": 80, "skops": 25}
NEEDS = {"torch_state": "torch", "onnx": "onnxruntime", "skops": "skops"}
READERS = {
    "table": (load_table, "it.table"),
    "released": (read_released, "it.pth"),
    "image": (read_image, "it.png"),
    "tiff": (read_image, "it.tif"),
    "npy": (read_image, "it.npy"),
}
MARKS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in NEEDS and find_spec(NEEDS[name]) is None, reason=f"needs {NEEDS.get(name)}"
        ),
    )
    for name in TARGETS
]


@pytest.mark.parametrize("name", MARKS)
def test_a_reader_reads_or_refuses_whatever_it_is_given(name):
    samples, rng = SAMPLES[name](), Random(0)
    for data in samples:
        TARGETS[name](data)
    for _ in range(CHANGED.get(name, 100)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the archives that are made
            data = mutator.mutate(rng.choice(samples), rng, rng.choice(samples))
        TARGETS[name](data)


CASES = [(reader, what) for reader, found in FINDINGS.items() for what in found]


@pytest.mark.parametrize(("reader", "what"), CASES)
def test_what_broke_a_promise_once_is_read_or_refused(reader, what, tmp_path):
    make, said = FINDINGS[reader][what]
    read, name = READERS[reader]
    data, path = make(), tmp_path / name
    path.write_bytes(data)
    with guard.guarded(data):
        if said is None:
            assert read(path) is not None
        else:
            with pytest.raises(ValueError, match=r"\A[^\n]{10,900}\Z") as caught:
                read(path)
            assert said in str(caught.value)
            assert str(path) in str(caught.value)
    TARGETS[reader](data)


def read_all(data):
    """A reader that reads what it finds and looks for nothing."""
    if data.startswith(b"warn"):
        warnings.warn("of a decoder", RuntimeWarning, stacklevel=1)
    if data.startswith(b"large"):
        np.empty(2**30, np.uint8)  # which is asked for and not touched
    if data.startswith(b"error"):
        b"\xff".decode()
    if data.startswith(b"lines"):
        raise ValueError("of two\nlines, which is none")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"warn", guard.Finding),
        (b"large", guard.Finding),
        (b"error", UnicodeDecodeError),
        (b"lines", guard.Finding),
    ],
)
def test_a_broken_promise_is_found(data, error):
    with pytest.raises(error), guard.guarded(data), guard.refusals():
        read_all(data)
    with guard.guarded(b"sound"), guard.refusals() as refused:
        read_all(b"sound")
    assert not refused
