"""The parts that pages are made of: every macro of ``templates/components``, loaded once at the start.

Templates call them as ``ui.<macro>``. Importing them in each template costs a tenth of a page, since
Jinja compares all globals at every import.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace

from flask import Flask
from markupsafe import Markup

from screening.web import locale

FOLDER = "components/"


KEPT = ("care", "choices", "cycle", "dots", "icon", "ketamine", "limits", "steps", "support", "treatments")
"""Macros whose result hangs on nothing but their arguments and the language, and costs more than to keep it."""

MOST_KEPT = 1024


def init_app(app: Flask) -> None:
    """Load the macros. Raises ValueError when two files give one name to a macro."""
    macros: dict[str, object] = {}
    for file in app.jinja_env.list_templates(filter_func=lambda name: name.startswith(FOLDER)):
        module = app.jinja_env.get_template(file).module
        for name, macro in vars(module).items():
            if name.startswith("_") or not callable(macro):
                continue
            if name in macros:
                raise ValueError(f"{file}: there is another macro {name}")
            macros[name] = _kept(macro) if name in KEPT else macro
    app.jinja_env.globals["ui"] = SimpleNamespace(**macros)


def _kept(macro: Callable[..., Markup]) -> Callable[..., Markup]:
    """A macro whose results are cached; its arguments must be hashable. Its ``cache_info`` is that of ``lru_cache``."""

    @lru_cache(MOST_KEPT)
    def made(language: str, *arguments: object, **options: object) -> Markup:
        return macro(*arguments, **options)

    def cached(*arguments: object, **options: object) -> Markup:
        return made(locale.current(), *arguments, **options)

    cached.cache_info = made.cache_info  # type: ignore[attr-defined]
    return cached
