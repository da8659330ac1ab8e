"""Backups: one encrypted file with every table that must survive, restorable into SQLite or PostgreSQL."""

from collections.abc import Callable

BACKUP_CREATED, BACKUP_RESTORED = "backup.made", "backup.restored"
"""Audit actions."""

Progress = Callable[[int], object]
"""Callback that receives the amount done since its last call."""


class BackupError(RuntimeError):
    """A backup cannot be created, read or restored. The message says why and what to do, in one line."""
