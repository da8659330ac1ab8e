"""Texts of the staff call-back pages: tabs, audit actions, refusals and confirmations."""

from collections.abc import Callable

from flask_babel import gettext, lazy_gettext, ngettext
from flask_babel.speaklater import LazyString

from screening.callbacks.workflow import Outcome

TABS: dict[str, Callable[[int], str]] = {
    "waiting": lambda count: gettext("Waiting"),
    "overdue": lambda count: ngettext("Overdue", "Overdue", count),
    "reached": lambda count: ngettext("Reached", "Reached", count),
    "closed": lambda count: ngettext("Closed", "Closed", count),
    "withdrawn": lambda count: ngettext("Canceled", "Canceled", count),
}
"""The label of each tab, by its count."""

TAB_NAMES = {tab: LazyString(label, 2) for tab, label in TABS.items()}
"""The labels as an audit event names the lists."""


OUTCOMES = {
    Outcome.SPOKE: lazy_gettext("Spoke, done"),
    Outcome.BOOKED: lazy_gettext("Booked a visit"),
    Outcome.NOT_INTERESTED: lazy_gettext("Not interested"),
    Outcome.REFERRED: lazy_gettext("Sent to someone else"),
    Outcome.CALL_AGAIN: lazy_gettext("Spoke, call again"),
    Outcome.NO_ANSWER: lazy_gettext("No answer"),
    Outcome.BUSY: lazy_gettext("Line busy"),
    Outcome.VOICEMAIL: lazy_gettext("Left a voicemail"),
    Outcome.EMAIL_SENT: lazy_gettext("Email sent"),
    Outcome.WRONG_NUMBER: lazy_gettext("Wrong number"),
    Outcome.STOP: lazy_gettext("Asked us to stop"),
    Outcome.UNREACHABLE: lazy_gettext("Could not be reached"),
}
"""Labels of outcomes."""

OUTCOME_LABELS = {outcome.value: label for outcome, label in OUTCOMES.items()}
"""The labels by code, as audit events and attempts store it."""


EVENTS = {
    "request.received": lazy_gettext("Request received"),
    "request.entered": lazy_gettext("Request entered for a caller"),
    "request.viewed": lazy_gettext("Request opened"),
    "request.changed": lazy_gettext("Request changed by the patient"),
    "request.claimed": lazy_gettext("Request taken"),
    "request.reassigned": lazy_gettext("Request handed over"),
    "request.put_back": lazy_gettext("Request put back"),
    "request.attempted": lazy_gettext("Call tried"),
    "request.reached": lazy_gettext("Patient reached"),
    "request.undone": lazy_gettext("Outcome undone"),
    "request.noted": lazy_gettext("Note added"),
    "request.closed": lazy_gettext("Request closed"),
    "request.reopened": lazy_gettext("Request opened again"),
    "request.erased": lazy_gettext("Request erased for the patient"),
    "requests.listed": lazy_gettext("List of requests opened"),
    "request.withdrawn": lazy_gettext("Request canceled and erased"),
    "requests.searched": lazy_gettext("Requests searched"),
    "closed_day.added": lazy_gettext("Closed day added"),
    "closed_day.removed": lazy_gettext("Closed day removed"),
}


REFUSED = {
    "changed": lazy_gettext("This request changed a moment ago. This is how it stands now."),
    "taken": lazy_gettext("A colleague has this request. You can take it over below."),
    "undo": lazy_gettext("This can’t be undone anymore: the request changed since, or it was on another day."),
    "yours": lazy_gettext("You have this request already."),
    "unclaimed": lazy_gettext("Take the request first."),
    "voicemail": lazy_gettext("The patient did not allow a voicemail, so none can be noted."),
    "closed": lazy_gettext("This request is closed. Open it again first."),
    "away": lazy_gettext("This could not be stored just now. What you typed is still here: try again."),
    "withdrawn": lazy_gettext("The patient canceled this request. It is erased."),
    "open": lazy_gettext("This request is open."),
}


DONE = {
    "claimed": lazy_gettext("You have this request now."),
    "reassigned": lazy_gettext("The request is handed over."),
    "put_back": lazy_gettext("The request is back in the queue."),
    "undone": lazy_gettext("The last outcome is undone."),
    "noted": lazy_gettext("The note is kept."),
    "closed": lazy_gettext("The request is closed."),
    "reopened": lazy_gettext("The request is open again."),
    "erased": lazy_gettext("The request is erased."),
}


REFUSED_SHORT = {
    "changed": lazy_gettext("changed a moment ago"),
    "taken": lazy_gettext("a colleague has it"),
    "yours": lazy_gettext("you have it already"),
    "unclaimed": lazy_gettext("nobody has it: take it first"),
    "closed": lazy_gettext("closed"),
    "withdrawn": lazy_gettext("canceled"),
    "away": lazy_gettext("could not be stored just now"),
}
"""Why one of several requests was left as it was, after its name."""

SELECTED_PROBLEMS = {
    "none": lazy_gettext("Check the requests in the list first."),
    "to": lazy_gettext("Pick who takes over the requests."),
}
