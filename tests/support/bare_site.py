"""The site without pytest around it, for checks in a process of their own."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from flask import Flask

from screening import create_app
from screening.keyring import PURPOSES, create_ring


def site(surfaces: tuple[str, ...]) -> Flask:
    """The site with keys of its own and no database behind it."""
    folder = Path(tempfile.mkdtemp(prefix="keys"))
    for purpose in (purpose for surface in surfaces for purpose in PURPOSES[surface]):
        create_ring(folder, purpose, date(2026, 11, 22))
    return create_app({"SURFACES": surfaces, "KEYS": folder, "DATABASE_URL": f"sqlite:///{folder}/none.sqlite"})
