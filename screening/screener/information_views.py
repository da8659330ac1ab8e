"""Pages outside the questionnaire: help, worried, about, privacy, accessibility; and the clinic's accent color."""

import logging
from datetime import date
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, render_template

from screening import current, draft
from screening.clinic import DEMO, Clinic
from screening.clinic import load as load_clinic
from screening.durations import DAY_SECONDS, format_duration
from screening.mail import outbox
from screening.screener.blueprint import go_on_address
from screening.walk import current_walk

log = logging.getLogger(__name__)

information_views = Blueprint("information", __name__)

STATED_ON = date(2026, 11, 25)
"""Date of the last review of the accessibility statement. Review it when pages change, and once a year."""


@information_views.get("/help-now")
def help_now() -> str:
    """Crisis help in every language, the visitor's own first, and a link back to a walk. Needs no cookie, sets none."""
    try:
        walk = current_walk()
        resume = go_on_address(walk) if walk.answers else None
    except Exception as error:  # help is shown whatever fails
        log.error("the draft cannot be read: %s", type(error).__name__)
        resume = None
    return render_template("screener/help_now.html", crises=current_app.extensions["crisis"], resume=resume)


@information_views.get("/worried")
def worried() -> str:
    """What a visitor who fears for someone else can do. Needs no cookie and sets none."""
    return render_template("screener/worried.html", crises=current_app.extensions["crisis"])


@information_views.get("/about")
def about() -> str:
    """What the questionnaire is, who wrote it and where its figures come from."""
    return render_template("screener/about.html", ketamine=current_app.extensions["ketamine"])


@information_views.get("/privacy")
def privacy() -> str:
    """What is stored, where and for how long. Every period comes from the settings or from the code that applies it."""
    settings = current.settings()
    return render_template(
        "screener/privacy.html",
        idle=format_duration(draft.IDLE_SECONDS),
        absolute=format_duration(draft.ABSOLUTE_SECONDS),
        longer=format_duration(draft.EXTENDED_SECONDS),
        form=format_duration(draft.FORM_SECONDS),
        k=settings["MIN_GROUP_SIZE"],
        tells_months=settings["EXPERT_DETERMINATION"] is not None,
        audit_kept=format_duration(settings["AUDIT_RETENTION_DAYS"] * DAY_SECONDS),
        writes_mail=bool(settings["MAIL_HOST"]),
        mail_kept=format_duration(outbox.RETENTION_SECONDS),
        failed_mail_kept=format_duration(outbox.FAILED_RETENTION_SECONDS),
        counts_pages=settings["METRICS_ADDRESS"] is not None,
        leaves_for=urlsplit(current.clinic().neutral_site).netloc,
    )


@information_views.get("/accessibility")
def accessibility() -> str:
    """The accessibility statement, and where to report a barrier."""
    return render_template(
        "screener/accessibility.html", longer=format_duration(draft.EXTENDED_SECONDS), stated=STATED_ON
    )


@information_views.get("/brand.css")
def brand() -> Response:
    """A style sheet that sets the clinic's accent color and its shades, on screens without forced colors."""
    accent = current.clinic().accent
    day, night = (
        "".join(f"--{name}:{shade};" for name, shade in {"accent": color, **shades}.items())
        for color, shades in ((accent.day, accent.day_shades), (accent.night, accent.night_shades))
    )
    css = (
        f"@media screen{{:root{{{day}--strong:color-mix(in srgb,{accent.day} 80%,#000)}}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{night}"
        f"--strong:color-mix(in srgb,{accent.night} 80%,#fff)}}}}"
        "@media (forced-colors:active){:root{--accent:CanvasText;--strong:CanvasText;--tint:Canvas;--pale:Canvas;"
        "--mid:GrayText}}"
    )
    response = make_response(css)
    response.content_type = "text/css; charset=utf-8"
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def has_own_accent(clinic: Clinic) -> bool:
    """Return whether the clinic's accent color differs from the style sheet's."""
    return clinic.accent != load_clinic(DEMO).accent
