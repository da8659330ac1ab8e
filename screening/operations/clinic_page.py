"""What needs somebody, for admins: a page that lists it, and a line on every other page that leads there.

What was found is kept for a minute in each process, so that no page waits for it twice.
"""

from __future__ import annotations

import logging
from functools import cached_property

from flask import Blueprint, Flask, current_app, render_template, request
from flask_babel import lazy_gettext

from screening.operations.backup import MADE, RESTORED
from screening.operations.doctor import Finding, Given, Severity, examine
from screening.staff import audit_page, nav
from screening.staff.guard import account_or_none, needs
from screening.staff.roles import ADMIN
from screening.web import site

log = logging.getLogger(__name__)

KEPT = 60
"""Seconds."""

WORDS = {
    Severity.NOW: lazy_gettext("Now"),
    Severity.SOON: lazy_gettext("Soon"),
    Severity.NOTE: lazy_gettext("Good to know"),
}

clinic_page = Blueprint("clinic", __name__)


@clinic_page.get("/clinic")
@needs(ADMIN)
def show() -> str:
    """Everything that was found just now, and what mends it."""
    return render_template("staff/clinic.html", findings=_look(), words=WORDS)


class ToMend:
    """How many things need somebody, for the frame of a page. Nothing here raises: an error page has it too."""

    @cached_property
    def count(self) -> int:
        """For admins; 0 for all others, and on the page that lists them."""
        try:
            account = account_or_none()
            if account is None or ADMIN not in account.role_names or request.endpoint == "clinic.show":
                return 0
            return sum(finding.needs_somebody for finding in _known())
        except Exception as error:  # without database or session the line is just not there
            log.error("what needs somebody is not known: %s", type(error).__name__)
            return 0


def _known() -> list[Finding]:
    """What was found within the last minute, or now."""
    kept_until, findings = current_app.extensions.get("findings", (-1, []))
    return findings if 0 <= kept_until - site.now() <= KEPT else _look()


def _look() -> list[Finding]:
    with current_app.app_context():  # a session of its own: a check that fails must not break the page's
        findings = examine(Given(site.settings(), site.now()))
    current_app.extensions["findings"] = (site.now() + KEPT, findings)
    return findings


def init_app(app: Flask) -> None:
    """Put the page into the staff's application, and the line on all its pages."""
    app.register_blueprint(clinic_page)
    nav.add(app, "clinic.show", lazy_gettext("Clinic"), ADMIN, place=95)
    audit_page.WORDS.update(
        {MADE: lazy_gettext("Backup made"), RESTORED: lazy_gettext("Database restored from a backup")}
    )
    app.context_processor(lambda: {"to_mend": ToMend()})
