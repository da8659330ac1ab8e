"""Findings about owner and mode of a file that only the site's user may read."""

import os
from collections.abc import Iterator
from pathlib import Path

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from screening.operations.doctor.finding import Finding, Severity

OTHERS = 0o077
"""The bits of a file's mode that let others than its owner in."""

OWNER = 0o600
"""The bits that let its owner read and write it."""


def unreadable_folder(folder: Path) -> Iterator[Finding]:
    """Yield a finding if this process may not read a folder that exists."""
    if os.access(folder, os.F_OK) and not os.access(folder, os.R_OK | os.X_OK):
        what = lazy_gettext("This user cannot read the folder %(folder)s", folder=str(folder))
        step = lazy_gettext("Give it to the user that the site runs as, or check as that user:")
        yield Finding(Severity.NOW, what, step, f"chown -R USER {folder}")


def wrong_access(file: Path, readable_by_others: LazyString) -> Iterator[Finding]:
    """Yield a finding if owner or mode of an existing file is wrong; ``readable_by_others`` says so of this kind."""
    status, name = file.stat(), file.name
    if status.st_uid != file.parent.stat().st_uid:
        what = lazy_gettext("The file %(file)s belongs to another user than its folder", file=name)
        step = lazy_gettext("Give it to the owner of the folder:")
        yield Finding(Severity.NOW, what, step, f"chown --reference={file.parent} {file}")
    elif status.st_mode & OTHERS:
        yield Finding(Severity.NOW, readable_by_others, lazy_gettext("Close it to them:"), f"chmod 600 {file}")
    elif status.st_mode & OWNER != OWNER:
        what = lazy_gettext("The owner of the file %(file)s cannot read and write it", file=name)
        yield Finding(Severity.NOW, what, lazy_gettext("Open it to the owner:"), f"chmod 600 {file}")
    elif not os.access(file, os.R_OK):
        what = lazy_gettext("This user cannot read the file %(file)s", file=name)
        step = lazy_gettext("Give it to the user that the site runs as, or check as that user:")
        yield Finding(Severity.NOW, what, step, f"chown USER {file}")
