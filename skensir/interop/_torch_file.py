"""What files of torch.save hold, without torch and without unpickling.

A pickle is a program for a stack machine, and unpickling it can run anything. Here its opcodes are
walked through instead, no more of them than published tables need: they build numbers, strings,
tuples, lists and dicts, and *name* three things of torch. None of these is looked up or called: the
array that torch would make of a storage is made here.
"""

from __future__ import annotations

import pickletools
import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skensir._files import read_archive

# Largest pickle, in bytes.
MAX_PICKLE = 2**24

Tensor: TypeAlias = NDArray[np.float32]


class Name(str):
    """What the pickle names: a module and something in it."""


class Pairs(list[Any]):
    """The items of a dict, in order: keys are not hashed, so that they can be checked first."""


_TENSOR = Name("torch._utils _rebuild_tensor_v2")
_STORAGE = Name("torch FloatStorage")
_HOOKS = Name("collections OrderedDict")  # a tensor's, always empty


def read_torch_file(data: bytes) -> Any:
    """Return what the bytes of a file of torch 1.6 or later hold.

    Tensors of one axis in single precision are arrays, dicts are `Pairs`.
    """
    entries = read_archive(data)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(
            f"it has {len(pickles)} entries 'data.pkl', and files of PyTorch have one."
        )
    folder, program = pickles[0].removesuffix("data.pkl"), entries[pickles[0]]
    if entries.get(f"{folder}byteorder", b"little") != b"little":
        raise ValueError("its numbers are not in little-endian order.")
    if len(program) > MAX_PICKLE:
        raise ValueError(f"its pickle is larger than {MAX_PICKLE} bytes.")
    machine = _Machine(entries, f"{folder}data/")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strings that Python reads and we refuse
            for opcode, argument, _ in pickletools.genops(program):
                machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (IndexError, KeyError, ValueError) as error:
        problem = error if type(error) is ValueError else "it is damaged"
        raise ValueError(f"its pickle is not that of a table: {problem}.") from error


class _Machine:
    """The stack machine that a pickle is a program for, but for what would run something."""

    def __init__(self, entries: dict[str, bytes], folder: str) -> None:
        self.entries, self.folder = entries, folder
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Do what an opcode says."""
        push, pop = self.stack.append, self.stack.pop
        match name:
            case "PROTO" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "BINUNICODE":
                push(argument)
            case "NEWTRUE" | "NEWFALSE":
                push(name == "NEWTRUE")
            case "EMPTY_TUPLE":
                push(())
            case "EMPTY_LIST":
                push([])
            case "EMPTY_DICT":
                push(Pairs())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "MARK":
                self.marks.append(len(self.stack))
            case "TUPLE":
                push(tuple(self._since(self.marks.pop())))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                push(tuple(self._since(-int(name[-1]))))
            case "APPEND" | "SETITEM":
                self._add(self._since(-1 if name == "APPEND" else -2))
            case "APPENDS" | "SETITEMS":
                self._add(self._since(self.marks.pop()))
            case "GLOBAL" if argument in (_TENSOR, _STORAGE, _HOOKS):
                push(Name(argument))
            case "GLOBAL":
                raise ValueError(f"it asks for {argument[:80]!r}, and nothing of it was run")
            case "BINPERSID":
                push(self._storage(pop()))
            case "REDUCE":
                push(_made_by(*self._since(-2)))
            case _:
                raise ValueError(f"it has the opcode {name}")

    def _since(self, start: int) -> list[Any]:
        """Take the items from there off the stack."""
        items = self.stack[start:]
        del self.stack[start:]
        if len(items) < -start:
            raise ValueError("its stack is empty")
        return items

    def _add(self, items: list[Any]) -> None:
        """Add items to the list, or keys and values to the dict, that lies on the stack."""
        target = self.stack[-1]
        if type(target) is Pairs and len(items) % 2 == 0:
            target.extend(zip(items[::2], items[1::2], strict=True))
        elif type(target) is list:
            target.extend(items)
        else:
            raise ValueError(f"something is added to a {type(target).__name__}")

    def _storage(self, identifier: Any) -> Tensor:
        """Return the numbers that lie in an entry of their own."""
        match identifier:
            case (str(), Name() as kind, str(key), str(), int(size)) if kind == _STORAGE:
                numbers = self.entries.get(self.folder + key)
                if numbers is not None and len(numbers) == 4 * size:
                    return np.frombuffer(numbers, "<f4")
                raise ValueError(f"its storage {key[:80]!r} does not have the size it says")
        raise ValueError("it has a tensor that is not of single precision")


def _made_by(function: Any, arguments: Any) -> Tensor | Pairs:
    """Return what a function that the pickle names would make of its arguments."""
    match function, arguments:
        case Name(), () if function == _HOOKS:
            return Pairs()
        case Name(), (
            np.ndarray() as storage,
            int(start),
            (int(size),),
            (int(stride),),
            bool(),
            Pairs(),
        ) if function == _TENSOR:
            if stride == 1 and start >= 0 and 0 < size <= storage.size - start:
                return storage[start : start + size]
            raise ValueError("it has a tensor that is not a row of numbers within its storage")
    raise ValueError("it has something that is not a tensor of one axis")
