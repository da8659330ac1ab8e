"""A spine and pain clinic's check for the warning signs of the pain-depression cycle.

``create_app`` puts the surfaces together: the visitor's application and the staff's, each with its
own session, cookie, headers and error pages, in one process or in several.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from flask import Flask, abort, request
from jinja2 import StrictUndefined
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from screening import clinic, config, database, together
from screening.callback import visitor_views, words
from screening.extensions import csrf
from screening.keyring import FORMS, PURPOSES, Keyring
from screening.operations import health
from screening.outbox import smtp
from screening.questionnaire import loader
from screening.questionnaire.model import Questionnaire
from screening.visit import forms, urgent, views
from screening.web import (
    assets,
    bodies,
    components,
    crisis,
    drafts,
    errors,
    gate,
    headers,
    kept,
    limits,
    locale,
    logs,
    origin,
    pages,
    request_id,
    security_txt,
    site,
)

LONGEST_BODY = 64 * 1024
"""Bytes a form may have: the longest of ours has a few hundred."""

LONGEST_FORM_PARTS = 100

ANY_HOST = ("pages.help_now", "health.healthz", "health.readyz")
"""Help is given under any name, and a balancer asks by address."""

OPEN_TO_ALL = (("GET", "/help-now"), ("HEAD", "/help-now"), ("POST", "/leave"), ("GET", "/healthz"))
"""What the gate never refuses, beside the answer that urgent help hangs on."""


class Surface(Flask):
    """One of the two applications. None of its functions is a coroutine, so none is asked whether it is one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


@dataclass(frozen=True)
class Content:
    """What is read from files at the start, once for both applications. ``crises`` is crisis help by language."""

    questionnaire: Questionnaire
    clinic: clinic.Clinic
    crises: Mapping[str, crisis.Crisis]


def _read_content(settings: Mapping[str, Any]) -> Content:
    """Read the questionnaire, the clinic file and the crisis files. Raises SettingsError and DefinitionError."""
    questionnaire = loader.load(settings["QUESTIONNAIRE"])
    return Content(questionnaire, clinic.load(settings["CLINIC"]), crisis.load(questionnaire.locales))


def create_app(overrides: Mapping[str, Any] | None = None, serving: bool = True) -> Flask:
    """The site as one Flask application.

    ``overrides`` win over settings from outside (see ``config``); the key ``CLOCK`` may hold a
    function that gives the time in seconds. The visitor's application carries the staff's at
    ``/staff``; where only staff are served, everything else is not found. Not ``serving`` is the
    worker: it has no visitors, so it need not hurry, and what only matters to them does not stop it.
    Raises SettingsError, with a line for each thing to change.
    """
    overrides = dict(overrides or {})
    clock = overrides.pop("CLOCK", time.time)
    settings = config.read(overrides)
    logs.configure(settings["LOG"])
    if serving:
        together.check(settings)
    else:
        smtp.check(settings)
        settings["LIMIT_STORAGE"] = "memory://"  # it takes no forms
    surfaces, content = settings["SURFACES"], _read_content(settings)
    app = (
        _visitor_app(settings, content, clock, serving)
        if "visitor" in surfaces
        else _empty_app(settings, content, clock)
    )
    for problem in crisis.problems(content.crises, date.fromtimestamp(clock())):
        app.logger.warning(problem)
    if "staff" in surfaces:
        app.extensions["staff"] = staff = _staff_app(settings, content, clock, serving)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/staff": staff.wsgi_app})  # type: ignore[method-assign]
    app.wsgi_app = _gated(app)  # type: ignore[method-assign]
    app.wsgi_app = assets.files(app.wsgi_app, app.extensions["headers"])  # type: ignore[method-assign]
    if settings["PROXIES"]:
        count = settings["PROXIES"]
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def without_a_node(settings: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
    """What a reverse proxy shows when no node answers: the page of last resort, and the headers of every answer.

    Needs neither keys nor database. Raises SettingsError.
    """
    app = _bare_app("empty", settings, _read_content(settings), time.time)
    return _last_resort(app), app.extensions["headers"]


def _visitor_app(settings: dict[str, Any], content: Content, clock: Any, serving: bool) -> Flask:
    app = _bare_app("visit", settings, content, clock)
    last_resort = _last_resort(app)
    urgent.init_app(app, last_resort)
    _check_host(app, settings["HOSTS"])

    keyring = Keyring(settings["KEYS"], PURPOSES["visitor"])
    app.extensions["keyring"] = keyring
    app.session_interface = drafts.DraftSessions(keyring, clock)
    app.config["WTF_CSRF_SECRET_KEY"] = keyring.derive_rotating(FORMS, "form tokens")
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # the draft has its own limits, and the token lives in it
    app.config["WTF_I18N_ENABLED"] = False  # our forms bring their own messages
    limits.init_app(app, settings["LIMIT"], settings["LIMIT_STORAGE"], exempt="visit.leave")
    app.config["WTF_CSRF_SSL_STRICT"] = False  # it refuses browsers that hide the Referer; ours does not
    origin.init_app(app)  # before the tokens: a form from elsewhere is not even shown again
    csrf.init_app(app)
    app.jinja_env.globals["form_token"] = drafts.form_token
    kept.init_app(app)
    csrf.exempt(views.leave)

    database.init_app(app, settings["DATABASE_URL"], serving)
    app.extensions["question_forms"] = forms.forms_for(app.extensions["questionnaire"])
    app.register_blueprint(views.visit)
    app.register_blueprint(visitor_views.callback)
    app.register_blueprint(pages.pages)
    app.register_blueprint(health.health)
    app.register_blueprint(security_txt.security_txt)
    errors.init_app(app, "errors/page.html", last_resort)
    return app


def _staff_app(settings: dict[str, Any], content: Content, clock: Any, serving: bool) -> Flask:
    from screening import staff  # a visitor-only process never loads it
    from screening.callback import desk_views, today_views
    from screening.operations import clinic_page
    from screening.responses import views as release_views

    app = _bare_app("staff", settings, content, clock)
    _check_host(app, settings["HOSTS"])
    app.extensions["keyring"] = keyring = Keyring(settings["KEYS"], PURPOSES["staff"])
    database.init_app(app, settings["DATABASE_URL"], serving)
    staff.init_app(app, settings, keyring)
    desk_views.init_app(app)
    today_views.init_app(app)
    release_views.init_app(app)
    clinic_page.init_app(app)
    errors.init_app(app, "errors/staff.html", _last_resort(app))
    return app


def _empty_app(settings: dict[str, Any], content: Content, clock: Any) -> Flask:
    """What stands in front where only staff are served: it says how it is, and finds nothing else."""
    app = _bare_app("empty", settings, content, clock)
    app.register_blueprint(health.health)
    app.register_blueprint(security_txt.security_txt)
    errors.init_app(app, "errors/staff.html", _last_resort(app))
    return app


def _bare_app(name: str, settings: dict[str, Any], content: Content, clock: Any) -> Flask:
    """What both surfaces share: templates, languages, clinic, crisis help, headers, files."""
    app = Surface(
        "screening",
        root_path=str(config.ROOT),
        instance_path=str(config.ROOT / "instance"),
        template_folder="templates",
        static_folder=None,
    )
    secure = settings["SECURE"]
    app.config.update(
        SETTINGS=settings,
        MAX_CONTENT_LENGTH=LONGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LONGEST_BODY,
        MAX_FORM_PARTS=LONGEST_FORM_PARTS,
        SESSION_COOKIE_NAME=f"__Host-{name}" if secure else name,
        SESSION_COOKIE_SECURE=secure,
        TEMPLATES_AUTO_RELOAD=False,
        PREFERRED_URL_SCHEME="https" if secure else "http",
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions.update(
        questionnaire=content.questionnaire, clinic=content.clinic, crisis=content.crises, clock=clock
    )
    locale.init_app(app, content.questionnaire.locales)
    same = headers.policy(secure, settings["FRAME_ANCESTORS"], (content.clinic.neutral_origin,))
    headers.init_app(app, same)
    request_id.init_app(app)
    assets.init_app(app)
    app.extensions["headers"] = same
    app.jinja_env.globals["brand"] = pages.has_own_accent(content.clinic)
    site.init_app(app)
    words.init_app(app)
    components.init_app(app)
    return app


def _check_host(app: Flask, hosts: tuple[str, ...]) -> None:
    """Answer only under the site's own names. What was found of a name is kept: few are asked for, again and again."""
    is_trusted = lru_cache(64)(lambda host: host_is_trusted(host, hosts))

    @app.before_request
    def check_host() -> None:
        if request.endpoint not in ANY_HOST and not is_trusted(request.host):
            abort(400)


def _last_resort(app: Flask) -> str:
    """The page for when nothing else can be made: every language at once, ready from the start."""
    return _made_at_the_start(app, "errors/last_resort.html")


def _made_at_the_start(app: Flask, name: str, **values: Any) -> str:
    template = app.jinja_env.get_template(name)
    return template.render(crises=app.extensions["crisis"], clinic=app.extensions["clinic"], **values)


def _gated(app: Flask) -> bodies.Bodies:
    """An application behind its gate. Crisis help, the way out and the answer to a balancer stay open to all.

    They need no database, and a page of help costs no more than an error page would.
    """
    headers, retry = app.extensions["headers"], str(gate.RETRY_SECONDS)
    page, form = (
        gate.ready(
            "503 Service Unavailable",
            _made_at_the_start(app, "errors/busy.html", sent=sent),
            headers,
            Retry_After=retry,
        )
        for sent in (False, True)
    )
    app.extensions["refusals"] = refuse = gate.Refusals(page, form)
    unlike = gate.ready("400 Bad Request", _last_resort(app), headers, Connection="close")
    open_to_all = {("POST", urgent.address(app.extensions["questionnaire"])), *OPEN_TO_ALL}
    return bodies.Bodies(gate.Gate(app.wsgi_app, refuse, open_to_all), LONGEST_BODY, refuse, unlike)
