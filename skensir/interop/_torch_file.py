"""Numbers out of files of torch.save, without torch and without unpickling."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import numpy as np

from skensir._core._typing import AnyArray
from skensir._files import read_archive
from skensir.interop._inert_pickle import Call, Pairs, Storage, expect, run_pickle

# Largest array, in numbers.
MAX_NUMBERS = 2**22
# Lists in lists in lists: more than any table has.
_MAX_DEPTH = 12
_NUMPY_TYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}
# With this number begin files from before torch 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_torch_file(data: bytes) -> tuple[Any, dict[Storage, AnyArray]]:
    """Return what the bytes of a file of torch.save hold: the object and its storages."""
    if data.startswith(b"PK"):
        return _read_zip(data)
    return _read_legacy(data)


def _read_zip(data: bytes) -> tuple[Any, dict[Storage, AnyArray]]:
    """Read the format of torch 1.6 and later."""
    entries = read_archive(data)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"it has {len(pickles)} entries 'data.pkl', torch.save writes one.")
    folder = pickles[0].removesuffix("data.pkl")
    orders = {b"little": "<", b"big": ">"}
    order = orders.get(entries.get(f"{folder}byteorder", b"little").strip())
    if order is None:
        raise ValueError("its entry 'byteorder' is neither little nor big.")
    content, storages = run_pickle(BytesIO(entries[pickles[0]]))
    values = {}
    for storage in storages:
        numbers = entries.get(f"{folder}data/{storage.key}")
        if numbers is None or len(numbers) != storage.size * storage.dtype.itemsize:
            raise ValueError(f"its storage {storage.key!r} does not have {storage.size} numbers.")
        values[storage] = np.frombuffer(numbers, np.dtype(f"{order}{storage.dtype.str[1:]}"))
    return content, values


def _read_legacy(data: bytes) -> tuple[Any, dict[Storage, AnyArray]]:
    """Read the format before torch 1.6: pickles, and after them the storages one by one."""
    stream = BytesIO(data)
    if _LEGACY_MAGIC.to_bytes(10, "little") not in data[:20]:
        raise ValueError("torch.save did not write it.")
    for _ in ("magic number", "number of the format", "machine"):
        run_pickle(stream)
    content, storages = run_pickle(stream)
    keys, _ = run_pickle(stream)
    named = {storage.key: storage for storage in storages}
    values = {}
    for key in expect(keys, list):
        storage = named.get(expect(key, str))
        size = int.from_bytes(stream.read(8), "little")
        if storage is None or size != storage.size:
            raise ValueError(f"its storage {key[:80]!r} is not of the size that it should have.")
        n_bytes = size * storage.dtype.itemsize
        if n_bytes > len(data) - stream.tell():
            raise ValueError(f"its storage {key[:80]!r} is cut off.")
        numbers = stream.read(n_bytes)
        values[storage] = np.frombuffer(numbers, np.dtype(f"<{storage.dtype.str[1:]}"))
    return content, values


def to_array(content: Any, storages: dict[Storage, AnyArray]) -> AnyArray:
    """Return the numbers of an array, a tensor, a list or a dict as one array.

    Lists are stacked along a new first axis. So are dicts whose keys are whole numbers from zero;
    if they are tuples of these, there is an axis for each place in the tuple, and every combination
    must be there.
    """
    done: dict[int, AnyArray] = {}  # what is in many places is read once

    def read(node: Any, depth: int) -> AnyArray:
        if id(node) not in done:
            done[id(node)] = read_new(node, depth)
        return done[id(node)]

    def read_new(node: Any, depth: int) -> AnyArray:
        if depth > _MAX_DEPTH:
            raise ValueError("its lists or dicts lie too deep within each other.")
        if type(node) is Pairs:
            keys = stack([key for key, _ in node], depth + 1)
            return _arrange(keys, stack([value for _, value in node], depth + 1))
        if type(node) in (list, tuple):
            return stack(node, depth + 1)
        if type(node) in (int, float):
            return np.array(_to_float(node))
        if type(node) is Call and node.name == "torch._utils._rebuild_tensor_v2":
            return _tensor(node.arguments, storages)
        if type(node) is Call and node.name == "numpy.core.multiarray._reconstruct":
            return _numpy_array(node.state)
        if type(node) is Call and node.name == "numpy.core.multiarray.scalar":
            return _numpy_scalar(node.arguments)
        raise ValueError(f"it has a {type(node).__name__} where numbers are expected.")

    def stack(nodes: list[Any] | tuple[Any, ...], depth: int) -> AnyArray:
        if not nodes:
            raise ValueError("it has an empty list or dict.")
        if all(type(node) in (int, float) for node in nodes):
            return np.array([_to_float(node) for node in nodes])
        first = read(nodes[0], depth)
        _check_shape((len(nodes), *first.shape))
        arrays = [read(node, depth) for node in nodes]
        if len({array.shape for array in arrays}) > 1:
            raise ValueError("it has arrays of different shapes beside each other.")
        return np.stack(arrays)

    return read(content, 0)


def _to_float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError("it has a whole number beyond all bounds.") from None


def _check_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape whose lengths are positive and whose size is not beyond the limit."""
    if type(shape) is not tuple or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError("it has an array without a proper shape.")
    if len(shape) > 32:  # what every version of NumPy can do
        raise ValueError(f"it has an array of {len(shape)} axes; up to 32 are possible.")
    if math.prod(shape) > MAX_NUMBERS:
        raise ValueError(f"it has an array of more than {MAX_NUMBERS} numbers.")
    return shape


def _arrange(keys: AnyArray, values: AnyArray) -> AnyArray:
    """Return the values of a dict with one axis for each number in its keys."""
    n_items = len(keys)
    keys = keys.reshape(n_items, -1)
    if keys.shape[1] > 16 or not np.isin(keys, np.arange(n_items)).all():
        raise ValueError("its dicts have keys other than bins or channels, counted from zero.")
    keys = keys.astype(np.int64)
    sizes = tuple(int(n) for n in keys.max(axis=0) + 1)
    if math.prod(sizes) != n_items or len(np.unique(keys, axis=0)) != n_items:
        raise ValueError("a dict has not each combination of bins, or each channel, once.")
    return values[np.lexsort(keys.T[::-1])].reshape(_check_shape(sizes + values.shape[1:]))


def _tensor(arguments: tuple[Any, ...], storages: dict[Storage, AnyArray]) -> AnyArray:
    """Return a tensor, which may show parts of its storage in any order, but nothing beyond."""
    if len(arguments) < 4 or type(arguments[0]) is not Storage:
        raise ValueError("it has a tensor without a storage.")
    storage, offset, size, stride = arguments[:4]
    shape, values = _check_shape(size), storages.get(storage)
    if type(offset) is not int or type(stride) is not tuple or len(stride) != len(shape):
        raise ValueError("it has a tensor without proper strides.")
    if values is None or offset < 0 or not all(type(s) is int and s >= 0 for s in stride):
        raise ValueError("it has a tensor without proper strides.")
    steps = [s if n > 1 else 0 for n, s in zip(shape, stride, strict=True)]
    if offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) >= len(values):
        raise ValueError("it has a tensor that reaches beyond its storage.")
    strides = [s * values.itemsize for s in steps]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, strides, writeable=False)


def _numpy_array(state: Any) -> AnyArray:
    """Return the array that NumPy would make of this state."""
    if type(state) is not tuple or len(state) != 5:
        raise ValueError("it has a NumPy array without a proper state.")
    _, shape, dtype, is_fortran, numbers = state
    values = _numpy_values(dtype, numbers)
    if values.size != math.prod(_check_shape(shape)):
        raise ValueError("it has a NumPy array whose numbers do not fill its shape.")
    return values.reshape(shape, order="F" if is_fortran is True else "C")


def _numpy_scalar(arguments: tuple[Any, ...]) -> AnyArray:
    values: AnyArray = _numpy_values(*arguments) if len(arguments) == 2 else np.empty(0)
    if values.size != 1:
        raise ValueError("it has a NumPy scalar that is not one number.")
    return values.reshape(())


def _numpy_values(dtype: Any, numbers: Any) -> AnyArray:
    """Return the values of an array in a row."""
    if type(dtype) is not Call or dtype.name != "numpy.dtype" or not dtype.arguments:
        raise ValueError("it has a NumPy array without a dtype.")
    code, state = dtype.arguments[0], dtype.state
    order = state[1] if type(state) is tuple and len(state) > 1 else None
    if type(code) is not str or code not in _NUMPY_TYPES or order not in ("<", ">", "|"):
        raise ValueError("it has a NumPy array of something other than numbers.")
    if type(numbers) is Call and numbers.name == "_codecs.encode":  # bytes in old pickles
        text = numbers.arguments[0] if numbers.arguments else None
        numbers = expect(text, str).encode("latin1")
    kind = np.dtype(f"{order}{code}")
    if type(numbers) is not bytes or len(numbers) % kind.itemsize:
        raise ValueError("it has a NumPy array whose numbers are cut off.")
    return np.frombuffer(numbers, kind)
