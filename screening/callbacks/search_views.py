"""Search for requests by a phone number or e-mail address, which never becomes part of a URL."""

from flask import render_template, request
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import phone_numbers, staff_service
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_forms import SearchForm
from screening.extensions import db
from screening.staff import display_names, sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS


@staff_callbacks.route("/search", methods=["GET", "POST"])
@require_role(CALLBACKS)
def search() -> AnyResponse | str:
    """Find requests by a phone number or e-mail address. A GET searches for the value that the last POST stored."""
    if request.method == "POST":
        return sent_forms.send_back(SearchForm())
    sent, rows = sent_forms.find("staff_callbacks.search"), None
    form = SearchForm(formdata=sent.fields if sent else None)
    if sent is not None and not sent.reason and form.validate():
        rows = staff_service.find_by_contact(current.keyring(), *_contacts(form.contact.data))
        found = " ".join(row.request.id for row in rows)
        db.session.add(audit.event("requests.searched", current.now(), current_account().id, found=found))
        db.session.commit()
    return render_template("callbacks/staff/search.html", form=form, rows=rows, names=display_names.account_names())


def _contacts(text: str) -> tuple[str, ...]:
    """Return the phone numbers or the e-mail address that a text may mean, in the form that is hashed."""
    return (text,) if "@" in text else phone_numbers.find_numbers(text, current.clinic().country)
