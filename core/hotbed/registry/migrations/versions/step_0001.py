"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table, and the beginning of the chain."""
    chain = op.create_table(
        "chain",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chain"),
    )
    op.bulk_insert(chain, [{"id": 1, "seq": 0, "digest": "0" * 64}])
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(160), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.create_index("ix_events_model", "events", ["model"])
    op.create_table(
        "models",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("folded", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
        sa.UniqueConstraint("folded", name="uq_models_folded"),
    )
    op.create_table(
        "manifests",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_manifests"),
    )
    _versions()
    _of_versions()


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("prerelease", sa.Boolean, nullable=False),
        sa.Column("manifest", sa.String(64), nullable=False),
        sa.Column("parent_id", sa.Integer),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("formats", sa.Text, nullable=False),
        sa.Column("dimension", sa.Integer),
        sa.Column("tokenizer", sa.String(64), nullable=False),
        sa.Column("base_model", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("deprecated", sa.Text),
        sa.Column("deleted_at", sa.String(40)),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_versions_model_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["versions.id"], name="fk_versions_parent_id"),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.digest"], name="fk_versions_manifest"),
        sa.UniqueConstraint("model_id", "version", name="uq_versions_model_id"),
        sa.UniqueConstraint("id", "manifest", name="uq_versions_manifest"),
        sa.UniqueConstraint("id", "model_id", name="uq_versions_model"),
    )
    op.create_index("ix_versions_parent_id", "versions", ["parent_id"])
    op.create_index("ix_versions_order", "versions", ["model_id", "prerelease", "key"])


def _of_versions() -> None:
    op.create_table(
        "files",
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.Column("path", sa.String(240), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("version_id", "path", name="pk_files"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_files_version_id"),
    )
    op.create_index("ix_files_sha256", "files", ["sha256"])
    for name, kind in (("tags", sa.Text), ("metrics", sa.Float)):
        op.create_table(
            name,
            sa.Column("version_id", sa.Integer, nullable=False),
            sa.Column("name", sa.String(128), nullable=False),
            sa.Column("value", kind, nullable=False),
            sa.PrimaryKeyConstraint("version_id", "name", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name=f"fk_{name}_version_id"),
        )
    op.create_table(
        "aliases",
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("alias", sa.String(128), nullable=False),
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.Column("manifest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "alias", name="pk_aliases"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_aliases_model_id"),
        sa.ForeignKeyConstraint(
            ["version_id", "manifest"],
            ["versions.id", "versions.manifest"],
            name="fk_aliases_manifest",
        ),
        sa.ForeignKeyConstraint(
            ["version_id", "model_id"],
            ["versions.id", "versions.model_id"],
            name="fk_aliases_model",
        ),
    )
    op.create_index("ix_aliases_version_id", "aliases", ["version_id"])
    op.create_table(
        "leases",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_leases_version_id"),
    )
    op.create_index("ix_leases_version_id", "leases", ["version_id"])


def downgrade() -> None:
    """Refused: what a later hotbed wrote, an earlier one would lose."""
    raise RuntimeError("a registry is not taken back; restore a copy")
