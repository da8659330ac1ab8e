"""The doctor's findings for administrators: a page that lists them, and a link with their number on all pages.

Findings are cached for a minute per process.
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

FINDING_TEXTS = {
    Severity.NOW: lazy_gettext("Now"),
    Severity.SOON: lazy_gettext("Soon"),
    Severity.NOTE: lazy_gettext("Good to know"),
}

system_status_views = Blueprint("system_status", __name__)


@system_status_views.get("/system")
@require_role(ADMIN)
def show() -> str:
    """List the current findings and their fixes."""
    return render_template("operations/system_status.html", findings=_examine(), words=FINDING_TEXTS)


class OpenFindings:
    """The number of findings that need action, for the page frame. Never raises, since error pages have it, too."""

    @cached_property
    def count(self) -> int:
        """The number for administrators; 0 for other accounts, and on the page that lists the findings."""
        try:
            account = account_or_none()
            if account is None or ADMIN not in account.role_names or request.endpoint == "system_status.show":
                return 0
            return sum(finding.needs_action for finding in _cached_findings())
        except Exception as error:  # without database or session the link is left out
            log.error("the number of findings is unknown: %s", type(error).__name__)
            return 0


def _cached_findings() -> list[Finding]:
    """Return the findings of the last minute, or new ones."""
    valid_until, findings = current_app.extensions.get("findings", (-1, []))
    return findings if 0 <= valid_until - current.now() <= CACHE_SECONDS else _examine()


def _examine() -> list[Finding]:
    with current_app.app_context():  # a separate database session: a failing check must not break the page's
        findings = examine(CheckInputs(current.settings(), current.now()))
    current_app.extensions["findings"] = (current.now() + CACHE_SECONDS, findings)
    return findings


def init_app(app: Flask) -> None:
    """Register the page with the staff application, and the link on all its pages."""
    app.register_blueprint(system_status_views)
    nav.add(app, "system_status.show", lazy_gettext("System status"), ADMIN, place=95, landing=15)
    display_names.ACTION_LABELS.update(
        {BACKUP_CREATED: lazy_gettext("Backup made"), BACKUP_RESTORED: lazy_gettext("Database restored from a backup")}
    )
    app.context_processor(lambda: {"to_mend": OpenFindings()})
