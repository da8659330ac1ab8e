"""The doctor: looks over an installation, and says of each thing that is wrong what mends it.

A check is a function of ``CheckInputs``; to look at one thing more, add it to the ``CHECKS`` of its file.
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
    """Everything that is found, what presses most first. Never raises; needs an application context."""
    found = [finding for check in checks for finding in _tried(check, given)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _tried(check: Check, given: CheckInputs) -> Iterator[Finding]:
    try:
        yield from check(given)
    except Exception as error:  # what hinders one check must not hide what the others find
        log.error("the doctor's check %s failed: %s", check.__name__, origin_of(error))
        what = lazy_gettext("The check “%(name)s” could not be made", name=check.__name__)
        step = lazy_gettext("Look in the log, then look again:")
        yield Finding(Severity.SOON, what, step, "flask doctor")
