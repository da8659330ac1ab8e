"""Cached pages of the walk, which differ between visitors in form token and seconds left only.

These two are rendered as placeholders and replaced for each request. The pages have a Jinja environment of their own
that has no ``request``, ``session``, ``g`` or ``config``, so a cached page cannot hold a visitor's data.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from flask import Flask
from jinja2 import Environment, meta

from screening.web import macros
from screening.web.page_frame import PageFrame

MAX_PAGES = 2048
"""Size of the LRU cache in pages of about 7 kB: at most about 15 MB a process."""

TOKEN, CLEARS_IN = secrets.token_hex(16), secrets.randbits(100)
"""Placeholders of a visitor's own values in a cached page. Random, so that no text contains them."""

GLOBALS = ("_", "gettext", "ngettext", "asset", "brand")
"""Globals of the application that depend on nothing but their arguments and the page's language."""

COMPONENTS = ("choices", "crisis", "errors", "frame", "icons", "more_time", "notice", "steps")
"""Files of ``templates/components`` whose macros cached pages use."""

PAGES: Mapping[str, frozenset[str]] = {
    "screener/start.html": frozenset({"go_on", "signs", "began", "finished", "notice"}),
    "screener/question.html": frozenset(
        {"question", "answer", "error", "step_text", "marks", "back", "support", "notice", "action", "private"}
    ),
}
"""The cached pages, and the values that each is rendered from, beside the frame and the form token."""

FRAME_VALUES = frozenset({"site", "form_token", "typing"})
"""Values that the layout reads. The last is optional."""


class PageCache:
    """Renders the pages of ``PAGES``, each once for all visitors to whom the same values are shown."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.rendered = lru_cache(MAX_PAGES)(self.render)

    def page(self, template: str, frame: PageFrame, token: str, **values: Any) -> str:
        """Return a page. Its values must be hashable, and never what a visitor typed."""
        anonymous = frame if frame.clears_in is None else replace(frame, clears_in=CLEARS_IN)
        page = self.rendered(template, anonymous, tuple(values.items()))
        return page.replace(TOKEN, token).replace(str(CLEARS_IN), str(frame.clears_in))

    def render(self, template: str, frame: PageFrame, values: tuple[tuple[str, Any], ...]) -> str:
        """Return a page with placeholders for a visitor's own values. ``frame`` holds the language."""
        return self._environment.get_template(template).render(dict(values), site=frame, form_token=lambda: TOKEN)


def init_app(app: Flask) -> None:
    """Add the page cache. Raises ValueError when a cached page reads a value that it is not given."""
    addresses = app.url_map.bind("localhost")
    environment = app.jinja_env.overlay()
    environment.globals = {name: app.jinja_env.globals[name] for name in GLOBALS}
    environment.globals["url_for"] = lambda endpoint, **values: addresses.build(endpoint, values)
    environment.globals["ui"] = macros.load(environment, [f"{macros.COMPONENTS_DIR}{name}.html" for name in COMPONENTS])
    for page, values in PAGES.items():
        unknown = undeclared(environment, page) - values - FRAME_VALUES
        if unknown:
            raise ValueError(f"{page}: a cached page cannot read {', '.join(sorted(unknown))}")
    app.extensions["page_cache"] = PageCache(environment)


def undeclared(environment: Environment, page: str) -> set[str]:
    """Return the names that a page, what it extends or includes, and the components read from outside.

    Raises ValueError for a reference that cannot be followed.
    """
    files, seen = [page, *(f"{macros.COMPONENTS_DIR}{name}.html" for name in COMPONENTS)], set[str]()
    found = set[str]()
    while files:
        file = files.pop()
        if file not in seen:
            seen.add(file)
            source = environment.loader.get_source(environment, file)[0]  # type: ignore[union-attr]
            names, references = _names_in(source, frozenset(environment.filters))
            found |= names
            files.extend(references)
    return found - environment.globals.keys()


@cache
def _names_in(source: str, filters: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names that a template reads, and the templates it refers to. Cached: a parse takes milliseconds."""
    environment = Environment(autoescape=True)
    environment.globals.clear()
    environment.filters.update(dict.fromkeys(filters, str))
    tree = environment.parse(source)
    references = list(meta.find_referenced_templates(tree))
    if None in references:
        raise ValueError("a cached page cannot refer to a template whose name is only known when it is rendered")
    return frozenset(meta.find_undeclared_variables(tree)), tuple(map(str, references))
