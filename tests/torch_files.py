"""Writers of files as torch.save writes them, in all forms that a published table may have.

torch is not needed here either: stand-ins under its names are pickled as torch pickles them.
"""

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from unittest import mock

import numpy as np
import pytest

from skensir.image import ImageEnsemble
from skensir.interop.released import read_released


class HalfStorage:
    letter = "e"


class FloatStorage:
    letter = "f"


class DoubleStorage:
    letter = "d"


def _rebuild_tensor_v2():
    raise AssertionError("a function that a file names was called")


TORCH = types.ModuleType("torch"), types.ModuleType("torch._utils")
for thing in (HalfStorage, FloatStorage, DoubleStorage, _rebuild_tensor_v2):
    module = TORCH[isinstance(thing, types.FunctionType)]
    thing.__module__ = module.__name__
    setattr(module, thing.__name__, thing)


class Storage:
    """Numbers beside the pickle; `size` is what the pickle claims."""

    def __init__(self, values, size=None):
        self.values = np.ascontiguousarray(values).ravel()
        self.size = self.values.size if size is None else size
        kinds = {kind.letter: kind for kind in (HalfStorage, FloatStorage, DoubleStorage)}
        self.kind = kinds[self.values.dtype.char]


class Tensor:
    """Pickled as torch pickles tensors."""

    def __init__(self, values, *, storage=None, offset=0, size=None, stride=None):
        values = np.asarray(values)
        self.storage = Storage(values) if storage is None else storage
        self.offset = offset
        self.size = values.shape if size is None else size
        self.stride = stride
        if stride is None:
            empty = np.empty(self.size, "i1")
            self.stride = empty.strides

    def __reduce__(self):
        arguments = (self.storage, self.offset, self.size, self.stride, False, OrderedDict())
        return _rebuild_tensor_v2, arguments


class TorchPickler(pickle.Pickler):
    def __init__(self, stream, protocol, extra=()):
        super().__init__(stream, protocol)
        self.storages, self.extra = [], extra

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        if thing not in self.storages:
            self.storages.append(thing)
        key = str(self.storages.index(thing))
        return ("storage", thing.kind, key, "cpu", thing.size, *self.extra)


def pickled(content, protocol=2, extra=()):
    stream = io.BytesIO()
    pickler = TorchPickler(stream, protocol, extra)
    with mock.patch.dict(sys.modules, {module.__name__: module for module in TORCH}):
        pickler.dump(content)
    return stream.getvalue(), pickler.storages


def zip_file(pickle_bytes, storages=(), order="<", compression=zipfile.ZIP_STORED, name="WEIGHTS"):
    """Return what torch 1.6 and later write."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(f"{name}/data.pkl", pickle_bytes)
        if order != "<":  # which older versions do not write
            archive.writestr(f"{name}/byteorder", "big")
        for number, storage in enumerate(storages):
            values = storage.values.astype(storage.values.dtype.newbyteorder(order))
            archive.writestr(f"{name}/data/{number}", values.tobytes())
        archive.writestr(f"{name}/version", "3\n")
    return stream.getvalue()


def legacy_file(content):
    """Return what torch before 1.6 wrote."""
    body, storages = pickled(content, extra=(None,))
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, machine)]
    keys = pickle.dumps([str(number) for number in range(len(storages))], 2)
    raw = [struct.pack("<q", s.values.size) + s.values.tobytes() for s in storages]
    return b"".join([*head, body, keys, *raw])


def write(path, content, **options):
    body, storages = pickled(content, options.pop("protocol", 2))
    path.write_bytes(zip_file(body, storages, **options))
    return path


def synthetic(n_bins=4, n_models=3, n_channels=3, seed=0, dtype="f4"):
    """Make weights (n_bins, ..., n_channels, n_models)."""
    rng = np.random.default_rng(seed)
    weights = rng.gamma(1, size=(n_bins,) * n_models + (n_channels, n_models)) + 1e-3
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(dtype)


def read_weights(path, **options):
    """Return weights (n_cells, n_channels, n_models)."""
    model = read_released(path, **options)
    regressors = model.regressors_ if isinstance(model, ImageEnsemble) else [model]
    return np.stack([regressor.weights_ for regressor in regressors], axis=1)


def bins_of(weights):
    return np.ndindex(weights.shape[:-2])


def permuted_tensor(weights):
    """Store the axes in another order, behind some other numbers."""
    order = np.roll(np.arange(weights.ndim), 1)
    stored = np.ascontiguousarray(weights.transpose(order))
    stride = np.array(stored.strides)[np.argsort(order)] // stored.itemsize
    values = np.concatenate([np.full(5, np.nan, weights.dtype), stored.ravel(), [np.inf]])
    storage = Storage(values.astype(weights.dtype))
    return Tensor(weights, storage=storage, offset=5, stride=tuple(int(s) for s in stride))


def dict_of_parts_of_one_storage(weights):
    storage, stride = Storage(weights), (weights.shape[-1], 1)
    step = weights.shape[-1] * weights.shape[-2]
    return {
        cell: Tensor(weights[cell], storage=storage, offset=number * step, stride=stride)
        for number, cell in enumerate(bins_of(weights))
    }


def channels_of(weights):
    return [weights[..., channel, :] for channel in range(weights.shape[-2])]


def dict_of_cells(table):
    """Make a dict from bins to a line of weights, of one channel, in no order."""
    cells = list(np.ndindex(table.shape[:-1]))
    return {cell: table[cell] for cell in cells[1::2] + cells[::2]}


FORMS = {
    "tensor": Tensor,
    "permuted tensor": permuted_tensor,
    "array": lambda weights: weights,
    "Fortran array": np.asfortranarray,
    "big-endian array": lambda weights: weights.astype(weights.dtype.newbyteorder(">")),
    "dict of tensors": lambda weights: {cell: Tensor(weights[cell]) for cell in bins_of(weights)},
    "dict of parts of one storage": dict_of_parts_of_one_storage,
    "ordered dict of arrays": lambda weights: OrderedDict(
        (cell, weights[cell]) for cell in bins_of(weights)
    ),
    "dict of lists": lambda weights: {cell: weights[cell].tolist() for cell in bins_of(weights)},
    "dict of dicts": lambda weights: {
        cell: dict(enumerate(weights[cell])) for cell in bins_of(weights)
    },
    "dict of scalars": lambda weights: {cell: list(weights[cell]) for cell in bins_of(weights)},
    "keys of NumPy": lambda weights: {
        tuple(np.array(cell)): weights[cell] for cell in bins_of(weights)
    },
    "list of channels": channels_of,
    "tuple of tensors of channels": lambda weights: tuple(map(Tensor, channels_of(weights))),
    "list of dicts of channels": lambda weights: [dict_of_cells(t) for t in channels_of(weights)],
    "dict of dicts of channels": lambda weights: {
        number: dict_of_cells(table) for number, table in enumerate(channels_of(weights))
    },
    "nested lists": lambda weights: weights.tolist(),
}
NAMES = list(FORMS)


def assert_refused(path, *words):
    """Check that the file costs one sentence that names it and has these words."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        read_released(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def refuse(tmp_path, body, *words, storages=()):
    """Check that a pickle is refused in a new file and in an old one."""
    path = tmp_path / "WEIGHTS.pth"
    path.write_bytes(zip_file(body, storages))
    assert_refused(path, *words)
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
    path.write_bytes(head + body + pickle.dumps([], 2))
    assert_refused(path, *words)
