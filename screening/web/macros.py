"""Every macro of ``templates/components``, loaded once as ``ui.<macro>``: imports take a tenth of a page's time."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from types import SimpleNamespace

from flask import Flask
from jinja2 import Environment
from markupsafe import Markup

from screening.i18n import locale

COMPONENTS_DIR = "components/"

CACHED_MACROS = (
    *("care", "choices", "cycle", "dots", "footer", "head", "icon", "ketamine", "limits", "support"),
    *("top", "treatments"),
)
"""Macros whose result depends on nothing but their arguments and the language, and is slower to render than to look
up."""

MAX_CACHED = 1024


def init_app(app: Flask) -> None:
    """Load the macros. Raises ValueError when two files define a macro of the same name."""
    files = app.jinja_env.list_templates(filter_func=lambda name: name.startswith(COMPONENTS_DIR))
    ui = load(app.jinja_env, files)
    for name in CACHED_MACROS:
        setattr(ui, name, _cached(getattr(ui, name)))
    app.jinja_env.globals["ui"] = ui


def load(environment: Environment, files: Iterable[str]) -> SimpleNamespace:
    """Return the macros of these files by name. Raises ValueError when two files define a macro of the same name."""
    macros: dict[str, object] = {}
    for file in files:
        for name, macro in vars(environment.get_template(file).module).items():
            if name.startswith("_") or not callable(macro):
                continue
            if name in macros:
                raise ValueError(f"{file}: macro {name} is already defined in another file")
            macros[name] = macro
    return SimpleNamespace(**macros)


def _cached(macro: Callable[..., Markup]) -> Callable[..., Markup]:
    """Return a macro whose results are cached; its arguments must be hashable."""

    @lru_cache(MAX_CACHED)
    def render(language: str, *arguments: object, **options: object) -> Markup:
        return macro(*arguments, **options)

    def cached(*arguments: object, **options: object) -> Markup:
        return render(locale.current_locale(), *arguments, **options)

    return cached
