"""List and filter versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from sqlalchemy import Select, exists, or_, select

from hotbed.errors import UsageError
from hotbed.registry.finding import full_all, read_row
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import metrics, models, tags, versions

__all__ = ["SORTS", "Query", "search"]

SORTS = ("name", "version", "created", "size")


@frozen(kw_only=True)
class Query:
    """What is looked for; what is not said does not matter.

    Attributes:
        text: Words in the name, description or domain.
        name: The model.
        tags: Name → value; None as a value asks only that the tag is there.
        domain: What it is for.
        least: Metric → least number.
        most: Metric → greatest number.
        format: A format that it can be run in.
        base_model: What training began with.
        deprecated: Whether deprecated versions are shown.
        sort: One of ``SORTS``, or ``metric:NAME``.
        descending: Whether the greatest come first.
        limit: How many.
        offset: How many are passed over before.
    """

    text: str = ""
    name: str = ""
    tags: Mapping[str, str | None] = field(factory=dict)
    domain: str = ""
    least: Mapping[str, float] = field(factory=dict)
    most: Mapping[str, float] = field(factory=dict)
    format: str = ""
    base_model: str = ""
    deprecated: bool = True
    sort: str = "name"
    descending: bool = False
    limit: int = 100
    offset: int = 0

    def __attrs_post_init__(self) -> None:
        if self.sort not in SORTS and not self.sort.startswith("metric:"):
            raise UsageError(f"sort={self.sort!r} is not one of {', '.join(SORTS)}, metric:NAME")
        if self.limit < 1 or self.offset < 0:
            raise UsageError(f"limit={self.limit} and offset={self.offset} show nothing")


def search(store: Store, query: Query) -> Sequence[Registered]:
    """Give the versions that a query describes, a page of them: two statements for 300 rows."""
    with store.database.reading() as connection:
        rows = connection.execute(_statement(query)).all()
        return full_all(connection, [read_row(row.name, row) for row in rows])


def _statement(query: Query) -> Select[Any]:
    found = select(versions, models.c.name).join(models, models.c.id == versions.c.model_id)
    found = found.where(versions.c.deleted_at.is_(None))
    if query.text:
        for word in query.text.split():
            places = (models.c.name, versions.c.description, versions.c.domain)
            found = found.where(or_(*(p.icontains(word, autoescape=True) for p in places)))
    if query.name:
        found = found.where(models.c.name == query.name)
    if query.domain:
        found = found.where(versions.c.domain == query.domain)
    if query.format:
        found = found.where(versions.c.formats.contains(f'"{query.format}"', autoescape=True))
    if query.base_model:
        found = found.where(versions.c.base_model == query.base_model)
    if not query.deprecated:
        found = found.where(versions.c.deprecated.is_(None))
    for clause in (*_tagged(query), *_measured(query)):
        found = found.where(clause)
    return _ordered(found, query).limit(query.limit).offset(query.offset)


def _tagged(query: Query) -> Iterator[Any]:
    for name, value in query.tags.items():
        mine = (tags.c.version_id == versions.c.id) & (tags.c.name == name)
        yield exists().where(mine if value is None else mine & (tags.c.value == value))


def _measured(query: Query) -> Iterator[Any]:
    for bounds, least in ((query.least, True), (query.most, False)):
        for name, bound in bounds.items():
            mine = (metrics.c.version_id == versions.c.id) & (metrics.c.name == name)
            kept = metrics.c.value >= bound if least else metrics.c.value <= bound
            yield exists().where(mine & kept)


def _ordered(found: Select[Any], query: Query) -> Select[Any]:
    columns: dict[str, tuple[Any, ...]] = {
        "name": (models.c.folded, versions.c.key),
        "version": (versions.c.key, models.c.folded),
        "created": (versions.c.created_at,),
        "size": (versions.c.size,),
    }
    if query.sort.startswith("metric:"):
        mine = (metrics.c.version_id == versions.c.id) & (
            metrics.c.name == query.sort.removeprefix("metric:")
        )
        by: tuple[Any, ...] = (select(metrics.c.value).where(mine).scalar_subquery(),)
    else:
        by = columns[query.sort]
    ordered = [column.desc() if query.descending else column.asc() for column in by]
    return found.order_by(*ordered, versions.c.id)
