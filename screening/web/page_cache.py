"""Cached pages of the walk, which differ between visitors in form token and seconds left only.

These two are rendered as marks and replaced for each request; rendering is a third of the cost of a page.
"""

import secrets
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, render_template, request

from screening import draft
from screening.web.page_frame import PageFrame

MAX_PAGES = 2048
"""Pages, of about 7 kB each: one kept longest unused goes first, so memory ends at about 15 MB a process."""

TOKEN, CLEARS_IN = secrets.token_hex(16), secrets.randbits(100)
"""What stands in a kept page for a visitor's own values. Random, so that no text can hold them."""


def cached_page(template: str, **values: Any) -> str:
    """A page of the walk, drawn once for everyone to whom the same values are shown.

    Everything the template hangs on must be among ``values``, hashable, and never what a visitor
    wrote: beside them it knows the language, ``?from=review`` and what ``Site`` tells of a draft.
    """
    site = PageFrame()
    place = (site.locale, request.args.get("from") == "review", site.urgent, site.clears_in is not None)
    kept: str = current_app.extensions["cached_pages"](template, place, tuple(values.items()))
    return kept.replace(TOKEN, draft.form_token()).replace(str(CLEARS_IN), str(site.clears_in))


def _drawn(template: str, place: tuple[str, bool, bool, bool], values: tuple[tuple[str, Any], ...]) -> str:
    site = PageFrame()
    _, _, site.urgent, has_answers = place
    site.clears_in = CLEARS_IN if has_answers else None
    return render_template(template, **dict(values), site=site, form_token=lambda: TOKEN)


def init_app(app: Flask) -> None:
    """Give an application its kept pages."""
    app.extensions["cached_pages"] = lru_cache(MAX_PAGES)(_drawn)
