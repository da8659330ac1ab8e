"""The walk: questions, errors, navigation and languages."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.support.absence import assert_absent
from tests.support.visitor import SIGNS, Visitor


def test_start_page_states_purpose_privacy_and_emergency_advice(visitor):
    page = visitor.get("/")
    assert page.heading == "How have the last two weeks been?"
    for words in (
        "About 3 minutes",
        "for yourself",
        "Not a diagnosis",
        "Your answers stay in your browser",
        "In an emergency, don’t start",
        "Under 18?",
        "I need more time",
        "Nobody watches your answers live",
    ):
        assert words in page.words
    assert visitor.get("/check/sadness").address == page.soup.select_one(".app-hero__text a.nhsuk-button")["href"]  # type: ignore[index]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_walk_reaches_the_summary_in_each_language(site, lang):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    page = visitor.get("/check/sadness")
    for number, sign in enumerate(SIGNS, 1):
        assert page.address == f"/check/{sign}"
        assert page.title.startswith(f"Question {number} of 7" if lang == "en" else f"Pregunta {number} de 7")
        assert page.soup.html is not None and page.soup.html["lang"] == lang
        page = visitor.answer(sign, "2" if sign in ("sadness", "pain") else "0")
    assert page.title.startswith("About your pain, 1 of 2" if lang == "en" else "Sobre su dolor, 1 de 2")
    visitor.answer("pain_duration", "over_a_year")
    visitor.answer("pain_average", "10")
    page = visitor.answer("stress", ["money"])
    assert page.address == "/check/review"
    page = visitor.disagree()
    assert page.address == "/summary"
    assert ("2 of 7 signs noticed" if lang == "en" else "2 de 7 señales notadas") in page.words


def test_progress_bar_shows_seven_steps_during_follow_ups(visitor):
    visitor.walk(pain="3", sleep="declined")
    page = visitor.get("/check/pain_average")
    assert "About your pain, 2 of 2" in page.words
    bars = page.soup.find_all(class_="app-steps__step")
    assert len(bars) == 7
    assert sum("app-steps__step--done" in bar["class"] for bar in bars) == 6
    assert "app-steps__step--declined" in bars[1]["class"]
    assert page.soup.find(class_="app-steps__row")["aria-hidden"] == "true"  # type: ignore[index]


def test_absent_pain_skips_the_pain_follow_ups(visitor):
    visitor.get("/")
    for sign in SIGNS:
        page = visitor.answer(sign, "0")
    assert page.address == "/check/stress"
    assert visitor.get("/check/pain_duration").address == "/check/stress"


def test_declined_pain_skips_the_pain_follow_ups(visitor):
    assert visitor.walk(pain="declined").address == "/check/review"
    for address in ("/check/pain_duration", "/check/pain_average"):
        page = visitor.get(address)
        assert page.address == "/check/review" and "does not go with your answers" in page.words


def test_back_links_preserve_every_answer(visitor):
    visitor.walk(pain="1", sadness="2")
    page = visitor.get("/check/review")
    seen = []
    while page.address != "/":
        back = page.soup.find("a", class_="nhsuk-back-link")
        page = visitor.get(str(back["href"]))  # type: ignore[index]
        seen.append(page.address)
        if page.address.startswith("/check"):
            assert page.chosen()
    assert seen[-2:] == ["/check/sadness", "/"] and "/check/pain_average" in seen
    assert "Go on with the check" in page.words


def test_continue_without_a_choice_shows_an_error(visitor):
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness")
    assert page.status == 200
    assert page.title.startswith("Error: Question 1 of 7")
    link = page.soup.select_one(".nhsuk-error-summary a")
    assert link is not None and link["href"] == "#sadness" and "Prefer not to say" in link.get_text()
    assert page.soup.select_one("#sadness")["type"] == "radio"  # type: ignore[index]


@pytest.mark.parametrize("value", ["4", "", "not_answered", "<script>"])
def test_answer_not_offered_is_refused(visitor, value):
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness", sadness=value)
    assert page.status == 200 and page.address == "/check/sadness" and page.chosen() == []
    assert "<script>" not in page.text


def test_first_of_several_single_choice_values_is_stored(visitor):
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness", sadness=["0", "1", "x"])
    assert page.status == 200 and page.address == "/check/sleep"
    assert visitor.get("/check/sadness").chosen() == ["0"]


def test_none_of_these_cannot_be_combined(visitor):
    visitor.walk()
    page = visitor.send(visitor.get("/check/stress"), "/check/stress", stress=["none", "work"])
    assert page.status == 200 and "on its own" in page.words
    assert page.chosen() == ["work", "none"]
    page = visitor.send(page, "/check/stress", stress=[])
    assert page.status == 200 and "Check at least one" in page.words
    assert visitor.send(page, "/check/stress", stress=["none"]).address == "/check/review"


def test_unknown_question_returns_404(visitor):
    assert visitor.get("/check/nonsense").status == 404
    assert visitor.get("/check/copy").status == 404
    assert visitor.get("/check/").status == 404


@pytest.mark.parametrize("address", ["/check/motivation", "/check/review", "/summary"])
def test_deep_link_redirects_to_first_open_question_with_notice(visitor, address):
    visitor.answer("sadness", "1")
    page = visitor.get(address)
    assert page.address == "/check/sleep" and "This question comes first" in page.words


def test_link_to_inapplicable_question_redirects_with_notice(visitor):
    visitor.walk()
    for address in ("/check/pain_duration", "/check/age"):
        page = visitor.get(address)
        assert page.address == "/check/review" and "does not go with your answers" in page.words
    page = visitor.post("/check/pain_average", {"pain_average": "3", "csrf_token": page.token})
    assert page.address == "/check/review"


def test_answers_from_two_tabs_are_both_stored(visitor):
    visitor.answer("sadness", "1")
    visitor.answer("sleep", "2")
    tab_one, tab_two = visitor.get("/check/sadness"), visitor.get("/check/sleep")
    visitor.send(tab_one, "/check/sadness", sadness="3")
    visitor.send(tab_two, "/check/sleep", sleep="0")
    assert visitor.get("/check/sadness").chosen() == ["3"]
    assert visitor.get("/check/sleep").chosen() == ["0"]


def test_start_again_clears_the_draft(visitor):
    visitor.walk()
    page = visitor.send(visitor.disagree(), "/start-again")
    assert page.address == "/" and "cleared from this browser" in page.words
    assert visitor.get("/summary").address == "/check/sadness"


def switch_language(visitor, page, **chosen):
    """Press the language button of a question's page; what is chosen travels along."""
    button = page.soup.select_one("button.app-bar__lang")
    fields = {**page.typed(urlsplit(str(button["formaction"])).path), **chosen}
    assert page.soup.find("form", id=button["form"]) is not None
    return visitor.post(str(button["formaction"]), fields, referer=page.address)


def test_language_switch_preserves_answers_and_page(visitor):
    visitor.answer("sadness", "2")
    page = visitor.get("/check/sadness")
    button = page.soup.select_one("button.app-bar__lang")
    assert (button["lang"], button.get_text()) == ("es", "Español")
    page = switch_language(visitor, page)
    assert page.title.startswith("Pregunta 1 de 7") and page.chosen() == ["2"]
    assert visitor.get("/check/sleep").title.startswith("Pregunta 2 de 7")


@pytest.mark.parametrize(
    ("question", "chosen", "heading"),
    [
        ("sadness", ["1"], "En las últimas 2 semanas"),
        ("pain_average", ["7"], "En la última semana"),
        ("stress", ["work", "sleep"], "¿Qué le causa más estrés"),
    ],
)
def test_language_switch_preserves_an_unsent_choice(visitor, question, chosen, heading):
    visitor.walk(pain="2")
    page = switch_language(visitor, visitor.get(f"/check/{question}"), **{question: chosen})
    assert page.heading.startswith(heading) and page.chosen() == chosen
    assert "Error" not in page.title
    visitor.send(page, f"/check/{question}", **{question: chosen})
    assert visitor.get(f"/check/{question}").chosen() == chosen


def test_language_switch_stores_no_answer(visitor):
    page = switch_language(visitor, visitor.get("/check/sadness"), sadness="1")
    assert page.address == "/check/sadness" and visitor.get("/summary").address == "/check/sadness"


def test_language_switch_without_a_choice_shows_no_error(visitor):
    page = switch_language(visitor, visitor.get("/check/sadness"))
    assert page.title.startswith("Pregunta 1 de 7") and page.chosen() == []


def test_language_switch_translates_the_shown_error(visitor):
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness")
    assert page.title.startswith("Error: Question 1")
    page = switch_language(visitor, page)
    assert page.title.startswith("Error: Pregunta 1") and "Elija la respuesta" in page.words


def test_enter_on_a_question_continues_in_the_same_language(visitor):
    for address in ("/check/sadness", "/check/review"):
        page = visitor.get(address)
        first = page.soup.select_one("button[form=answer], form#answer button")
        assert not first.has_attr("formaction"), "Enter presses the first button of a form"
        visitor.walk()


def test_language_switch_without_cookies_keeps_the_choice(site):
    visitor = Visitor(site)
    visitor.client = site.test_client(use_cookies=False)
    page = switch_language(visitor, visitor.get("/check/sadness"), sadness="1")
    assert page.soup.html["lang"] == "es" and page.chosen() == ["1"]


def test_language_switch_on_the_review_preserves_the_choice(visitor):
    visitor.walk()
    page = switch_language(visitor, visitor.get("/check/review"), consent="no")
    assert (page.address, page.heading, page.chosen()) == ("/check/review", "Revise sus respuestas", ["no"])


def test_language_switch_keeps_the_way_back_to_the_review(visitor):
    visitor.walk()
    page = switch_language(visitor, visitor.get("/check/sadness?from=review"), sadness="1")
    assert visitor.send(page, "/check/sadness", sadness="1").address == "/check/review"


def test_accept_language_selects_locale_until_one_is_chosen(site):
    visitor, spanish = Visitor(site), {"Accept-Language": "es-MX,es;q=0.9"}

    def language(address, headers):
        return visitor.get(address, headers=headers).soup.html["lang"]

    assert language("/", spanish) == "es"
    assert language("/", {"Accept-Language": "es-MX,en;q=0.5"}) == "es"
    assert language("/", {"Accept-Language": "en-US,es;q=0.9"}) == "en"
    assert language("/", {"Accept-Language": "fr"}) == "en"
    assert language("/?lang=xx", {}) == "en"
    assert language("/?lang=en", spanish) == "en"
    assert language("/", spanish) == "en", "the chosen language persists"


def test_stale_form_returns_with_its_choice_and_can_be_resent(visitor, clock):
    visitor.answer("sadness", "2")
    page = visitor.get("/check/sleep")
    clock.forward(3600)
    page = visitor.send(page, "/check/sleep", sleep="3")
    assert page.address == "/check/sadness" and "We don’t have your earlier answers anymore" in page.words
    page = visitor.send(page, "/check/sadness", sadness="2")
    assert page.address == "/check/sleep" and page.chosen() == ["3"]
    assert "Your choice is still here" in page.words and page.title.startswith("Error: ")
    visitor.send(page, "/check/sleep", sleep="3")
    page = visitor.get("/check/sleep")
    assert page.chosen() == ["3"] and not page.title.startswith("Error: ")


def test_form_without_cookies_returns_with_its_choice(site):
    visitor = Visitor(site)
    visitor.client = site.test_client(use_cookies=False)
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness", sadness="3")
    assert page.status == 400 and page.chosen() == ["3"] and "cookies are off" in page.words


def test_form_without_a_valid_token_changes_nothing(visitor):
    visitor.answer("sadness", "2")
    for token in ("", "forged", None):
        fields = {"sadness": "0"} | ({} if token is None else {"csrf_token": token})
        page = visitor.post("/check/sadness", fields)
        assert page.chosen() == ["0"] and "Your choice is still here" in page.words
        assert page.response.request.query_string == b"", "no answer stands in an address"
        assert visitor.get("/check/review").address == "/check/sleep"
    visitor.send(page, "/check/sadness", sadness="2")
    assert "press the button once more" in visitor.post("/start-again", {}).words
    assert visitor.get("/check/sadness").chosen() == ["2"]


def test_empty_form_is_not_filled_from_the_stored_answer(visitor):
    visitor.answer("sadness", "2")
    page = visitor.get("/check/sadness")
    page = visitor.post("/check/sadness", {"csrf_token": page.token})
    assert page.status == 200 and page.chosen() == [] and page.title.startswith("Error: ")
    assert visitor.get("/check/sleep").address == "/check/sleep", "the stored answer remains until it is replaced"


def test_non_form_body_is_refused_with_crisis_help(visitor):
    token = visitor.get("/check/sadness").token
    for body in (b"{", b'{"sadness": "3"}', b"[]", b"\xff\x00"):
        response = visitor.client.post(
            "/check/sadness", data=body, content_type="application/json", headers={"X-CSRFToken": token}
        )
        assert response.status_code == 303 and response.location == "/check/sadness"
        page = visitor.get("/check/sadness")
        assert page.title.startswith("Error: ") and "tel:988" in page.text
        response = visitor.client.post("/check/sadness", data=body, content_type="application/json")
        assert response.status_code == 303 and "Your choice is still here" in visitor.get("/check/sadness").words


def test_refused_values_add_no_template_cache_entries(visitor):
    """Cached parts of a page depend on the offered answers only, so a visitor cannot fill the cache."""
    cache_info = visitor.site.extensions["page_cache"].rendered.cache_info
    page = visitor.get("/check/sadness")
    visitor.send(page, "/check/sadness", sadness="first")
    before = cache_info().currsize
    assert before > 0
    for number in range(5):
        page = visitor.send(page, "/check/sadness", sadness=f"sentinel-{number}" * 100)
        assert page.title.startswith("Error: ")
    assert cache_info().currsize == before


def test_start_page_leads_to_the_first_open_question(visitor):
    def button():
        return visitor.get("/").main.select_one("a.nhsuk-button")

    assert button()["href"] == "/check/sadness" and "Start" in button().get_text()
    visitor.answer("sadness", "1")
    visitor.answer("sleep", "declined")
    assert button()["href"] == "/check/hopelessness" and button().get_text() == "Go on with the check"
    visitor.walk(pain="2")
    visitor.get("/")
    assert button()["href"] == "/check/review", "the choice about the copy is open"
    visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert button()["href"] == "/check/age"
    visitor.agree()
    assert visitor.get(str(button()["href"])).address == "/summary" and button().get_text() == "See my summary"
    visitor.answer("pain", "0")
    visitor.answer("pain", "1", follow=False)
    assert button()["href"] == "/check/pain_duration"


PRIVATE = {"en": "Nothing is kept unless you say yes", "es": "No se guarda nada"}
AGE_HINT = {"en": "it also changes some of our advice", "es": "también cambia algunos de nuestros consejos"}
STAYS = {"en": "The copy you agreed to stays with us.", "es": "La copia que aceptó se queda con nosotros."}


@pytest.mark.parametrize("lang", ["en", "es"])
def test_privacy_line_is_absent_after_consent(site, lang):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    assert PRIVATE[lang] in visitor.get("/check/sadness").words
    visitor.walk()
    age = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert age.address == "/check/age" and AGE_HINT[lang] in age.words
    assert_absent((PRIVATE[lang],), age.words, visitor.get("/check/sadness").words)
    visitor.send(age, "/check/age", age="45_to_54")
    assert_absent((PRIVATE[lang],), visitor.get("/check/sadness").words)
    visitor.disagree()
    assert PRIVATE[lang] in visitor.get("/check/sadness").words


@pytest.mark.parametrize("lang", ["en", "es"])
def test_summary_says_a_copy_stays_only_where_one_is_kept(site, lang):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    visitor.walk()
    assert_absent((STAYS[lang],), visitor.disagree().words)
    assert STAYS[lang] in visitor.agree().words
    visitor.answer("sadness", "2")
    assert STAYS[lang] in visitor.get("/summary").words, "the copy has the old answer"
    assert_absent((STAYS[lang],), visitor.disagree().words)
    visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    minor = visitor.send(visitor.get("/check/age"), "/check/age", age="under_18")
    assert minor.address == "/summary"
    assert_absent((STAYS[lang],), minor.words)


@pytest.mark.parametrize(
    ("lang", "permission"),
    [("en", "Nobody needs permission to call or text 988"), ("es", "A ninguna edad se necesita permiso")],
)
def test_summary_tells_minors_about_help_without_permission(site, lang, permission):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    visitor.walk()
    adult = visitor.agree()
    assert_absent((permission,), adult.words)
    minor = visitor.send(visitor.get("/check/age"), "/check/age", age="under_18")
    assert minor.address == "/summary" and permission in minor.words
    assert minor.main.find("a", href="tel:+18004224453")
    assert permission in visitor.get("/help-now").words


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "The consultation is free for new patients."), ("es", "La consulta es gratis para pacientes nuevos.")],
)
def test_summary_promises_free_consultation_to_new_patients_only(site, lang, words):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    visitor.walk()
    page = visitor.disagree()
    assert words in page.words and page.words.lower().count("free" if lang == "en" else "gratis") == 1
