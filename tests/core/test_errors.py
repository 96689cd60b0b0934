"""The error tree."""

from __future__ import annotations

import inspect
import re

import pytest

from hotbed import errors

_LINE = re.compile(r"    (?P<indent>[ │├└─]*)(?P<name>\w+Error)\b(?P<also>.*?)(?:  |$)")


def _printed() -> dict[str, str]:
    """Class → base, as drawn at the head of errors.py."""
    tree: dict[str, str] = {}
    stack: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := _LINE.match(line):
            depth = len(match["indent"]) // 4
            del stack[depth:]
            tree[match["name"]] = stack[-1] if stack else "Exception"
            stack.append(match["name"])
    return tree


def _real() -> dict[str, str]:
    return {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.HotbedError)
    }


def test_the_tree_at_the_head_is_the_tree_of_classes() -> None:
    """The tree printed at the head of errors.py names every class, under its real base."""
    assert len(_printed()) > 10
    assert _printed() == _real()


def test_all_lists_every_class() -> None:
    """``errors.__all__`` is exactly the tree and the warning."""
    assert set(errors.__all__) == {*_real(), "HotbedWarning"}


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"HotbedWarning"}))
def test_every_error_is_caught_by_the_base(name: str) -> None:
    """One ``except HotbedError`` catches everything that hotbed raises on purpose."""
    with pytest.raises(errors.HotbedError, match="why"):
        raise getattr(errors, name)("why")


def test_usage_errors_are_value_errors() -> None:
    """Code that expects ValueError for a bad argument, as in sentence-transformers, still works."""
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.HotbedWarning, UserWarning)
