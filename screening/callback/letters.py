"""The mails about requests: to the team that one waits, to a patient who chose e-mail what we promise.

They say nothing of health and hold nobody's name. When one is sent, the request is opened to learn
the address; what was withdrawn or is done with by then is not written about any more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Flask, current_app
from flask_babel import lazy_gettext

from screening import outbox
from screening.callback import sealing
from screening.callback.details import Details
from screening.callback.models import WAITING, CallbackRequest
from screening.extensions import db
from screening.outbox import Kind, Letter

REQUEST_WAITS, CONFIRMED, PROMISED = "request.waits", "request.confirmed", "request.promised"

STATUS_PAGE, DESK_PAGE = "/consultation/status", "/callbacks/"


def post_received(id_: str, details: Details, now: float) -> None:
    """Add the mails of a new request to the session."""
    outbox.post(REQUEST_WAITS, id_, now)
    if details.write_to:
        outbox.post(CONFIRMED, id_, now)


def post_changed(id_: str, details: Details, moved: bool, now: float) -> None:
    """Add the mail of a changed request: the new promise if it ``moved``.

    Else the same promise is confirmed again: the address may be a new one, and it is sealed.
    """
    if details.write_to:
        outbox.post(PROMISED if moved else CONFIRMED, id_, now)


def to_the_team(id_: str) -> Letter | None:
    """That a request waits, and by when it was promised an answer; None when it waits no more."""
    request = _waiting(id_)
    if request is None:
        return None
    settings = current_app.config["SETTINGS"]
    staff: str = settings["STAFF_URL"] or settings["SITE_URL"] + "/staff"
    values = {"due": request.due_at, "link": staff + DESK_PAGE + id_}
    return Letter(settings["MAIL_TEAM"], current_app.extensions["locales"][0], "waiting", values)


def to_the_patient(template: str, id_: str) -> Letter | None:
    """What is promised; None when nobody waits, or no longer wants e-mail. Raises UnsealableError without the key."""
    request = _waiting(id_)
    if request is None:
        return None
    keyring = current_app.extensions["keyring"]
    details = Details.read(sealing.unseal(keyring, request.id, request.sealed, request.sealed_with))
    return Letter(details.write_to, request.language, template, _promise(request)) if details.write_to else None


def _promise(request: CallbackRequest) -> dict[str, Any]:
    late = request.due_at < current_app.extensions["clock"]()
    return {"due": request.due_at, "late": late, "link": current_app.config["SETTINGS"]["SITE_URL"] + STATUS_PAGE}


def _waiting(id_: str) -> CallbackRequest | None:
    """The request as it now stands, if an answer to it is still due."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_, populate_existing=True)
    return found if found is not None and found.shelf == WAITING else None


DESK = "callbacks.show"
KINDS = {
    REQUEST_WAITS: Kind(lazy_gettext("To the team: a request waits"), to_the_team, DESK),
    CONFIRMED: Kind(lazy_gettext("To the patient: we got it"), partial(to_the_patient, "confirmed"), DESK),
    PROMISED: Kind(lazy_gettext("To the patient: a new time"), partial(to_the_patient, "promised"), DESK),
}


def init_app(app: Flask) -> None:
    """Let the staff's application, which may open requests, write these mails."""
    for name, kind in KINDS.items():
        outbox.add_kind(app, name, kind)
