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
        self.name, self.arguments = name, arguments
        self.state: Any = None


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


class _Machine:
    """The stack machine that a pickle is a program for, but for what would run something."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: list[Storage] = []

    def step(self, name: str, argument: Any) -> None:
        """Do what an opcode says."""
        push, pop = self.stack.append, self.stack.pop
        match name:
            case _ if name in _LITERALS:
                push(argument)
            case _ if name in _CONSTANTS:
                push(_CONSTANTS[name])
            case "EMPTY_LIST":
                push([])
            case "EMPTY_DICT":
                push(Pairs())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "MARK":
                self.marks.append(len(self.stack))
            case "TUPLE":
                push(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack[-int(name[-1]) :] = [tuple(self.stack[-int(name[-1]) :])]
            case "APPEND":
                self._append([pop()])
            case "APPENDS":
                self._append(self._since_mark())
            case "SETITEM":
                self._set_items([pop(), pop()][::-1])
            case "SETITEMS":
                self._set_items(self._since_mark())
            case "GLOBAL":
                push(_admit(argument.replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                attribute, module = expect(pop(), str), expect(pop(), str)
                push(_admit(f"{module}.{attribute}"))
            case "REDUCE":
                arguments, function = pop(), pop()
                push(_call(expect(function, Global), expect(arguments, tuple)))
            case "BUILD":
                self._set_state(pop())
            case "BINPERSID":
                self.storages.append(_storage(pop()))
                push(self.storages[-1])
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _:
                raise ValueError(f"its pickle has the opcode {name}, which no table needs.")

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _append(self, items: list[Any]) -> None:
        expect(self.stack[-1], list).extend(items)

    def _set_items(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise IndexError("a key without a value")
        expect(self.stack[-1], Pairs).extend(zip(items[::2], items[1::2], strict=True))

    def _set_state(self, state: Any) -> None:
        if isinstance(self.stack[-1], Call):
            self.stack[-1].state = state
        else:  # attributes of an OrderedDict
            expect(self.stack[-1], Pairs)


def run_pickle(stream: BytesIO) -> tuple[Any, list[Storage]]:
    """Walk through one pickle; return what it builds, and the storages that it names."""
    machine = _Machine()
    try:
        for name, argument in _opcodes(stream):
            machine.step(name, argument)
        return machine.stack.pop(), machine.storages
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
