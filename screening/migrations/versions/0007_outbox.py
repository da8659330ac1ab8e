"""The outbox, and what the worker keeps of its jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade(name: str) -> None:
    """Mails to be sent; when each job of the worker ran; which worker is at work."""
    if name != "main":
        return
    op.create_table(
        "outbox_mail",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("posted_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String(20)),
        sa.Column("ended_at", sa.BigInteger),
        sa.Index("outbox_due", "state", "due_at", "id"),
    )
    op.create_table(
        "worker_job",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("ran_at", sa.BigInteger),
        sa.Column("failed_at", sa.BigInteger),
    )
    lease = op.create_table(
        "worker_lease",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(lease, [{"id": 1, "holder": "", "until": 0}])


def downgrade(name: str) -> None:
    """Take them away."""
    if name == "main":
        for table in ("worker_lease", "worker_job", "outbox_mail"):
            op.drop_table(table)
