"""The terms of all texts: American English, and Spanish as used in the United States, with usted."""

from __future__ import annotations

import re
import tomllib

import pytest
from babel.messages.pofile import read_po

from screening.config import ROOT
from screening.i18n.catalogs import CATALOGS

WORDS = {
    "en": {
        r"e-mails?": "email",
        r"working days?": "business day",
        r"anew": "again",
        r"(un)?tick(s|ed)?": "check, uncheck",
        r"any more(?= *[.,;:!?]|$)": "anymore",
        r"holding file": "kept apart for one to two days",
        r"slip": "typing mistake",
        r"t(ake|aken|ook) (back (my|this) request|your request back|this request back|it back and erase it)": "cancel",
        r"somebody|mend|mends|shall|whilst|amongst|fortnight": "someone, fix, will, while, among, two weeks",
        r"\w*(colour|favour|behaviour|neighbour|centre|cancelled)\w*": "American spelling",
        r"(recogn|organ|real|apolog)is(e|es|ed|ing)": "American spelling",
        r"often eases|stand(s)? you|where you stand|works best|tight muscles|all take some stress off": "a softer claim",
        r"physicians?": "doctor",
    },
    "es": {
        r"e-?mails?": "correo",
        r"en vivo|en el momento": "en tiempo real",
        r"cookies? (cerrada|bloqueada|encriptada|segura)s?": "cookie cifrada",
        r"medicinas?": "medicamentos",
        r"aparatos?": "dispositivo",
        r"terapia de conversación": "psicoterapia",
        r"enséñ\w+": "muéstrele",
        r"salir de (aquí|prisa)": "salir rápido",
        "«[^»]*»": "“ ”",
        r"ordenador|móvil|vosotros|vuestr\w+|pulsar?|pinchar?": "Spanish as used in the United States",
        r"tú|tu|tus|te|ti|contigo|puedes|quieres|tienes|eres|estás|debes|vos|tenés|podés|querés|sos": "usted",
    },
}
"""By language, words that no text contains, and what is written instead."""

QUOTED_ADVICE = "speak with a physician"
"""The clinic's own words, which the summary quotes once."""

SPANISH = (
    "se ha sentido sin esperanza",
    "¿Cómo le ha ido en las últimas dos semanas?",
    "Solo para usted.",
    "Gracias por contárnoslo",
    "No tiene que llevarla a solas",
    "Nadie está viendo sus respuestas en tiempo real",
    "está viendo sus respuestas en tiempo real. Nuestra llamada no es ayuda en una emergencia",
    "pesan mucho cuando se llevan a solas, y con ayuda pueden pasar",
    "háblele de todas a su médico",
    "Según sus respuestas, no notó ninguna de estas señales",
    "<b>6 de cada 10</b> no las mostraban",
    "no se ha evaluado como se evalúa una prueba médica",
    "Muéstrele esta página",
    "psicoterapia (hablar con un terapeuta)",
    "cómo vivir con dolor",
    "Pregunte por los medicamentos",
    "Hable con nosotros",
    "Si la envía ahora, le contactaremos",
    "Es mi primera vez",
    "Ya soy paciente",
    "Nos hemos retrasado y lo sentimos",
    "Por la tarde, después de las 3",
    "cuándo hizo la solicitud",
    "cookie cifrada",
    "las normas WCAG",
    "comprueba que nada se salga de la pantalla",
    "de su dispositivo",
    "solo con el teclado",
    "Salir rápido",
)
"""What the Spanish texts say, reviewed sentence by sentence."""

SAME_IN_BOTH = {"%(country)s: %(number)s", "Bytes", "CSV", "Error:", "Error: ", "Excel", "No", "Total"}
"""Texts that are written alike in English and Spanish."""


def catalog() -> list[tuple[str, str]]:
    """Return each text of the code in English and in Spanish, plural forms separately."""
    with (CATALOGS / "es" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        messages = [(m.id, m.string) for m in read_po(file, locale="es") if m.id]
    plain = [(id_, text) for id_, text in messages if isinstance(id_, str)]
    return plain + [
        pair for ids, forms in messages if not isinstance(ids, str) for pair in zip(ids, forms, strict=True)
    ]


def texts_of(table: object) -> list[str]:
    """Return every text in a table of a TOML file."""
    if isinstance(table, dict):
        return [text for value in table.values() for text in texts_of(value)]
    if isinstance(table, list):
        return [text for value in table for text in texts_of(value)]
    return [table] if isinstance(table, str) else []


def texts(lang: str) -> list[str]:
    """Return the texts of the code, of the questionnaire and of crisis help in a language."""
    files = ("questionnaires/library/warning_signs.toml", "screener/ketamine.toml")
    definition = "\n".join((ROOT / "screening" / file).read_text(encoding="utf-8") for file in files)
    crisis = (ROOT / "screening" / "web" / "crisis" / f"{lang}.toml").read_text(encoding="utf-8")
    asked = re.findall(rf'\b{lang} = "((?:[^"\\]|\\.)*)"', definition)
    return [pair[lang == "es"] for pair in catalog()] + asked + texts_of(tomllib.loads(crisis))


def unwanted(text: str, lang: str) -> list[str]:
    """Return the words of a text that are not used. What a visitor may say to a friend is quoted, and not searched."""
    said = re.sub(r"“[^”]*”" if lang == "es" else QUOTED_ADVICE, "", re.sub(r"%\(\w+\)s", "", text))
    return [match[0] for word in WORDS[lang] for match in re.finditer(rf"(?<!\w)(?:{word})(?!\w)", said, re.IGNORECASE)]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_texts_use_the_terms_of_the_language(lang):
    read = texts(lang)
    assert len(read) > 800
    found = {text: words for text in read if (words := unwanted(text, lang))}
    assert found == {}


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "Give an e-mail address by the end of the working day."),
        ("en", "Ask anew, or untick the box."),
        ("en", "Talk to your physician."),
        ("en", "We can’t find it any more."),
        ("es", "Nadie ve sus respuestas en vivo."),
        ("es", "Está en una cookie cerrada."),
        ("es", "Aquí puedes parar."),
        ("es", "No entendimos «eso»."),
    ],
)
def test_search_for_terms_finds_an_unwanted_word(lang, text):
    assert unwanted(text, lang)


@pytest.mark.parametrize("sentence", SPANISH)
def test_spanish_says_the_reviewed_sentence(sentence):
    assert any(sentence in text for text in texts("es"))


def test_locked_cookie_is_called_cookie_cifrada_everywhere():
    found = [spanish for english, spanish in catalog() if "locked cookie" in english]
    assert found and all("cookie cifrada" in text for text in found)


def test_no_text_is_left_in_english():
    assert {english for english, spanish in catalog() if english == spanish and re.search(r"[a-z]{2}", english)} <= (
        SAME_IN_BOTH
    )
