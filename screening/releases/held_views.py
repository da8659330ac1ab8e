"""The decision on a batch of responses that is held apart, on the page of releases."""

from flask import Blueprint, redirect, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, RadioField
from wtforms.validators import InputRequired

from screening import current
from screening.extensions import db
from screening.responses import held_batches
from screening.staff import sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.forms import StaffForm
from screening.staff.roles import RESPONSES, ROWS
from screening.web.form_fields import select_choices

held_views = Blueprint("held", __name__, url_prefix="/releases/held")

ACCEPT, DISCARD = "accept", "discard"

DECISIONS = {ACCEPT: lazy_gettext("Put them with the other copies"), DISCARD: lazy_gettext("Delete them for good")}

DONE = {ACCEPT: lazy_gettext("The copies are with the others now."), DISCARD: lazy_gettext("The copies are deleted.")}

DECIDED = "decided"
"""The reason of a form that is refused since someone else decided first."""

EVENTS = {
    "responses.accepted": lazy_gettext("Large batch of copies accepted"),
    "responses.discarded": lazy_gettext("Large batch of copies deleted"),
}


class HeldForm(StaffForm):
    """The decision on one batch."""

    decision = RadioField(
        choices=select_choices(DECISIONS),
        validators=[InputRequired(lazy_gettext("Choose what happens to these copies"))],
    )
    batch = HiddenField()


@held_views.post("")
@require_role(RESPONSES, ROWS)
def decide() -> AnyResponse:
    """Accept or discard a held batch. Idempotent: a batch is decided on once."""
    form = HeldForm()
    if not form.validate():
        return sent_forms.send_back(form)
    me, step = current_account().id, held_batches.accept if form.decision.data == ACCEPT else held_batches.discard
    db.session.commit()  # an open read transaction would prevent PostgreSQL from scrubbing
    if not step(form.batch.data or "", current.now(), me):
        return sent_forms.send_back(reason=DECIDED)
    return redirect(url_for("releases.index", done=form.decision.data), 303)


def form_of_page() -> HeldForm:
    """Return the form of the oldest held batch, as it was refused if it was."""
    sent = sent_forms.find("held.decide")
    form = HeldForm(formdata=sent.fields if sent else None)
    if sent is not None:
        sent.show_errors(form)
    return form
