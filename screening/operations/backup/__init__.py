"""Backups: everything that must outlast this machine, sealed in one file, and the way back from it.

A backup holds rows and not a database's own files, so what was taken from one kind of database goes back
into either. It is also the way from SQLite to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable

MADE, RESTORED = "backup.made", "backup.restored"
"""What the audit calls the two."""

Progress = Callable[[int], object]
"""Told how much more is done."""


class BackupError(RuntimeError):
    """A backup that cannot be made, read or given back. The message says why in one line, and what to do."""
