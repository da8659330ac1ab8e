"""Crisis help by language, from files; a built-in constant replaces a file that is missing or damaged."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
STALE_DAYS = 366
"""Days after which the doctor reports a file as unchecked: numbers and keys change about once a year."""


@dataclass(frozen=True)
class ContactOption:
    """One way to reach help: the link's text and address, and one sentence about it."""

    label: str
    href: str
    note: str


@dataclass(frozen=True)
class Crisis:
    """Crisis help in one language. ``checked`` is the date of the last review, None for ``FALLBACK``."""

    checked: date | None
    strip_label: str
    strip_link: str
    strip_text: str
    call: ContactOption
    text: ContactOption
    text_line: ContactOption
    chat: ContactOption
    sign_language: ContactOption
    childhelp: ContactOption
    danger: ContactOption
    relay: str
    minors: str
    worried: str
    worried_link: str
    all_hours: str
    in_short: str
    unwatched: str


FALLBACK = Crisis(
    checked=None,
    strip_label="Help right now",
    strip_link="Need to talk? ¿Necesita hablar?",
    strip_text="988: free, day and night. Gratis, de día y de noche.",
    call=ContactOption(
        "988", "tel:988", "Call. In Spanish, press 2. Llame y marque 2 para español. Veterans, press 1."
    ),
    text=ContactOption("Text 988", "sms:988", "In Spanish, text AYUDA. Envíe AYUDA. Veterans, text 838255."),
    text_line=ContactOption("741741", "sms:741741", "Text HOME, or AYUDA in Spanish. Envíe AYUDA."),
    chat=ContactOption("988lifeline.org", "https://988lifeline.org/", "Chat online. Chat en línea."),
    sign_language=ContactOption(
        "1-800-273-8255", "tel:+18002738255", "988 in American Sign Language, by videophone. Lengua de señas (ASL)."
    ),
    childhelp=ContactOption(
        "800\N{NON-BREAKING HYPHEN}422\N{NON-BREAKING HYPHEN}4453",
        "tel:+18004224453",
        "Home not safe? Childhelp hotline. ¿Su casa no es segura? Línea Childhelp.",
    ),
    danger=ContactOption("911", "tel:911", "In danger right now? ¿Está en peligro ahora mismo?"),
    relay="Relay / retransmisión: 711.",
    minors="You need no permission to call or text 988. Nadie necesita permiso para llamar al 988.",
    worried="988 also helps people who worry about someone else. También si le preocupa otra persona.",
    worried_link="Worried about someone else? ¿Se preocupa por otra persona?",
    all_hours="Help at any hour · Ayuda a toda hora",
    in_short="Call or text 988. In Spanish, press 2 or text AYUDA. Veterans, press 1 or text 838255. "
    "Sign language (ASL, señas): 1\N{NON-BREAKING HYPHEN}800\N{NON-BREAKING HYPHEN}273\N{NON-BREAKING HYPHEN}8255.",
    unwatched="Nobody at the clinic watches your answers live. "
    "Nadie en la clínica está viendo sus respuestas en tiempo real.",
)
"""Crisis help in both languages at once, which replaces the file of either language."""


def load(locales: tuple[str, ...], folder: Path = FOLDER) -> Mapping[str, Crisis]:
    """Return the crisis help of every language. Never raises: ``FALLBACK`` replaces a bad file."""
    return {locale: _read(folder / f"{locale}.toml") or FALLBACK for locale in locales}


def problems(crises: Mapping[str, Crisis], today: date) -> list[str]:
    """Return one line for each file that is missing, damaged, or not checked for over a year."""
    found = []
    for locale, crisis in crises.items():
        if crisis.checked is None:
            found.append(f"crisis file {locale}.toml is missing or damaged; the built-in numbers are shown")
        elif (today - crisis.checked).days > STALE_DAYS:
            found.append(f"crisis file {locale}.toml was last checked on {crisis.checked}; check it again")
    return found


def _read(path: Path) -> Crisis | None:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Crisis(**{field.name: _value(table[field.name], field.type) for field in fields(Crisis)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _value(value: Any, kind: object) -> Any:
    if kind is ContactOption:
        option = ContactOption(**value)
        if not all(isinstance(part, str) and part for part in (option.label, option.href, option.note)):
            raise ValueError("a contact option needs label, href and note")
        return option
    if type(value) is not (str if kind is str else date) or not value:
        raise ValueError("not a text or date")
    return value
