"""An embedder's methods on something that has an embedder only while a call runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from hotbed.inference.embedder import Embedder

__all__ = ["Lends", "forwarded", "forwarded_property"]

P = ParamSpec("P")
R = TypeVar("R")


class Lends(Protocol):
    """Something that gives an embedder for the time of a block."""

    def use(self) -> AbstractContextManager[Embedder]:
        """Give it."""
        ...


def forwarded(method: Callable[Concatenate[Embedder, P], R]) -> Callable[Concatenate[Any, P], R]:
    """The same method, on whatever model serves when it is called.

    A stream keeps its model to the end: all of its rows are of one version.
    """

    @functools.wraps(method)
    def call(self: Lends, *args: P.args, **options: P.kwargs) -> R:
        with ExitStack() as stack:
            result = method(stack.enter_context(self.use()), *args, **options)
            if isinstance(result, Iterator):
                return cast(R, _streamed(result, stack.pop_all()))
            return result

    return cast(Callable[Concatenate[Any, P], R], call)


def _streamed(rows: Iterator[Any], held: ExitStack) -> Iterator[Any]:
    stream = _rows(rows, held)
    next(stream)  # begun: a stream that nobody reads lets go of its model as well
    return stream


def _rows(rows: Iterator[Any], held: ExitStack) -> Generator[Any, None, None]:
    with held:
        yield None
        yield from rows


def forwarded_property(of: property) -> property:
    """The same property, of whatever model serves when it is read."""
    getter = of.fget
    assert getter is not None

    def read(self: Lends) -> Any:
        with self.use() as model:
            return getter(model)

    read.__doc__ = of.__doc__
    return property(read)
