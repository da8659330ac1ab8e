"""Request counts and durations, labeled so that no answer can be inferred.

The path of a walk depends on its answers, so of the walk only GETs of pages that everyone passes are counted, under
one label, and every failure.
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
"""One figure for all of them: where somebody was refused could tell how far the walk went."""


@dataclass(frozen=True)
class Labels:
    """What a request is counted under; ``steady`` tells that everybody comes by, whatever their answers."""

    surface: str
    group: str
    steady: bool


class LabelResolver:
    """Where a request belongs: by the first part of its address, where that is one of ours."""

    def __init__(self, app: Flask) -> None:
        """``app`` is the application in front."""
        staff = app.extensions.get("staff")
        self._visitor = _first_parts(app) | {"static"}
        self._staff = _first_parts(staff) if staff else frozenset()
        self._unsteady = _unsteady(app.extensions["questionnaire"])

    def of(self, method: str, path: str) -> Labels:
        """The place of a request, by its method and path."""
        first, _, rest = path.lstrip("/").partition("/")
        if first == "staff" and self._staff:
            return Labels("staff", _known(rest.partition("/")[0], self._staff), True)
        if first in WALK_ENDPOINTS:
            return Labels("visitor", WALK_LABEL, method == "GET" and rest not in self._unsteady)
        return Labels("visitor", _known(first, self._visitor), True)


def with_request_metrics(
    application: Callable[..., Iterable[bytes]], places: LabelResolver
) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that counts and times what another one answers."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, began = "5xx", perf_counter()
        place = places.of(environ["REQUEST_METHOD"], environ["PATH_INFO"])  # before it is handed on and changed

        def start(line: str, *more: Any) -> Any:
            nonlocal status
            status = f"{line[0]}xx"
            return start_response(line, *more)

        try:
            return application(environ, start)
        finally:
            if place.steady or status == "5xx":
                REQUEST_SECONDS.labels(place.surface, place.group, status).observe(perf_counter() - began)

    return answer


def _unsteady(questionnaire: Questionnaire) -> frozenset[str]:
    asked_of_some = (question.id for question in questionnaire.questions if question.show_when)
    return frozenset((*asked_of_some, questionnaire.roles.age))


def _first_parts(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule.split("/")[1] for rule in app.url_map.iter_rules())


def _known(part: str, parts: frozenset[str]) -> str:
    """The group of a first part; the empty one is that of the start page."""
    return (part or "start") if part in parts else "unknown"
