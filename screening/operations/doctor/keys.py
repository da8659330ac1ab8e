"""Checks of the key files."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask_babel import lazy_gettext

from screening.config import SettingsError
from screening.crypto.key_files import read_ring, ring_file
from screening.crypto.keyring import CALLBACK, PURPOSES, RESPONSES, SEARCH
from screening.operations.doctor import file_access
from screening.operations.doctor.finding import Check, CheckInputs, Finding, Severity

MAX_KEY_AGE = timedelta(days=366)
"""Longest use of a key, except for those in ``ROTATED``."""

ROTATED = (CALLBACK, RESPONSES)
"""Keys that the worker replaces, each with a limit of its own."""


def key_files(given: CheckInputs) -> Iterator[Finding]:
    """Check that each key file this machine needs exists, is the folder's owner's alone, and is valid."""
    closed = list(file_access.unreadable_folder(given.settings["KEYS_DIR"]))
    yield from closed
    for purpose in () if closed else key_purposes(given):
        file = ring_file(given.settings["KEYS_DIR"], purpose)
        if not file.exists():
            what = lazy_gettext("The key file %(file)s is missing", file=file.name)
            step = lazy_gettext("Copy it from another machine, or where there is none make it:")
            yield Finding(Severity.NOW, what, step, "flask keys init")
            continue
        what = lazy_gettext("Others on this machine can read the key file %(file)s", file=file.name)
        found = list(file_access.wrong_access(file, what))
        yield from found
        if not found and not _is_valid(given.settings["KEYS_DIR"], purpose):
            what = lazy_gettext("The key file %(file)s is damaged", file=file.name)
            yield Finding(Severity.NOW, what, lazy_gettext("Bring it back from its second copy"))


def key_age(given: CheckInputs) -> Iterator[Finding]:
    """Check that no active key is older than ``MAX_KEY_AGE``."""
    today = datetime.fromtimestamp(given.now, UTC).date()
    for purpose in key_purposes(given):
        if purpose in ROTATED or not _is_valid(given.settings["KEYS_DIR"], purpose):
            continue
        ring = read_ring(given.settings["KEYS_DIR"], purpose)
        key = ring.key(ring.active)
        if key and today - key.made > MAX_KEY_AGE:
            what = lazy_gettext("The key %(purpose)s is from %(day)s, over a year ago", purpose=purpose, day=key.made)
            step = lazy_gettext("Lay a new one, and use it once it is on every machine:")
            commands = f"flask keys add {purpose}; flask keys activate {purpose} ID"
            yield Finding(Severity.SOON, what, step, "flask keys rotate callback" if purpose == SEARCH else commands)


def key_purposes(given: CheckInputs) -> list[str]:
    """Return the key purposes of the applications this machine serves, and of the worker if its key file is here."""
    purposes = [purpose for surface in given.settings["SERVE"] for purpose in PURPOSES[surface]]
    if given.serves_staff:
        folder = given.settings["KEYS_DIR"]
        purposes += [each for each in PURPOSES["worker"] if os.access(ring_file(folder, each), os.F_OK)]
    return purposes


def _is_valid(folder: Path, purpose: str) -> bool:
    try:
        read_ring(folder, purpose)
    except SettingsError:
        return False
    return True


CHECKS: tuple[Check, ...] = (key_files, key_age)
