"""What the summary says about ketamine, with sources and the date of the last review, from one file."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from screening.questionnaires.model import Texts

FILE = Path(__file__).with_name("ketamine.toml")


@dataclass(frozen=True, eq=False)
class Source:
    """Where facts come from: a text by language, and the date of publication."""

    text: Texts
    published: date


@dataclass(frozen=True, eq=False)
class KetamineFacts:
    """Sentences by language, their sources, and the date on which they were compared with them."""

    checked: date
    facts: tuple[Texts, ...]
    sources: tuple[Source, ...]


def load(locales: tuple[str, ...], path: Path = FILE) -> KetamineFacts | None:
    """Return the facts; None if the file is missing, damaged, or without one of the languages. Never raises."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return KetamineFacts(
            checked=_day(table["checked"]),
            facts=tuple(_texts(each, locales) for each in _entries(table["facts"])),
            sources=tuple(
                Source(_texts(each, locales), _day(each["published"])) for each in _entries(table["sources"])
            ),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entries(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ValueError("not a list of tables")
    return value


def _texts(entry: dict[str, Any], locales: tuple[str, ...]) -> Texts:
    texts = {locale: entry[locale] for locale in locales}
    if not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise ValueError("a text is missing")
    return texts


def _day(value: Any) -> date:
    if type(value) is not date:
        raise ValueError("not a date")
    return value
