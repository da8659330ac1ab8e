"""Registry of mail types: a name for each, and the function that composes its message when it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_babel.speaklater import LazyString


@dataclass(frozen=True)
class Message:
    """A composed mail: e-mail address, language, template of ``templates/mail`` and its values."""

    to: str
    language: str
    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class MailType:
    """A type of mail. ``label`` is its name for staff; ``endpoint`` the staff page of its subject (``id_``).

    ``compose`` takes the subject's id and the time and returns the message, or None when it is obsolete.
    """

    label: LazyString
    compose: Callable[[str, int], Message | None]
    endpoint: str


def add_type(app: Flask, name: str, kind: MailType) -> None:
    """Register a mail type with an application."""
    app.extensions.setdefault("mail_types", {})[name] = kind


def mail_types(app: Flask) -> Mapping[str, MailType]:
    """Return the registered mail types by name."""
    found: Mapping[str, MailType] = app.extensions.get("mail_types", {})
    return found


def label(known: Mapping[str, MailType], name: str) -> str:
    """Return the label of a mail type, or the name itself if it is not among ``known``."""
    kind = known.get(name)
    return str(kind.label) if kind else name
