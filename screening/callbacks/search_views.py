"""The search in the head of every staff page. What is typed becomes part of no URL, log or audit event."""

from flask import redirect, render_template, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import request_search
from screening.callbacks.contact_details import group_digits
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_forms import SearchForm
from screening.callbacks.staff_texts import REFUSED
from screening.durations import MINUTE_SECONDS
from screening.extensions import db
from screening.staff import sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS

RESULT_SECONDS = 10 * MINUTE_SECONDS
"""Seconds for which the session holds the ids that a search found, for its page to be opened again."""


@staff_callbacks.post("/search")
@require_role(CALLBACKS)
def search() -> AnyResponse:
    """Search; redirect to the only request that matches, or to the list of those that do."""
    form = SearchForm()
    if not form.validate():
        return sent_forms.send_back(form)
    try:
        found = request_search.find(current.keyring(), form.contact.data, current.clinic().country)
        ids = " ".join(found.ids)
        db.session.add(audit.event("requests.searched", current.now(), current_account().id, found=ids))
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        return sent_forms.send_back(reason="away")
    if len(found.ids) == 1 and not (found.cut or found.partial):
        return redirect(url_for("staff_callbacks.show", id_=found.ids[0]), 303)
    page, typed = url_for("staff_callbacks.found"), form.contact.data
    return sent_forms.send_result(
        page, RESULT_SECONDS, typed=typed, ids=found.ids, cut=found.cut, partial=found.partial
    )


@staff_callbacks.get("/search")
@require_role(CALLBACKS)
def found() -> str:
    """What the last search found, for ten minutes; or why it was refused."""
    sent, result = sent_forms.find("staff_callbacks.search"), sent_forms.find_result()
    form = SearchForm(formdata=sent.fields if sent else None)
    if sent is not None:
        sent.show_errors(form)
    return render_template(
        "callbacks/staff/search.html",
        form=form,
        result=result,
        rows=request_search.rows(current.keyring(), tuple(result["ids"])) if result else [],
        searched=result["typed"] if result else form.contact.data or "",
        most=request_search.MAX_SEARCHED,
        phone=lambda details: group_digits(details.call, current.clinic().country),
        notice=REFUSED["away"] if sent is not None and sent.reason == "away" else None,
    )
