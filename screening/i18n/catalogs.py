"""Completeness checks of the translation catalogs, since gettext falls back to English without an error."""

import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from screening.config import SettingsError

CATALOGS = Path(__file__).resolve().parent / "translations"


def check_catalogs(locales: tuple[str, ...], folder: Path = CATALOGS) -> None:
    """Raise SettingsError for a language whose catalog lacks a message."""
    with (folder / "messages.pot").open("rb") as file:
        template = read_po(file)
    for locale in locales:
        if locale == "en":
            continue
        catalog = _catalog(folder / locale / "LC_MESSAGES", locale)
        for message in template:
            if message.id and not _is_translated(message, catalog.get(message.id)):
                source = message.id if isinstance(message.id, str) else message.id[0]
                raise SettingsError(f"translations: {locale}: no translation, or other %(names)s in it: {source!r}")


check_catalogs_once = lru_cache(check_catalogs)
"""``check_catalogs``, cached for both applications of a process: reading the catalogs takes most of the startup."""


def _catalog(folder: Path, locale: str) -> Catalog:
    """Return the catalog of a language. Raises SettingsError if the compiled one differs from it."""
    compiled = BytesIO()
    try:
        with (folder / "messages.po").open("rb") as file:
            catalog = read_po(file, locale=locale)
        write_mo(compiled, catalog)
        if compiled.getvalue() != (folder / "messages.mo").read_bytes():
            raise SettingsError(f"translations: {locale}: not compiled since the last change: run make translations")
    except OSError as error:
        raise SettingsError(f"translations: {locale}: cannot be read: run make translations ({error})") from error
    return catalog


def _is_translated(message: Message, translated: Message | None) -> bool:
    """Return whether every plural form of a message is translated and has no placeholder that English lacks."""
    if translated is None:
        return False
    forms = (translated.string,) if isinstance(translated.string, str) else translated.string or ()
    source = message.id if isinstance(message.id, str) else message.id[-1]
    return bool(forms) and all(form and _names(form) <= _names(source) for form in forms)


def _names(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)", text))
