"""The doctor: checks an installation and returns findings, each with its fix.

A check is a function of ``CheckInputs``. To add one, append it to the ``CHECKS`` of its module.
"""

import logging
from collections.abc import Iterator, Sequence

from flask_babel import lazy_gettext

from screening.operations.doctor import keys, runtime_checks, setup_checks
from screening.operations.doctor.finding import Check, CheckInputs, Finding, Severity
from screening.web.errors import origin_of

log = logging.getLogger(__name__)

__all__ = ["Check", "CheckInputs", "Finding", "Severity", "examine"]

CHECKS = (*setup_checks.CHECKS, *keys.CHECKS, *runtime_checks.CHECKS)


def examine(given: CheckInputs, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Return all findings, most severe first. Never raises. Needs an application context."""
    found = [finding for check in checks for finding in _run(check, given)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _run(check: Check, given: CheckInputs) -> Iterator[Finding]:
    try:
        yield from check(given)
    except Exception as error:  # an error in one check must not hide the findings of the others
        log.error("the doctor's check %s failed: %s", check.__name__, origin_of(error))
        what = lazy_gettext("The check “%(name)s” could not be made", name=check.__name__)
        step = lazy_gettext("Look in the log, then check again:")
        yield Finding(Severity.SOON, what, step, "flask doctor")
