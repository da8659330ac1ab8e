"""Take, hand over, put back or close several requests of the queue with one POST."""

from collections.abc import Callable

from flask import request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks import staff_service, workflow
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_service import PAGE_SIZE
from screening.callbacks.workflow import NotAllowedError, Progress
from screening.extensions import db
from screening.staff import display_names, sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS

ACTIONS: dict[str, tuple[str, Callable[[Progress, str], Progress]]] = {
    "claim": ("request.claimed", workflow.claim),
    "put_back": ("request.put_back", workflow.put_back),
    "close": ("request.closed", workflow.close),
    "hand": ("request.reassigned", workflow.reassign),
}
"""By the value of the pressed button: the audit action, and the transition, called with an account's id."""


@staff_callbacks.post("/selected")
@require_role(CALLBACKS)
def selected() -> AnyResponse:
    """Make one transition of each selected request; the queue then names those that could not, and why.

    A box holds the request's id and the version that the page showed.
    """
    pressed, to = request.form.get("do", ""), request.form.get("to", "")
    page = url_for("staff_callbacks.queue")
    picked = [value.partition(".")[::2] for value in request.form.getlist("pick")[:PAGE_SIZE]]
    if not picked or pressed not in ACTIONS or (pressed == "hand" and to not in display_names.active_names(CALLBACKS)):
        return sent_forms.send_result(page, problem="to" if picked else "none")
    refused = {id_: reason for id_, seen in picked if (reason := _step(id_, seen, pressed, to))}
    return sent_forms.send_result(page, action=pressed, done=len(picked) - len(refused), refused=refused)


def _step(id_: str, seen: str, pressed: str, to: str) -> str:
    """Make the transition of one request; return why it could not be made, or an empty string."""
    me, (action, step) = current_account().id, ACTIONS[pressed]
    found = staff_service.get_request(id_)
    if found is None:
        return "withdrawn"
    detail = {"to": to} if pressed == "hand" else {}
    try:
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        change = lambda progress: step(progress, to or me)  # noqa: E731
        staff_service.transition(found, version, change, action, me, current.now(), **detail)
    except NotAllowedError as error:
        return error.reason
    except SQLAlchemyError:
        db.session.rollback()
        return "away"
    return ""
