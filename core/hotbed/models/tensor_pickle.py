"""Read the pickle inside a file of ``torch.save`` without running it.

A pickle is a program for a stack machine, and most of what that machine can do is to call things.
This one has the opcodes with which torch writes a dict of plain tensors, and calls nothing: the few
names that it knows are compared as strings, never imported. Any other opcode or name is refused,
and what it would have done is not done.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from attrs import define, field, frozen

from hotbed.errors import CorruptFileError, UnsupportedModelError

__all__ = ["StorageRef", "TensorRef", "read_tensor_pickle"]

_ORDERED_DICT = "collections OrderedDict"
_REBUILD = "torch._utils _rebuild_tensor_v2"
_STORAGES = ("torch FloatStorage", "torch HalfStorage", "torch BFloat16Storage")
_GLOBALS = frozenset((_ORDERED_DICT, _REBUILD, *_STORAGES))

_MOST_AXES = 8

_SHOWN = 80
"""Characters of a name from the file that a message shows."""


@frozen(kw_only=True)
class StorageRef:
    """Numbers that lie elsewhere in the file.

    Attributes:
        kind: torch's class: ``FloatStorage``, ``HalfStorage``, ``BFloat16Storage``.
        key: Which.
        count: How many numbers.
    """

    kind: str
    key: str
    count: int


@frozen(kw_only=True)
class TensorRef:
    """A tensor as a view of a storage; nothing of it is checked against the storage yet."""

    storage: StorageRef
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@frozen
class _Global:
    name: str


def read_tensor_pickle(data: bytes, path: Path) -> dict[str, TensorRef]:
    """Read a pickled dict of tensors.

    Args:
        data: The pickle.
        path: The file, for messages.

    Raises:
        UnsupportedModelError: It holds more than plain tensors; the opcode or name is given.
        CorruptFileError: It is cut off, or makes no sense.
    """
    import pickletools  # parses opcodes and their arguments; runs none

    machine = _Machine(path=path)
    try:
        for opcode, argument, _ in pickletools.genops(data):
            machine.step(opcode.name, argument)
        value = machine.pop()
    # An escape that makes no sense is a warning of Python's, and an error where warnings are.
    except (ValueError, IndexError, KeyError, DeprecationWarning) as error:
        raise CorruptFileError(
            f"{path}: its pickle cannot be read ({type(error).__name__}: {error!s:.120}); download "
            f"or save it again"
        ) from error
    if not isinstance(value, dict):
        machine.refuse(f"a {_kind(value)} where a dict of tensors is expected")
    for name, tensor in value.items():
        if not isinstance(tensor, TensorRef):
            machine.refuse(f"a {_kind(tensor)} under {name!r:.80}, where a tensor is expected")
    return value


@define(kw_only=True)
class _Machine:
    """The stack, what stands below each mark, and the memo."""

    path: Path
    stack: list[Any] = field(factory=list)
    below: list[list[Any]] = field(factory=list)
    memo: dict[int, Any] = field(factory=dict)

    def refuse(self, what: str) -> NoReturn:
        raise UnsupportedModelError(
            f"{self.path} holds {what}; hotbed reads plain float tensors from it and nothing else, "
            f"and ran nothing of it. Where you trust the file, write its weights anew: "
            f"torch.save({{k: v.clone() for k, v in module.state_dict().items()}}, file)"
        )

    def step(self, opcode: str, argument: Any) -> None:
        act = _ACTS.get(opcode)
        if act is None:
            self.refuse(f"the pickle opcode {opcode}")
        act(self, argument)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def nothing(self, _: Any) -> None:
        """PROTO, FRAME and STOP tell the reader what it knows."""

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def tuple_since_mark(self, _: Any) -> None:
        self.push(tuple(self.since_mark()))

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.push(items)

    def find(self, name: str) -> None:
        if name not in _GLOBALS:
            shown = name.replace(" ", ".", 1)
            self.refuse(f"the name {shown[:_SHOWN]!r}, which a pickle could call")
        self.push(_Global(name))

    def find_on_stack(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            self.refuse("a name that is no text")
        self.find(f"{module} {name}")

    def store(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def store_next(self, _: Any) -> None:
        self.store(len(self.memo))

    def fetch(self, key: int) -> None:
        self.push(self.memo[key])

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.fill([key, value])

    def set_items(self, _: Any) -> None:
        self.fill(self.since_mark())

    def fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            self.refuse(f"items for a {_kind(target)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):
                self.refuse(f"a {_kind(key)} as the key of a dict")
            target[key] = value

    def build(self, _: Any) -> None:
        """Attributes of an OrderedDict: torch notes versions there, which say nothing here."""
        state = self.pop()
        if not (isinstance(state, dict) and isinstance(self.stack[-1], dict)):
            self.refuse(f"a state for a {_kind(self.stack[-1])}")

    def call(self, _: Any) -> None:
        arguments, called = self.pop(), self.pop()
        if called == _Global(_ORDERED_DICT) and arguments == ():
            self.push({})
        elif called == _Global(_REBUILD):
            self.push(self.tensor(arguments))
        else:
            self.refuse(f"a call of {_kind(called)}")

    def tensor(self, arguments: Any) -> TensorRef:
        """``_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)``."""
        if not isinstance(arguments, tuple) or len(arguments) != 6:
            self.refuse("a tensor of another form")
        storage, offset, size, stride, _, hooks = arguments
        plain = isinstance(storage, StorageRef) and hooks == {} and _is_count(offset)
        if not (plain and _are_counts(size) and _are_counts(stride)):
            self.refuse("a tensor of another form")
        if len(size) != len(stride) or len(size) > _MOST_AXES:
            self.refuse(f"a tensor of {len(size)} axes with {len(stride)} strides")
        return TensorRef(storage=storage, offset=offset, size=size, stride=stride)

    def storage(self, _: Any) -> None:
        """``("storage", class, key, device, count)``; where it lay does not matter."""
        found = self.pop()
        if not isinstance(found, tuple) or len(found) != 5 or found[0] != "storage":
            self.refuse("a persistent id that is no storage")
        _, kind, key, _, count = found
        if not (isinstance(kind, _Global) and kind.name in _STORAGES and _is_count(count)):
            self.refuse("a storage of another form")
        if not (isinstance(key, str) and key.isascii() and key.isdigit()):
            self.refuse("a storage whose key is no number")
        self.push(StorageRef(kind=kind.name.partition(" ")[2], key=key, count=count))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_counts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_count, value))


def _kind(value: Any) -> str:
    """What to call a value. Never the value itself, which may be endless when written out."""
    return value.name[:_SHOWN] if isinstance(value, _Global) else type(value).__name__


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.tuple_of(count)


_ACTS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _Machine.nothing),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"), _Machine.push
    ),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": _Machine.mark,
    "EMPTY_TUPLE": _constant(()),
    "TUPLE": _Machine.tuple_since_mark,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.store),
    "MEMOIZE": _Machine.store_next,
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.fetch),
    "GLOBAL": _Machine.find,
    "STACK_GLOBAL": _Machine.find_on_stack,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}
"""Opcode → what it does."""
