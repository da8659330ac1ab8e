"""Checks of the key files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask_babel import lazy_gettext

from screening.config import SettingsError
from screening.keyring import CALLBACK, PURPOSES, SEARCH, read_ring, ring_file
from screening.operations.doctor.finding import Check, Finding, Given, Severity

TERM = timedelta(days=366)
"""How long a key is used; the call-back key has a term of its own (see ``callback.turning``)."""


def files(given: Given) -> Iterator[Finding]:
    """Whether each key file this machine needs is there, its owner's only, and whole."""
    for purpose in purposes(given):
        file = ring_file(given.settings["KEYS"], purpose)
        if not file.exists():
            what = lazy_gettext("The key file %(file)s is missing", file=file.name)
            step = lazy_gettext("Copy it from another machine, or where there is none make it:")
            yield Finding(Severity.NOW, what, step, "flask keys init")
        elif _is_open(file):
            what = lazy_gettext("Others on this machine can read the key file %(file)s", file=file.name)
            yield Finding(Severity.NOW, what, lazy_gettext("Close it to them:"), f"chmod 600 {file}")
        elif not _is_whole(given.settings["KEYS"], purpose):
            what = lazy_gettext("The key file %(file)s is damaged", file=file.name)
            yield Finding(Severity.NOW, what, lazy_gettext("Bring it back from its second copy"))


def age(given: Given) -> Iterator[Finding]:
    """Whether a key is used longer than its term."""
    today = datetime.fromtimestamp(given.now, UTC).date()
    for purpose in purposes(given):
        if purpose == CALLBACK or not _is_whole(given.settings["KEYS"], purpose):
            continue
        ring = read_ring(given.settings["KEYS"], purpose)
        key = ring.key(ring.active)
        if key and today - key.made > TERM:
            what = lazy_gettext("The key %(purpose)s is from %(day)s, over a year ago", purpose=purpose, day=key.made)
            step = lazy_gettext("Lay a new one, and use it once it is on every machine:")
            commands = f"flask keys add {purpose}; flask keys activate {purpose} ID"
            yield Finding(Severity.SOON, what, step, "flask keys turn callback" if purpose == SEARCH else commands)


def purposes(given: Given) -> list[str]:
    """What this machine needs keys for."""
    return [purpose for surface in given.settings["SURFACES"] for purpose in PURPOSES[surface]]


def _is_open(file: Path) -> bool:
    return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)


def _is_whole(folder: Path, purpose: str) -> bool:
    try:
        read_ring(folder, purpose)
    except SettingsError:
        return False
    return True


CHECKS: tuple[Check, ...] = (files, age)
