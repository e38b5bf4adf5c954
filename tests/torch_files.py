"""Writer and reader of files of torch.save, byte for byte in the layout of the published tables.

torch is not needed here either: stand-ins under its names are pickled as torch pickles them.
"""

import io
import pickle
import struct
import sys
import types
import zipfile
import zlib
from collections import OrderedDict
from unittest import mock

import numpy as np
import pytest

from skensir.interop.released import read_released

NAME = "weight_Rain100H_MPRNet_MAXIM_Restormer_b64_rgb.pth"


class FloatStorage:
    """Pickled by name only."""


class DoubleStorage:
    """Pickled by name only."""


def _rebuild_tensor_v2(*arguments):
    raise AssertionError("a function that a file names was called")


TORCH = types.ModuleType("torch"), types.ModuleType("torch._utils")
for thing in (FloatStorage, DoubleStorage, _rebuild_tensor_v2):
    module = TORCH[isinstance(thing, types.FunctionType)]
    thing.__module__ = module.__name__
    setattr(module, thing.__name__, thing)


class Storage:
    """Numbers beside the pickle; `size` is what the pickle claims."""

    def __init__(self, values, size=None):
        self.values = np.ravel(values)
        self.size = self.values.size if size is None else size
        self.kind = {"f": FloatStorage, "d": DoubleStorage}[self.values.dtype.char]


class Tensor:
    """Pickled as torch pickles a tensor of one axis."""

    def __init__(self, values):
        self.storage = Storage(np.asarray(values))
        # A new (1,): the pickle would only refer to that of another tensor.
        stride = np.empty(np.shape(values), np.int8).strides
        self.arguments = [0, np.shape(values), stride, False, OrderedDict()]

    def __reduce__(self):
        return _rebuild_tensor_v2, (self.storage, *self.arguments)


class TorchPickler(pickle.Pickler):
    def __init__(self, stream, protocol):
        super().__init__(stream, protocol)
        self.storages = []

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        if thing not in self.storages:
            self.storages.append(thing)
        return ("storage", thing.kind, str(self.storages.index(thing)), "cpu", thing.size)


def pickled(content, protocol=2):
    stream = io.BytesIO()
    pickler = TorchPickler(stream, protocol)
    with mock.patch.dict(sys.modules, {module.__name__: module for module in TORCH}):
        pickler.dump(content)
    return stream.getvalue(), pickler.storages


def archive(entries):
    """Return the zip archive that torch writes: numbers begin at multiples of 64 bytes."""
    data, directory = b"", b""
    for name, content in entries.items():
        start, name = len(data), name.encode()
        sizes = struct.pack("<3I", zlib.crc32(content), len(content), len(content))
        n_padding = -(start + 30 + len(name) + 4) % 64
        data += struct.pack("<4s5H12x2H", b"PK\3\4", 0, 0x808, 0, 0, 0, len(name), 4 + n_padding)
        data += name + struct.pack("<2sH", b"FB", n_padding) + b"Z" * n_padding + content
        data += b"PK\7\x08" + sizes
        directory += struct.pack("<4s6H", b"PK\1\2", 0, 0, 0x808, 0, 0, 0) + sizes
        directory += struct.pack("<H12xI", len(name), start) + name
    n, size, start, end = len(entries), len(directory), len(data), len(data) + len(directory)
    end_64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, n, n, size, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, size, start, 0)
    return data + directory + end_64 + locator + end


def torch_file(body, storages=()):
    """Return what torch.save writes of a pickle and its storages, sorted by their keys."""
    numbers = {str(number): storage.values.tobytes() for number, storage in enumerate(storages)}
    return archive(
        {
            "archive/data.pkl": body,
            **{f"archive/data/{key}": numbers[key] for key in sorted(numbers)},
            "archive/version": b"3\n",
        }
    )


def read_torch_file(path):
    """Return what the file holds, read by the standard library alone."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            known = {"OrderedDict": OrderedDict, "FloatStorage": FloatStorage}
            return rebuild if name == "_rebuild_tensor_v2" else known[name]

        def persistent_load(self, identifier):
            assert identifier[:2] == ("storage", FloatStorage)
            return Storage(np.frombuffer(entries.read(f"archive/data/{identifier[2]}"), "<f4"))

    def rebuild(storage, *arguments):
        tensor = Tensor(storage.values)
        assert arguments == tuple(tensor.arguments)
        return tensor

    with zipfile.ZipFile(path) as entries:
        return Unpickler(io.BytesIO(entries.read("archive/data.pkl"))).load()


def synthetic(n_bins=4, n_models=3, n_channels=3, seed=0):
    """Make weights (n_bins, ..., n_channels, n_models)."""
    rng = np.random.default_rng(seed)
    weights = rng.gamma(1, size=(n_bins,) * n_models + (n_channels, n_models)) + 1e-3
    return (weights / weights.sum(axis=-1, keepdims=True)).astype("f4")


def table_of(weights, bin_width=64):
    """Make the dict that the published program saves."""
    return {
        tuple(index * bin_width for index in cell): [Tensor(row) for row in weights[cell]]
        for cell in np.ndindex(weights.shape[:-2])
    }


def write(path, content):
    path.write_bytes(torch_file(*pickled(content)))
    return path


def read_weights(path, **options):
    """Return weights (n_cells, n_channels, n_models)."""
    regressors = read_released(path, **options).regressors_
    return np.stack([regressor.weights_ for regressor in regressors], axis=1)


def assert_refused(path, *words):
    """Check that the file costs one sentence that names it and has these words."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        read_released(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def refuse(tmp_path, body, *words, storages=()):
    """Check that a file with this pickle is refused."""
    path = tmp_path / NAME
    path.write_bytes(torch_file(body, storages))
    assert_refused(path, *words)
