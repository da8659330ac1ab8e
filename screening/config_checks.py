"""Cross-setting validation. Startup is refused with one line per violated rule; commands are not checked.

A rule is a function of all settings that raises SettingsError with one line that says what to change.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from screening import clinic
from screening.audit import DEMO_FILLED, AuditEvent
from screening.config import SettingsError
from screening.crypto.key_files import read_ring, ring_file
from screening.crypto.keyring import PURPOSES
from screening.database import timeouts
from screening.database.engines import bind_urls, sqlite_files
from screening.mail import smtp

Settings = Mapping[str, Any]
Rule = Callable[[Settings], None]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")
"""Host names that resolve to this machine."""


def check_settings(settings: Settings) -> None:
    """Raise SettingsError with one line per violated rule."""
    found = problems(settings, (*RULES, key_files))
    if found:
        raise SettingsError("\n".join(found))


def problems(settings: Settings, rules: Iterable[Rule] = ()) -> list[str]:
    """Return one line per violated rule; by default of ``RULES``, which excludes ``key_files``."""
    found = []
    for rule in rules or RULES:
        try:
            rule(settings)
        except SettingsError as error:
            found.append(str(error))
    return found


def is_public(settings: Settings) -> bool:
    """Return whether the site can be reached from other machines."""
    return bool(_public_names(settings))


def secure_cookies(settings: Settings) -> None:
    """A public site requires HTTPS, for secure cookies."""
    if is_public(settings) and not settings["HTTPS"]:
        raise SettingsError(
            f"SCREENING_HTTPS is false, but SCREENING_ALLOWED_HOSTS names {_public_names(settings)[0]}: "
            "serve the site over https and set SCREENING_HTTPS=true"
        )


def demo_clinic(settings: Settings) -> None:
    """A public site must not show the demo clinic."""
    if is_public(settings) and _shows_demo(settings):
        raise SettingsError(
            f"SCREENING_ALLOWED_HOSTS names {_public_names(settings)[0]}, but the demo clinic is shown: "
            f"put your own clinic in {settings['CLINIC_FILE']}, with demo = false"
        )


def demo_database(settings: Settings) -> None:
    """A public site must not use a database filled by ``flask demo``. An unavailable database passes."""
    if is_public(settings) and _is_demos(settings["DATABASE_URL"]):
        raise SettingsError(
            f"SCREENING_ALLOWED_HOSTS names {_public_names(settings)[0]}, but flask demo filled the database: "
            "set SCREENING_DATABASE_URL to one of its own"
        )


def second_factor(settings: Settings) -> None:
    """Sign-in without a second factor is allowed only for the demo clinic on this machine."""
    if settings["STAFF_SECOND_FACTOR"] or "staff" not in settings["SERVE"]:
        return
    if is_public(settings) or not _shows_demo(settings):
        raise SettingsError(
            "SCREENING_STAFF_SECOND_FACTOR may be false only while the demo clinic is shown, on this machine alone: "
            "set it to true"
        )


def metrics(settings: Settings) -> None:
    """Metrics must not be reachable from the public network. A host name instead of an IP address is accepted."""
    host, _ = settings["METRICS_ADDRESS"] or ("", 0)
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return
    if address.is_global or (address.is_unspecified and is_public(settings)):
        raise SettingsError(
            f"SCREENING_METRICS_ADDRESS {host} can be reached from the public network: "
            "use an address that cannot, such as 127.0.0.1:9109"
        )


def key_files(settings: Settings) -> None:
    """Existing key files must be valid and readable by their owner only. Missing ones are reported when used."""
    for purpose in (purpose for surface in settings["SERVE"] for purpose in PURPOSES[surface]):
        if os.access(ring_file(settings["KEYS_DIR"], purpose), os.F_OK):
            read_ring(settings["KEYS_DIR"], purpose)


RULES: tuple[Rule, ...] = (secure_cookies, demo_clinic, demo_database, second_factor, metrics, smtp.check_settings)


def _public_names(settings: Settings) -> list[str]:
    return [name for name in settings["ALLOWED_HOSTS"] if name not in LOOPBACK_NAMES]


def _shows_demo(settings: Settings) -> bool:
    try:
        return clinic.load(settings["CLINIC_FILE"]).demo
    except SettingsError:  # reported when the application loads the file
        return False


def _is_demos(url: str) -> bool:
    if not all(os.access(file, os.F_OK) for file in sqlite_files(url)):
        return False  # connecting would create them
    bound = bind_urls(url)
    engine = create_engine(bound["SQLALCHEMY_DATABASE_URI"], **bound["SQLALCHEMY_ENGINE_OPTIONS"])
    timeouts.set_timeouts(engine)
    try:
        with engine.connect() as connection:
            found = connection.execute(select(AuditEvent.id).where(AuditEvent.action == DEMO_FILLED).limit(1))
            return found.first() is not None
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
