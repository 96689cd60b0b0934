"""The tables of a registry. What stands in them follows from the events; migrations make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "aliases",
    "chain",
    "events",
    "files",
    "leases",
    "manifests",
    "metadata",
    "metrics",
    "models",
    "registry",
    "tags",
    "versions",
]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
"""Names of constraints are said, so that a migration can change one."""

_BYTES = String().with_variant(String(collation="C"), "postgresql")
"""Text that sorts byte by byte everywhere, as the keys of versions must."""

_DIGEST = String(64)

registry = Table(
    "registry",
    metadata,
    Column("id", Integer, primary_key=True),  # 1: a database is one registry
    Column("identity", String(32), nullable=False),
)

chain = Table(
    "chain",
    metadata,
    Column("id", Integer, primary_key=True),  # 1: there is one chain
    Column("seq", Integer, nullable=False),
    Column("digest", _DIGEST, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("model", String(128), nullable=False, index=True),
    Column("subject", String(160), nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous", _DIGEST, nullable=False),
    Column("digest", _DIGEST, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("folded", String(128), nullable=False, unique=True),
)

manifests = Table(
    "manifests",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("content", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", ForeignKey(models.c.id), nullable=False),
    Column("version", String(128), nullable=False),
    Column("key", _BYTES, nullable=False),
    Column("prerelease", Boolean, nullable=False),
    Column("manifest", ForeignKey(manifests.c.digest), nullable=False),
    Column("parent_id", ForeignKey("versions.id"), index=True),
    Column("family", String(64), nullable=False),
    Column("formats", Text, nullable=False),
    Column("dimension", Integer),
    Column("tokenizer", String(64), nullable=False),
    Column("base_model", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("deprecated", Text),
    Column("deleted_at", String(40)),
    UniqueConstraint("model_id", "version"),
    UniqueConstraint("id", "manifest", name="uq_versions_manifest"),
    UniqueConstraint("id", "model_id", name="uq_versions_model"),
    Index("ix_versions_order", "model_id", "prerelease", "key"),
)

files = Table(
    "files",
    metadata,
    Column("version_id", ForeignKey(versions.c.id), primary_key=True),
    Column("path", String(240), primary_key=True),
    Column("sha256", _DIGEST, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("version_id", ForeignKey(versions.c.id), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", Text, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("version_id", ForeignKey(versions.c.id), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", Float, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model_id", ForeignKey(models.c.id), primary_key=True),
    Column("alias", String(128), primary_key=True),
    Column("version_id", Integer, nullable=False, index=True),
    Column("manifest", _DIGEST, nullable=False),
    # An alias to a version of another model, or to another manifest, cannot be written.
    ForeignKeyConstraint(
        ["version_id", "manifest"],
        ["versions.id", "versions.manifest"],
        name="fk_aliases_manifest",
    ),
    ForeignKeyConstraint(
        ["version_id", "model_id"], ["versions.id", "versions.model_id"], name="fk_aliases_model"
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("version_id", ForeignKey(versions.c.id), nullable=False, index=True),
    Column("holder", Text, nullable=False),
    Column("expires", Float, nullable=False),
)
