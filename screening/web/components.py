"""The parts that pages are made of: every macro of ``templates/components``, loaded once at the start.

Templates call them as ``ui.<macro>``. Importing them in each template costs a tenth of a page, since
Jinja compares all globals at every import.
"""

from __future__ import annotations

from types import SimpleNamespace

from flask import Flask

FOLDER = "components/"


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
            macros[name] = macro
    app.jinja_env.globals["ui"] = SimpleNamespace(**macros)
