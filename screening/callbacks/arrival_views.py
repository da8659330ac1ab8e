"""How many requests arrived since a list was opened: asked by a script each minute. Counts only, no names."""

from datetime import datetime

from flask import jsonify, request
from flask_babel import ngettext
from sqlalchemy import func, literal, select
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks.models import WAITING, CallbackRequest
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_service import COUNT_LIMIT
from screening.extensions import db
from screening.i18n.clock import format_clock
from screening.staff.access import not_by_person, require_role
from screening.staff.roles import CALLBACKS


@staff_callbacks.get("/arrivals")
@not_by_person
@require_role(CALLBACKS)
def arrivals() -> AnyResponse:
    """Return how many waiting requests arrived since a time, and a sentence about it, empty for none."""
    now, since = current.now(), request.args.get("since", "")
    opened = min(int(since), int(now)) if since.isascii() and since.isdecimal() and len(since) < 12 else int(now)
    arrived = CallbackRequest.state_group == WAITING, CallbackRequest.asked_at > opened
    some = select(literal(1)).where(*arrived).limit(COUNT_LIMIT)
    count = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    at = format_clock(datetime.fromtimestamp(opened, current.clinic().time_zone))
    text = ngettext("%(num)s new since %(at)s.", "%(num)s new since %(at)s.", count, at=at) if count else ""
    return jsonify(count=count, text=text)
