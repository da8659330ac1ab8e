"""How Alembic runs our migrations: once for each database, told by name which one it is.

A migration's ``upgrade(name)`` gets ``main`` or ``inbox``. Both may be one PostgreSQL database, so
each keeps its own table of versions.
"""

from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db


def run() -> None:
    for bind, engine in db.engines.items():
        name = bind or "main"
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=db.metadatas[bind],
                version_table=f"alembic_version_{name}",
                render_as_batch=True,
            )
            with context.begin_transaction():
                context.run_migrations(name=name)


run()
