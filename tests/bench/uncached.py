"""The site without its page cache, as it would render the same pages: what the cache saves is measured against it."""

from __future__ import annotations

from typing import Any

from screening.web.page_cache import TOKEN
from wsgi import app


def render(template: str, frame: Any, values: tuple[tuple[str, Any], ...]) -> str:
    """Render with the application's own environment and its cached macros."""
    page = app.jinja_env.get_template(template)
    return page.render(dict(values), site=frame, form_token=lambda: TOKEN)


app.extensions["page_cache"].rendered = render
