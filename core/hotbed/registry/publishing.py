"""Register a version: blobs, then the manifest, then one commit.

Everything that a version holds is on the disk before the commit, which publishes the manifest with
it, and a reader follows commit → manifest → blob. Whoever collects garbage does so inside a writing
transaction, and the commit looks once more whether every blob is there: so no writer has to
announce itself, and none can be robbed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from attrs import evolve, field, frozen
from sqlalchemy import Connection

from hotbed.conversion import read_records
from hotbed.errors import RegistryError, UsageError
from hotbed.inference.progress import LONG_BYTES, Progress
from hotbed.models.folder import ModelFolder, read_folder
from hotbed.registry.events import now
from hotbed.registry.external import require_inside
from hotbed.registry.finding import find
from hotbed.registry.inserting import blobs_are_there, highest, insert_version, known
from hotbed.registry.manifest import FileEntry, Manifest, sha256
from hotbed.registry.names import require_files, require_model
from hotbed.registry.notes import Notes
from hotbed.registry.ownership import head_of
from hotbed.registry.registered import Registered
from hotbed.registry.schema import keep_text, require_fits
from hotbed.registry.store import Store
from hotbed.registry.versions import Version, next_version

__all__ = ["Publication", "register"]

_LEFT_OUT = frozenset({".git", ".cache", "__pycache__"})
"""Folders that belong to tools, and not to the model."""

_TRIES = 3
"""Times that blobs are written which a garbage collection took before the commit."""


@frozen(kw_only=True)
class Publication:
    """What is registered, and what is said of it.

    Attributes:
        name: The model.
        folder: The model folder.
        version: The version; ``""`` for the next.
        bump: Which number counts up where no version is given.
        parent: What it was made from, as a reference; ``""`` for none.
        base_model: What training began with; ``""`` takes what the records tell.
        training_data: What it was trained on.
        added: Files that the version has besides those of the folder: path → bytes.
        notes: What may change later.
        who: Who registers it.
        why: Their reason.
        show: Whether to show a bar; None shows one for large models at a terminal.
    """

    name: str
    folder: Path
    version: str = ""
    bump: str = "patch"
    parent: str = ""
    base_model: str = ""
    training_data: str = ""
    added: Mapping[str, bytes] = field(factory=dict)
    notes: Notes
    who: str
    why: str = ""
    show: bool | None = None


class _TakenError(Exception):
    """A blob was collected between its writing and the commit."""


def register(store: Store, what: Publication) -> Registered:
    """Register a version.

    Raises:
        UsageError: A name, a version or a file cannot be used.
        ModelError: The folder is no model.
        RegistryError: The version is there already.
    """
    require_model(what.name)
    what = evolve(
        what,
        base_model=keep_text("base_model", what.base_model),
        training_data=keep_text("training_data", what.training_data),
        who=keep_text("who", what.who),
        why=keep_text("why", what.why),
    )
    wanted = Version.parse(what.version) if what.version else None
    model = read_folder(what.folder)
    paths = sorted({*_paths(what.folder), *what.added})
    require_files(paths)
    require_inside(what.folder, paths)
    store.ownership.claim()
    for _ in range(_TRIES):
        entries = _store_all(store, what, paths)
        draft = _draft(what, model, entries)
        try:
            with store.database.writing() as connection:
                made = _commit(connection, store, what, draft, wanted)
                head = head_of(connection)
        except _TakenError:
            continue
        store.ownership.note(head)
        return made
    raise RegistryError(
        f"{what.name}: garbage was collected three times while {what.folder} was registered; "
        f"something deletes files of {store.place} without asking it"
    )


def _paths(folder: Path) -> list[str]:
    """Every file of the folder, with forward slashes.

    Raises:
        UsageError: Something in it is no ordinary file: a version has to be the same everywhere.
    """
    found, odd = [], []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if _LEFT_OUT.intersection(inside.parts):
            continue
        if path.is_symlink():
            odd.append(f"{inside.as_posix()!r} is a symbolic link to {path.readlink()}")
        elif path.is_file():
            found.append(inside.as_posix())
        elif not path.is_dir():
            odd.append(f"{inside.as_posix()!r} is no ordinary file")
    if odd:
        raise UsageError(f"{folder} cannot be registered: {'; '.join(odd)}; copy what they mean")
    return found


def _store_all(store: Store, what: Publication, paths: Sequence[str]) -> list[FileEntry]:
    sizes = [(what.folder / path).stat().st_size for path in paths if path not in what.added]
    entries = []
    with Progress(
        total=sum(sizes), show=what.show, unit="B", label="Registering", least=LONG_BYTES
    ) as progress:
        for path in paths:
            entries.append(_stored(store, what, path))
            progress.advance(entries[-1].size)
    return entries


def _stored(store: Store, what: Publication, path: str) -> FileEntry:
    if path in what.added:
        content = what.added[path]
        return FileEntry(path=path, sha256=store.blobs.put(content), size=len(content))
    digest, size = store.blobs.put_file(what.folder / path)
    return FileEntry(path=path, sha256=digest, size=size)


def _draft(what: Publication, model: ModelFolder, entries: Sequence[FileEntry]) -> Manifest:
    """The manifest, less its version and its date."""
    records = read_records(what.folder)
    hidden = model.config.get("hidden_size")
    tokenizer = [entry.sha256 for entry in entries if entry.path.endswith("tokenizer.json")]
    data = what.training_data
    return Manifest(
        name=what.name,
        version="",
        files=entries,
        variants=[attrs.asdict(variant) for variant in model.variants],
        family=model.family,
        dimension=model.pipeline.dimension(hidden) if isinstance(hidden, int) else None,
        max_length=model.max_seq_length,
        tokenizer=tokenizer[0] if tokenizer else "",
        parent="",
        base_model=what.base_model or (records[0].model if records else ""),
        training_data=data,
        training_digest=sha256(data.encode()) if data else "",
        made=[json.loads(json.dumps(attrs.asdict(record))) for record in records],
        created_at="",
        created_by=what.who,
    )


def _commit(
    connection: Connection, store: Store, what: Publication, draft: Manifest, wanted: Version | None
) -> Registered:
    if not blobs_are_there(connection, store, draft.files):
        raise _TakenError
    version = _version(connection, what, wanted)
    parent = str(find(connection, what.parent)) if what.parent else ""
    manifest = evolve(draft, version=version.text, parent=parent, created_at=now())
    require_fits(manifest)
    return insert_version(connection, manifest, what.notes, "register", who=what.who, why=what.why)


def _version(connection: Connection, what: Publication, wanted: Version | None) -> Version:
    """The version asked for, or the next."""
    if wanted is None:
        return next_version(what.bump, highest(connection, what.name))
    row = known(connection, what.name, wanted.text)
    if row is not None:
        was = f"and was deleted on {row.deleted_at[:10]}" if row.deleted_at else "already"
        raise RegistryError(
            f"{what.name}@{wanted} is registered {was}, with manifest {row.manifest[:12]}…: a "
            f"version never changes, and its number is used once; take another, or bump="
        )
    return wanted
