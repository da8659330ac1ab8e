"""Which notes are for whoever takes a request over."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade(name: str) -> None:
    """A kind beside each note; what is there is a plain note."""
    if name == "main":
        op.add_column("callback_note", sa.Column("kind", sa.String(12), nullable=False, server_default="note"))


def downgrade(name: str) -> None:
    """Take it away."""
    if name == "main":
        op.drop_column("callback_note", "kind")
