"""The application factory.

``create_app`` builds the visitor application and the staff application, each with its own session, cookie, headers
and error pages, and puts the middleware of a request around them.
"""

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

from screening import clinic, config, config_checks, draft
from screening.callbacks import patient_views, template_filters  # noqa: F401  the routes
from screening.callbacks.patient_blueprint import patient_callbacks
from screening.crypto.keyring import PURPOSES, Keyring
from screening.database import engines
from screening.i18n import locale
from screening.mail import smtp
from screening.operations import health
from screening.questionnaires import loader
from screening.questionnaires.model import Questionnaire
from screening.screener import draft_views, forms, information_views, ketamine, urgent_help, views  # noqa: F401
from screening.screener.blueprint import screener
from screening.web import (
    assets,
    crisis,
    errors,
    form_token,
    logs,
    macros,
    origin,
    page_cache,
    page_frame,
    rate_limits,
    request_id,
    security_headers,
    security_txt,
    trailing_slash,
)
from screening.web.middleware import load_shedding, request_buffering

Middleware = Callable[[Any], Any]
"""Takes a WSGI application and returns it wrapped."""

MAX_BODY_BYTES = 64 * 1024
"""Largest request body; the site's forms have a few hundred bytes."""

MAX_FORM_PARTS = 100

WITHOUT_HOST_CHECK = ("information.help_now", "information.worried", "health.healthz", "health.readyz")
"""Endpoints that answer under any host name: crisis help, and health checks, which address a node by IP."""

NEVER_SHED = (
    *((method, path) for path in ("/help-now", "/worried") for method in ("GET", "HEAD")),
    ("POST", "/leave"),
    ("GET", "/healthz"),
)
"""Requests that load shedding never refuses, besides the POST to the question that decides urgent help."""


class ScreeningFlask(Flask):
    """Flask without support for coroutine views, which saves a check on each call."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged."""
        return func


@dataclass(frozen=True)
class Content:
    """Files read at startup, once for both applications. ``crises`` is crisis help by language.

    ``facts`` about ketamine are None if their file cannot be used; then nothing is said about it.
    """

    questionnaire: Questionnaire
    clinic: clinic.Clinic
    crises: Mapping[str, crisis.Crisis]
    facts: ketamine.KetamineFacts | None


def _read_content(settings: Mapping[str, Any]) -> Content:
    """Read the questionnaire, the clinic file and the crisis files. Raises SettingsError and DefinitionError."""
    questionnaire = loader.load(settings["QUESTIONNAIRE_FILE"])
    locales = questionnaire.locales
    return Content(questionnaire, clinic.load(settings["CLINIC_FILE"]), crisis.load(locales), ketamine.load(locales))


def create_app(overrides: Mapping[str, Any] | None = None, serving: bool = True) -> Flask:
    """Return the visitor application, with the staff application mounted at ``/staff``.

    ``overrides`` win over settings from outside (see ``config``); the key ``CLOCK`` may hold a function that returns
    the time in seconds. Where only staff are served, every other address is not found. ``serving=False`` (the worker):
    no statement timeouts, no HTTP-only checks.
    Raises SettingsError, with a line for each setting to change, and DefinitionError.
    """
    overrides = dict(overrides or {})
    clock = overrides.pop("CLOCK", time.time)
    settings = config.read_settings(overrides)
    logs.configure(settings["LOG_FORMAT"])
    if serving:
        config_checks.check_settings(settings)
    else:
        smtp.check_settings(settings)
        settings["RATE_LIMIT_STORAGE_URL"] = "memory://"  # the worker receives no forms
    content = _read_content(settings)
    is_limiting = rate_limits.is_answering(settings["RATE_LIMIT_STORAGE_URL"])
    if "visitor" in settings["SERVE"]:
        app = _visitor_app(settings, content, clock, serving)
    else:
        app = _empty_app(settings, content, clock)
    for problem in crisis.problems(content.crises, date.fromtimestamp(clock())):
        app.logger.warning(problem)
    if not is_limiting:
        app.logger.warning("SCREENING_RATE_LIMIT_STORAGE_URL does not answer: until it does, nothing is limited")
    if "staff" in settings["SERVE"]:
        app.extensions["staff"] = _staff_app(settings, content, clock, serving)
    for wrap in reversed(_middleware(app, settings)):
        app.wsgi_app = wrap(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _middleware(app: Flask, settings: Mapping[str, Any]) -> list[Middleware]:
    """Return the WSGI middleware that a request passes before an application, the outermost first."""
    headers, proxies = app.extensions["headers"], settings["TRUSTED_PROXY_COUNT"]
    refusals, unreadable = _overload_responses(app)
    app.extensions["refusals"] = refusals
    return [
        lambda inner: ProxyFix(inner, x_for=proxies, x_proto=proxies, x_host=proxies) if proxies else inner,
        lambda inner: assets.files(inner, headers),
        lambda inner: request_buffering.RequestBuffering(inner, MAX_BODY_BYTES, refusals, unreadable),
        lambda inner: load_shedding.ConcurrencyLimiter(inner, refusals, _never_shed(app)),
        lambda inner: (
            DispatcherMiddleware(inner, {"/staff": app.extensions["staff"].wsgi_app})
            if "staff" in app.extensions
            else inner
        ),
    ]


def proxy_fallback(settings: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Return the error page and headers that a reverse proxy sends when no node answers.

    Needs neither keys nor database. Raises SettingsError.
    """
    app = _bare_app("empty", settings, _read_content(settings), time.time)
    return static_error_page(app), app.extensions["headers"]


def _visitor_app(settings: dict[str, Any], content: Content, clock: Any, serving: bool) -> Flask:
    app = _bare_app("draft", settings, content, clock)
    error_page = static_error_page(app)
    urgent_help.init_app(app, error_page)
    _check_host(app, settings["ALLOWED_HOSTS"])

    keyring = Keyring(settings["KEYS_DIR"], PURPOSES["visitor"])
    app.extensions["keyring"] = keyring
    app.session_interface = draft.DraftSessionInterface(keyring, clock)
    app.config["WTF_I18N_ENABLED"] = False  # the forms define their own messages
    rate_limits.init_app(app, settings["RATE_LIMIT_FORMS"], settings["RATE_LIMIT_STORAGE_URL"], exempt="screener.leave")
    origin.init_app(app)  # before form tokens, whose error page shows the form again: not for cross-site posts
    form_token.init_app(app)
    app.jinja_env.globals["form_token"] = lambda: draft.current_draft().form_token

    engines.init_app(app, settings["DATABASE_URL"], serving)
    app.extensions["question_forms"] = forms.forms_for(app.extensions["questionnaire"])
    app.register_blueprint(screener)
    app.register_blueprint(patient_callbacks)
    app.register_blueprint(information_views.information_views)
    app.register_blueprint(health.health)
    app.register_blueprint(security_txt.security_txt)
    page_cache.init_app(app)
    trailing_slash.init_app(app)
    errors.init_app(app, "errors/page.html", error_page)
    return app


def _staff_app(settings: dict[str, Any], content: Content, clock: Any, serving: bool) -> Flask:
    from screening import staff  # imported here, so that a visitor-only process never loads it
    from screening.callbacks import dashboard_views, staff_views
    from screening.mail import views as mail_views
    from screening.operations import system_status_views
    from screening.releases import views as release_views

    app = _bare_app("staff", settings, content, clock)
    _check_host(app, settings["ALLOWED_HOSTS"])
    app.extensions["keyring"] = keyring = Keyring(settings["KEYS_DIR"], PURPOSES["staff"])
    engines.init_app(app, settings["DATABASE_URL"], serving)
    staff.init_app(app, settings, keyring)
    staff_views.init_app(app)
    dashboard_views.init_app(app)
    release_views.init_app(app)
    mail_views.init_app(app)
    system_status_views.init_app(app)
    trailing_slash.init_app(app)
    errors.init_app(app, "errors/staff.html", static_error_page(app))
    return app


def _empty_app(settings: dict[str, Any], content: Content, clock: Any) -> Flask:
    """Return the outer application of a staff-only process: health checks and security.txt, otherwise 404."""
    app = _bare_app("empty", settings, content, clock)
    app.register_blueprint(health.health)
    app.register_blueprint(security_txt.security_txt)
    errors.init_app(app, "errors/staff.html", static_error_page(app))
    return app


def _bare_app(name: str, settings: dict[str, Any], content: Content, clock: Any) -> Flask:
    """Return an application with what visitor and staff application share: templates, languages, headers, files."""
    app = ScreeningFlask(
        "screening",
        root_path=str(config.ROOT),
        instance_path=str(config.ROOT / "instance"),
        template_folder="templates",
        static_folder=None,
    )
    secure = settings["HTTPS"]
    app.config.update(
        SETTINGS=settings,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        SESSION_COOKIE_NAME=f"__Host-{name}" if secure else name,
        SESSION_COOKIE_SECURE=secure,
        TEMPLATES_AUTO_RELOAD=False,
        PREFERRED_URL_SCHEME="https" if secure else "http",
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions.update(
        questionnaire=content.questionnaire,
        clinic=content.clinic,
        crisis=content.crises,
        ketamine=content.facts,
        clock=clock,
    )
    locale.init_app(app, content.questionnaire.locales)
    headers = security_headers.policy(secure, settings["FRAME_ANCESTORS"], (content.clinic.neutral_origin,))
    security_headers.init_app(app, headers)
    request_id.init_app(app)
    assets.init_app(app)
    app.extensions["headers"] = headers
    app.jinja_env.globals["brand"] = information_views.has_own_accent(content.clinic)
    page_frame.init_app(app)
    template_filters.init_app(app, content.clinic, settings, clock)
    macros.init_app(app)
    return app


def _check_host(app: Flask, hosts: tuple[str, ...]) -> None:
    """Refuse host names outside ``hosts`` with 400. Cached, since most requests name one of a few hosts."""
    is_trusted = lru_cache(64)(lambda host: host_is_trusted(host, hosts))

    @app.before_request
    def check_host() -> None:
        if request.endpoint not in WITHOUT_HOST_CHECK and not is_trusted(request.host):
            abort(400)


def static_error_page(app: Flask) -> str:
    """Return the fallback error page, in all languages, rendered at startup so that it cannot fail later."""
    return _render_at_startup(app, "errors/last_resort.html")


def _render_at_startup(app: Flask, name: str, **values: Any) -> str:
    template = app.jinja_env.get_template(name)
    return template.render(crises=app.extensions["crisis"], clinic=app.extensions["clinic"], **values)


def _overload_responses(app: Flask) -> tuple[load_shedding.Refusals, load_shedding.StaticResponse]:
    """Return the responses to requests refused by load shedding, and to unreadable requests."""
    headers, retry = app.extensions["headers"], str(load_shedding.RETRY_SECONDS)
    page, form = (
        load_shedding.static_response(
            "503 Service Unavailable",
            _render_at_startup(app, "errors/busy.html", sent=sent),
            headers,
            Retry_After=retry,
        )
        for sent in (False, True)
    )
    unreadable = load_shedding.static_response("400 Bad Request", static_error_page(app), headers, Connection="close")
    return load_shedding.Refusals(page, form), unreadable


def _never_shed(app: Flask) -> set[tuple[str, str]]:
    """Return the requests that are never refused: crisis help, leaving the site, and the load balancer's check.

    They need no database and cost no more than an error page.
    """
    return {("POST", urgent_help.question_path(app.extensions["questionnaire"])), *NEVER_SHED}
