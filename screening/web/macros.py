"""Every macro of ``templates/components``, loaded once as ``ui.<macro>``: imports cost a tenth of a page."""

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace

from flask import Flask
from markupsafe import Markup

from screening.i18n import locale

COMPONENTS_DIR = "components/"


CACHED_MACROS = ("care", "choices", "cycle", "dots", "icon", "ketamine", "limits", "steps", "support", "treatments")
"""Macros whose result hangs on nothing but their arguments and the language, and costs more than to keep it."""

MAX_CACHED = 1024


def init_app(app: Flask) -> None:
    """Load the macros. Raises ValueError when two files give one name to a macro."""
    macros: dict[str, object] = {}
    for file in app.jinja_env.list_templates(filter_func=lambda name: name.startswith(COMPONENTS_DIR)):
        module = app.jinja_env.get_template(file).module
        for name, macro in vars(module).items():
            if name.startswith("_") or not callable(macro):
                continue
            if name in macros:
                raise ValueError(f"{file}: there is another macro {name}")
            macros[name] = _kept(macro) if name in CACHED_MACROS else macro
    app.jinja_env.globals["ui"] = SimpleNamespace(**macros)


def _kept(macro: Callable[..., Markup]) -> Callable[..., Markup]:
    """A macro whose results are cached; its arguments must be hashable. Its ``cache_info`` is that of ``lru_cache``."""

    @lru_cache(MAX_CACHED)
    def made(language: str, *arguments: object, **options: object) -> Markup:
        return macro(*arguments, **options)

    def cached(*arguments: object, **options: object) -> Markup:
        return made(locale.current_locale(), *arguments, **options)

    cached.cache_info = made.cache_info  # type: ignore[attr-defined]
    return cached
