"""Copies after mixing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade(name: str) -> None:
    """The mixed copies, and the batches under way. No rowid in SQLite: rows lie in the order of random ids."""
    if name != "main":
        return
    op.create_table(
        "mixed_copy",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("questionnaire", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("age_band", sa.String(20), nullable=False),
        sa.Column("pain_duration", sa.String(20), nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("moved_batch", sa.Column("batch", sa.String(32), primary_key=True), sqlite_with_rowid=False)


def downgrade(name: str) -> None:
    """Take the mixed copies away."""
    if name == "main":
        op.drop_table("moved_batch")
        op.drop_table("mixed_copy")
