"""Alembic environment: runs each migration once per bind; ``upgrade(name)`` gets ``main`` or ``pending``."""

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
