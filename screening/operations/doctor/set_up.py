"""Checks of settings and files: what needs no database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from flask_babel import lazy_gettext

from screening import clinic, together
from screening.config import ROOT, SettingsError
from screening.database import sqlite_files
from screening.operations.doctor.finding import Check, Finding, Given, Severity
from screening.outbox import smtp
from screening.questionnaire import loader
from screening.questionnaire.loader import DefinitionError
from screening.web import crisis

DETERMINATION_LASTS = timedelta(days=3 * 365)
"""HHS sets no term for an expert's word and says that experts give one ("time-limited certifications"); ours."""

LEAST_FREE = 1024**3
"""Bytes. Beside it a purge needs as much again as the largest SQLite file."""


def questionnaire(given: Given) -> Iterator[Finding]:
    """Whether the definition can be used at the next start."""
    try:
        loader.load(given.settings["QUESTIONNAIRE"])
    except DefinitionError as error:
        yield Finding(
            Severity.NOW,
            lazy_gettext("The questionnaire cannot be used: %(problem)s", problem=str(error)),
            lazy_gettext("Mend the file, then look with"),
            f"flask questionnaire check {given.settings['QUESTIONNAIRE']}",
        )


def crisis_files(given: Given) -> Iterator[Finding]:
    """Whether crisis help is there in every language, and was checked within a year."""
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


def _languages(given: Given) -> tuple[str, ...]:
    try:
        return loader.load(given.settings["QUESTIONNAIRE"]).locales
    except DefinitionError:  # told by itself
        return tuple(file.stem for file in crisis.FOLDER.glob("*.toml"))


def clinic_file(given: Given) -> Iterator[Finding]:
    """Whether the clinic file can be used, and is a real clinic's."""
    path: Path = given.settings["CLINIC"]
    try:
        demo = clinic.load(path).demo
    except SettingsError as error:
        what = lazy_gettext("The clinic file cannot be used: %(problem)s", problem=str(error))
        yield Finding(Severity.NOW, what, lazy_gettext("Mend the file, and start again"))
        return
    if demo and not together.is_public(given.settings):
        what = lazy_gettext("The demo clinic is shown")
        step = lazy_gettext("Copy the file and put in your own clinic:")
        yield Finding(Severity.NOTE, what, step, f"cp screening/clinic-demo.toml {path}")


def settings_together(given: Given) -> Iterator[Finding]:
    """Whether the site would start again with these settings."""
    for problem in together.problems(given.settings):
        what = lazy_gettext("The site does not start like this: %(problem)s", problem=problem)
        yield Finding(Severity.NOW, what, lazy_gettext("Mend the setting, and start again"))


def limits(given: Given) -> Iterator[Finding]:
    """Whether the limits are counted for all processes together."""
    if together.is_public(given.settings) and given.settings["LIMIT_STORAGE"].startswith("memory:"):
        yield Finding(
            Severity.NOTE,
            lazy_gettext("Each process counts the limits by itself, so with several more gets through"),
            lazy_gettext("Where several processes serve the site, set"),
            "SCREENING_LIMIT_STORAGE=redis://localhost:6379",
        )


def determination(given: Given) -> Iterator[Finding]:
    """Whether the expert's word that releases may tell months is still fresh."""
    found = given.settings["EXPERT_DETERMINATION"]
    if found and _today(given) - found.day > DETERMINATION_LASTS:
        yield Finding(
            Severity.SOON,
            lazy_gettext("The expert determination is from %(day)s, over three years ago", day=found.day),
            lazy_gettext("Ask for a new one, or let releases tell years: take out"),
            "SCREENING_EXPERT_DETERMINATION",
        )


def mail_settings(given: Given) -> Iterator[Finding]:
    """Whether mail can be sent at all; settings that exclude each other are told by themselves."""
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
        yield Finding(Severity.NOW, what, lazy_gettext("Mend the setting, and start again"))


def disk(given: Given) -> Iterator[Finding]:
    """Whether there is room for what is to be stored."""
    files = sqlite_files(given.settings["DATABASE_URL"])
    needed = LEAST_FREE + max((file.stat().st_size for file in files if file.exists()), default=0)
    folders = {ROOT / "instance", given.settings["KEYS"], *(file.parent for file in files)}
    disks = {folder.stat().st_dev: folder for folder in sorted(folders) if folder.exists()}
    for folder in disks.values():
        free = shutil.disk_usage(folder).free
        if free < needed:
            left, place = free >> 20, str(folder)
            what = lazy_gettext("Only %(left)s MB are free on the disk of %(place)s", left=left, place=place)
            yield Finding(Severity.NOW, what, lazy_gettext("Make room for %(needed)s MB", needed=needed >> 20))


def _today(given: Given) -> date:
    return datetime.fromtimestamp(given.now, UTC).date()


CHECKS: tuple[Check, ...] = (
    questionnaire,
    crisis_files,
    clinic_file,
    settings_together,
    limits,
    determination,
    mail_settings,
    disk,
)
