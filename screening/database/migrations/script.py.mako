"""${message}"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade(name: str) -> None:
    """Bring the database ``name`` (main or pending) to this version."""


def downgrade(name: str) -> None:
    """Take this version back."""
