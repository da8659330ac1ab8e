"""What can be mailed: a word for each kind, and how its letter is written at the moment it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app
from flask_babel.speaklater import LazyString


@dataclass(frozen=True)
class Letter:
    """One letter to be rendered: an e-mail address, a language, a template of ``templates/mail`` and its values."""

    to: str
    language: str
    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of mail. ``label`` names it to staff; ``endpoint`` is the staff page of what it is about (``id_``).

    ``compose`` is given that id and writes the letter; None when there is nothing to say any more.
    """

    label: LazyString
    compose: Callable[[str], Letter | None]
    endpoint: str


def add_kind(app: Flask, name: str, kind: Kind) -> None:
    """Let an application deliver mails of this kind."""
    app.extensions.setdefault("mail_kinds", {})[name] = kind


def label(name: str) -> str:
    """What a kind of mail is called; its own name where this application does not know it."""
    kind = kinds().get(name)
    return str(kind.label) if kind else name


def kinds() -> Mapping[str, Kind]:
    """Every kind this application can deliver, by name."""
    found: Mapping[str, Kind] = current_app.extensions.get("mail_kinds", {})
    return found
