"""A disk that loses power: what was not flushed may be there, be gone, or be half there.

After Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014): calls are recorded as
they happen, and for a crash behind each of them the states are built that POSIX allows. A name
(made, renamed or removed) lasts once its folder was flushed, bytes last once their file was
flushed, and whatever else was done is kept or lost, each change by itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field, frozen

__all__ = ["Call", "crashes", "recorded"]

State = dict[str, bytes]
"""Path → bytes of every file that is there after a crash."""

_FOLDER = -1
_recorders: list[_Recorder] = []
_hooked: list[bool] = []


@frozen
class Call:
    """One call: ``make``, ``folder``, ``rename``, ``remove``, ``flush`` or ``commit``."""

    kind: str
    path: str = ""
    to: str = ""
    content: bytes = b""


@define(eq=False)
class _Recorder:
    root: Path
    calls: list[Call] = field(factory=list)
    busy: bool = False

    def add(self, kind: str, path: object, to: object = None) -> None:
        """Take in a call below the root that is about to happen."""
        if self.busy or not isinstance(path, str | os.PathLike):
            return
        self.busy = True  # looking is no call of the code under test
        try:
            place = Path(path).absolute()
            if not place.is_relative_to(self.root):
                return
            seen = kind in ("flush", "rename") and place.is_file()
            content = place.read_bytes() if seen else b""
            self.calls.append(Call(kind, self._name(place), self._name(to), content))
        finally:
            self.busy = False

    def _name(self, path: object) -> str:
        return "" if path is None else Path(str(path)).absolute().relative_to(self.root).as_posix()


def _heard(name: str, arguments: tuple[object, ...]) -> None:
    for recorder in _recorders:
        if name == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
            recorder.add("make", arguments[0])
        elif name == "os.mkdir":
            recorder.add("folder", arguments[0])
        elif name == "os.rename":
            recorder.add("rename", arguments[0], arguments[1])
        elif name == "os.remove":
            recorder.add("remove", arguments[0])


@contextmanager
def recorded(root: Path) -> Iterator[list[Call]]:
    """Record the calls below a folder while the block runs."""
    if not _hooked:
        sys.addaudithook(_heard)  # for good, and idle outside of the block
        _hooked.append(True)
    recorder, flush = _Recorder(root.absolute()), os.fsync

    def fsync(file: int) -> None:
        flush(file)
        recorder.add("flush", Path(f"/proc/self/fd/{file}").readlink())

    _recorders.append(recorder)
    vars(os)["fsync"] = fsync  # an audit hook does not hear it
    try:
        yield recorder.calls
    finally:
        vars(os)["fsync"] = flush
        _recorders.remove(recorder)


@frozen(eq=False)
class _Change:
    """A change of names: one goes, one comes, or both."""

    goes: str = ""
    comes: str = ""
    number: int = 0

    @property
    def folders(self) -> set[str]:
        """Those that have to be flushed for it to last."""
        return {_parent(name) for name in (self.goes, self.comes) if name}

    def apply(self, names: dict[str, int]) -> None:
        """Make it."""
        names.pop(self.goes, None)
        if self.comes:
            names[self.comes] = self.number


@define(eq=False)
class _Disk:
    visible: dict[str, int] = field(factory=dict)  # names as the running system sees them
    lasting: dict[str, int] = field(factory=dict)
    pending: list[_Change] = field(factory=list)
    full: dict[int, bytes] = field(factory=dict)  # bytes as the running system sees them
    safe: dict[int, bytes] = field(factory=dict)

    def do(self, call: Call) -> None:
        """Take a call in."""
        match call.kind:
            case "flush":
                self._flush(call)
            case "make" if call.path not in self.visible:
                self.full[len(self.full)] = b""
                self._change(_Change("", call.path, len(self.full) - 1))
            case "folder" if call.path not in self.visible:
                self._change(_Change("", call.path, _FOLDER))
            case "rename":
                number = self.visible[call.path]
                self.full[number] = call.content
                self._change(_Change(call.path, call.to, number))
            case "remove" if call.path in self.visible:
                self._change(_Change(call.path))

    def _change(self, change: _Change) -> None:
        change.apply(self.visible)
        self.pending.append(change)

    def _flush(self, call: Call) -> None:
        number = self.visible.get(call.path, _FOLDER)
        if number != _FOLDER:
            self.safe[number] = self.full[number] = call.content
            return
        for change in [c for c in self.pending if call.path in c.folders]:
            change.apply(self.lasting)
            self.pending.remove(change)

    def states(self) -> Iterator[State]:
        """Every state after a crash now: no change kept, all, all but one, only one."""
        everything = range(len(self.pending))
        kept = [set[int](), set(everything)]
        kept += [{n} for n in everything] + [set(everything) - {n} for n in everything]
        for some in kept:
            names = dict(self.lasting)
            for number in sorted(some):
                self.pending[number].apply(names)
            for share in (0.0, 0.5, 1.0):  # of the bytes that were not flushed
                yield {
                    path: self._bytes(number, share)
                    for path, number in names.items()
                    if number != _FOLDER and _reachable(path, names)
                }

    def _bytes(self, number: int, share: float) -> bytes:
        safe, full = self.safe.get(number), self.full[number]
        return full[: int(len(full) * share)] if safe is None else safe


def crashes(calls: list[Call]) -> Iterator[tuple[int, State]]:
    """Every state that a crash behind each call may leave, with the number of calls before it."""
    disk = _Disk()
    yield from ((0, state) for state in disk.states())
    for number, call in enumerate(calls, 1):
        disk.do(call)
        yield from ((number, state) for state in disk.states())


def _parent(path: str) -> str:
    return Path(path).parent.as_posix()


def _reachable(path: str, names: dict[str, int]) -> bool:
    return all(parent.as_posix() in names for parent in Path(path).parents if parent.name)
