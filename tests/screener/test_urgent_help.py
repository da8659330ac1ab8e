"""Crisis help: shown for every urgent answer, and independent of everything that can fail."""

from __future__ import annotations

import pytest
from flask import abort

from tests.support.visitor import Visitor, check_page

URGENT = "/check/hopelessness"
CARE = "First, please talk to someone today"


def is_help(page) -> bool:
    return page.status == 200 and page.heading in ("Thank you for telling us", "Gracias por contárnoslo")


def test_urgent_answer_returns_the_help_page_without_redirect(visitor):
    visitor.answer("sadness", "0")
    visitor.answer("sleep", "0")
    page = visitor.send(visitor.get(URGENT), URGENT, follow=False, hopelessness="3")
    assert is_help(page) and "Location" not in page.response.headers
    assert page.soup.find("main").find("a", href="tel:988") and page.main.find("a", href="sms:988")  # type: ignore[union-attr]
    assert "Nobody at the clinic watches your answers live" in page.words
    assert "not help in an emergency" in page.words
    assert not page.main.find("input", type="checkbox")
    next_page = visitor.send(page, URGENT)
    assert next_page.address == "/check/interest" and CARE in next_page.words


def test_urgent_help_tops_every_page_until_the_answer_changes(visitor):
    visitor.walk(hopelessness="3")
    for address in ("/", "/check/sadness", "/check/review", "/summary", "/about", "/privacy", "/nowhere"):
        page = visitor.get(address)
        first = page.main.find(True)
        if address == "/summary":
            visitor.disagree()
            page = visitor.get("/summary")
            first = page.main.find("section")
        assert "app-care" in first["class"], address  # type: ignore[index]
    visitor.answer("hopelessness", "0")
    assert CARE not in visitor.get("/check/review").words


def test_urgent_answer_out_of_order_shows_help_and_is_stored(visitor):
    page = visitor.post(URGENT, {"hopelessness": "3", "csrf_token": visitor.get("/check/sadness").token})
    assert is_help(page)
    assert CARE in visitor.get("/").words


@pytest.mark.parametrize("fields", [{}, {"csrf_token": "expired"}, {"csrf_token": "", "sadness": "0"}])
def test_urgent_help_needs_no_token_and_no_cookie(site, fields):
    page = Visitor(site).post(URGENT, {"hopelessness": "3", **fields})
    assert is_help(page)


def test_tokenless_urgent_answer_shows_help_but_is_not_stored(visitor):
    visitor.answer("sadness", "1")
    assert is_help(visitor.post(URGENT, {"hopelessness": "3"}))
    assert CARE not in visitor.get("/").words
    assert visitor.get("/check/sadness").chosen() == ["1"]


def test_continue_after_stale_form_stores_the_urgent_answer(visitor, clock):
    page = visitor.get("/check/sadness")
    clock.forward(86400)
    help_page = visitor.post(URGENT, {"hopelessness": "3", "csrf_token": page.token})
    assert is_help(help_page)
    next_page = visitor.send(help_page, URGENT)
    assert next_page.address == "/check/sadness" and CARE in next_page.words


@pytest.mark.parametrize("raw", [["3"], ["0", "3"], ["3", "declined"], [" 3 "]])
def test_urgent_help_reads_the_raw_form_field(site, raw):
    assert is_help(Visitor(site).post(URGENT, {"hopelessness": raw}))


@pytest.mark.parametrize("raw", ["0", "1", "2", "declined", "33", "", "nearly every day"])
def test_other_values_show_no_urgent_help(visitor, raw):
    visitor.answer("sadness", "0")
    visitor.answer("sleep", "0")
    page = visitor.send(visitor.get(URGENT), URGENT, hopelessness=raw)
    assert not is_help(page) and CARE not in page.words


def test_urgent_change_from_review_returns_there_after_help(visitor):
    visitor.walk()
    page = visitor.send(visitor.get(URGENT + "?from=review"), URGENT, hopelessness="3")
    assert is_help(page)
    assert visitor.send(page, URGENT).address == "/check/review"


@pytest.mark.parametrize("answer", ["1", "2", "declined"])
def test_moderate_hopelessness_shows_support_text_and_988(visitor, answer):
    words = "Times without hope are hard to carry alone"
    visitor.answer("sadness", "0")
    visitor.answer("sleep", "0")
    page = visitor.answer("hopelessness", answer)
    assert page.address == "/check/interest" and words in page.words and page.main.find("a", href="tel:988")
    visitor.walk(hopelessness=answer)
    assert words in visitor.get("/check/review").words
    assert words in visitor.disagree().words


def test_zero_hopelessness_shows_only_the_crisis_strip(visitor):
    visitor.walk()
    page = visitor.disagree()
    assert CARE not in page.words and "Times without hope" not in page.words
    assert page.soup.select_one("section.app-strip a[href='tel:988']")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_help_now_has_both_languages_and_sets_no_cookie(site, lang):
    visitor = Visitor(site)
    page = visitor.get("/help-now", headers={"Accept-Language": lang})
    assert "Set-Cookie" not in page.response.headers
    for words in (
        "Call 988",
        "Llamar al 988",
        "838255",
        "AYUDA",
        "HOME to 741741",
        "AYUDA al 741741",
        "1-800-273-8255",
        "911",
        "711",
    ):
        assert words in page.words
    assert "ress 3" not in page.words
    other = page.main.find("section", lang="es" if lang == "en" else "en")
    assert other is not None and page.soup.html["lang"] == lang  # type: ignore[index]


class Broken:
    """Stands for a part that fails on every use."""

    def __getattr__(self, name):
        raise RuntimeError("broken")


def test_urgent_help_works_with_a_broken_keyring(site, visitor):
    visitor.walk(hopelessness="3")
    site.session_interface.keyring = Broken()
    for address in ("/help-now", "/", "/check/sadness", "/about", "/nowhere"):
        assert visitor.get(address).status in (200, 404)
    assert is_help(visitor.post(URGENT, {"hopelessness": "3", "csrf_token": "x"}))


def test_urgent_help_works_without_a_database(make_site):
    visitor = Visitor(make_site(DATABASE_URL="postgresql://site@/none?host=/nowhere"))
    assert visitor.get("/help-now").status == 200
    assert is_help(visitor.post(URGENT, {"hopelessness": "3"}))


def test_urgent_help_bypasses_the_rate_limit(make_site):
    visitor = Visitor(make_site(RATE_LIMIT_FORMS="1 per hour"))
    statuses = [visitor.post("/check/sadness", {"sadness": "0"}).status for _ in range(3)]
    assert statuses[-1] == 429
    assert is_help(visitor.post(URGENT, {"hopelessness": "3"}))
    assert visitor.get("/help-now").status == 200


def test_urgent_help_falls_back_when_template_rendering_fails(site, monkeypatch):
    monkeypatch.setattr("screening.screener.urgent_help.render_template", Broken().__getattr__)
    response = site.test_client().post(URGENT, data={"hopelessness": "3"})
    assert response.status_code == 200
    for words in ("tel:988", "tel:911", "AYUDA", "Help at any hour", "Ayuda a toda hora"):
        assert words in response.text


def test_urgent_help_is_shown_under_unknown_host_name(site):
    response = site.test_client().post(URGENT, data={"hopelessness": "3"}, base_url="http://elsewhere.example")
    assert response.status_code == 200 and "tel:988" in response.text


ERROR_CODES = (400, 403, 404, 405, 413, 418, 429, 500, 502, 503)


@pytest.fixture
def failing_site(site):
    """The site, with an address for each error that it can answer with."""
    for code in ERROR_CODES:
        site.add_url_rule(f"/fail/{code}", f"fail_{code}", lambda code=code: abort(code))
    return site


def test_static_error_page_has_crisis_numbers(failing_site, monkeypatch):
    monkeypatch.setattr("screening.web.errors.render_template", Broken().__getattr__)
    for code in ERROR_CODES:
        response = failing_site.test_client().get(f"/fail/{code}")
        assert response.status_code == code
        for link in ("tel:988", "sms:988", "tel:911"):
            assert link in response.text, code


def test_leave_deletes_draft_cookies_without_a_token(visitor):
    visitor.walk(hopelessness="3")
    visitor.get("/?lang=es")
    response = visitor.client.post("/leave")
    assert response.status_code == 303 and response.headers["Location"] == "https://www.weather.gov/"
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    deleted = response.headers.getlist("Set-Cookie")
    assert any(c.startswith("draft=;") for c in deleted) and any(c.startswith("lang=;") for c in deleted)
    page = visitor.get("/check/review")
    assert page.address == "/check/sadness" and page.chosen() == [] and CARE not in page.words


def test_leave_works_over_rate_limit_and_with_broken_keyring(make_site):
    site = make_site(RATE_LIMIT_FORMS="1 per hour")
    client = site.test_client()
    for _ in range(3):
        assert client.post("/leave").status_code == 303
    site.session_interface.keyring = Broken()
    client.set_cookie("draft", "abc")
    assert client.post("/leave").status_code == 303


def test_every_error_page_has_crisis_help_and_start_link(failing_site):
    visitor = Visitor(failing_site)
    for address, code in (("/nowhere", 404), *((f"/fail/{code}", code) for code in ERROR_CODES)):
        page = visitor.get(address)
        assert page.status == code
        check_page(page)
        assert page.main.find("a", href="/", class_="nhsuk-button"), code


def test_urgent_help_is_bilingual_with_a_back_link(visitor):
    page = visitor.post(URGENT + "?from=review", {"hopelessness": "3"})
    assert page.main.find("section", lang="es") is not None
    assert page.soup.select_one("a.nhsuk-back-link")["href"] == URGENT + "?from=review"  # type: ignore[index]


def test_language_switch_on_urgent_help_keeps_the_walk(visitor):
    visitor.answer("sadness", "1")
    visitor.answer("sleep", "1")
    page = visitor.send(visitor.get(URGENT), URGENT, hopelessness="3")
    button = page.soup.select_one("button.app-bar__lang[lang=es]")
    page = visitor.post(str(button["formaction"]), page.typed(URGENT), referer=URGENT)  # type: ignore[index]
    assert (page.status, page.heading) == (200, "Gracias por contárnoslo")
    page = visitor.send(page, URGENT)
    assert page.address == "/check/interest" and page.title.startswith("Pregunta 4 de 7")


def test_language_switch_with_an_urgent_choice_shows_help(visitor):
    visitor.answer("sadness", "1")
    page = visitor.answer("sleep", "1")
    button = page.soup.select_one("button.app-bar__lang[lang=es]")
    fields = {**page.typed(URGENT), "hopelessness": "3"}
    page = visitor.post(str(button["formaction"]), fields, referer=URGENT)  # type: ignore[index]
    assert (page.status, page.heading) == (200, "Gracias por contárnoslo")


def test_help_now_leads_back_to_the_open_question(visitor):
    back = visitor.get("/help-now").soup.select_one("a.nhsuk-back-link")
    assert (back["href"], back.get_text()) == ("/", "To the start page")  # type: ignore[index, union-attr]
    visitor.answer("sadness", "1")
    back = visitor.get("/help-now").soup.select_one("a.nhsuk-back-link")
    assert (back["href"], back.get_text()) == ("/check/sleep", "Go on with the check")  # type: ignore[index, union-attr]
    visitor.walk()
    assert visitor.get("/help-now").soup.select_one("a.nhsuk-back-link")["href"] == "/check/review"  # type: ignore[index]
    visitor.disagree()
    assert visitor.get("/help-now").soup.select_one("a.nhsuk-back-link")["href"] == "/summary"  # type: ignore[index]


def test_help_now_and_healthz_accept_any_host_name(make_site, own_clinic):
    client = make_site(ALLOWED_HOSTS=("clinic.example",), HTTPS=True, CLINIC_FILE=own_clinic).test_client()
    for address in ("/help-now", "/healthz"):
        assert client.get(address, base_url="http://192.0.2.5").status_code == 200
