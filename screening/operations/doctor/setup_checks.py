"""Checks of settings and files, without the database."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask_babel import lazy_gettext
from werkzeug.sansio.utils import host_is_trusted

from screening import clinic, config_checks
from screening.config import ROOT, SettingsError
from screening.database.engines import sqlite_files
from screening.mail import smtp
from screening.operations.doctor import file_access
from screening.operations.doctor.finding import Check, CheckInputs, Finding, Severity
from screening.questionnaires import loader
from screening.questionnaires.table_reader import DefinitionError
from screening.screener import ketamine
from screening.web import crisis, rate_limits

DETERMINATION_VALIDITY = timedelta(days=3 * 365)
"""The site's own limit: HHS sets none for an expert determination, but mentions "time-limited certifications"."""

DEMO_FIELDS = ("name", "phone", "address", "mail_name")
"""Fields of the clinic file that patients act on."""

HOLIDAYS_AHEAD = timedelta(days=61)
"""For how long from today holidays must be known: requests are promised at most days ahead, and files change slowly."""

MIN_FREE_BYTES = 1024**3
"""Bytes. In addition, a purge needs as much room as the largest SQLite file."""


def questionnaire(given: CheckInputs) -> Iterator[Finding]:
    """Check that the questionnaire definition is valid."""
    try:
        loader.load(given.settings["QUESTIONNAIRE_FILE"])
    except DefinitionError as error:
        yield Finding(
            Severity.NOW,
            lazy_gettext("The questionnaire cannot be used: %(problem)s", problem=str(error)),
            lazy_gettext("Fix the file, then check it with"),
            f"flask questionnaire check {given.settings['QUESTIONNAIRE_FILE']}",
        )


def crisis_files(given: CheckInputs) -> Iterator[Finding]:
    """Check that the crisis file of every language is valid and was reviewed within a year."""
    for language, found in crisis.load(_languages(given)).items():
        file = f"screening/web/crisis/{language}.toml"
        if found.checked is None:
            yield Finding(
                Severity.NOW,
                lazy_gettext("%(file)s is missing or damaged; the built-in crisis numbers are shown", file=file),
                lazy_gettext("Bring the file back:"),
                f"git checkout -- {file}",
            )
        elif (_today(given) - found.checked).days > crisis.STALE_DAYS:
            day = found.checked
            what = lazy_gettext("The crisis numbers in %(file)s were last checked on %(day)s", file=file, day=day)
            step = lazy_gettext("Look each number up with its service, set the new day in the file, and start again")
            yield Finding(Severity.SOON, what, step)


def ketamine_file(given: CheckInputs) -> Iterator[Finding]:
    """Check that the facts about ketamine are complete and were compared with their sources within a year."""
    found, file = ketamine.load(_languages(given)), "screening/screener/ketamine.toml"
    if found is None:
        what = lazy_gettext("%(file)s is missing or damaged, so the site says nothing about ketamine", file=file)
        yield Finding(Severity.NOW, what, lazy_gettext("Bring the file back:"), f"git checkout -- {file}")
    elif (_today(given) - found.checked).days > crisis.STALE_DAYS:
        what = lazy_gettext("The facts in %(file)s were last checked on %(day)s", file=file, day=found.checked)
        step = lazy_gettext("Read each source again, set the new day in the file, and start again")
        yield Finding(Severity.SOON, what, step)


def _languages(given: CheckInputs) -> tuple[str, ...]:
    try:
        return loader.load(given.settings["QUESTIONNAIRE_FILE"]).locales
    except DefinitionError:  # reported by the check ``questionnaire``
        return tuple(file.stem for file in crisis.FOLDER.glob("*.toml"))


def clinic_file(given: CheckInputs) -> Iterator[Finding]:
    """Check that the clinic file is valid, has nothing of the demo clinic, and names a privacy notice if public."""
    path: Path = given.settings["CLINIC_FILE"]
    try:
        found = clinic.load(path)
    except SettingsError as error:
        what = lazy_gettext("The clinic file cannot be used: %(problem)s", problem=str(error))
        yield Finding(Severity.NOW, what, lazy_gettext("Fix the file, and start again"))
        return
    public = config_checks.is_public(given.settings)
    if public and "visitor" in given.settings["SERVE"] and not found.demo and not found.privacy_notice:
        what = lazy_gettext("No page links to the clinic’s notice of privacy practices")
        yield Finding(
            Severity.SOON, what, lazy_gettext("Put its address in %(file)s:", file=str(path)), "privacy_notice"
        )
    if found.demo and not public:
        what = lazy_gettext("The demo clinic is shown")
        if path.exists():
            yield Finding(Severity.NOTE, what, lazy_gettext("Put in your own clinic, with demo = false:"), str(path))
        else:
            step = lazy_gettext("Copy the file and put in your own clinic:")
            yield Finding(Severity.NOTE, what, step, f"cp -n screening/clinic-demo.toml {path}")
    left = [field for field in DEMO_FIELDS if getattr(found, field) == getattr(clinic.load(clinic.DEMO), field)]
    if left and not found.demo:
        what = lazy_gettext("The clinic file still has the demo clinic’s %(fields)s", fields=", ".join(left))
        yield Finding(Severity.NOW, what, lazy_gettext("Put in your own, and start again:"), str(path))


def holidays(given: CheckInputs) -> Iterator[Finding]:
    """Check that the clinic file names holidays of the next two months and later; one without holidays has its way."""
    try:
        known = clinic.load(given.settings["CLINIC_FILE"]).holiday_dates
    except SettingsError:  # reported by the check ``clinic_file``
        return
    if known and max(known) < _today(given) + HOLIDAYS_AHEAD:
        what = lazy_gettext(
            "The last holiday in the clinic file is %(day)s: due times after it may be wrong", day=max(known)
        )
        step = lazy_gettext("Add the next ones, or take those of a country, and start again:")
        yield Finding(Severity.SOON, what, step, 'holidays = "US"')


def setting_conflicts(given: CheckInputs) -> Iterator[Finding]:
    """Check that the site would start with these settings."""
    for problem in config_checks.problems(given.settings):
        what = lazy_gettext("The site does not start like this: %(problem)s", problem=problem)
        yield Finding(Severity.NOW, what, lazy_gettext("Fix the setting, and start again"))


def https_addresses(given: CheckInputs) -> Iterator[Finding]:
    """Check that a site over https trusts the proxy that says so, and that its links begin with https."""
    settings = given.settings
    if settings["HTTPS"] and not settings["TRUSTED_PROXY_COUNT"]:
        yield Finding(
            Severity.NOW,
            lazy_gettext("The site is served over https, but no proxy is trusted: each form is refused"),
            lazy_gettext("Set the number of your reverse proxies, and start again:"),
            "SCREENING_TRUSTED_PROXY_COUNT=1",
        )
    for name in ("SITE_URL", "STAFF_URL"):
        if settings["HTTPS"] and settings[name].startswith("http:"):
            what = lazy_gettext("SCREENING_%(name)s begins with http, but the site is served over https", name=name)
            step = lazy_gettext("Fix the setting, and start again:")
            yield Finding(Severity.SOON, what, step, f"SCREENING_{name}={settings[name].replace('http', 'https', 1)}")
    host = urlsplit(settings["SITE_URL"]).netloc
    if host and "visitor" in settings["SERVE"] and not host_is_trusted(host, settings["ALLOWED_HOSTS"]):
        what = lazy_gettext("Mails link to %(host)s, but the site does not answer to that name", host=host)
        step = lazy_gettext("Add the name, and start again:")
        yield Finding(
            Severity.NOW, what, step, f"SCREENING_ALLOWED_HOSTS={','.join((*settings['ALLOWED_HOSTS'], host))}"
        )


def rate_limit_storage(given: CheckInputs) -> Iterator[Finding]:
    """Check that rate limits of a public site are counted across processes, by a storage that answers."""
    if not rate_limits.is_answering(given.settings["RATE_LIMIT_STORAGE_URL"]):
        what = lazy_gettext("The storage of the rate limits does not answer: nothing is limited")
        step = lazy_gettext("Start it, or fix its address:")
        yield Finding(Severity.NOW, what, step, "SCREENING_RATE_LIMIT_STORAGE_URL")
    if config_checks.is_public(given.settings) and given.settings["RATE_LIMIT_STORAGE_URL"].startswith("memory:"):
        yield Finding(
            Severity.NOTE,
            lazy_gettext("Each process counts the limits by itself, so with several more gets through"),
            lazy_gettext("Where several processes serve the site, set"),
            "SCREENING_RATE_LIMIT_STORAGE_URL=redis://localhost:6379",
        )


def determination(given: CheckInputs) -> Iterator[Finding]:
    """Check that the expert determination is not older than ``DETERMINATION_VALIDITY``."""
    found = given.settings["EXPERT_DETERMINATION"]
    if found and _today(given) - found.day > DETERMINATION_VALIDITY:
        yield Finding(
            Severity.SOON,
            lazy_gettext("The expert determination is from %(day)s, over three years ago", day=found.day),
            lazy_gettext("Ask for a new one, or let releases tell years: take out"),
            "SCREENING_EXPERT_DETERMINATION",
        )


def mail_settings(given: CheckInputs) -> Iterator[Finding]:
    """Check that a mail server is set and its files can be read; conflicts are found by ``setting_conflicts``."""
    if not given.settings["MAIL_HOST"]:
        what = lazy_gettext("No mail server is set, so no mail is sent")
        step = lazy_gettext("Let the team look at its requests by itself, or set")
        yield Finding(Severity.NOTE, what, step, "SCREENING_MAIL_HOST")
        return
    try:
        if given.serves_staff:
            smtp.check_files(given.settings)
    except SettingsError as error:
        what = lazy_gettext("No mail can be sent: %(problem)s", problem=str(error))
        yield Finding(Severity.NOW, what, lazy_gettext("Fix the setting, and start again"))


def disk(given: CheckInputs) -> Iterator[Finding]:
    """Check the free space on the disks of databases and keys."""
    files = sqlite_files(given.settings["DATABASE_URL"])
    needed = MIN_FREE_BYTES + max((file.stat().st_size for file in files if file.exists()), default=0)
    folders = {ROOT / "instance", given.settings["KEYS_DIR"], *(file.parent for file in files)}
    disks = {folder.stat().st_dev: folder for folder in sorted(folders) if folder.exists()}
    for folder in disks.values():
        free = shutil.disk_usage(folder).free
        if free < needed:
            left, place = free >> 20, str(folder)
            what = lazy_gettext("Only %(left)s MB are free on the disk of %(place)s", left=left, place=place)
            yield Finding(Severity.NOW, what, lazy_gettext("Make room for %(needed)s MB", needed=needed >> 20))


def database_files(given: CheckInputs) -> Iterator[Finding]:
    """Check that the SQLite files belong to the owner of their folder, and that only the owner can read them."""
    for main in sqlite_files(given.settings["DATABASE_URL"]):
        for file in sorted(main.parent.glob(f"{main.name}*")):
            if file.name in (main.name, f"{main.name}-wal", f"{main.name}-shm"):
                what = lazy_gettext("Others on this machine can read the database file %(file)s", file=file.name)
                yield from file_access.wrong_access(file, what)


def _today(given: CheckInputs) -> date:
    return datetime.fromtimestamp(given.now, UTC).date()


CHECKS: tuple[Check, ...] = (
    questionnaire,
    crisis_files,
    ketamine_file,
    clinic_file,
    holidays,
    setting_conflicts,
    https_addresses,
    rate_limit_storage,
    determination,
    mail_settings,
    disk,
    database_files,
)
