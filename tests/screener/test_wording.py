"""Visitor-facing texts: no banned words, a low reading level, and pages within the size limits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product

import brotli
import pytest
from bs4 import BeautifulSoup
from flask import render_template
from hypothesis import HealthCheck, given, settings

from screening import current
from screening.app import create_app
from screening.callbacks.notifications import STAFF_TEMPLATES
from screening.config import ROOT
from screening.mail.rendering import Renderer
from screening.mail.types import mail_types
from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.scoring import score
from tests.support.absence import assert_absent
from tests.support.clock import Clock
from tests.support.databases import close
from tests.support.mail_server import plain
from tests.support.mail_site import FROM, TEAM, MailSite
from tests.support.sample_patient import ROSA, SECRETS
from tests.support.strategies import complete_answers
from tests.support.visitor import REVEALING, SIGNS, Page, Visitor
from tests.support.wording import (
    LANGUAGES,
    as_sentences,
    excess,
    found_banned,
    reading_text,
    syllables,
    szigriszt_pazos,
)

Q = load(LIBRARY / "warning_signs.toml")

MAX_PAGE_BYTES = 10_000
MAX_SUMMARY_BYTES = 14_000
"""Maximum bytes of a page and its style sheet, compressed with brotli."""

STATIC_PAGES = ("/", "/help-now", "/worried", "/about", "/privacy", "/accessibility", "/nowhere")


def visible(page: Page) -> str:
    """Return all words of a page in its own language, labels of images and regions included."""
    for foreign in page.soup.find_all(lang=True):
        if foreign.name != "html" and foreign["lang"] != page.soup.html["lang"]:  # type: ignore[index]
            foreign.decompose()
    labels = [str(tag["aria-label"]) for tag in page.soup.find_all(attrs={"aria-label": True})]
    return " ".join([page.soup.get_text(" "), *labels])


def pages_of_a_walk(visitor: Visitor, **answers: str):
    """Generate every page of a walk, help pages and errors included."""
    for address in STATIC_PAGES:
        yield visitor.get(address)
    yield visitor.send(visitor.get("/check/sadness"), "/check/sadness")
    visitor.walk(stress=("work", "money", "family", "health", "sleep", "expectations", "running_late"), **answers)
    for question in Q.questions:
        if question.id != Q.roles.consent:
            yield visitor.get(f"/check/{question.id}")
    page = visitor.send(visitor.get("/check/hopelessness"), "/check/hopelessness", hopelessness="3")
    yield page
    yield visitor.send(visitor.get("/check/review"), "/check/review")
    yield visitor.agree()
    yield visitor.agree()


def pages_of_a_consultation(visitor: Visitor, clock, **fields: str):
    """Generate every page of a call-back request: errors, closed hours, all states."""
    page = visitor.get("/consultation")
    yield page
    yield visitor.fill(page, "/consultation/review")
    page = visitor.fill(page, "/consultation/review", **{**PATIENT, **fields})
    assert page.status == 200
    yield page
    yield visitor.fill(page, "/consultation/sent")
    clock.forward(10)
    page = visitor.fill(page, "/consultation/sent")
    assert page.status == 200
    yield page
    yield visitor.get("/consultation/status")
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    yield page
    clock.forward(60 * 60 * 12)
    yield visitor.get("/consultation")
    page = visitor.get("/consultation/status")
    yield page
    yield visitor.send(page, "/consultation/status", reference="slip")
    bare = Visitor(visitor.site)
    bare.client = visitor.site.test_client(use_cookies=False)
    bare.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = str(page.soup.html["lang"])  # type: ignore[index]
    yield bare.fill(bare.get("/consultation"), "/consultation/review", **PATIENT)
    yield bare.send(bare.get("/consultation/status"), "/consultation/status", reference="slip")


PATIENT = {
    "name": "Demo",
    "patient": "new",
    "reach_by": "phone",
    "phone": "303 555 0144",
    "email": "demo@example.org",
    "message": "Demo.",
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("value", ["0", "1", "3", "declined"])
def test_pages_contain_no_banned_words(site, clock, lang, value):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    for page in (
        *pages_of_a_walk(visitor, **dict.fromkeys(SIGNS, value)),
        *pages_of_a_consultation(visitor, clock, share="yes"),
    ):
        assert page.soup.html["lang"] == lang  # type: ignore[index]
        assert found_banned(visible(page), lang) == [], page.address


@pytest.mark.parametrize("lang", LANGUAGES)
def test_banned_word_search_finds_only_banned_phrases(lang):
    samples = {
        "en": "You’ve got it. You have depression. Diagnosed? A proven cure. Normal. Nothing to worry about.",
        "es": "Tiene señales. Sufre. Se encuentra deprimido. Usted tiene depresión. Diagnosticado. Una cura comprobada. Normal. Nada de qué preocuparse.",
    }
    assert len(found_banned(samples[lang], lang)) >= 6
    harmless = {"en": "It is not a diagnosis. You haven’t abnormal.", "es": "No es un diagnóstico. Procura descansar."}
    assert found_banned(harmless[lang], lang) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_questionnaire_definition_contains_no_banned_words(lang):
    texts = re.findall(rf'\b{lang} = "([^"]*)"', (LIBRARY / "warning_signs.toml").read_text(encoding="utf-8"))
    assert len(texts) > 50
    assert found_banned(" | ".join(texts), lang) == []


class TestEverySummary:
    """Summaries differ only in the values of ``Summary``; each kind of it is rendered and read."""

    @pytest.fixture(scope="class")
    @classmethod
    def drawn(cls, keys, sqlite_template):
        site = create_app(
            {"KEYS_DIR": keys, "CLOCK": Clock(), "DATABASE_URL": f"sqlite:///{sqlite_template}/site.sqlite"}
        )
        yield site
        close(site)

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(answers=complete_answers(Q))
    def test_summary_names_a_physician_without_banned_words(self, drawn, answers):
        for lang in LANGUAGES:
            words = summary_words(drawn, lang, answers)
            assert found_banned(words, lang) == []
            assert ("speak with a physician" if lang == "en" else "hable con un médico") in words
            at_least = "At least" if lang == "en" else "Al menos"
            assert (at_least in words) == bool(score(Q, answers).skipped and score(Q, answers).noticed)

    @settings(suppress_health_check=[HealthCheck.differing_executors], max_examples=30)
    @given(answers=complete_answers(Q))
    def test_summary_reads_easily(self, drawn, answers):
        for lang in LANGUAGES:
            main = BeautifulSoup(summary_text(drawn, lang, answers), "html.parser").main
            assert excess(reading_text(main, lang), lang) <= 0

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(answers=complete_answers(Q))
    def test_summary_defines_chronic_pain_beside_its_share(self, drawn, answers):
        for lang, share, definition in (
            ("en", "4 in 10 adults with chronic pain", "lasts or comes back for more than 3 months is called chronic"),
            ("es", "4 de cada 10", "más de 3 meses"),
        ):
            page = BeautifulSoup(summary_text(drawn, lang, answers), "html.parser")
            box = page.select_one(".app-note--dots")
            assert (box is not None) == score(Q, answers).cycle
            assert box is None or all(words in " ".join(box.get_text(" ").split()) for words in (share, definition))

    def test_summary_count_with_a_skip_is_a_bound_or_of_the_answered(self, drawn):
        for noticed, declined in (n for n in product(range(8), range(8)) if sum(n) <= 7):
            words = summary_words(drawn, "en", answers_with(noticed, declined))
            expected = (
                f"told us {noticed} of 7 signs noticed {noticed} sign"
                if not declined
                else "told us You chose not to answer the 7 questions "
                if declined == 7
                else f"told us At least {noticed} of 7 signs noticed At least {noticed} sign"
                if noticed
                else f"told us 0 of {7 - declined} signs noticed, of those you answered 0 signs on more than half the days, of those you answered"
            )
            assert expected in words, (noticed, declined)
            assert ("there may be more than we can count" in words) == (0 < declined < 7), (noticed, declined)
            assert ("“I noticed at least " in words) == bool(noticed and declined)
            assert ("“I noticed " in words) == bool(noticed)

    @pytest.mark.parametrize(
        ("lang", "chose", "counts"),
        [
            (
                "en",
                "You chose not to answer the 7 questions",
                ("signs noticed", "of 7", "more than half the days", "a count"),
            ),
            (
                "es",
                "Prefirió no responder a las 7 preguntas",
                ("señales notadas", "de 7", "mitad de los días", "no un puntaje"),
            ),
        ],
    )
    def test_summary_without_any_answer_counts_nothing(self, drawn, lang, chose, counts):
        words = summary_words(drawn, lang, answers_with(0, 7))
        assert chose in words
        assert [count for count in counts if count in words] == []
        answered = summary_words(drawn, lang, answers_with(1, 0))
        assert chose not in answered and [count for count in counts if count not in answered] == []


def summary_text(site, lang: str, answers) -> str:
    """Return the summary page for these answers."""
    with site.test_request_context(f"/summary?lang={lang}"):
        return render_template(
            "screener/summary.html",
            summary=score(Q, answers),
            ketamine=site.extensions["ketamine"],
            response_outcome=None,
            copy_kept=False,
            shared=False,
            today=current.today(),
        )


def summary_words(site, lang: str, answers) -> str:
    """Return the words of the summary page for these answers."""
    text = summary_text(site, lang, answers)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_summary_advises_a_physician_with_and_without_signs(site):
    for value, count in (("1", "7 of 7"), ("0", "0 of 7")):
        visitor = Visitor(site)
        visitor.walk(**dict.fromkeys(SIGNS, value))
        page = visitor.disagree()
        assert count in page.words and "speak with a physician" in page.words
        assert "even if you don’t think it is a problem" in page.words.lower()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_reads_easily(site, clock, lang):
    levels = {}
    for number, page in enumerate(pages_to_read(site, clock, lang)):
        assert page.soup.html["lang"] == lang  # type: ignore[index]
        levels[f"{number} {page.address} {page.title}"] = excess(reading_text(page.main, lang), lang)
    assert len(levels) >= 80
    assert {page: round(value, 1) for page, value in levels.items() if value > 0} == {}


def pages_to_read(site, clock, lang):
    """Generate every page of walks with different answers, and of call-back requests."""
    for answers in (
        {"pain": "3", "hopelessness": "2", "sadness": "2", "sleep": "declined"},
        dict.fromkeys(SIGNS, "0"),
        dict.fromkeys(SIGNS, "declined"),
    ):
        yield from pages_of_a_walk(reader(site, lang), **answers)
    child = {"minor": "yes", "guardian": "Ana", "guardian_phone": "3035550144"}
    for fields in ({"share": "yes", **child}, {"reach_by": "email", "voicemail": "yes"}):
        visitor = reader(site, lang)
        visitor.walk(pain="3", hopelessness="3")
        visitor.disagree()
        yield from pages_of_a_consultation(visitor, clock, **fields)


def reader(site, lang: str) -> Visitor:
    """Return a visitor who reads this language."""
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    return visitor


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hard_text_exceeds_the_reading_level(lang):
    hard = {
        "en": "Individuals experiencing persistent musculoskeletal discomfort frequently demonstrate concurrent "
        "psychological symptomatology necessitating comprehensive interdisciplinary evaluation.",
        "es": "Las personas que experimentan padecimientos musculoesqueléticos persistentes manifiestan frecuentemente "
        "sintomatología psicológica concomitante que requiere evaluaciones interdisciplinarias exhaustivas.",
    }
    easy = {"en": "You can stop at any time. We call you back.", "es": "Puede parar cuando quiera. Le llamamos."}
    assert excess(as_sentences(hard[lang]), lang) > 5
    assert excess(as_sentences(easy[lang]), lang) < 0


def test_one_long_sentence_among_short_ones_counts():
    assert szigriszt_pazos("Va y viene. Va y viene.") > szigriszt_pazos("Va y viene y va y viene.")


@pytest.mark.parametrize(
    ("word", "count"),
    [("día", 2), ("bien", 1), ("muy", 1), ("y", 1), ("leer", 2), ("cuídese", 3), ("ansiedad", 3), ("aparecía", 5)],
)
def test_spanish_syllables_count_a_diphthong_once(word, count):
    assert syllables(word) == count


def compressed_size(name: str) -> int:
    """Return the bytes of a built file as browsers load it."""
    folder = ROOT / "static" / "dist"
    built = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))[name]
    return (folder / f"{built}.br").stat().st_size


@pytest.mark.parametrize("lang", LANGUAGES)
def test_walk_pages_stay_within_the_size_limits(site, lang):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    limits = {"/summary": MAX_SUMMARY_BYTES}
    weights = {}
    for page in pages_of_a_walk(visitor, **dict.fromkeys(SIGNS, "3")):
        weight = len(brotli.compress(page.response.data)) + sum(
            compressed_size(name) for name in ("visitor.css", "summary.css") if f"/{name[:-4]}." in page.text
        )
        weights[page.address] = weight
        assert weight <= limits.get(
            page.address, MAX_PAGE_BYTES if page.address in ("/", "/check/sadness") else MAX_SUMMARY_BYTES
        )
    assert set(weights) >= {"/", "/check/sadness", "/summary"}
    assert weights["/summary"] > weights["/check/sadness"] + compressed_size("summary.css")


def test_summary_chart_and_table_match_the_answers(site):
    visitor = Visitor(site)
    answers = dict(zip(SIGNS, ("0", "1", "2", "3", "declined", "0", "3"), strict=True))
    visitor.walk(**answers)
    page = visitor.disagree()
    chart = page.soup.select_one("svg.app-freq")
    assert chart is not None and chart["role"] == "img"
    rows = page.soup.select("table.nhsuk-table tbody tr")
    drawn = chart.select("text.app-chart__value")
    cells = chart.find_all("rect")
    described = chart.find("desc").get_text()  # type: ignore[union-attr]
    for number, (sign, code) in enumerate(answers.items()):
        question = Q.by_id[sign]
        choice = question.by_code[code]
        assert choice.brief is not None and question.short is not None
        answer_text = "Not answered" if code == "declined" else choice.text["en"]
        assert rows[number].td.get_text() == answer_text  # type: ignore[union-attr]
        assert drawn[number].get_text() == choice.brief["en"]
        assert f"{question.short['en']}: {choice.brief['en']}" in described
        kinds = [cell["class"][-1] for cell in cells[3 * number : 3 * number + 3]]
        filled = {"declined": ["app-chart__cell--declined"] * 3}.get(code) or (
            ["app-chart__cell"] * int(code) + ["app-chart__cell--empty"] * (3 - int(code))
        )
        assert kinds == filled


def answers_with(noticed: int, declined: int) -> dict[str, str]:
    values = ["2"] * noticed + ["declined"] * declined + ["0"] * (7 - noticed - declined)
    return dict(zip(SIGNS, values, strict=True))


def test_summary_page_says_at_least_after_a_skip(site):
    for noticed, declined in ((1, 1), (2, 0), (3, 4)):
        visitor = Visitor(site)
        visitor.walk(**answers_with(noticed, declined))
        words = visitor.disagree().words
        assert f"{noticed} of 7 signs noticed" in words
        assert (f"At least {noticed} of 7" in words) == bool(declined)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_consultation_pages_stay_within_the_size_limit(site, clock, lang):
    visitor = Visitor(site)
    visitor.walk(**dict.fromkeys(SIGNS, "3"))
    visitor.disagree()
    visitor.get(f"/?lang={lang}")
    styles = compressed_size("visitor.css") + compressed_size("consultation.css")
    for page in pages_of_a_consultation(visitor, clock, share="yes"):
        assert len(brotli.compress(page.response.data)) + styles <= MAX_SUMMARY_BYTES, page.address


@pytest.fixture
def letters(make_site, clock):
    """Return a function that returns every mail in a language, by kind and whether the call is overdue."""
    mail_site = MailSite(
        make_site(MAIL_HOST="127.0.0.1", MAIL_FROM=FROM, MAIL_TO_STAFF=TEAM, SITE_URL="https://check.example"), clock
    )

    def written(lang):
        mail_site.request_call(replace(ROSA, language=lang))
        (subject,) = {mail.subject for mail in mail_site.mails()}
        for late in (False, True):
            clock.forward(late * 7 * 24 * 3600)
            with mail_site.app.app_context():
                for name, kind in mail_types(mail_site.app).items():
                    letter = kind.compose(subject, int(clock()))
                    if letter is not None:  # a mail about the due time is for before it or for after it
                        yield (name, late), Renderer(mail_site.app).render(letter, "1", int(clock()))

    return written


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mail_contains_no_banned_health_or_patient_words(letters, lang):
    health = re.compile(r"pain|spine|dolor|columna|health|salud|clinic|clínica|call back", re.IGNORECASE)
    seen = 0
    for (kind, _), message in letters(lang):
        mail_text = f"{message['Subject']} {plain(message)} {message.get_body(('html',)).get_content()}"
        words = mail_text.replace("Demo Clinic", "").replace("at the clinic", "").replace("de la clínica", "")
        assert found_banned(re.sub(r"<[^>]+>", " ", mail_text), lang) == [], kind
        assert not REVEALING.search(mail_text) and not health.search(words), kind
        assert_absent(SECRETS, mail_text)
        seen += 1
    assert seen == 8


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mail_reads_easily(letters, lang):
    for (kind, late), message in letters(lang):
        words = re.sub(r"https://\S+", "", plain(message)).replace("\n\n", ". ")
        assert excess(as_sentences(words), lang) <= 0, (kind, late, excess(as_sentences(words), lang))


def test_mail_links_lead_only_to_the_site_without_a_token(letters):
    for (kind, _), message in letters("en"):
        links = set(re.findall(r"https?://[^\s<\"]+", plain(message) + message.get_body(("html",)).get_content()))
        (link,) = links
        assert re.fullmatch(
            r"https://check\.example/staff/callbacks/[0-9a-f]{32}"
            if kind in STAFF_TEMPLATES
            else r"https://check\.example/consultation/status",
            link,
        )
