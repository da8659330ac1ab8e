"""Trends: what the rows of one release show, or of two beside each other. Never of several together."""

from __future__ import annotations

import json

from flask import Blueprint, abort, render_template, request

from screening.responses import charts, releases
from screening.responses.models import Release
from screening.staff.guard import needs
from screening.staff.roles import RESPONSES, ROWS
from screening.web import site

trends = Blueprint("trends", __name__, url_prefix="/trends")


@trends.get("")
@needs(RESPONSES, ROWS)
def show() -> str:
    """The charts of a release, the newest if none is asked for."""
    everyone = releases.everyone()
    first = _chosen("release", everyone) or next(iter(everyone), None)
    second = _chosen("and", everyone)
    chosen = [release for release in (first, second) if release is not None]
    return render_template(
        "responses/trends.html",
        everyone=[(release, _stated(release)) for release in everyone],
        first=first,
        second=second,
        shown=[
            (release, _stated(release), charts.of(release.tables, site.questionnaire()))
            for release in dict.fromkeys(chosen)
        ],
        mood=charts.mood(site.questionnaire()),
    )


def _chosen(which: str, everyone: list[Release]) -> Release | None:
    """The release that the address asks for; None when it asks for none. An unknown one is not found."""
    wanted = request.args.get(which, "")
    if not wanted:
        return None
    found = next((release for release in everyone if str(release.id) == wanted), None)
    return found or abort(404)


def _stated(release: Release) -> dict[str, object]:
    stated: dict[str, object] = json.loads(release.manifest)
    return stated
