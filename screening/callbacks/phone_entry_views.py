"""Enter a request for a caller on the phone."""

import re
from datetime import UTC, datetime

from flask import make_response, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks import clinic_calendar, patient_service
from screening.callbacks.forms import ConsultationForm
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.staff_blueprint import (
    CONFLICT,
    UNAVAILABLE,
    UNPROCESSABLE,
    staff_callbacks,
    submitted_or_recovered,
)
from screening.callbacks.staff_texts import REFUSED
from screening.callbacks.workflow import NotAllowedError
from screening.extensions import db
from screening.i18n import locale
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS


@staff_callbacks.route("/new", methods=["GET", "POST"])
@require_role(CALLBACKS)
def enter() -> AnyResponse | str:
    """Enter a request for somebody on the phone. The reference is shown this once, to be read out."""
    form = ConsultationForm(
        clinic_calendar.current_calendar(current.clinic()),
        current.clinic().country,
        locale.locale_names(),
        datetime.fromtimestamp(current.now(), UTC),
        formdata=submitted_or_recovered(),
    )
    sent = request.form.get("secret", "")
    secret = sent if re.fullmatch("[0-9a-f]{32}", sent) else patient_service.fresh_secret()
    if request.method == "GET" or not form.validate():
        code = UNPROCESSABLE if form.errors else 200
        return make_response(render_template("callbacks/staff/new.html", form=form, secret=secret, notice=None), code)
    try:
        receipt = patient_service.submit(
            secret,
            form.details(None, 0),
            clinic_calendar.current_calendar(current.clinic()),
            current.now(),
            urgent=False,
            by=current_account().id,
            mails=bool(current.settings()["MAIL_HOST"]),
        )
    except (NotAllowedError, patient_service.GoneError):
        return _form_again(form, patient_service.fresh_secret(), "changed", CONFLICT)
    except (NoKeyError, SQLAlchemyError):
        db.session.rollback()
        return _form_again(form, secret, "away", UNAVAILABLE)
    return render_template("callbacks/staff/entered.html", receipt=receipt)


def _form_again(form: ConsultationForm, secret: str, why: str, code: int) -> AnyResponse:
    return make_response(
        render_template("callbacks/staff/new.html", form=form, secret=secret, notice=REFUSED[why]), code
    )
