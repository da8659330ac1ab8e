"""Requests for a call."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = ("callback_closed_day", "callback_note", "callback_contact", "callback_request", "callback_key")


def upgrade(name: str) -> None:
    """Requests, their notes, the hashes they are found by, the keys they are sealed to, and closed days."""
    if name != "main":
        return
    op.create_table(
        "callback_key",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "callback_request",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("reference", sa.String(64), unique=True),
        sa.Column("digest", sa.String(64)),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("sealed_with", sa.String(8)),
        sa.Column("summary", sa.LargeBinary),
        sa.Column("summary_with", sa.String(8)),
        sa.Column("indexed_with", sa.String(8), index=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("shelf", sa.String(12), nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("entered_by", sa.String(32)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Index("callback_queue", "shelf", "rank", "due_at", "id"),
        sa.Index("callback_queue_of", "shelf", "owner", "rank", "due_at", "id"),
        sa.Index("callback_queue_in", "shelf", "language", "rank", "due_at", "id"),
        sa.Index("callback_ended", "shelf", "ended_at", "id"),
    )
    request = ("callback_request.id",)
    op.create_table(
        "callback_contact",
        sa.Column("request_id", sa.String(32), sa.ForeignKey(*request, ondelete="CASCADE"), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True, index=True),
    )
    op.create_table(
        "callback_note",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request_id", sa.String(32), sa.ForeignKey(*request, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("sealed_with", sa.String(8), nullable=False),
    )
    op.create_table("callback_closed_day", sa.Column("day", sa.String(10), primary_key=True))


def downgrade(name: str) -> None:
    """Take the requests away."""
    if name == "main":
        for table in TABLES:
            op.drop_table(table)
