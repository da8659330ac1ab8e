"""When a call-back key was published, and since when nothing is sealed to it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade(name: str) -> None:
    """Two times beside each key."""
    if name != "main":
        return
    op.add_column("callback_key", sa.Column("published_at", sa.BigInteger))
    op.add_column("callback_key", sa.Column("empty_since", sa.BigInteger))


def downgrade(name: str) -> None:
    """Take them away."""
    if name == "main":
        op.drop_column("callback_key", "empty_since")
        op.drop_column("callback_key", "published_at")
