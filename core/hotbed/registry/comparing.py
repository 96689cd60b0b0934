"""Two versions side by side."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from hotbed.registry.checkout import read_manifest
from hotbed.registry.finding import find, full_all
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store

__all__ = ["Comparison", "compare"]


@frozen(kw_only=True)
class Comparison:
    """What differs.

    Attributes:
        left: One version.
        right: The other.
        facts: Name → (left, right), of what is said of both and what they are.
        added: Files that only the right one has.
        removed: Files that only the left one has.
        changed: Files whose bytes differ, with both sizes.
        same: Files that are the same in both.
    """

    left: Registered
    right: Registered
    facts: dict[str, tuple[Any, Any]]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[tuple[str, int, int], ...]
    same: tuple[str, ...]


def compare(store: Store, left: str, right: str) -> Comparison:
    """Compare two versions, of one model or of two."""
    with store.database.reading() as connection:
        a, b = full_all(connection, [find(connection, one) for one in (left, right)])
    first, second = read_manifest(store, a), read_manifest(store, b)
    facts: dict[str, tuple[Any, Any]] = {
        name: (getattr(a, name), getattr(b, name))
        for name in (
            *("created_at", "created_by", "base_model", "family", "dimension", "formats"),
            *("size", "description", "domain", "licence", "deprecated", "aliases"),
        )
    }
    facts["max_length"] = (first.max_length, second.max_length)
    facts["tokenizer"] = (first.tokenizer[:12], second.tokenizer[:12])
    facts["parent"] = (first.parent, second.parent)
    facts["training_data"] = (first.training_data, second.training_data)
    for name in sorted({*a.metrics, *b.metrics}):
        facts[f"metric {name}"] = (a.metrics.get(name), b.metrics.get(name))
    for name in sorted({*a.tags, *b.tags}):
        facts[f"tag {name}"] = (a.tags.get(name), b.tags.get(name))
    facts["lowest cosine"] = (_lowest(first.made), _lowest(second.made))
    mine = {entry.path: entry for entry in first.files}
    other = {entry.path: entry for entry in second.files}
    both = sorted(mine.keys() & other.keys())
    return Comparison(
        left=a,
        right=b,
        facts=facts,
        added=tuple(sorted(other.keys() - mine.keys())),
        removed=tuple(sorted(mine.keys() - other.keys())),
        changed=tuple(
            (path, mine[path].size, other[path].size)
            for path in both
            if mine[path].sha256 != other[path].sha256
        ),
        same=tuple(path for path in both if mine[path].sha256 == other[path].sha256),
    )


def _lowest(made: tuple[Any, ...]) -> float | None:
    """The lowest cosine of the last report, of what was converted or quantised."""
    for record in reversed(made):
        for report in record.get("reports", ()):
            if report.get("overall"):
                return float(report["overall"]["lowest"])
    return None
