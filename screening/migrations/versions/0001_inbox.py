"""The holding file for agreed copies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade(name: str) -> None:
    """The inbox: no rowid in SQLite, unlogged in PostgreSQL, so nothing else remembers the order."""
    if name != "inbox":
        return
    op.create_table(
        "inbox_copy",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("questionnaire", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("age_band", sa.String(20), nullable=False),
        sa.Column("pain_duration", sa.String(20), nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("batch", sa.String(32)),
        sqlite_with_rowid=False,
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )


def downgrade(name: str) -> None:
    """Take the inbox away, with what lies in it."""
    if name == "inbox":
        op.drop_table("inbox_copy")
