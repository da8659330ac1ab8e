"""Accessors to the objects of the current application, for views, jobs and commands.

Services and pure modules take these values as parameters.
"""

from datetime import date, datetime
from typing import Any

from flask import current_app

from screening.clinic import Clinic
from screening.crypto.keyring import Keyring
from screening.questionnaires.model import Questionnaire


def clinic() -> Clinic:
    """Return the clinic."""
    found: Clinic = current_app.extensions["clinic"]
    return found


def questionnaire() -> Questionnaire:
    """Return the questionnaire."""
    found: Questionnaire = current_app.extensions["questionnaire"]
    return found


def keyring() -> Keyring:
    """Return the keys of this application's purposes."""
    found: Keyring = current_app.extensions["keyring"]
    return found


def settings() -> dict[str, Any]:
    """Return every setting by its name (see ``config``)."""
    found: dict[str, Any] = current_app.config["SETTINGS"]
    return found


def now() -> int:
    """Return the time in seconds since 1970, UTC, by the application's clock."""
    return int(current_app.extensions["clock"]())


def today() -> date:
    """Return the date at the clinic."""
    return datetime.fromtimestamp(now(), clinic().time_zone).date()
