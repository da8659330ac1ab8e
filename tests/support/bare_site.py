"""The site without pytest fixtures, for checks that need a process of their own."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from flask import Flask

from screening.app import create_app
from screening.crypto.key_files import create_ring
from screening.crypto.keyring import PURPOSES


def site(surfaces: tuple[str, ...]) -> Flask:
    """Return the site with keys of its own and without a reachable database."""
    folder = Path(tempfile.mkdtemp(prefix="keys"))
    for purpose in (purpose for surface in surfaces for purpose in PURPOSES[surface]):
        create_ring(folder, purpose, date(2026, 11, 22))
    return create_app({"SERVE": surfaces, "KEYS_DIR": folder, "DATABASE_URL": f"sqlite:///{folder}/none.sqlite"})
