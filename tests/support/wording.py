"""Rules for visitor-facing texts: banned wording, and the reading level."""

from __future__ import annotations

import re
import tomllib

import textstat
from bs4 import BeautifulSoup, Tag

from screening.config import ROOT
from screening.questionnaires.loader import LIBRARY, load

BANNED = tomllib.loads((ROOT / "tests" / "screener" / "banned.toml").read_text(encoding="utf-8"))
LANGUAGES = load(LIBRARY / "warning_signs.toml").locales
GRADE = 6.0
"""Maximum Flesch-Kincaid grade of an English page."""

INFLESZ = 65.0
"""Minimum Szigriszt-Pazos score of a Spanish page: "quite easy" on the INFLESZ scale (Barrio-Cantalejo, 2008)."""

BLOCKS = ["p", "li", "h1", "h2", "h3", "dt", "dd", "td", "th", "label", "legend", "button", "summary", "text"]
"""Elements after which a sentence ends."""

_DAY_PERIOD = re.compile(r"\b([ap])\.\s?m\.", re.IGNORECASE)
_NUCLEI = re.compile(r"[aeiouáéíóúü]+y?(?![a-zñáéíóúü])|[aeiouáéíóúü]+|y(?![a-zñáéíóúü])")


def found_banned(words: str, locale: str) -> list[str]:
    """Return the banned wording in a text of this language."""
    words = " ".join(words.lower().split())
    for allowed in BANNED[locale]["except"]:
        words = re.sub(rf"\b{allowed}\b", "", words)
    return [match for entry in BANNED[locale]["banned"] for match in re.findall(rf"\b{entry}\b", words)]


def reading_text(main: Tag, locale: str) -> str:
    """Return the text of a part of a page in the page's own language. Each block of text ends like a sentence."""
    part = BeautifulSoup(str(main), "html.parser")
    for foreign in part.find_all(lang=lambda code: code is not None and code != locale):
        foreign.decompose()
    for tag in part.find_all(["svg", "table", "input"]):
        tag.decompose()
    for tag in part.find_all(BLOCKS):
        tag.append(". ")
    return as_sentences(part.get_text(" "))


def as_sentences(text: str) -> str:
    """Return a text with one mark at the end of each sentence, and none inside "p. m."."""
    return re.sub(r"[\s.:?!]*[.?!](\s*[.?!])*(?=\s|$)", ". ", _DAY_PERIOD.sub(r"\1m", " ".join(text.split())))


def excess(text: str, locale: str) -> float:
    """Return by how much a text is harder to read than allowed; 0 or less for a text that is easy enough."""
    return INFLESZ - szigriszt_pazos(text) if locale == "es" else textstat.flesch_kincaid_grade(text) - GRADE


def szigriszt_pazos(text: str) -> float:
    """Return the Szigriszt-Pazos score of a Spanish text: 206.835 - 62.3 syllables/words - words/sentences."""
    words = re.findall(r"[a-zñáéíóúü]+", text.lower())
    sentences = [sentence for sentence in re.split(r"[.?!]+(?=\s|$)", text) if re.search(r"\w", sentence)]
    if not words:
        return 206.835
    return 206.835 - 62.3 * sum(map(syllables, words)) / len(words) - len(words) / len(sentences)


def syllables(word: str) -> int:
    """Return the number of syllables of a Spanish word: the vowels of a diphthong count as one."""
    return max(1, sum(max(1, len(re.findall("[aeoáéíóú]", run))) for run in _NUCLEI.findall(word)))
