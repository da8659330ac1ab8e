"""The queue page, and the registration of all staff call-back pages."""

from flask import Flask, render_template, request
from flask_babel import lazy_gettext

from screening import audit, current
from screening.callbacks import (  # noqa: F401  imported for their routes
    clinic_calendar,
    clinic_views,
    closed_day_views,
    figure_views,
    notifications,
    phone_entry_views,
    request_views,
    search_views,
    staff_service,
)
from screening.callbacks.staff_blueprint import days_overdue, due_today, staff_callbacks
from screening.callbacks.staff_forms import OUTCOMES
from screening.callbacks.staff_service import Filter
from screening.callbacks.staff_texts import EVENTS, TABS
from screening.extensions import db
from screening.i18n import locale
from screening.staff import display_names, form_recovery, nav
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS


def init_app(app: Flask) -> None:
    """Add pages, navigation entry, recoverable forms, audit labels and mail types to the staff application."""
    app.register_blueprint(staff_callbacks)
    nav.add(app, "staff_callbacks.queue", lazy_gettext("Call-backs"), CALLBACKS, place=10)
    form_recovery.recoverable(
        app, *(f"staff_callbacks.{form}" for form in ("call", "note", "hand", "search", "enter", "closed_days"))
    )
    display_names.ACTION_LABELS.update(EVENTS)
    display_names.DETAIL_VALUES.update(outcome=OUTCOMES, reason=OUTCOMES, tab={**TABS, "today": lazy_gettext("Today")})
    notifications.init_app(app)
    clinic_views.init_app(app)
    figure_views.init_app(app)


@staff_callbacks.get("")
@require_role(CALLBACKS)
def queue() -> str:
    """The queue of requests, filtered by the query, the most urgent first."""
    wanted = Filter(
        tab=request.args.get("tab") if request.args.get("tab") in TABS else "waiting",  # type: ignore[arg-type]
        language=_one_of(request.args.get("language"), [code for code, _ in locale.locale_names()]),
        owner=_one_of(request.args.get("owner"), ["me", "unclaimed"]),
    )
    me, now = current_account().id, current.now()
    db.session.add(audit.event("requests.listed", now, me, tab=wanted.tab))
    db.session.commit()
    calendar = clinic_calendar.current_calendar(current.clinic())
    page = staff_service.queue(current.keyring(), wanted, me, now, request.args.get("after", "")[:80])
    return render_template(
        "callbacks/staff/queue.html",
        page=page,
        wanted=wanted,
        tabs=TABS,
        counts=staff_service.counts(me, now),
        most=staff_service.COUNT_LIMIT,
        first="after" not in request.args,
        languages=locale.locale_names(),
        names=display_names.account_names(),
        late=lambda found: days_overdue(found, calendar),
        due_today=due_today,
        now=now,
    )


def _one_of(value: str | None, allowed: list[str]) -> str:
    return value if value in allowed else ""
