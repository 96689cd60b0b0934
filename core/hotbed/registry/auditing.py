"""Check that the chain of events is whole, and that every table says what the events say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Connection, select

from hotbed.errors import RegistryError
from hotbed.registry.events import Event, head, read_events, verify_chain
from hotbed.registry.moves import MOVES
from hotbed.registry.store import Store
from hotbed.registry.tables import aliases, metrics, models, tags, versions

__all__ = ["Audited", "audit"]

_TEXTS = ("description", "domain", "licence")


@frozen(kw_only=True)
class Audited:
    """A trail that is sound.

    Attributes:
        events: How many.
        head: Number and digest of the last: keep it elsewhere, and hand it to the next audit.
    """

    events: int
    head: tuple[int, str]


@define
class _Told:
    """What the events tell of a version."""

    manifest: str
    deleted: bool = False
    deprecated: str | None = None
    texts: dict[str, str] = field(factory=lambda: dict.fromkeys(_TEXTS, ""))
    tags: dict[str, str] = field(factory=dict)
    metrics: dict[str, float] = field(factory=dict)

    def note(self, said: dict[str, Any]) -> None:
        """Take in what was said."""
        self.texts |= {name: said[name] for name in _TEXTS if name in said}
        for mine, name in ((self.tags, "tags"), (self.metrics, "metrics")):
            for key, value in said.get(name, {}).items():
                if value is None:
                    mine.pop(key, None)
                else:
                    mine[key] = value


def audit(store: Store, known: tuple[int, str] | None = None) -> Audited:
    """Check everything.

    Raises:
        RegistryError: The chain is broken, or a table says something else; what, is named.
    """
    with store.database.reading() as connection:
        count = verify_chain(connection, known)
        told, pointed = _fold(read_events(connection))
        problems = [*_of_versions(connection, told), *_of_aliases(connection, pointed)]
        if problems:
            listed = "\n  ".join(problems[:20])
            raise RegistryError(
                f"{len(problems)} things are not as the audit trail tells them:\n  {listed}"
            )
        return Audited(events=count, head=head(connection))


def _fold(events: Iterable[Event]) -> tuple[dict[str, _Told], dict[tuple[str, str], str]]:
    told: dict[str, _Told] = {}
    pointed: dict[tuple[str, str], str] = {}
    for found in events:
        name = f"{found.model}@{found.subject}"
        payload = dict(found.payload)
        if found.kind in MOVES:
            key = (found.model, str(payload["alias"]))
            pointed.pop(key, None)
            if payload["version"]:
                pointed[key] = str(payload["version"])
        elif found.kind in ("register", "import"):
            told[name] = _Told(str(payload["manifest"]))
            told[name].note(payload["notes"])
        elif found.kind == "annotate":
            told[name].note(payload)
        elif found.kind == "deprecate":
            told[name].deprecated = payload["message"]
        elif found.kind == "delete":
            told[name].deleted = True
    return told, pointed


def _of_versions(connection: Connection, told: dict[str, _Told]) -> list[str]:
    query = select(versions, models.c.name).join(models, models.c.id == versions.c.model_id)
    pairs: dict[str, dict[int, dict[str, Any]]] = {"tags": {}, "metrics": {}}
    for table in (tags, metrics):
        for row in connection.execute(select(table)):
            pairs[table.name].setdefault(row.version_id, {})[row.name] = row.value
    problems, seen = [], set()
    for row in connection.execute(query):
        name = f"{row.name}@{row.version}"
        seen.add(name)
        if name not in told:
            problems.append(f"{name} is in the tables, and was never registered")
            continue
        want = told[name]
        found: list[tuple[str, Any, Any]] = [
            ("manifest", row.manifest, want.manifest),
            ("deleted", row.deleted_at is not None, want.deleted),
            ("deprecated", row.deprecated, want.deprecated),
            *((text, getattr(row, text), want.texts[text]) for text in _TEXTS),
            ("tags", pairs["tags"].get(row.id, {}), want.tags),
            ("metrics", pairs["metrics"].get(row.id, {}), want.metrics),
        ]
        problems += [
            f"{name}: {what} is {is_now!r:.80}, and the trail tells {told_so!r:.80}"
            for what, is_now, told_so in found
            if is_now != told_so
        ]
    problems += [f"{name} was registered, and is gone" for name in told if name not in seen]
    return problems


def _of_aliases(connection: Connection, pointed: dict[tuple[str, str], str]) -> list[str]:
    query = (
        select(models.c.name, aliases.c.alias, versions.c.version)
        .join(models, models.c.id == aliases.c.model_id)
        .join(versions, versions.c.id == aliases.c.version_id)
    )
    now = {(row.name, row.alias): row.version for row in connection.execute(query)}
    return [
        f"{name}@{alias} points to {now.get((name, alias), 'nothing')}, and the trail tells "
        f"{pointed.get((name, alias), 'nothing')}"
        for name, alias in sorted({*now, *pointed})
        if now.get((name, alias)) != pointed.get((name, alias))
    ]
