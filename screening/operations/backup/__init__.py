"""Backups: one encrypted file with every table that must survive, restorable into SQLite or PostgreSQL."""

from collections.abc import Callable

BACKUP_CREATED, BACKUP_RESTORED = "backup.made", "backup.restored"
"""What the audit calls the two."""

Progress = Callable[[int], object]
"""Told how much more is done."""


class BackupError(RuntimeError):
    """A backup that cannot be made, read or given back. The message says why in one line, and what to do."""
