"""The page of figures and its CSV file: how many requests, and how soon and with what outcome they were answered."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Flask, Response, render_template, request
from flask_babel import format_date, gettext, lazy_gettext
from flask_babel.speaklater import LazyString

from screening import current
from screening.callbacks import clinic_calendar, figure_store
from screening.callbacks.figures import ANSWERED, ENDED, FIRST, TOTAL, WEEK, WEEKS, median_wait
from screening.callbacks.staff_texts import OUTCOME_LABELS
from screening.i18n.locale import locale_names
from screening.staff import nav
from screening.staff.access import require_role
from screening.staff.roles import ADMIN, CALLBACKS

figure_views = Blueprint("figures", __name__)

BLOCKS_SHOWN = (3, 6, 13)
WEEKS_DRAWN = 12

CHART_WIDTH = 300

VALUES: dict[str, dict[str, LazyString]] = {
    ANSWERED: {
        "in_time": lazy_gettext("In time"),
        "late": lazy_gettext("Late"),
        "none": lazy_gettext("Canceled, or not due yet"),
    },
    FIRST: {
        "soon": lazy_gettext("Within 2 hours"),
        "same_day": lazy_gettext("Same day"),
        "next_day": lazy_gettext("Next business day"),
        "later": lazy_gettext("Later"),
        "none": lazy_gettext("No call"),
    },
    ENDED: {**OUTCOME_LABELS, "withdrawn": lazy_gettext("Canceled by the patient"), "none": lazy_gettext("No call")},
}
"""The texts of each figure's values; a value without one is shown by its code."""


@dataclass(frozen=True)
class Part:
    """A count of a period. None: hidden. ``width`` is that of its bar."""

    label: str
    count: int | None
    of: int | None

    @property
    def share(self) -> float:
        """Between 0 and 1; 0 if it is hidden."""
        return self.count / self.of if self.count and self.of else 0.0

    @property
    def width(self) -> float:
        """Width of the filled part of the bar."""
        return round(CHART_WIDTH * self.share, 1)


@dataclass(frozen=True)
class Period:
    """One or four weeks: its name, the number of requests, and the parts of each figure by value.

    ``median``: the text of the median time to the first call; empty if it is hidden, or no patient was called.
    """

    name: str
    requests: int | None
    parts: Mapping[str, Mapping[str, Part]]
    median: str


def init_app(app: Flask) -> None:
    """Add the page to the staff application."""
    app.register_blueprint(figure_views)
    nav.add(app, "figures.show", lazy_gettext("Figures"), CALLBACKS, ADMIN, place=50)


@figure_views.get("/figures")
@require_role(CALLBACKS, ADMIN)
def show() -> str:
    """The figures of the last finished blocks, of all languages or of one."""
    languages = dict(locale_names())
    language = request.args.get("language", "") if request.args.get("language") in languages else TOTAL
    span = next((span for span in BLOCKS_SHOWN if str(span) == request.args.get("blocks")), BLOCKS_SHOWN[0])
    found = _blocks()[:span]
    periods = [_period(period, language) for _, tables in reversed(found) for period in tables["periods"]]
    weeks = [week for _, tables in reversed(found) for week in tables["requests"].items()][-WEEKS_DRAWN:]
    return render_template(
        "callbacks/staff/figures.html",
        periods=periods,
        weeks=[(date.fromisoformat(monday), count) for monday, count in weeks],
        values={figure: _values(periods, figure) for figure in VALUES},
        languages=languages,
        language=language,
        span=span,
        spans=[(span, WEEKS * span) for span in BLOCKS_SHOWN],
        k=current.settings()["MIN_GROUP_SIZE"],
    )


@figure_views.get("/figures.csv")
@require_role(CALLBACKS, ADMIN)
def download() -> Response:
    """All figures as CSV, by codes that do not depend on the language. An empty count is hidden."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("first_day", "weeks", "language", "figure", "value", "count"))
    for _, tables in reversed(_blocks()):
        for monday, count in tables["requests"].items():
            writer.writerow((monday, 1, "all", "requests", "all", count))
        for period in tables["periods"]:
            for language, figure, value, count in period["cells"]:
                row = (language or "all", figure or "requests", value or "all", count)
                if period["weeks"] > 1 or row[:2] != ("all", "requests"):
                    writer.writerow((period["start"], period["weeks"], *row))
    response = Response(text.getvalue(), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename="figures.csv")
    response.headers["Cache-Control"] = "no-store"
    return response


def _blocks() -> list[tuple[date, dict[str, Any]]]:
    calendar = clinic_calendar.current_calendar(current.clinic())
    return figure_store.blocks(calendar, current.now(), current.settings()["MIN_GROUP_SIZE"])


def _period(period: Mapping[str, Any], language: str) -> Period:
    cells = {(figure, value): count for code, figure, value, count in period["cells"] if code == language}
    total = cells.pop((TOTAL, TOTAL), 0)
    parts: dict[str, dict[str, Part]] = {figure: {} for figure in VALUES}
    for (figure, value), count in cells.items():
        parts[figure][value] = Part(str(VALUES[figure].get(value, value)), count, total)
    median = median_wait({value: part.count for value, part in parts[FIRST].items()})
    text = str(VALUES[FIRST][median]) if median else ""
    return Period(_name(date.fromisoformat(period["start"]), period["weeks"]), total, parts, text)


def _name(first: date, weeks: int) -> str:
    """Return a period's name: the week's Monday, or the first and the last day."""
    pattern = gettext("MMM d")
    if weeks == 1:
        return format_date(first, pattern)
    return f"{format_date(first, pattern)} – {format_date(first + weeks * WEEK - WEEK / 7, pattern)}"


def _values(periods: list[Period], figure: str) -> dict[str, str]:
    """Return code and text of a figure's values that occur, in the order of ``VALUES``, then those without a text."""
    found = {value: part.label for period in periods for value, part in period.parts[figure].items()}
    known = {value: found[value] for value in VALUES[figure] if value in found}
    return known | found
