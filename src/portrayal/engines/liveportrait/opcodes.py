"""A reader of pickles that builds numbers, strings, lists, dicts and arrays, and nothing else.

Pickles are programs. This interpreter knows the instructions that plain data and numpy arrays are written
with (https://docs.python.org/3/library/pickletools.html), and of functions only those that numpy names for
its arrays; it calls none of them: arrays are read from their bytes. Whatever else a file asks for is
refused before anything of it is done.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.damaged import said


class Refused(ValueError):
    """What is asked for is no plain data; the message says what it is."""


@dataclass(eq=False)
class _Name:
    """A function that a pickle names."""

    module: str
    name: str


@dataclass(eq=False)
class _Pending:
    """A dtype or array that gets its content by a later BUILD."""

    kind: str
    code: str = ""
    value: Any = None


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("it is broken (nothing left to take)")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise Refused("it is broken (a mark is missing)")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise Refused(f"it is broken (there is no {kind.__name__} to fill)")
        return self.stack[-1]


_Instruction = Callable[[_Machine, Any], None]

_NUMPY = ("numpy.core", "numpy._core")
#: What may be named, and what it is here.
_KNOWN = {("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): "dtype", ("_codecs", "encode"): "encode"}
for _base in _NUMPY:
    _KNOWN[f"{_base}.multiarray", "_reconstruct"] = "array"
    _KNOWN[f"{_base}.multiarray", "scalar"] = "scalar"
    _KNOWN[f"{_base}.numeric", "_frombuffer"] = "frombuffer"
_DTYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


def read_plain(data: bytes) -> Any:
    """What a pickle of plain data holds; Refused where it is broken or asks for anything else."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return _plain(machine.pop())
            if opcode.name not in _INSTRUCTIONS:
                raise Refused(f"it uses the pickle instruction {opcode.name}, which plain data does not need")
            _INSTRUCTIONS[opcode.name](machine, argument)
    except Refused:
        raise
    except (ValueError, TypeError, IndexError, KeyError, UnicodeError, OverflowError, MemoryError) as error:
        raise Refused(f"it is broken ({said(error, 80)})") from error
    raise Refused("it is cut off")


def _value(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _nothing(machine: _Machine, argument: Any) -> None:
    """Instructions about the file, not about what it holds."""


def _mark(machine: _Machine, _: Any) -> None:
    machine.marks.append(len(machine.stack))


def _tuple(machine: _Machine, _: Any) -> None:
    machine.stack.append(tuple(machine.since_mark()))


def _tuple_of(count: int) -> _Instruction:
    def step(machine: _Machine, _: Any) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(items[::-1]))

    return step


def _new(kind: Callable[[], Any]) -> _Instruction:
    return lambda machine, _: machine.stack.append(kind())


def _append(machine: _Machine, _: Any) -> None:
    item = _plain(machine.pop())
    machine.top(list).append(item)


def _appends(machine: _Machine, _: Any) -> None:
    items = [_plain(item) for item in machine.since_mark()]
    machine.top(list).extend(items)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = _plain(machine.pop()), machine.pop()
    machine.top(dict)[_key(key)] = value


def _set_items(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    if len(items) % 2:
        raise Refused("it is broken (a key without a value)")
    target = machine.top(dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[_key(key)] = _plain(value)


def _key(key: Any) -> str | int:
    if isinstance(key, (str, int)):
        return key
    raise Refused(f"it has a {type(key).__name__} as the key of a dict")


def _put(machine: _Machine, number: Any) -> None:
    if not machine.stack:
        raise Refused("it is broken (nothing to remember)")
    machine.memo[len(machine.memo) if number is None else int(number)] = machine.stack[-1]


def _get(machine: _Machine, number: Any) -> None:
    machine.stack.append(machine.memo[int(number)])


def _global(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(_named(module, name))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(_named(module, name))


def _named(module: Any, name: Any) -> _Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise Refused("it is broken (a name that is no text)")
    known = _KNOWN.get((module, name))
    if known is None:
        asked = f"{module[:40]}.{name[:40]}".encode("unicode_escape").decode("ascii")
        raise Refused(f"it asks for {asked}, which is no plain data")
    return _Name(module, known)


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise Refused("it is broken (a call of what is no function)")
    machine.stack.append(_called(function.name, arguments))


def _called(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "array":  # (ndarray, (0,), b"b"): an empty one, to be built
        return _Pending("array")
    if name == "dtype":
        if not isinstance(arguments[0], str):
            raise Refused("it has an array of a compound type")
        return _Pending("dtype", arguments[0])
    if name == "encode":
        text, coding = arguments
        if coding != "latin1" or not isinstance(text, str):
            raise Refused("it asks for a text encoding")
        return text.encode("latin1")
    if name == "scalar":
        dtype, data = arguments
        return _array(dtype, (), data, False).item()
    if name == "frombuffer":
        data, dtype, shape, order = arguments
        return _array(dtype, shape, data, order == "F")
    raise Refused("it is broken (a class is called)")


def _build(machine: _Machine, _: Any) -> None:
    state, pending = machine.pop(), machine.pop()
    if not isinstance(pending, _Pending) or not isinstance(state, tuple):
        raise Refused("it is broken (a state for what has none)")
    if pending.kind == "dtype":
        if state[1] not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise Refused("it has an array of a compound type")
        pending.value = str(state[1]) + pending.code
        machine.stack.append(pending)
        return
    _version, shape, dtype, fortran, data = state
    # What the memo refers to must be filled, too: numpy writes the array's memo before its content.
    pending.value = _array(dtype, shape, data, bool(fortran))
    machine.stack.append(pending)


_VALUES = (
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
#: Every instruction that is known.
_INSTRUCTIONS: dict[str, _Instruction] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    **dict.fromkeys(_VALUES, _value),
    "NONE": _new(lambda: None),
    "NEWTRUE": _new(lambda: True),
    "NEWFALSE": _new(lambda: False),
    "EMPTY_DICT": _new(dict),
    "EMPTY_LIST": _new(list),
    "EMPTY_TUPLE": _new(tuple),
    "MARK": _mark,
    "TUPLE": _tuple,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    **dict.fromkeys(("MEMOIZE", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _get),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _array(dtype: Any, shape: Any, data: Any, fortran: bool) -> NDArray[Any]:
    if not isinstance(dtype, _Pending) or dtype.kind != "dtype" or dtype.code not in _DTYPES:
        code = dtype.code if isinstance(dtype, _Pending) else type(dtype).__name__
        raise Refused(f"it has an array of type {str(code)[:20]!r}; only numbers are read")
    if not isinstance(data, (bytes, bytearray)):
        raise Refused(f"it has an array whose content is a {type(data).__name__}")
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if len(sizes) > 8 or not all(isinstance(n, int) and n >= 0 for n in sizes):
        raise Refused("it has an array without a proper shape")
    order = np.dtype(str(dtype.value or "<" + dtype.code))
    if math.prod(sizes) * order.itemsize != len(data):
        raise Refused(f"it has an array of shape {sizes} in {len(data)} bytes")
    flat = np.frombuffer(bytes(data), order)
    return flat.reshape(sizes, order="F" if fortran else "C")


def _plain(value: Any) -> Any:
    """The value as it goes into a list or dict: an array for what was built as one."""
    if isinstance(value, _Pending) and value.kind == "array" and value.value is not None:
        return value.value
    if isinstance(value, (_Pending, _Name)):
        raise Refused("it is broken (a part of an array stands alone)")
    return value
