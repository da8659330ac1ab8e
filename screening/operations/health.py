"""``/healthz``: the process answers, for load balancers. ``/readyz``: state of database, keys and migrations."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response
from sqlalchemy.exc import SQLAlchemyError

from screening import current
from screening.config import SettingsError
from screening.crypto.keyring import PURPOSES, Keyring
from screening.extensions import db
from screening.operations import migration_state

OK, UNREACHABLE, NO_TABLES, BEHIND, UNKNOWN = "ok", "away", "missing", "behind", "unknown"

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """Answer 200 without any check."""
    return _plain_text("ok\n")


@health.get("/readyz")
def readyz() -> Response:
    """Return one line each for database, keys and migrations; 503 unless all are ok."""
    parts = {"database": _database(current_app), "keys": _keys(current.settings()), "migrations": UNKNOWN}
    if parts["database"] == OK:
        parts["migrations"] = _migrations(current_app)
    ready = set(parts.values()) == {OK}
    return _plain_text("".join(f"{name} {word}\n" for name, word in parts.items()), 200 if ready else 503)


def _database(app: Flask) -> str:
    try:
        with application_with_database(app).app_context():
            for engine in db.engines.values():
                engine.connect().close()
    except SQLAlchemyError:
        return UNREACHABLE
    return OK


def _keys(settings: Mapping[str, Any]) -> str:
    try:
        Keyring(settings["KEYS_DIR"], tuple(p for surface in settings["SERVE"] for p in PURPOSES[surface]))
    except SettingsError:
        return NO_TABLES
    return OK


def _migrations(app: Flask) -> str:
    try:
        with application_with_database(app).app_context():
            return OK if migration_state.is_current() else BEHIND
    except SQLAlchemyError:
        return UNKNOWN


def application_with_database(front: Flask) -> Flask:
    """Return the application with a database: the outer one, or the staff application in a staff-only process."""
    known: Flask = front if "sqlalchemy" in front.extensions else front.extensions["staff"]
    return known


def _plain_text(text: str, status: int = 200) -> Response:
    response = make_response(text, status)
    response.content_type = "text/plain; charset=utf-8"
    return response
