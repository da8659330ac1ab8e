"""Request counts and durations, labeled so that no answer can be inferred.

The path of a walk depends on its answers. Of the walk only GETs of pages that every visitor passes are counted, under
one label, and all 5xx responses.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from flask import Flask
from prometheus_client import Counter, Histogram

from screening.questionnaires.model import Questionnaire

WALK_LABEL = "walk"
WALK_ENDPOINTS = ("check", "summary", "help-now", "leave", "more-time", "start-again")

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUEST_SECONDS = Histogram(
    "screening_request_seconds", "Seconds until a request is answered", ("surface", "group", "status"), buckets=BUCKETS
)

SHED_REQUESTS = Counter("screening_refused", "Requests refused because too many came at once")
"""Without labels: the path of a refused request could reveal how far a walk had come."""

CAPPED_MAILS = Counter("screening_mails_capped", "Mails to patients left out because one address had enough for a day")


@dataclass(frozen=True)
class Labels:
    """The labels of a request; ``steady``: every visitor makes it, whatever their answers."""

    surface: str
    group: str
    steady: bool


class LabelResolver:
    """Maps requests to labels by the first segment of their path, if it is one of the site's."""

    def __init__(self, app: Flask) -> None:
        """``app`` is the outer application."""
        staff = app.extensions.get("staff")
        self._visitor = _first_parts(app) | {"static"}
        self._staff = _first_parts(staff) if staff else frozenset()
        self._unsteady = _unsteady(app.extensions["questionnaire"])

    def of(self, method: str, path: str) -> Labels:
        """Return the labels of a request."""
        first, _, rest = path.lstrip("/").partition("/")
        if first == "staff" and self._staff:
            return Labels("staff", _known(rest.partition("/")[0], self._staff), True)
        if first in WALK_ENDPOINTS:
            return Labels("visitor", WALK_LABEL, method == "GET" and rest not in self._unsteady)
        return Labels("visitor", _known(first, self._visitor), True)


def with_request_metrics(
    application: Callable[..., Iterable[bytes]], resolver: LabelResolver
) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that counts and times the responses of another."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, began = "5xx", perf_counter()
        labels = resolver.of(environ["REQUEST_METHOD"], environ["PATH_INFO"])  # before a dispatcher changes PATH_INFO

        def start(line: str, *more: Any) -> Any:
            nonlocal status
            status = f"{line[0]}xx"
            return start_response(line, *more)

        try:
            return application(environ, start)
        finally:
            if labels.steady or status == "5xx":
                REQUEST_SECONDS.labels(labels.surface, labels.group, status).observe(perf_counter() - began)

    return answer


def _unsteady(questionnaire: Questionnaire) -> frozenset[str]:
    conditional = (question.id for question in questionnaire.questions if question.show_when)
    return frozenset((*conditional, questionnaire.roles.age))


def _first_parts(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule.split("/")[1] for rule in app.url_map.iter_rules())


def _known(part: str, parts: frozenset[str]) -> str:
    """Return the group of a first path segment; the start page has an empty one."""
    return (part or "start") if part in parts else "unknown"
