"""The page of closed days: days without calls, in addition to the holidays of the clinic file."""

from datetime import date
from functools import partial

from flask import redirect, render_template, request, url_for
from sqlalchemy import delete
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import clinic_calendar
from screening.callbacks.models import ClosedDay
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_forms import ClosedDayForm
from screening.extensions import db
from screening.staff import sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS


@staff_callbacks.route("/closed-days", methods=["GET", "POST"])
@require_role(CALLBACKS)
def closed_days() -> AnyResponse | str:
    """List closed days, and add one. The due times of existing requests do not change."""
    calendar = clinic_calendar.current_calendar(current.clinic())
    today = current.today()
    form = sent_forms.fill(partial(ClosedDayForm, today, calendar))
    if request.method == "POST":
        if not form.validate():
            return sent_forms.send_back(form)
        day = form.day.data.isoformat()
        if db.session.get(ClosedDay, day) is None:
            db.session.add(ClosedDay(day=day))
            db.session.add(audit.event("closed_day.added", current.now(), current_account().id, day))
            db.session.commit()
        return redirect(url_for("staff_callbacks.closed_days"), 303)
    return render_template(
        "callbacks/staff/closed_days.html",
        form=form,
        added=[date.fromisoformat(row.day) for row in db.session.query(ClosedDay).order_by(ClosedDay.day)],
        holidays=clinic_calendar.upcoming_holidays(current.clinic(), today),
        today=today,
    )


@staff_callbacks.post("/closed-days/<day>/remove")
@require_role(CALLBACKS)
def remove_closed_day(day: str) -> AnyResponse:
    """Remove a closed day. Idempotent."""
    if db.session.scalar(delete(ClosedDay).where(ClosedDay.day == day).returning(ClosedDay.day)):
        db.session.add(audit.event("closed_day.removed", current.now(), current_account().id, day))
        db.session.commit()
    return redirect(url_for("staff_callbacks.closed_days"), 303)
