"""What needs somebody, for admins: a page that lists it, and a line on every other page that leads there.

What was found is kept for a minute in each process, so that no page waits for it twice.
"""

import logging
from functools import cached_property

from flask import Blueprint, Flask, current_app, render_template, request
from flask_babel import lazy_gettext

from screening import current
from screening.operations.backup import BACKUP_CREATED, BACKUP_RESTORED
from screening.operations.doctor import CheckInputs, Finding, Severity, examine
from screening.staff import display_names, nav
from screening.staff.access import require_role
from screening.staff.current_account import account_or_none
from screening.staff.roles import ADMIN

log = logging.getLogger(__name__)

CACHE_SECONDS = 60
"""Seconds."""

FINDING_TEXTS = {
    Severity.NOW: lazy_gettext("Now"),
    Severity.SOON: lazy_gettext("Soon"),
    Severity.NOTE: lazy_gettext("Good to know"),
}

system_status_views = Blueprint("system_status", __name__)


@system_status_views.get("/system")
@require_role(ADMIN)
def show() -> str:
    """Everything that was found just now, and what mends it."""
    return render_template("operations/system_status.html", findings=_look(), words=FINDING_TEXTS)


class OpenFindings:
    """How many things need somebody, for the frame of a page. Nothing here raises: an error page has it too."""

    @cached_property
    def count(self) -> int:
        """For admins; 0 for all others, and on the page that lists them."""
        try:
            account = account_or_none()
            if account is None or ADMIN not in account.role_names or request.endpoint == "system_status.show":
                return 0
            return sum(finding.needs_action for finding in _known())
        except Exception as error:  # without database or session the line is just not there
            log.error("what needs somebody is not known: %s", type(error).__name__)
            return 0


def _known() -> list[Finding]:
    """What was found within the last minute, or now."""
    kept_until, findings = current_app.extensions.get("findings", (-1, []))
    return findings if 0 <= kept_until - current.now() <= CACHE_SECONDS else _look()


def _look() -> list[Finding]:
    with current_app.app_context():  # a session of its own: a check that fails must not break the page's
        findings = examine(CheckInputs(current.settings(), current.now()))
    current_app.extensions["findings"] = (current.now() + CACHE_SECONDS, findings)
    return findings


def init_app(app: Flask) -> None:
    """Put the page into the staff's application, and the line on all its pages."""
    app.register_blueprint(system_status_views)
    nav.add(app, "system_status.show", lazy_gettext("System status"), ADMIN, place=95)
    display_names.ACTION_LABELS.update(
        {BACKUP_CREATED: lazy_gettext("Backup made"), BACKUP_RESTORED: lazy_gettext("Database restored from a backup")}
    )
    app.context_processor(lambda: {"to_mend": OpenFindings()})
