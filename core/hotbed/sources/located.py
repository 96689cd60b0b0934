"""What a source gives: a model's files, some of which may still have to be fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

__all__ = ["Located", "Reference", "Source"]


@frozen(kw_only=True)
class Reference:
    """What a user asked for.

    Attributes:
        scheme: ``path``, ``hf``, ``pypi``, …
        name: The rest: a path, ``org/name``, a distribution.
        revision: A version, branch, tag or commit; None means the source's default.
        token: For sources that ask who is there; True means the one that is stored.
        cache_folder: Where the source keeps its files; None means its own habit.
        local_files_only: Whether the network is out of bounds.
        home: ``HOTBED_HOME``.
        cache: Where what is unpacked is kept; None means ``home``.
        registry: Which registry, for the scheme ``registry``: one that is open, a folder or a URL;
            None means the settings'.
        paranoid: Whether to read every byte again, whatever is remembered of files.
    """

    scheme: str
    name: str
    revision: str | None = None
    token: str | bool | None = field(default=None, repr=False)
    cache_folder: Path | None = None
    local_files_only: bool = False
    home: Path
    cache: Path | None = None
    registry: Any = None
    paranoid: bool = False

    def __str__(self) -> str:
        return f"{self.scheme}://{self.name}" + (f"@{self.revision}" if self.revision else "")


def _nothing_to_fetch(files: Iterable[str]) -> None:
    return None


@frozen(kw_only=True)
class Located:
    """A model folder that has been found.

    Attributes:
        path: The folder. Its small files are there.
        name: What to call the model.
        origin: Where it came from, in full: source, name, revision.
        files: Everything it holds, present or not, with forward slashes.
        fetch: Makes the named files present.
        tried: What was asked first, and why it did not answer.
    """

    path: Path
    name: str
    origin: str
    files: frozenset[str]
    fetch: Callable[[Iterable[str]], None] = _nothing_to_fetch
    tried: tuple[str, ...] = ()


class Source(Protocol):
    """A place that models come from; the value of an entry point in ``hotbed.sources``.

    A protocol and not a base class, so that a plugin needs nothing but a module with one function.
    """

    def locate(self, reference: Reference) -> Located:
        """Find the model and make its small files present.

        Raises:
            SourceError: It is not there, or cannot be reached; within five seconds if so.
        """
