"""Walk through pickles without unpickling.

A pickle is a program for a stack machine, and unpickling it can run anything. Here the program is
walked through opcode by opcode instead: it may build numbers, strings, lists, tuples and dicts,
and *name* the few functions by which torch and NumPy put arrays together. None of these is ever
called: a call becomes a `Call`, a record of name and arguments.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

# Largest pickle, in bytes.
MAX_PICKLE = 2**24

_STORAGES: dict[str, np.dtype[Any]] = {
    "torch.HalfStorage": np.dtype("f2"),
    "torch.FloatStorage": np.dtype("f4"),
    "torch.DoubleStorage": np.dtype("f8"),
}
# What a pickle may name, once `numpy._core` is called `numpy.core`, as older versions had it.
_ADMITTED = {
    *_STORAGES,
    "torch._utils._rebuild_tensor_v2",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "_codecs.encode",
    "collections.OrderedDict",
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}


class Global(NamedTuple):
    """A function or class that the pickle names."""

    name: str


class Call:
    """A call that the pickle asks for, with the state that it sets afterwards."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments, self.state = name, arguments, None


class Pairs(list[Any]):
    """The items of a dict, in order: keys are not hashed, so that they can be checked first."""


class Storage(NamedTuple):
    """Numbers of a tensor that lie elsewhere in the file."""

    dtype: np.dtype[Any]
    key: str
    size: int


def _opcodes(stream: BytesIO) -> Iterator[tuple[str, Any]]:
    """Yield name and argument of the opcodes of one pickle, if it is not too large."""
    start = stream.tell()
    try:
        for opcode, argument, position in pickletools.genops(stream):
            if (position or 0) - start > MAX_PICKLE:
                raise ValueError(f"it is larger than {MAX_PICKLE} bytes")
            yield opcode.name, argument
    except ValueError as error:
        raise ValueError(f"its pickle is damaged: {error}.") from error


def run_pickle(stream: BytesIO) -> tuple[Any, list[Storage]]:
    """Walk through one pickle; return what it builds, and the storages that it names."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: list[Storage] = []

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    try:
        for name, argument in _opcodes(stream):
            if name in _LITERALS:
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            elif name == "EMPTY_LIST":
                stack.append([])
            elif name == "EMPTY_DICT":
                stack.append(Pairs())
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name == "MARK":
                marks.append(len(stack))
            elif name == "TUPLE":
                stack.append(tuple(since_mark()))
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
            elif name in ("APPEND", "APPENDS"):
                items = [stack.pop()] if name == "APPEND" else since_mark()
                expect(stack[-1], list).extend(items)
            elif name in ("SETITEM", "SETITEMS"):
                items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else since_mark()
                if len(items) % 2:
                    raise IndexError("a key without a value")
                expect(stack[-1], Pairs).extend(zip(items[::2], items[1::2], strict=True))
            elif name == "GLOBAL":
                stack.append(_admit(argument.replace(" ", ".", 1)))
            elif name == "STACK_GLOBAL":
                attribute, module = expect(stack.pop(), str), expect(stack.pop(), str)
                stack.append(_admit(f"{module}.{attribute}"))
            elif name == "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_call(expect(function, Global), expect(arguments, tuple)))
            elif name == "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Call):
                    stack[-1].state = state
                else:  # attributes of an OrderedDict
                    expect(stack[-1], Pairs)
            elif name == "BINPERSID":
                storages.append(_storage(stack.pop()))
                stack.append(storages[-1])
            elif name not in ("PROTO", "FRAME", "STOP"):
                raise ValueError(f"its pickle has the opcode {name}, which no table needs.")
        return stack.pop(), storages
    except (IndexError, KeyError) as error:
        raise ValueError(f"its pickle is damaged ({error!r}).") from error


def expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"its pickle has a {type(value).__name__} in place of a {kind.__name__}.")
    return value


def _admit(name: str) -> Global:
    name = re.sub(r"^numpy\._core\.", "numpy.core.", name)
    if name not in _ADMITTED:
        raise ValueError(f"it asks for {name[:80]!r}, which no table needs; nothing of it was run.")
    return Global(name)


def _call(function: Global, arguments: tuple[Any, ...]) -> Call | Pairs:
    if function.name == "collections.OrderedDict":
        return Pairs()
    return Call(function.name, arguments)


def _storage(identifier: Any) -> Storage:
    """Check what names a storage: type, key and number of values."""
    if type(identifier) is tuple and len(identifier) in (5, 6):
        kind, storage_type, key, _, size = identifier[:5]
        dtype = _STORAGES.get(storage_type.name) if isinstance(storage_type, Global) else None
        # The sixth says that the storage is part of another one, in old files.
        is_view = identifier[5:] not in ((), (None,))
        if kind == "storage" and dtype and type(key) is str and type(size) is int and not is_view:
            return Storage(dtype, key, size)
    raise ValueError("it has a tensor whose storage is not of half, single or double precision.")
