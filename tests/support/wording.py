"""Rules for visitor-facing texts: banned wording, and the reading level."""

from __future__ import annotations

import re
import tomllib

from screening.config import ROOT
from screening.questionnaires.loader import LIBRARY, load

BANNED = tomllib.loads((ROOT / "tests" / "screener" / "banned.toml").read_text(encoding="utf-8"))
LANGUAGES = load(LIBRARY / "warning_signs.toml").locales
GRADE = 6.0
"""Maximum Flesch-Kincaid grade of an English page."""


def found_banned(words: str, locale: str) -> list[str]:
    """Return the banned wording in a text of this language."""
    words = " ".join(words.lower().split())
    for allowed in BANNED[locale]["except"]:
        words = re.sub(rf"\b{allowed}\b", "", words)
    return [match for entry in BANNED[locale]["banned"] for match in re.findall(rf"\b{entry}\b", words)]
