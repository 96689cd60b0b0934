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
from typing import Any

import attrs
from attrs import evolve, field, frozen
from sqlalchemy import Connection, bindparam, insert, select

from hotbed.conversion import read_records
from hotbed.errors import RegistryError, UsageError
from hotbed.models.folder import ModelFolder, read_folder
from hotbed.registry.events import append, now
from hotbed.registry.finding import find
from hotbed.registry.manifest import FileEntry, Manifest, sha256
from hotbed.registry.names import require_files, require_model
from hotbed.registry.notes import Notes, write_pairs
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import files, manifests, models, versions
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


class _TakenError(Exception):
    """A blob was collected between its writing and the commit."""


_MODEL = select(models.c.id, models.c.name).where(models.c.folded == bindparam("folded"))
_NUMBER = select(versions.c.version, versions.c.manifest, versions.c.deleted_at).where(
    versions.c.model_id == bindparam("model_id"), versions.c.version == bindparam("version")
)
_HIGHEST = (
    select(versions.c.version)
    .where(versions.c.model_id == bindparam("model_id"))
    .where(versions.c.prerelease == bindparam("prerelease"))
    .order_by(versions.c.key.desc())
    .limit(1)
)
_NEW_MANIFEST, _NEW_VERSION, _NEW_FILES = insert(manifests), insert(versions), insert(files)
# Statements are built once: building one costs more than running it, and writers wait meanwhile.


def register(store: Store, what: Publication) -> Registered:
    """Register a version.

    Raises:
        UsageError: A name, a version or a file cannot be used.
        ModelError: The folder is no model.
        RegistryError: The version is there already.
    """
    require_model(what.name)
    wanted = Version.parse(what.version) if what.version else None
    model = read_folder(what.folder)
    paths = sorted({*_paths(what.folder), *what.added})
    require_files(paths)
    for _ in range(_TRIES):
        entries = [_stored(store, what, path) for path in paths]
        draft = _draft(what, model, entries)
        try:
            with store.database.writing() as connection:
                return _commit(connection, store, what, draft, wanted)
        except _TakenError:
            continue
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
    _require_blobs(store, draft.files)
    model_id = _model_row(connection, what.name)
    version = _version(connection, model_id, what, wanted)
    parent = find(connection, what.parent) if what.parent else None
    at = now()
    manifest = evolve(
        draft, version=version.text, parent="" if parent is None else str(parent), created_at=at
    )
    content = manifest.encode()
    digest = sha256(content)
    connection.execute(_NEW_MANIFEST, {"digest": digest, "content": content.decode()})
    said = what.notes.said()
    shown: dict[str, Any] = {
        "version": version.text,
        "key": version.key,
        "manifest": digest,
        "family": manifest.family,
        "dimension": manifest.dimension,
        "tokenizer": manifest.tokenizer,
        "base_model": manifest.base_model,
        "size": manifest.size,
        "created_at": at,
        "created_by": what.who,
        **{name: said.get(name, "") for name in ("description", "domain", "licence")},
        "deprecated": None,
    }
    hidden = {
        "model_id": model_id,
        "prerelease": version.prerelease,
        "parent_id": None if parent is None else parent.id,
        "formats": json.dumps(manifest.formats),
    }
    made = connection.execute(_NEW_VERSION, {**shown, **hidden})
    version_id = made.inserted_primary_key[0]  # type: ignore[index]
    connection.execute(
        _NEW_FILES, [{"version_id": version_id, **attrs.asdict(entry)} for entry in draft.files]
    )
    pairs = write_pairs(connection, version_id, what.notes)
    payload: Mapping[str, Any] = {"manifest": digest, "notes": said, "parent": manifest.parent}
    append(
        connection, "register", what.name, version.text, payload, who=what.who, why=what.why, at=at
    )
    found = Registered(id=version_id, name=what.name, formats=manifest.formats, **shown)
    return evolve(found, tags=pairs["tags"], metrics=pairs["metrics"])


def _require_blobs(store: Store, entries: Sequence[FileEntry]) -> None:
    if any(store.blobs.size(entry.sha256) != entry.size for entry in entries):
        raise _TakenError


def _model_row(connection: Connection, name: str) -> int:
    """The model's row, made where there is none."""
    known = connection.execute(_MODEL, {"folded": name.casefold()}).first()
    if known is not None and known.name != name:
        raise UsageError(
            f"{name!r} differs from the model {known.name!r} in case only; take its name"
        )
    if known is not None:
        return int(known.id)
    made = connection.execute(insert(models).values(name=name, folded=name.casefold()))
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def _version(
    connection: Connection, model_id: int, what: Publication, wanted: Version | None
) -> Version:
    """The version asked for, or the next."""
    mine = {"model_id": model_id}
    if wanted is not None:
        row = connection.execute(_NUMBER, {**mine, "version": wanted.text}).first()
        if row is not None:
            was = f"and was deleted on {row.deleted_at[:10]}" if row.deleted_at else "already"
            raise RegistryError(
                f"{what.name}@{wanted} is registered {was}, with manifest {row.manifest[:12]}…: a "
                f"version never changes, and its number is used once; take another, or bump="
            )
        return wanted
    # The highest of each kind decide; there may be thousands below.
    both = (connection.execute(_HIGHEST, {**mine, "prerelease": pre}) for pre in (False, True))
    taken = [Version.parse(text) for found in both for text in found.scalars()]
    return next_version(what.bump, taken)
