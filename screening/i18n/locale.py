"""The language of a page: from the address, else the cookie, else the browser.

The cookie is plain text, because it must outlive a lost draft.
"""

from functools import lru_cache

from babel import Locale
from babel.support import Translations
from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from screening.extensions import babel
from screening.i18n.catalogs import CATALOGS, check_catalogs_once
from screening.questionnaires.model import Texts

COOKIE = "lang"

MAX_ACCEPT_LANGUAGE = 200
"""Characters of ``Accept-Language`` that are looked at; browsers send about 40."""


def init_app(app: Flask, locales: tuple[str, ...]) -> None:
    """Bind the languages to an application. Raises SettingsError when a translation is incomplete."""
    check_catalogs_once(locales)
    app.extensions["locales"] = locales
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(CATALOGS)
    babel.init_app(app, locale_selector=current_locale, timezone_selector=lambda: None)
    app.add_template_filter(localized)
    _use_catalogs(app, locales)
    app.after_request(_remember)


def _use_catalogs(app: Flask, locales: tuple[str, ...]) -> None:
    """Let templates look a text up in catalogs loaded once; Flask-Babel's own way costs five times as much."""
    catalogs = {locale: Translations.load(CATALOGS, [locale]) for locale in locales}
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: catalogs[current_locale()].ugettext(text),
        lambda one, many, count: catalogs[current_locale()].ungettext(one, many, count),
        newstyle=True,
    )


def current_locale() -> str:
    """The language of the request being answered, one of the questionnaire's."""
    known: str | None = g.get("locale")
    if known is None:
        locales = current_app.extensions["locales"]
        wishes = (request.args.get("lang"), request.cookies.get(_cookie_name()))
        known = next((wish for wish in wishes if wish in locales), None)
        known = g.locale = known or _wished(request.headers.get("Accept-Language", "")[:MAX_ACCEPT_LANGUAGE], locales)
    return str(known)


@lru_cache(256)
def _wished(header: str, locales: tuple[str, ...]) -> str:
    """The language a browser likes best. Most send the same few headers."""
    return parse_accept_header(header, LanguageAccept).best_match(locales, default="en")


def localized(texts: Texts) -> str:
    """A text in the language of the page."""
    return texts[current_locale()]


def locale_names() -> list[tuple[str, str]]:
    """The languages, the page's first: code, and the name each gives itself."""
    language = current_locale()
    names = other_languages(current_app.extensions["locales"], "")
    return sorted(names, key=lambda name: name[0] != language)


@lru_cache(16)
def other_languages(locales: tuple[str, ...], language: str) -> tuple[tuple[str, str], ...]:
    """Return the languages that a page in ``language`` could be in instead: code, and the name each gives itself."""
    others = (code for code in locales if code != language)
    return tuple((code, (Locale.parse(code).get_display_name(code) or code).capitalize()) for code in others)


def _cookie_name() -> str:
    return f"__Host-{COOKIE}" if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE


def _remember(response: Response) -> Response:
    """Keep a language asked for in the address, except on the page that must leave no trace."""
    asked = request.args.get("lang")
    if (
        asked is not None
        and asked in current_app.extensions["locales"]
        and asked != request.cookies.get(_cookie_name())
        and request.endpoint != "information.help_now"
    ):
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(_cookie_name(), asked, secure=secure, httponly=True, samesite="Lax")
    return response
