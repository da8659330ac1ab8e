"""The front desk's day: the morning view, one press to the next request, and the call list for paper."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from screening import audit
from screening.callback import desk, opening, today
from screening.callback.details import spoken
from screening.extensions import db
from screening.outbox import kinds, overview
from screening.staff import accounts, audit_page, nav
from screening.staff.guard import current_account, needs
from screening.staff.roles import CALLBACKS
from screening.web import site

views = Blueprint("today", __name__, url_prefix="/callbacks")

SECTIONS = {
    "first": lazy_gettext("Call first"),
    "overdue": lazy_gettext("Overdue"),
    "today": lazy_gettext("Due today"),
    "mine": lazy_gettext("Later, and with me"),
}

ALL_OF = {"first": {}, "overdue": {"tab": "overdue"}, "today": {}, "mine": {"whose": "me"}}
"""Where the queue shows the rest of a section."""

NOTHING = lazy_gettext("Nothing else waits for you.")


def init_app(app: Flask) -> None:
    """Add the pages to the staff application; the morning view is where the team lands."""
    app.register_blueprint(views)
    nav.add(app, "today.show", lazy_gettext("Today"), CALLBACKS, place=5)
    audit_page.WORDS["requests.printed"] = lazy_gettext("Call list opened for printing")


@views.get("/today")
@needs(CALLBACKS)
def show() -> str:
    """What needs somebody today, the most urgent first."""
    me, now = current_account().id, site.now()
    db.session.add(audit.event("requests.listed", now, me, tab="today"))
    db.session.commit()
    calendar = opening.calendar(site.clinic())
    found = today.sections(site.keyring(), calendar, me, now)
    return render_template(
        "callback/desk/today.html",
        sections=found,
        titles=SECTIONS,
        all_of=ALL_OF,
        most=desk.MOST_COUNTED,
        handed_over=desk.handed_over([row.request.id for section in found for row in section.rows]),
        fits_now=lambda details: today.fits_now(calendar, now, details),
        failed=overview.counts()["failed"],
        mails=[(kinds.label(mail.kind), mail.posted_at) for mail in overview.failed(today.MOST_SHOWN)],
        names={account.id: account.name for account in accounts.everyone()},
        me=me,
        now=now,
        notice=NOTHING if request.args.get("done") == "nothing" else None,
    )


@views.get("/next")
@needs(CALLBACKS)
def following() -> Response:
    """To the most urgent request that nobody else has."""
    found = today.following(current_account().id, site.now(), request.args.get("after", "")[:32])
    address = url_for("callbacks.show", id_=found) if found else url_for("today.show", done="nothing")
    return redirect(address, 303)


@views.get("/print")
@needs(CALLBACKS)
def call_list() -> str:
    """Whom to call today, for paper: nothing of what anybody wrote, nothing about health."""
    now, clinic = site.now(), site.clinic()
    rows, more = today.to_print(site.keyring(), clinic.time_zone, now)
    ids = " ".join(row.request.id for row in rows)
    db.session.add(audit.event("requests.printed", now, current_account().id, found=ids))
    page = render_template(
        "callback/desk/call_list.html",
        rows=rows,
        more=more,
        most=today.MOST_PRINTED,
        spoken=lambda phone: spoken(phone, clinic.country),
        now=now,
    )
    db.session.commit()
    return page
