"""Every row that follows from the events and the manifests, as it has to be.

``derive`` folds the chain; each table's rows stand under keys that people know (model, version,
alias), with every column of the table but the numbers of rows. ``present`` gives what is there
under the same keys, so both can be compared column by column, whatever columns there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field
from sqlalchemy import Connection

from hotbed.errors import HotbedError
from hotbed.registry.events import Event
from hotbed.registry.manifest import Manifest, sha256
from hotbed.registry.moves import MOVES
from hotbed.registry.tables import aliases, files, metrics, models, tags, versions
from hotbed.registry.trail import raw_rows
from hotbed.registry.versions import Version

__all__ = ["DERIVED", "Expected", "Key", "Rows", "derive", "present"]

Key = tuple[str, ...]
Rows = dict[Key, dict[str, Any]]

_TEXTS = ("description", "domain", "licence")
DERIVED = (models, versions, files, tags, metrics, aliases)
"""Tables whose every row follows, in the order in which they are made."""


@define
class Expected:
    """What the tables have to hold.

    Attributes:
        tables: Name → rows.
        problems: What is wrong with manifests.
        unknown: Versions whose manifest is damaged or gone, so that their rows do not follow.
        paths: Files of versions that are there, by their keys.
        order: In which versions came.
        imported: Versions that came from elsewhere.
        odd: Whether an event cannot be followed, or names a manifest of another version.
    """

    tables: dict[str, Rows] = field(factory=lambda: {table.name: {} for table in DERIVED})
    problems: list[str] = field(factory=list)
    unknown: set[Key] = field(factory=set)
    paths: dict[Key, list[Key]] = field(factory=dict)
    order: dict[Key, int] = field(factory=dict)
    imported: set[Key] = field(factory=set)
    odd: bool = False

    @property
    def is_proven(self) -> bool:
        """Whether every row follows."""
        return not self.unknown and not self.odd


def derive(connection: Connection, events: Iterable[Event]) -> Expected:
    """Fold the events, and read the manifests that they name."""
    made = Expected()
    contents = _manifests(connection, made)
    for event in events:
        try:
            _fold(made, event, contents)
        except (HotbedError, KeyError, TypeError, ValueError, AttributeError) as error:
            made.odd = True
            named = f"event {event.seq} ({event.kind} {event.model} {event.subject})"
            made.problems.append(f"{named} cannot be followed: {type(error).__name__}: {error}")
    known = made.tables["versions"]
    for key, row in known.items():
        parent = tuple(str(row["parent_id"] or "").partition("@")[::2])
        # What is imported is linked to children that came before it; a number that is registered
        # here later is another version than the one that they were made from elsewhere.
        before = parent in known and made.order[parent] < made.order[key]
        linked = before or parent in made.imported
        row["parent_id"] = parent if linked else None
    return made


def _manifests(connection: Connection, made: Expected) -> dict[str, bytes]:
    found = {}
    for row in raw_rows(connection, "manifests"):
        digest, content = row["digest"], row["content"]
        whole = isinstance(content, str) and isinstance(digest, str)
        raw = content.encode("utf-8", "surrogateescape") if whole else b""
        if not whole or sha256(raw) != digest:
            made.problems.append(
                f"the manifest {digest!r:.80} is damaged: its content has another sha256"
            )
        else:
            found[digest] = raw
    return found


def _fold(made: Expected, event: Event, contents: Mapping[str, bytes]) -> None:
    key, payload = (event.model, event.subject), event.payload
    if event.kind in ("register", "import"):
        folded = {"name": event.model, "folded": event.model.casefold()}
        made.tables["models"].setdefault((event.model,), folded)
        _register(made, key, event.kind, payload, contents)
        _note(made, key, payload["notes"])
    elif event.kind == "annotate":
        _note(made, key, payload)
    elif event.kind == "deprecate":
        made.tables["versions"][key]["deprecated"] = payload["message"]
    elif event.kind == "delete":
        made.tables["versions"][key]["deleted_at"] = event.at
        for path in made.paths.pop(key, ()):
            del made.tables["files"][path]
    elif event.kind in MOVES:
        _move(made, event)


def _register(
    made: Expected, key: Key, kind: str, payload: Mapping[str, Any], contents: Mapping[str, bytes]
) -> None:
    digest, version = payload["manifest"], Version.parse(key[1])
    row: dict[str, Any] = {"model_id": key[0], "version": version.text, "key": version.key}
    row |= {"prerelease": version.prerelease, "manifest": digest, "deprecated": None}
    row |= {"deleted_at": None, "parent_id": payload["parent"], **dict.fromkeys(_TEXTS, "")}
    made.tables["versions"][key] = row
    made.order[key] = len(made.order)
    if kind == "import":
        made.imported.add(key)
    if digest not in contents:
        made.problems.append(
            f"{'@'.join(key)}: its manifest {digest} is gone: expected sha256 {digest}, found none"
        )
        made.unknown.add(key)
        return
    manifest = Manifest.decode(contents[digest])
    if (manifest.name, manifest.version) != key:
        made.odd = True
        made.problems.append(f"{'@'.join(key)}: its manifest is one of {manifest.name}@…")
    for name in ("family", "dimension", "tokenizer", "base_model", "size"):
        row[name] = getattr(manifest, name)
    row |= {"created_at": manifest.created_at, "created_by": manifest.created_by}
    row["formats"] = json.dumps(manifest.formats)
    for entry in manifest.files:
        said = {"path": entry.path, "sha256": entry.sha256, "size": entry.size}
        made.paths.setdefault(key, []).append((*key, entry.path))
        made.tables["files"][*key, entry.path] = {"version_id": key, **said}


def _note(made: Expected, key: Key, said: Mapping[str, Any]) -> None:
    row = made.tables["versions"][key]
    row |= {name: said[name] for name in _TEXTS if name in said}
    for table in ("tags", "metrics"):
        for name, value in said.get(table, {}).items():
            if value is None:
                made.tables[table].pop((*key, name), None)
            else:
                pair = {"version_id": key, "name": name, "value": value}
                made.tables[table][(*key, name)] = pair


def _move(made: Expected, event: Event) -> None:
    alias, version = event.payload["alias"], event.payload["version"]
    made.tables["aliases"].pop((event.model, alias), None)
    if version:
        row = {"model_id": event.model, "alias": alias, "version_id": (event.model, version)}
        made.tables["aliases"][event.model, alias] = {**row, "manifest": event.payload["manifest"]}


def present(connection: Connection) -> dict[str, list[tuple[Key, dict[str, Any]]]]:
    """What is there: table → keys and rows; links are resolved, those to nothing stay numbers."""
    raw = {table.name: raw_rows(connection, table.name) for table in DERIVED}
    named: dict[Any, Any] = {row["id"]: row["name"] for row in raw["models"]}
    numbered: dict[Any, Any] = {
        row["id"]: (named.get(row["model_id"], row["model_id"]), row["version"])
        for row in raw["versions"]
    }
    found: dict[str, list[tuple[Key, dict[str, Any]]]] = {}
    for table, rows in raw.items():
        found[table] = []
        for row in rows:
            linked = dict(row)
            for column, names in (
                ("model_id", named),
                ("version_id", numbered),
                ("parent_id", numbered),
            ):
                if column in row and row[column] is not None:
                    linked[column] = names.get(row[column], row[column])
            found[table].append((_key(table, linked), linked))
    return found


def _key(table: str, row: Mapping[str, Any]) -> Key:
    if table == "models":
        return (row["name"],)
    if table == "versions":
        return (row["model_id"], row["version"])
    if table == "aliases":
        return (row["model_id"], row["alias"])
    owner = row["version_id"]
    last = row["path"] if table == "files" else row["name"]
    return (*(owner if isinstance(owner, tuple) else (owner, "")), last)
