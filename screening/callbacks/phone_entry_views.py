"""The page on which staff enter a request for a caller on the phone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import make_response, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks import clinic_calendar, patient_service, staff_service, workflow
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.forms import ConsultationForm
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.staff_blueprint import UNAVAILABLE, staff_callbacks
from screening.callbacks.staff_service import Row
from screening.callbacks.staff_texts import REFUSED
from screening.callbacks.workflow import NotAllowedError
from screening.extensions import db
from screening.i18n import locale
from screening.staff import sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS
from screening.web.form_fields import select_choices

DUPLICATE = "duplicate"
"""Why a form is shown again: the caller has an open request. Sent from there, it is another one."""


@staff_callbacks.route("/new", methods=["GET", "POST"])
@require_role(CALLBACKS)
def enter() -> AnyResponse | str:
    """Enter a request for a caller on the phone. Its reference is shown afterwards, to be read out."""
    if request.method != "POST":
        return _form_or_receipt()
    form, sent = _form(request.form), request.form.get("secret", "")
    secret = sent if re.fullmatch("[0-9a-f]{32}", sent) else patient_service.fresh_secret()
    if not form.validate():
        return sent_forms.send_back(form)
    details = form.details(None, 0)
    try:
        if "another" not in request.form and _open_requests(details, secret):
            return sent_forms.send_back(reason=DUPLICATE)
        receipt = patient_service.submit(
            secret,
            details,
            clinic_calendar.current_calendar(current.clinic()),
            current.now(),
            urgent=False,
            by=current_account().id,
            mails=bool(current.settings()["MAIL_HOST"]),
        )
    except (NotAllowedError, patient_service.GoneError):
        return sent_forms.send_back(reason="changed")
    except (NoKeyError, SQLAlchemyError):
        db.session.rollback()
        return make_response(_page(form, secret, "away"), UNAVAILABLE)
    page = url_for("staff_callbacks.enter")
    return sent_forms.send_result(
        page,
        reference=receipt.reference,
        words=receipt.words,
        language=receipt.language,
        due_at=receipt.due_at,
        request=patient_service.request_id(secret),
    )


def _form_or_receipt() -> str:
    receipt = sent_forms.find_result()
    if receipt is not None:
        return render_template("callbacks/staff/entered.html", receipt=receipt)
    sent = sent_forms.find("staff_callbacks.enter")
    form = _form(sent.fields if sent else None)
    if sent is not None:
        sent.show_errors(form)
    if sent is not None and sent.reason == DUPLICATE and form.validate():
        secret = sent.fields.get("secret") or patient_service.fresh_secret()
        return _page(form, secret, "", _open_requests(form.details(None, 0), secret))
    return _page(form, patient_service.fresh_secret(), sent.reason if sent else "")


def _form(fields: MultiDict[str, str] | None) -> ConsultationForm:
    languages = locale.locale_names()
    form = ConsultationForm(
        clinic_calendar.current_calendar(current.clinic()),
        current.clinic().country,
        languages,
        datetime.fromtimestamp(current.now(), UTC),
        formdata=fields,
        language=languages[0][0],
    )
    form.patient.choices = select_choices({"new": gettext("New patient"), "existing": gettext("Existing patient")})
    return form


def _open_requests(details: ContactDetails, secret: str) -> list[Row]:
    """Return the open requests with the same phone number or e-mail address, but that of this form."""
    found = staff_service.find_by_contact(current.keyring(), *details.contacts)
    others = (row for row in found if row.request.id != patient_service.request_id(secret))
    return [row for row in others if row.request.progress.state in workflow.OPEN_STATES]


def _page(form: ConsultationForm, secret: str, reason: str, open_requests: Sequence[Row] = ()) -> str:
    return render_template(
        "callbacks/staff/new.html", form=form, secret=secret, notice=REFUSED.get(reason), open_requests=open_requests
    )
