"""A registry has an id, which its blob store carries too; columns follow from events to the letter.

The date of a deletion is that of its event, and a version's parent is the one that its manifest
names, in whatever order both came.
"""

from __future__ import annotations

import json
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DELETED = """
UPDATE versions SET deleted_at = (
    SELECT max(e.at) FROM events e JOIN models m ON m.name = e.model
    WHERE m.id = versions.model_id AND e.subject = versions.version AND e.kind = 'delete')
WHERE deleted_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM events e JOIN models m ON m.name = e.model
    WHERE m.id = versions.model_id AND e.subject = versions.version AND e.kind = 'delete')
"""


def upgrade() -> None:
    """Make the table, and mend what earlier steps left inexact."""
    table = op.create_table(
        "registry",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
    )
    op.bulk_insert(table, [{"id": 1, "identity": uuid.uuid4().hex}])
    connection = op.get_bind()
    connection.execute(sa.text(_DELETED))
    _link_parents(connection)


def _link_parents(connection: sa.Connection) -> None:
    """Link children to parents that were deleted, or that were imported after them."""
    named = "SELECT v.id, m.name, v.version FROM versions v JOIN models m ON m.id = v.model_id"
    known = {f"{row.name}@{row.version}": row.id for row in connection.execute(sa.text(named))}
    came = "SELECT model, subject FROM events WHERE kind = 'import'"
    imported = {f"{row.model}@{row.subject}" for row in connection.execute(sa.text(came))}
    orphans = connection.execute(
        sa.text(
            "SELECT v.id, c.content FROM versions v JOIN manifests c ON c.digest = v.manifest "
            "WHERE v.parent_id IS NULL"
        )
    ).all()
    for row in orphans:
        name = _parent(row.content)
        parent = known.get(name)
        if parent is not None and (parent < row.id or name in imported):
            change = sa.text("UPDATE versions SET parent_id = :parent WHERE id = :id")
            connection.execute(change, {"parent": parent, "id": row.id})


def _parent(content: object) -> str:
    """The parent that a manifest names; a damaged one is the doctor's to find."""
    try:
        found = json.loads(str(content))
    except ValueError:
        return ""
    return str(found.get("parent", "")) if isinstance(found, dict) else ""


def downgrade() -> None:
    """Refused: what a later hotbed wrote, an earlier one would lose."""
    raise RuntimeError("a registry is not taken back; restore a copy")
