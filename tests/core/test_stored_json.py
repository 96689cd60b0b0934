"""Every JSON file that hotbed keeps is read as a stranger's: an ordinary file, not too large."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.conversion.cache import read_entry
from hotbed.conversion.record import RECORD, read_digests, read_records
from hotbed.errors import HotbedError
from hotbed.measurements import read_records as read_measurements


def _giant(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def _text(content: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(content, encoding="utf-8")

    return write


STRANGE: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "circle": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("nowhere"),
    "giant": _giant,
    "deep": _text("[" * 100_000 + "]" * 100_000),
    "list": _text("[]"),
    "pointer": _text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
}

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "records": (RECORD, lambda path: read_records(path.parent)),
    "digests": (RECORD, lambda path: read_digests(path.parent)),
    "graph": ("graph.json", lambda path: read_entry(path.parent)),
    "measurements": ("tuned.json", read_measurements),
}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, reader: str, strange: str) -> None:
    """Whatever has the name of a stored file is an error of ours that names it, at once."""
    name, read = READERS[reader]
    STRANGE[strange](tmp_path / name)
    with pytest.raises(HotbedError, match=name.replace(".", r"\.")):
        read(tmp_path / name)


@pytest.mark.parametrize("reader", ["records", "digests", "measurements"])
def test_what_is_not_there_is_empty(tmp_path: Path, reader: str) -> None:
    """An absent file is no mistake."""
    name, read = READERS[reader]
    assert not read(tmp_path / name)
