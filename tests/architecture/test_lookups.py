"""Request-bound values are read in views, commands, jobs and hooks only; services take them as parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from screening.config import ROOT

PROXIES = {"current_app", "current_user", "g", "request", "session"}
"""The proxies of Flask and Flask-Login for the current request."""

ACCESSORS = {"account_or_none", "current_account", "current_draft", "current_locale", "current_session", "current_walk"}
"""Functions of this project that read a proxy, beside those of ``screening.current``."""

ENTRY_POINTS = ("*views", "*_blueprint", "screening.cli.*", "screening.operations.jobs")
"""Modules in which a request, a command or a job starts, by name."""

VIEWS_OF_OTHER_NAMES = {"screening.operations.health", "screening.releases.downloads", "screening.web.security_txt"}

DEFINE_ACCESSORS = {
    "screening.current",
    "screening.draft",
    "screening.i18n.locale",
    "screening.staff.current_account",
    "screening.staff.sessions",
    "screening.walk",
}

HOOKS = {
    "screening.app",  # the check of the host name
    "screening.screener.urgent_help",
    "screening.staff",  # the refusal of null characters
    "screening.staff.access",
    "screening.staff.form_recovery",
    "screening.staff.sent_forms",  # reads the request that a view passes its form of
    "screening.web.errors",  # the address of a refused form
    "screening.web.form_token",
    "screening.web.origin",
    "screening.web.rate_limits",
    "screening.web.request_id",  # also for log records
    "screening.web.trailing_slash",
}
"""Modules that run before or after every view."""

PAGE_FRAME = {"screening.staff.nav", "screening.web.macros", "screening.web.page_frame"}
"""Modules that render what every page contains."""

MIGRATIONS = {"screening.database.migrations.env"}
"""Started by Alembic, which passes no application."""

NAMED = VIEWS_OF_OTHER_NAMES | DEFINE_ACCESSORS | HOOKS | PAGE_FRAME | MIGRATIONS

MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((ROOT / "screening").rglob("*.py"))
}


def lookups(text: str) -> Iterator[str]:
    """Generate each proxy or accessor that a source text uses, and ``screening.current``; ``import flask`` counts."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in ("flask", "screening.current"))
        elif isinstance(node, ast.ImportFrom):
            module, names = node.module or "", {alias.name for alias in node.names}
            known = ACCESSORS | (PROXIES if module.startswith("flask") else set())
            yield from names & known
            if module == "screening.current" or (module == "screening" and "current" in names):
                yield "screening.current"
        elif isinstance(node, ast.Attribute) and node.attr in ACCESSORS:
            yield node.attr


def refused(module: str, text: str) -> list[str]:
    """Return what a module looks up although it has to take values as parameters."""
    allowed = module in NAMED or any(fnmatch(module, pattern) for pattern in ENTRY_POINTS)
    return [] if allowed else sorted(set(lookups(text)))


def test_only_entry_points_and_hooks_look_values_up() -> None:
    found = {name: refused(name, file.read_text(encoding="utf-8")) for name, file in MODULES.items()}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("module", sorted(NAMED))
def test_each_named_module_looks_something_up(module: str) -> None:
    assert list(lookups(MODULES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "text",
    [
        "from flask import Flask, current_app",
        "from flask import session as flask_session",
        "from flask.globals import request",
        "from flask_login import current_user",
        "import flask",
        "def enqueue():\n    from flask import g",
        "from screening import audit, current",
        "from screening.current import now",
        "import screening.current",
        "from screening.draft import current_draft",
        "from screening.i18n import locale\nlocale.current_locale()",
    ],
)
def test_lookup_in_a_service_is_detected(text: str) -> None:
    assert refused("screening.callbacks.patient_service", text)
    assert not refused("screening.callbacks.patient_views", text)


def test_set_up_and_database_session_are_no_lookups() -> None:
    text = "from flask import Flask\nfrom screening.extensions import db\ndb.session.add(app.extensions['clock']())"
    assert refused("screening.callbacks.patient_service", text) == []
