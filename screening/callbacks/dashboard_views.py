"""The dashboard: today's requests, the way to the next one, and the printed call list."""

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from screening import audit, current
from screening.callbacks import clinic_calendar, dashboard, list_lines, next_request, staff_service, template_filters
from screening.callbacks.contact_details import group_digits
from screening.callbacks.due_times import is_closed
from screening.callbacks.staff_texts import TAB_NAMES, TABS
from screening.extensions import db
from screening.i18n.clock import with_period
from screening.mail import queries, types
from screening.staff import display_names, nav
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS

dashboard_views = Blueprint("dashboard", __name__, url_prefix="/callbacks")

SECTIONS = {
    "first": lazy_gettext("Call first"),
    "overdue": TAB_NAMES["overdue"],
    "today": lazy_gettext("Due today"),
    "reached": lazy_gettext("Reached, call again"),
    "mine": lazy_gettext("Later, and with me"),
}

ALL_OF = {
    "first": {},
    "overdue": {"tab": "overdue"},
    "today": {},
    "reached": {"tab": "reached"},
    "mine": {"owner": "me"},
}
"""Query of the queue page that lists the whole section."""


def init_app(app: Flask) -> None:
    """Add the pages to the staff application; the dashboard is the first page after sign-in."""
    app.register_blueprint(dashboard_views)
    nav.add(app, "dashboard.show", lazy_gettext("Today"), CALLBACKS, place=5)
    display_names.ACTION_LABELS["requests.printed"] = lazy_gettext("Call list opened for printing")


@dashboard_views.get("/today")
@require_role(CALLBACKS)
def show() -> str:
    """The requests to work on today, the most urgent first."""
    me, now = current_account().id, current.now()
    db.session.add(audit.event("requests.listed", now, me, tab="today"))
    db.session.commit()
    calendar = clinic_calendar.current_calendar(current.clinic())
    found = dashboard.sections(current.keyring(), calendar, me, now)
    rows = [row for section in found for row in section.rows]
    return render_template(
        "callbacks/staff/today.html",
        sections=found,
        titles={**SECTIONS, "overdue": TABS["overdue"](found[1].count)},
        all_of=ALL_OF,
        most=staff_service.COUNT_LIMIT,
        lines={line.request.id: line for line in list_lines.lines(rows, calendar, me, now)},
        sends_mail=bool(current.settings()["MAIL_HOST"]),
        stuck=queries.count_stuck(now),
        mails=[
            (types.label(types.mail_types(current_app), mail.kind), mail.posted_at)
            for mail in queries.stuck(now, dashboard.MAX_ROWS)
        ],
        closed_now=is_closed(calendar, now),
        now=now,
        notice=_nothing_ready(me) if request.args.get("done") == "nothing" else None,
    )


@dashboard_views.post("/next")
@require_role(CALLBACKS)
def following() -> Response:
    """Lease the most urgent request that is ready and that no colleague has, and redirect to it."""
    found = next_request.lease_next(current_account().id, current.now())
    address = url_for("staff_callbacks.show", id_=found) if found else url_for("dashboard.show", done="nothing")
    return redirect(address, 303)


@dashboard_views.get("/print")
@require_role(CALLBACKS)
def call_list() -> str:
    """The requests to call today, for printing, without messages, notes or health information."""
    now, clinic = current.now(), current.clinic()
    rows, more = dashboard.call_list(current.keyring(), clinic.time_zone, now)
    ids = " ".join(row.request.id for row in rows)
    db.session.add(audit.event("requests.printed", now, current_account().id, found=ids))
    page = render_template(
        "callbacks/staff/call_list.html",
        rows=rows,
        more=more,
        most=dashboard.MAX_PRINTED,
        spoken=lambda phone: group_digits(phone, clinic.country),
        now=now,
    )
    db.session.commit()
    return page


def _nothing_ready(me: str) -> str:
    """Return that nothing is ready, and when the next request will be."""
    at = next_request.next_ready_at(me)
    if at is None:
        return gettext("Nothing else waits for you.")
    when = template_filters.short_time(at, current.clinic().time_zone, current.now())
    return with_period(gettext("All tried. The next one is ready at %(when)s", when=when))
