"""Write a version into the tables, in one transaction with the event that tells of it.

Statements are built once: building one costs more than running it, and writers wait meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from hotbed.errors import UsageError
from hotbed.registry.events import append, read_events
from hotbed.registry.manifest import FileEntry, Manifest, sha256
from hotbed.registry.notes import TEXTS, Notes, write_pairs
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import files, manifests, models, versions
from hotbed.registry.versions import Version

__all__ = ["blobs_are_there", "highest", "insert_version", "known", "link_children"]

_MODEL = select(models.c.id, models.c.name).where(models.c.folded == bindparam("folded"))
_NUMBER = (
    select(versions.c.manifest, versions.c.deleted_at)
    .join(models, models.c.id == versions.c.model_id)
    .where(models.c.name == bindparam("name"), versions.c.version == bindparam("version"))
)
_ROW = (
    select(versions.c.id)
    .join(models, models.c.id == versions.c.model_id)
    .where(models.c.name == bindparam("name"), versions.c.version == bindparam("version"))
)
_HIGHEST = (
    select(versions.c.version)
    .join(models, models.c.id == versions.c.model_id)
    .where(models.c.name == bindparam("name"))
    .where(versions.c.prerelease == bindparam("prerelease"))
    .order_by(versions.c.key.desc())
    .limit(1)
)
_HELD = select(files.c.version_id).where(files.c.sha256 == bindparam("digest")).limit(1)
_NEW_MODEL, _NEW_MANIFEST = insert(models), insert(manifests)
_NEW_VERSION, _NEW_FILES = insert(versions), insert(files)


def known(connection: Connection, name: str, version: str) -> Row[Any, Any] | None:
    """Manifest and date of deletion of a version; None where its number was never used."""
    return connection.execute(_NUMBER, {"name": name, "version": version}).first()


def highest(connection: Connection, name: str) -> list[Version]:
    """The highest stable version and the highest pre-release; there may be thousands below."""
    both = (connection.execute(_HIGHEST, {"name": name, "prerelease": p}) for p in (False, True))
    return [Version.parse(text) for found in both for text in found.scalars()]


def blobs_are_there(connection: Connection, store: Store, entries: Sequence[FileEntry]) -> bool:
    """Whether every blob is stored still."""
    return all(_is_there(connection, store, entry) for entry in entries)


def _is_there(connection: Connection, store: Store, entry: FileEntry) -> bool:
    path = store.blobs.local(entry.sha256)
    if path is not None:
        return path.stat().st_size == entry.size
    # Far away: what a version holds nobody collects, so the table answers, and quicker.
    held = connection.execute(_HELD, {"digest": entry.sha256}).first()
    return held is not None or store.blobs.size(entry.sha256) == entry.size


def insert_version(
    connection: Connection, manifest: Manifest, notes: Notes, kind: str, *, who: str, why: str
) -> Registered:
    """Write a version and its event.

    Args:
        connection: The transaction; its caller has seen that the number is free.
        manifest: What never changes.
        notes: What may.
        kind: ``register``, or ``import`` where it was registered elsewhere.
        who: Who does it.
        why: Their reason.

    Raises:
        UsageError: The model's name differs from another's in case only.
    """
    version, content = Version.parse(manifest.version), manifest.encode()
    digest, said = sha256(content), notes.said()
    connection.execute(_NEW_MANIFEST, {"digest": digest, "content": content.decode()})
    shown: dict[str, Any] = {
        "version": version.text,
        "key": version.key,
        "manifest": digest,
        "family": manifest.family,
        "dimension": manifest.dimension,
        "tokenizer": manifest.tokenizer,
        "base_model": manifest.base_model,
        "size": manifest.size,
        "created_at": manifest.created_at,
        "created_by": manifest.created_by,
        **{name: said.get(name, "") for name in TEXTS},
        "deprecated": None,
    }
    hidden = {
        "model_id": _model_id(connection, manifest.name),
        "prerelease": version.prerelease,
        "parent_id": _parent_id(connection, manifest.parent),
        "formats": json.dumps(manifest.formats),
    }
    version_id = _inserted(connection, _NEW_VERSION, {**shown, **hidden})
    connection.execute(
        _NEW_FILES,
        [
            {"version_id": version_id, "path": one.path, "sha256": one.sha256, "size": one.size}
            for one in manifest.files
        ],
    )
    pairs = write_pairs(connection, version_id, notes)
    payload = {"manifest": digest, "notes": said, "parent": manifest.parent}
    append(connection, kind, manifest.name, version.text, payload, who=who, why=why)
    found = Registered(id=version_id, name=manifest.name, formats=manifest.formats, **shown)
    return evolve(found, tags=pairs["tags"], metrics=pairs["metrics"])


def _model_id(connection: Connection, name: str) -> int:
    """The model's row, made where there is none."""
    same = connection.execute(_MODEL, {"folded": name.casefold()}).first()
    if same is not None and same.name != name:
        raise UsageError(
            f"{name!r} differs from the model {same.name!r} in case only; take its name"
        )
    if same is not None:
        return int(same.id)
    return _inserted(connection, _NEW_MODEL, {"name": name, "folded": name.casefold()})


def _parent_id(connection: Connection, parent: str) -> int | None:
    """The parent's row, also of one that was deleted; None where it was left elsewhere."""
    name, _, version = parent.partition("@")
    row = connection.execute(_ROW, {"name": name, "version": version}).first() if parent else None
    return None if row is None else int(row.id)


def link_children(connection: Connection, parents: Collection[Registered]) -> None:
    """Link versions that came earlier than their parents, which came from elsewhere just now."""
    ids = {str(one): one.id for one in parents}
    for event in read_events(connection, kinds=("register", "import")) if ids else ():
        parent = ids.get(str(event.payload.get("parent", "")))
        if parent is not None:
            row = connection.execute(_ROW, {"name": event.model, "version": event.subject}).one()
            mine = update(versions).where(versions.c.id == row.id)
            connection.execute(mine.values(parent_id=parent))


def _inserted(connection: Connection, statement: Any, row: dict[str, Any]) -> int:
    key = connection.execute(statement, row).inserted_primary_key
    assert key is not None  # every table has one
    return int(key[0])
