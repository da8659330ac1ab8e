"""The queue page, and the registration of all staff call-back pages."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, render_template, request
from flask_babel import lazy_gettext

from screening import audit, current
from screening.callbacks import (  # noqa: F401  imported for their routes
    arrival_views,
    bulk_views,
    clinic_calendar,
    clinic_views,
    closed_day_views,
    figure_views,
    list_lines,
    notifications,
    phone_entry_views,
    request_views,
    search_views,
    staff_service,
)
from screening.callbacks.due_times import is_closed
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_service import Filter
from screening.callbacks.staff_texts import EVENTS, OUTCOME_LABELS, REFUSED_SHORT, SELECTED_PROBLEMS, TAB_NAMES, TABS
from screening.extensions import db
from screening.i18n import locale
from screening.staff import display_names, form_recovery, nav, roles, sent_forms
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
    display_names.DETAIL_VALUES.update(
        outcome=OUTCOME_LABELS, reason=OUTCOME_LABELS, tab={**TAB_NAMES, "today": lazy_gettext("Today")}
    )
    notifications.init_app(app)
    clinic_views.init_app(app)
    figure_views.init_app(app)
    roles.AFTER_LOSS[CALLBACKS] = _put_back_orphans


@staff_callbacks.get("")
@require_role(CALLBACKS)
def queue() -> str:
    """The queue of requests, filtered by the query, the most urgent first."""
    colleagues = display_names.active_names(CALLBACKS)
    wanted = Filter(
        tab=request.args.get("tab") if request.args.get("tab") in TABS else "waiting",  # type: ignore[arg-type]
        language=_one_of(request.args.get("language"), [code for code, _ in locale.locale_names()]),
        owner=_one_of(request.args.get("owner"), ["me", "unclaimed", *colleagues]),
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
        counts=staff_service.counts(wanted, me, now),
        most=staff_service.COUNT_LIMIT,
        first="after" not in request.args,
        languages=locale.locale_names(),
        lines=list_lines.lines(page.rows, calendar, me, now),
        colleagues={id_: name for id_, name in colleagues.items() if id_ != me},
        all_checked="all" in request.args,
        result=_result(),
        closed_now=is_closed(calendar, now),
        now=now,
    )


def _result() -> Mapping[str, Any] | None:
    """Return what became of the selected requests: a problem of the form, or a count and those left as they were."""
    sent = sent_forms.find_result()
    if sent is None or "problem" in sent:
        return sent and {"problem": SELECTED_PROBLEMS[sent["problem"]]}
    rows = {id_: staff_service.get_request(id_) for id_ in sent["refused"]}
    details = {id_: staff_service.decrypt(current.keyring(), row) for id_, row in rows.items() if row is not None}
    names = {id_: known.name for id_, known in details.items() if known is not None}
    refused = [(id_, names.get(id_, ""), REFUSED_SHORT[reason]) for id_, reason in sent["refused"].items()]
    return {"action": sent["action"], "done": sent["done"], "refused": refused}


def _put_back_orphans(actor: str, now: int) -> int:
    """Put back the requests of accounts that were disabled or lost the role."""
    return staff_service.put_back_orphans(tuple(display_names.active_names(CALLBACKS)), now, actor)


def _one_of(value: str | None, allowed: list[str]) -> str:
    return value if value in allowed else ""
