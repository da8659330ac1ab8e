"""The staff page of failed and pending mails, with retry.

A mail is listed by type and subject. Its recipient is not stored but determined when it is sent.
"""

from dataclasses import dataclass

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from screening import audit, current
from screening.extensions import db
from screening.mail import queries
from screening.mail.models import FAILED, PENDING, OutboxMail
from screening.mail.types import label, mail_types
from screening.staff import nav
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import ADMIN, CALLBACKS

mail_views = Blueprint("mail", __name__, url_prefix="/mail")


def init_app(app: Flask) -> None:
    """Register the page with the staff application; it has a menu entry if a mail server is set."""
    if app.config["SETTINGS"]["MAIL_HOST"]:
        nav.add(app, "mail.show", lazy_gettext("Mail"), CALLBACKS, ADMIN, place=70)
    app.register_blueprint(mail_views)


@dataclass(frozen=True)
class Row:
    """A row of the list. ``about`` is the URL of the mail's subject; None if the account may not open it."""

    mail: OutboxMail
    label: str
    reason: str
    about: str | None


@mail_views.get("")
@require_role(CALLBACKS, ADMIN)
def show() -> str:
    """List failed and pending mails."""
    counts = queries.counts()
    return render_template(
        "mail/list.html",
        rows=[_row(mail) for mail in queries.undelivered()],
        failed=counts[FAILED],
        waiting=counts[PENDING],
        most=queries.MAX_ROWS,
        server=bool(current.settings()["MAIL_HOST"]),
        done="done" in request.args,
    )


@mail_views.post("/retry")
@require_role(CALLBACKS, ADMIN)
def retry_all() -> Response:
    """Retry all failed mails."""
    return _retry()


@mail_views.post("/<mail_id>/retry")
@require_role(CALLBACKS, ADMIN)
def retry(mail_id: str) -> Response:
    """Retry one mail."""
    db.get_or_404(OutboxMail, mail_id)
    return _retry(mail_id)


def _retry(mail_id: str | None = None) -> Response:
    count = queries.retry(current.now(), mail_id)
    db.session.add(audit.event("mail.retried", current.now(), current_account().id, mail_id or "", mails=str(count)))
    db.session.commit()
    return redirect(url_for("mail.show", done="1"), 303)


def _row(mail: OutboxMail) -> Row:
    known = mail_types(current_app)
    kind = known.get(mail.kind)
    may_open = kind is not None and CALLBACKS in current_account().role_names
    about = url_for(kind.endpoint, id_=mail.subject) if kind and may_open else None
    return Row(mail, label(known, mail.kind), queries.reason(mail), about)
