"""The trends page: charts of one release, or of two side by side, but never pooled."""

import json

from flask import Blueprint, abort, render_template, request

from screening import current
from screening.releases import charts, service
from screening.releases.models import Release
from screening.staff.access import require_role
from screening.staff.roles import RESPONSES, ROWS

trend_views = Blueprint("trends", __name__, url_prefix="/trends")


@trend_views.get("")
@require_role(RESPONSES, ROWS)
def show() -> str:
    """Show the charts of a release; by default the newest."""
    everyone = service.list_releases()
    first = _chosen("release", everyone) or next(iter(everyone), None)
    second = _chosen("and", everyone)
    chosen = [release for release in (first, second) if release is not None]
    return render_template(
        "releases/trends.html",
        everyone=[(release, _stated(release)) for release in everyone],
        first=first,
        second=second,
        shown=[
            (release, _stated(release), charts.build_charts(release.tables, current.questionnaire()))
            for release in dict.fromkeys(chosen)
        ],
        mood=charts.mood(current.questionnaire()),
    )


def _chosen(which: str, everyone: list[Release]) -> Release | None:
    """Return the release selected in the query string; None if there is none. Aborts with 404 for an unknown one."""
    wanted = request.args.get(which, "")
    if not wanted:
        return None
    found = next((release for release in everyone if str(release.id) == wanted), None)
    return found or abort(404)


def _stated(release: Release) -> dict[str, object]:
    stated: dict[str, object] = json.loads(release.manifest)
    return stated
