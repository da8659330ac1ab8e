"""Which language a page speaks: the one asked for in the address, else the cookie's, else the browser's.

The choice has a cookie of its own, in plain text: it must outlive a lost draft, and help must be
in the right language even when no draft can be opened.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from screening.config import SettingsError
from screening.extensions import babel
from screening.questionnaire.model import Texts

CATALOGUES = Path(__file__).resolve().parent.parent / "translations"
COOKIE = "lang"

LONGEST_WISH = 200
"""Characters of ``Accept-Language`` that are looked at; browsers send about 40."""


def init_app(app: Flask, locales: tuple[str, ...]) -> None:
    """Bind the languages to an application. Raises SettingsError when a translation is incomplete."""
    _check_once(locales)
    app.extensions["locales"] = locales
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(CATALOGUES)
    babel.init_app(app, locale_selector=current, timezone_selector=lambda: None)
    app.add_template_filter(local, "local")
    _use_catalogues(app, locales)
    app.after_request(_remember)


def _use_catalogues(app: Flask, locales: tuple[str, ...]) -> None:
    """Let templates look a text up in catalogues loaded once; Flask-Babel's own way costs five times as much."""
    catalogues = {locale: Translations.load(CATALOGUES, [locale]) for locale in locales}
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: catalogues[current()].ugettext(text),
        lambda one, many, count: catalogues[current()].ungettext(one, many, count),
        newstyle=True,
    )


def check(locales: tuple[str, ...], folder: Path = CATALOGUES) -> None:
    """Refuse a language whose catalogue lacks a message: gettext would fall back to English in silence."""
    with (folder / "messages.pot").open("rb") as file:
        template = read_po(file)
    for locale in locales:
        if locale == "en":
            continue
        catalogue = _catalogue(folder / locale / "LC_MESSAGES", locale)
        for message in template:
            if message.id and not _is_translated(message, catalogue.get(message.id)):
                source = message.id if isinstance(message.id, str) else message.id[0]
                raise SettingsError(f"translations: {locale}: no translation, or other %(names)s in it: {source!r}")


_check_once = lru_cache(check)
"""For both applications of a process: their catalogues are the same, and reading them is most of a start."""


def _catalogue(folder: Path, locale: str) -> Catalog:
    """The written translations of a language, once it is sure that the compiled ones are the same."""
    compiled = BytesIO()
    try:
        with (folder / "messages.po").open("rb") as file:
            catalogue = read_po(file, locale=locale)
        write_mo(compiled, catalogue)
        if compiled.getvalue() != (folder / "messages.mo").read_bytes():
            raise SettingsError(f"translations: {locale}: written but not compiled: run make catalogues")
    except OSError as error:
        raise SettingsError(f"translations: {locale}: cannot be read: run make catalogues ({error})") from error
    return catalogue


def _is_translated(message: Message, translated: Message | None) -> bool:
    """Whether every form of a message is there and holds the same placeholders as the English one."""
    if translated is None:
        return False
    forms = (translated.string,) if isinstance(translated.string, str) else translated.string or ()
    source = message.id if isinstance(message.id, str) else message.id[-1]
    return bool(forms) and all(form and _names(form) <= _names(source) for form in forms)


def _names(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)", text))


def current() -> str:
    """The language of the request being answered, one of the questionnaire's."""
    known: str | None = g.get("locale")
    if known is None:
        locales = current_app.extensions["locales"]
        wishes = (request.args.get("lang"), request.cookies.get(_cookie_name()))
        known = next((wish for wish in wishes if wish in locales), None)
        known = g.locale = known or _wished(request.headers.get("Accept-Language", "")[:LONGEST_WISH], locales)
    return str(known)


@lru_cache(256)
def _wished(header: str, locales: tuple[str, ...]) -> str:
    """The language a browser likes best. Most send the same few headers."""
    return parse_accept_header(header, LanguageAccept).best_match(locales, default="en")


def local(texts: Texts) -> str:
    """A text in the language of the page."""
    return texts[current()]


def all_names() -> list[tuple[str, str]]:
    """The languages, the page's first: code, and the name each gives itself."""
    codes = sorted(current_app.extensions["locales"], key=lambda code: code != current())
    return [(code, (Locale.parse(code).get_display_name(code) or code).capitalize()) for code in codes]


def others() -> list[tuple[str, str]]:
    """The languages the page could be in instead."""
    return all_names()[1:]


def _cookie_name() -> str:
    return f"__Host-{COOKIE}" if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE


def _remember(response: Response) -> Response:
    """Keep a language asked for in the address, except on the page that must leave no trace."""
    asked = request.args.get("lang")
    if (
        asked is not None
        and asked in current_app.extensions["locales"]
        and asked != request.cookies.get(_cookie_name())
        and request.endpoint != "pages.help_now"
    ):
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(_cookie_name(), asked, secure=secure, httponly=True, samesite="Lax")
    return response
