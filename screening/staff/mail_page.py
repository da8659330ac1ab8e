"""The mail that did not get through: what it is about, how often it was tried, why it failed, and one more try.

A mail is shown by its kind. Whom it goes to is not known here: that is found when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.wrappers import Response

from screening import audit
from screening.extensions import db
from screening.outbox import overview, smtp
from screening.outbox.kinds import kinds, label
from screening.outbox.models import FAILED, WAITING, OutboxMail
from screening.staff.guard import current_account, needs
from screening.staff.roles import ADMIN, CALLBACKS
from screening.web import site

mail_page = Blueprint("mail", __name__, url_prefix="/mail")

REASONS: dict[str | None, LazyString] = {
    None: lazy_gettext("Not tried yet"),
    smtp.REFUSED: lazy_gettext("The mail server refused it"),
    smtp.BUSY: lazy_gettext("The mail server asked us to wait"),
    smtp.UNREACHABLE: lazy_gettext("The mail server could not be reached"),
    smtp.TIMEOUT: lazy_gettext("The mail server did not answer in time"),
    smtp.CERTIFICATE: lazy_gettext("The line to the mail server is not safe: look at its certificate"),
    smtp.SIGN_IN: lazy_gettext("The mail server did not take our name and password"),
    smtp.UNWRITABLE: lazy_gettext("It could not be written: the key of the request is not on this machine"),
    smtp.INTERRUPTED: lazy_gettext("The worker stopped in the midst of it again and again"),
}
"""Why a mail was not sent, in words."""


@dataclass(frozen=True)
class Row:
    """A mail as it is listed. ``about`` is the address of what it is about, None for who may not open that."""

    mail: OutboxMail
    label: str
    reason: str
    about: str | None


@mail_page.get("")
@needs(CALLBACKS, ADMIN)
def show() -> str:
    """What failed and what waits."""
    counts = overview.counts()
    return render_template(
        "staff/mail.html",
        rows=[_row(mail) for mail in overview.undelivered()],
        failed=counts[FAILED],
        waiting=counts[WAITING],
        most=overview.MOST_SHOWN,
        server=bool(current_app.config["SETTINGS"]["MAIL_HOST"]),
        done="done" in request.args,
    )


@mail_page.post("/retry")
@needs(CALLBACKS, ADMIN)
def retry_all() -> Response:
    """Try all that did not get through once more."""
    return _retry()


@mail_page.post("/<mail_id>/retry")
@needs(CALLBACKS, ADMIN)
def retry(mail_id: str) -> Response:
    """Try one once more."""
    db.get_or_404(OutboxMail, mail_id)
    return _retry(mail_id)


def _retry(mail_id: str | None = None) -> Response:
    count = overview.retry(site.now(), mail_id)
    db.session.add(audit.event("mail.retried", site.now(), current_account().id, mail_id or "", mails=str(count)))
    db.session.commit()
    return redirect(url_for("mail.show", done="1"), 303)


def _row(mail: OutboxMail) -> Row:
    kind = kinds().get(mail.kind)
    may_open = kind is not None and CALLBACKS in current_account().role_names
    about = url_for(kind.endpoint, id_=mail.subject) if kind and may_open else None
    return Row(mail, label(mail.kind), str(REASONS.get(mail.error, mail.error)), about)
