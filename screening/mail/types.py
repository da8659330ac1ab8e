"""What can be mailed: a word for each kind, and how its letter is written at the moment it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_babel.speaklater import LazyString


@dataclass(frozen=True)
class Message:
    """One letter to be rendered: an e-mail address, a language, a template of ``templates/mail`` and its values."""

    to: str
    language: str
    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class MailType:
    """A kind of mail. ``label`` names it to staff; ``endpoint`` is the staff page of what it is about (``id_``).

    ``compose`` takes that id and the time, and returns the letter; None when there is nothing to say any more.
    """

    label: LazyString
    compose: Callable[[str, int], Message | None]
    endpoint: str


def add_type(app: Flask, name: str, kind: MailType) -> None:
    """Let an application deliver mails of this kind."""
    app.extensions.setdefault("mail_types", {})[name] = kind


def mail_types(app: Flask) -> Mapping[str, MailType]:
    """Every kind an application can deliver, by name."""
    found: Mapping[str, MailType] = app.extensions.get("mail_types", {})
    return found


def label(known: Mapping[str, MailType], name: str) -> str:
    """What a kind of mail is called; its own name where it is not among the ``known`` types."""
    kind = known.get(name)
    return str(kind.label) if kind else name
