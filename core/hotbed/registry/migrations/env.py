"""Run by Alembic, in the transaction that ``hotbed.registry.migrating`` opened."""

from __future__ import annotations

from alembic import context

from hotbed.registry.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
