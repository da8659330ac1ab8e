"""Pages that belong to no walk: help, about, privacy, accessibility."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, render_template

from screening.clinic import DEMO, Clinic
from screening.clinic import load as load_clinic
from screening.outbox import retention
from screening.web import drafts, site
from screening.web.spans import DAY, span

pages = Blueprint("pages", __name__)

STATED = date(2026, 11, 25)
"""When the accessibility statement was last gone through: do so when pages change, and once a year."""


@pages.get("/help-now")
def help_now() -> str:
    """Crisis help in every language, the reader's own first. Needs no cookie and sets none."""
    return render_template("pages/help_now.html", crises=current_app.extensions["crisis"])


@pages.get("/about")
def about() -> str:
    """What the check is, who wrote it and where its figures come from."""
    return render_template("pages/about.html")


@pages.get("/privacy")
def privacy() -> str:
    """What is kept, where and for how long: as the settings say and the code does."""
    settings = site.settings()
    return render_template(
        "pages/privacy.html",
        idle=span(drafts.IDLE),
        absolute=span(drafts.ABSOLUTE),
        longer=span(drafts.LONGER),
        k=settings["K"],
        tells_months=settings["EXPERT_DETERMINATION"] is not None,
        audit_kept=span(settings["KEEP_AUDIT_DAYS"] * DAY),
        writes_mail=bool(settings["MAIL_HOST"]),
        mail_kept=span(retention.KEPT),
        failed_mail_kept=span(retention.FAILED_KEPT),
        counts_pages=settings["METRICS_ADDRESS"] is not None,
        leaves_for=urlsplit(site.clinic().neutral_site).netloc,
    )


@pages.get("/accessibility")
def accessibility() -> str:
    """How the site was made usable for everyone, and whom to tell when it is not."""
    return render_template("pages/accessibility.html", longer=span(drafts.LONGER), stated=STATED)


@pages.get("/brand.css")
def brand() -> Response:
    """The clinic's own accent over the tokens of the style sheet."""
    accent = current_app.extensions["clinic"].accent
    css = (
        f":root{{--accent:{accent.day};--strong:color-mix(in srgb,{accent.day} 80%,#000)}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{--accent:{accent.night};"
        f"--strong:color-mix(in srgb,{accent.night} 80%,#fff)}}}}"
        "@media print{:root{--accent:#000;--strong:#000}}"
        "@media (forced-colors:active){:root{--accent:CanvasText;--strong:CanvasText}}"
    )
    response = make_response(css)
    response.content_type = "text/css; charset=utf-8"
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def has_own_accent(clinic: Clinic) -> bool:
    """Whether the clinic's accent differs from the one in the style sheet."""
    return clinic.accent != load_clinic(DEMO).accent
