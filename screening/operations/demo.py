"""A demo clinic: requests in every state, responses, a release, accounts. Numbers are fictional (555-0100 to -0199)."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from flask import Flask
from sqlalchemy import func, insert, select

from screening import audit
from screening.callbacks import (
    attempts,
    clinic_calendar,
    figure_store,
    figures,
    patient_service,
    public_key,
    staff_service,
    workflow,
)
from screening.callbacks.attempts import Result
from screening.callbacks.business_hours import Calendar, PartOfDay, PreferredTimes, next_call_time
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackRequest
from screening.callbacks.workflow import Outcome
from screening.clinic import Clinic
from screening.config import SettingsError
from screening.crypto import keyring
from screening.durations import DAY_SECONDS
from screening.extensions import db
from screening.questionnaires import branching
from screening.questionnaires.model import DECLINED, Answer, Questionnaire
from screening.releases import service
from screening.releases.policy import ReleasePolicy
from screening.responses import response_keys
from screening.responses.models import ShuffledResponse
from screening.responses.pending import response_values
from screening.staff import accounts, passwords
from screening.staff.accounts import Actor
from screening.staff.models import Account
from screening.staff.two_factor import SecondFactor

REQUESTS = 40
RESPONSES = 3000
MONTHS = 18
FIGURE_WEEKS = 24
SEED = 555_0100
RELEASE_AGE_SECONDS = 183 * DAY_SECONDS
"""Age of the demo's release; newer responses are left for the next one."""

ACCOUNTS = {"admin": ("admin", "callbacks", "responses"), "desk": ("callbacks",), "numbers": ("responses", "rows")}
"""Name of each account, and its roles."""

MESSAGES = (
    "",
    "Demo: what is the first visit like?",
    "Demo: I would rather talk in the afternoon.",
    "Demo: can someone come with me?",
)


@dataclass(frozen=True)
class Login:
    """The credentials of a demo account; ``secret`` is for an authenticator app."""

    email: str
    password: str
    secret: str


def fill(site: Flask) -> list[Login]:
    """Fill an empty demo database; return the accounts. Raises SettingsError for a real clinic or a database in use."""
    staff: Flask = site.extensions["staff"]
    with staff.app_context():
        clinic: Clinic = staff.extensions["clinic"]
        if not clinic.demo:
            raise SettingsError("The clinic file is of a real clinic (demo = false): demo data is refused")
        for table in (Account, CallbackRequest, ShuffledResponse):
            if db.session.scalar(select(func.count()).select_from(table)):
                raise SettingsError(f"{table.__tablename__} is not empty: a demo needs a separate database")
        now = int(staff.extensions["clock"]())
        db.session.add(audit.event(audit.DEMO_FILLED, now, audit.COMMAND))
        db.session.commit()  # first, so that an interrupted run is marked as a demo, too
        public_key.publish(staff.extensions["keyring"], now)
        response_keys.publish(_response_keyring(staff), now)
        logins = list(_team(staff.extensions["second_factor"], now))
        dice = Random(SEED)  # noqa: S311  # nosec B311  # made-up data, the same each time
        questionnaire: Questionnaire = staff.extensions["questionnaire"]
        _requests(dice, clinic, questionnaire, now, staff.config["SETTINGS"])
        _figures(clinic, now)
        _responses(dice, questionnaire, datetime.fromtimestamp(now, clinic.time_zone).date())
        _release(staff.extensions["release_policy"], now - RELEASE_AGE_SECONDS)
    return logins


def _response_keyring(staff: Flask) -> keyring.Keyring:
    return keyring.Keyring(staff.config["SETTINGS"]["KEYS_DIR"], (keyring.RESPONSES,))


def _team(second_factor: SecondFactor, now: int) -> Iterator[Login]:
    for name, roles in ACCOUNTS.items():
        account, _ = accounts.add(Actor(audit.COMMAND, now), f"{name}@example.org", f"Demo {name}", roles)
        password, secret = passwords.temporary_password(), second_factor.new_secret(account)
        account.password, account.must_change_password = passwords.hash_password(password), False
        second_factor.enroll(account, secret)
        db.session.commit()
        yield Login(account.email, password, second_factor.format_secret(account, secret))


def _requests(
    dice: Random, clinic: Clinic, questionnaire: Questionnaire, now: int, settings: Mapping[str, Any]
) -> None:
    """Store requests of the last days, each advanced some steps through the workflow."""
    team = [account.id for account in accounts.list_accounts() if "callbacks" in account.role_names]
    calendar = clinic_calendar.current_calendar(clinic)
    courses = list(_courses())
    for number in range(REQUESTS):
        course = courses[number % len(courses)]
        asked = now - (len(course) + dice.randrange(3)) * DAY_SECONDS - dice.randrange(DAY_SECONDS)
        details = _details(dice, questionnaire, number, answers=number % 5 == 0)
        urgent = bool(details.answers and details.answers["hopelessness"] == "3")
        secret = patient_service.fresh_secret()
        receipt = patient_service.submit(secret, details, calendar, asked, urgent, mails=bool(settings["MAIL_HOST"]))
        _advance(receipt.reference, course, dice.choice(team), asked, calendar, settings["RETRY_MINUTES"])


def _figures(clinic: Clinic, now: int) -> None:
    """Store counts as of deleted requests, of the ``FIGURE_WEEKS`` before the last four."""
    dice, counts = Random(SEED), Counter[figures.Count]()  # noqa: S311  # nosec B311  # made-up data, the same each time
    this_week = figures.week_of(now, clinic_calendar.regular_calendar(clinic))
    for ago in range(4, FIGURE_WEEKS + 4):
        for language in dice.choices(("en", "es"), (3, 1), k=dice.randint(24, 38)):
            wait = dice.choice(("soon", "soon", "same_day", "next_day", "later"))
            values = (
                "in_time" if wait != "later" else "late",
                wait,
                dice.choice(("spoke",) * 5 + ("no_answer",) * 4 + ("stop",)),
            )
            week = (this_week - ago * figures.WEEK).isoformat()
            counts.update((week, language, *pair) for pair in zip(figures.FIGURES, values, strict=True))
    figure_store.add(counts)
    db.session.commit()


def _courses() -> Iterator[tuple[str, ...]]:
    """Yield sequences of transitions that lead to every state; early states more often, as on a working day."""
    yield from ((), (), ("claim",), ("claim", "no_answer"), ("claim", "no_answer", "voicemail"), ("busy",))
    yield from (("claim", "wrong_number"), ("claim", "spoke_again"), ("claim", "spoke_booked"), ("withdraw",), ())


def _advance(
    reference: str, course: tuple[str, ...], who: str, asked: int, calendar: Calendar, waits: Mapping[str, int]
) -> None:
    if course == ("withdraw",):
        patient_service.withdraw(reference, asked + DAY_SECONDS)
        return
    for number, step in enumerate(course, 1):
        request = patient_service.find_by_reference(reference)
        at = asked + number * DAY_SECONDS // 4
        if step == "claim":
            claim = lambda progress: workflow.claim(progress, who)  # noqa: E731
            staff_service.transition(request, request.version, claim, "request.claimed", who, at)
            continue
        outcome = Outcome(step)
        if outcome in (Outcome.NO_ANSWER, Outcome.VOICEMAIL):
            staff_service.add_note(request, "Demo note: will try again", who, at)
        next_at = attempts.next_call_at(outcome, at, calendar, PreferredTimes(), waits)
        tomorrow = next_call_time(calendar, datetime.fromtimestamp(at + DAY_SECONDS, UTC))
        result = Result(outcome, int(tomorrow.timestamp()), voicemail_allowed=True)
        attempts.record(request, request.version, result, next_at, who, at)


def _details(dice: Random, questionnaire: Questionnaire, number: int, answers: bool) -> ContactDetails:
    by_mail = number % 7 == 3
    return ContactDetails(
        name=f"Demo patient {number + 1}",
        say="",
        patient=dice.choice(["new", "existing"]),
        language=dice.choice(["en", "en", "es"]),
        assistance="American Sign Language interpreter" if number % 13 == 5 else "",
        phone="" if by_mail else f"+1303555{100 + number:04}",
        email=f"patient{number + 1}@example.org" if by_mail else "",
        reach_by="email" if by_mail else "phone",
        days=tuple(sorted(dice.sample(range(5), dice.choice([0, 0, 1, 2])))),
        parts=tuple(part.value for part in PartOfDay if dice.random() < 0.25),
        voicemail=number % 4 != 1,
        minor=False,
        guardian="",
        guardian_phone="",
        message=dice.choice(MESSAGES),
        news=False,
        answers=_shared(dice, questionnaire) if answers else None,
        version=questionnaire.version if answers else None,
    )


def _shared(dice: Random, questionnaire: Questionnaire) -> dict[str, str]:
    given = _answers(dice, questionnaire)
    shared = {sign.id for sign in questionnaire.signs} | {questionnaire.roles.pain_duration}
    return {id_: code for id_, code in given.items() if id_ in shared and isinstance(code, str)}


def _responses(dice: Random, questionnaire: Questionnaire, today: date) -> None:
    """Store shuffled responses of the last ``MONTHS`` months, increasing month by month."""
    months = [_month_before(today, ago) for ago in range(MONTHS)]
    weights = [2 * MONTHS - ago for ago in range(MONTHS)]
    rows: list[dict[str, Any]] = []
    for _ in range(RESPONSES):
        period = dice.choices(months, weights)[0]
        values = response_values(questionnaire, _answers(dice, questionnaire), period)
        rows.append({"id": secrets.token_hex(16), **values})
    db.session.execute(insert(ShuffledResponse), rows)
    db.session.commit()


def _release(policy: ReleasePolicy, at: int) -> None:
    """Create a release of the months closed at that time, by the account with the role ``rows``."""
    who = next(account.id for account in accounts.list_accounts() if "rows" in account.role_names)
    seen = service.preview(policy, at)
    db.session.commit()
    service.create(seen, at, who)


def _answers(dice: Random, questionnaire: Questionnaire) -> dict[str, Answer]:
    """Return the answers of one person; a random burden influences every sign, so that signs and pain correlate."""
    burden = dice.gauss(0.4, 1.0)
    answers: dict[str, Answer] = {}
    while True:
        asked = branching.first_unanswered(questionnaire, answers)
        if asked is None:
            return answers
        codes = [choice.code for choice in asked.choices if choice.code != DECLINED]
        if asked.id == questionnaire.roles.consent:
            answer: Answer = next(choice.code for choice in asked.choices if choice.points)
        elif asked.kind == "many":
            answer = (codes[0],)
        elif asked.id == questionnaire.roles.age:
            answer = dice.choices(codes[1:], range(2, len(codes) + 1))[0]
        elif dice.random() < 0.04 and DECLINED in asked.by_code:
            answer = DECLINED
        else:
            felt = 0.6 * burden + dice.gauss(0.0, 0.8)
            answer = codes[min(len(codes) - 1, max(0, round((felt + 0.8) / 2.4 * (len(codes) - 1))))]
        answers = branching.apply_answer(questionnaire, answers, asked, answer)


def _month_before(today: date, months: int) -> str:
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}-{month + 1:02}"
