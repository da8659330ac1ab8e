"""Texts of the staff call-back pages: tabs, audit actions, refusals and confirmations."""

from flask_babel import lazy_gettext

TABS = {
    "waiting": lazy_gettext("Waiting"),
    "overdue": lazy_gettext("Overdue"),
    "reached": lazy_gettext("Reached"),
    "closed": lazy_gettext("Closed"),
    "withdrawn": lazy_gettext("Canceled"),
}


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
    "changed": lazy_gettext("Someone else changed this request a moment ago. This is how it stands now."),
    "taken": lazy_gettext("A colleague has this request. You can take it over below."),
    "yours": lazy_gettext("You have this request already."),
    "unclaimed": lazy_gettext("Take the request first."),
    "voicemail": lazy_gettext("The patient did not allow a voicemail, so none can be noted."),
    "reached": lazy_gettext("The patient was reached before."),
    "closed": lazy_gettext("This request is closed. Open it again first."),
    "away": lazy_gettext("This could not be stored just now. What you typed is still here: try again."),
    "withdrawn": lazy_gettext("The patient canceled this request. It is erased."),
    "open": lazy_gettext("This request is open."),
}


DONE = {
    "claimed": lazy_gettext("You have this request now."),
    "reassigned": lazy_gettext("The request is handed over."),
    "put_back": lazy_gettext("The request is back in the queue."),
    "called": lazy_gettext("The call is noted."),
    "noted": lazy_gettext("The note is kept."),
    "closed": lazy_gettext("The request is closed."),
    "reopened": lazy_gettext("The request is open again."),
    "erased": lazy_gettext("The request is erased."),
}
