"""What people type into the call-back form, the reference page and the staff pages, as they meant it."""

from __future__ import annotations

import pytest

from screening.web.typed_text import identifier
from tests.support.queue_pages import names_in, open_request, press
from tests.support.sample_patient import FORM, NAME, reference_on
from tests.support.staff_client import was_refused
from tests.support.visitor import Visitor

FORM_PAGE, REVIEW = "/consultation", "/consultation/review"
NEW, SEARCH = "/staff/callbacks/new", "/staff/callbacks/search"
DAY = 24 * 3600
LONG_NAME = "María Guadalupe Hernández de la Fuente y Villaseñor"


def review(visitor, **fields):
    return visitor.fill(visitor.get(FORM_PAGE), REVIEW, **{**FORM, **fields})


def errors_of(page):
    return [link.get_text() for link in page.soup.select(".nhsuk-error-summary a")]


def offered(page, name="phone_agreed"):
    """Return the numbers that a page offers to confirm, with their labels."""
    choices = page.soup.find_all("input", {"name": name, "type": ["checkbox", "radio"]})
    labels = [page.soup.find("label", attrs={"for": choice["id"]}).get_text() for choice in choices]
    return {str(choice["value"]): identifier(label) for choice, label in zip(choices, labels, strict=True)}


def in_spanish(visitor):
    visitor.get("/?lang=es")
    return visitor


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("(303) 555-0144 (cell)", "We did not understand “(cell)”. Please give one phone number"),
        ("303-555-0144 / 303-555-0145", "We did not understand “303-555-0145”"),
        ("34612345678", "start with +, such as +34 612 34 56 78"),
        ("303 555 01444", "start with +, such as +52 55 1234 5678"),
        ("900-555-1234", "It costs extra to call this phone number"),
        ("555-0144", "Please add the area code. The phone number should look like (201) 555-0123"),
        ("12", "Check the phone number. It should look like (201) 555-0123"),
        ("3" * 101, "100 characters at most, and now there are 101"),
    ],
)
def test_phone_error_names_what_is_wrong(visitor, site, stored, typed, words):
    page = review(visitor, phone=typed)
    assert words in errors_of(page)[0] and page.typed(REVIEW)["phone"] == [typed]
    assert stored(site) == []


def test_extension_of_any_length_reaches_staff_whole(visitor, site, request_call, stored):
    page = review(visitor, phone="(303) 555-0144 ext. 123456")
    assert "(303) 555-0144 ext. 123456" in page.words
    request_call(visitor, phone="(303) 555-0144 ext. 123456")
    assert stored(site)[0][1].phone == "+13035550144;ext=123456"


class TestUnlistedNumber:
    def test_number_is_read_back_and_sent_once_confirmed(self, visitor, site, clock, stored):
        page = review(visitor, phone="436 555 0123")
        assert errors_of(page) == ["Is (436) 555-0123 right? Check the box below, or change the number"]
        assert offered(page) == {"+14365550123": "Yes, (436) 555-0123 is right"}
        assert page.chosen().count("+14365550123") == 0, "nothing is agreed to in advance"
        page = visitor.fill(page, REVIEW, phone_agreed="+14365550123")
        assert page.title.startswith("Check your request") and "(436) 555-0123" in page.words
        clock.forward(5)
        visitor.fill(page, "/consultation/sent")
        assert stored(site)[0][1].phone == "+14365550123"

    def test_unanswered_question_is_asked_again(self, visitor):
        page = visitor.fill(review(visitor, phone="436 555 0123"), REVIEW)
        assert offered(page)

    def test_answer_survives_change_back_and_language(self, visitor):
        page = visitor.fill(review(visitor, phone="436 555 0123"), REVIEW, phone_agreed="+14365550123")
        page = visitor.fill(page, FORM_PAGE)
        assert page.typed(REVIEW)["phone_agreed"] == ["+14365550123"]
        page = visitor.post(f"{FORM_PAGE}?lang=es", page.typed(REVIEW))
        assert page.soup.html["lang"] == "es" and not errors_of(page)
        assert visitor.fill(visitor.get(FORM_PAGE), REVIEW).address == REVIEW

    def test_answer_is_bound_to_its_number(self, visitor):
        page = visitor.fill(review(visitor, phone="436 555 0123"), REVIEW, phone_agreed="+14365550123")
        page = visitor.fill(visitor.fill(page, FORM_PAGE), REVIEW, phone="436 555 0199")
        assert list(offered(page)) == ["+14365550199"]
        page = visitor.fill(page, REVIEW, phone="303 555 0144")
        assert page.address == REVIEW

    def test_answer_survives_without_cookies(self, site):
        visitor = Visitor(site)
        visitor.client = site.test_client(use_cookies=False)
        page = visitor.fill(visitor.get(FORM_PAGE), REVIEW, **{**FORM, "phone": "436 555 0123"})
        page = visitor.fill(page, REVIEW, phone_agreed="+14365550123")
        assert page.heading == "Check your request"
        assert page.typed("/consultation/sent")["phone_agreed"] == ["+14365550123"]

    def test_guardians_number_is_asked_about_as_well(self, visitor, site):
        guardian = {"minor": "yes", "guardian": "Ana", "guardian_phone": "624 555 0123", "phone": "", "email": ""}
        page = review(visitor, **guardian)
        assert list(offered(page, "guardian_phone_agreed")) == ["+16245550123"] and not offered(page)
        assert visitor.fill(page, REVIEW, guardian_phone_agreed="+16245550123").address == REVIEW

    @pytest.mark.parametrize("agreed", ["+14365550199", "yes", "<b>", "+1", ""])
    def test_agreement_to_anything_else_is_ignored(self, visitor, agreed):
        page = visitor.fill(review(visitor, phone="436 555 0123"), REVIEW, phone_agreed=agreed)
        assert list(offered(page)) == ["+14365550123"]

    def test_staff_confirm_a_callers_number(self, team, ann):
        page = ann.fill(ann.get(NEW), NEW, **{**FORM, "phone": "436 555 0123"})
        assert was_refused(page) and list(offered(page)) == ["+14365550123"]
        page = ann.fill(page, NEW, phone_agreed="+14365550123")
        assert page.heading == "The request is entered"
        assert "(436) 555-0123" in open_request(ann).words


class TestMexicanNumber:
    def test_local_number_asks_for_its_country_in_spanish(self, visitor, site, clock, stored):
        page = review(in_spanish(visitor), phone="55 1234 5678")
        assert errors_of(page) == ["¿De qué país es este número de teléfono?"]
        assert offered(page) == {
            "+525512345678": "México: +52 55 1234 5678",
            "+15512345678": "Estados Unidos: (551) 234-5678",
        }
        page = visitor.fill(page, REVIEW, phone_agreed="+525512345678")
        assert "+52 55 1234 5678" in page.words
        clock.forward(5)
        visitor.fill(page, "/consultation/sent")
        assert stored(site)[0][1].phone == "+525512345678"

    def test_number_that_only_mexico_has_is_read_back(self, visitor):
        page = review(in_spanish(visitor), phone="8112345678")
        assert offered(page) == {"+528112345678": "Sí, +52 81 1234 5678 es correcto"}

    def test_old_mobile_prefix_is_dropped(self, visitor, site, request_call, stored):
        request_call(visitor, phone="+52 1 55 1234 5678")
        assert stored(site)[0][1].phone == "+525512345678"

    def test_staff_find_a_local_number(self, team, ann, request_call):
        request_call(Visitor(team.site), phone="+52 55 1234 5678")
        for typed in ("55 1234 5678", "+52 1 55 1234 5678", "５５ 1234\u20115678\u200b"):
            assert ann.send(ann.get(SEARCH), SEARCH, contact=typed).heading == NAME, typed


class TestEveryField:
    def test_white_space_and_invisible_characters(self, visitor, site, request_call, stored):
        request_call(
            visitor,
            name="Ana\u2028\u200bRosa\u2060 Ruiz",
            message="Oxycodone\t5\t10 mg\x85twice\u2029daily",
            email="ｒｏｓａ\u200b＠example.org\ufe0f",
            phone="\u200b303\u2013555\u20110144",
        )
        [(_, details)] = stored(site)
        assert (details.name, details.message) == ("Ana Rosa Ruiz", "Oxycodone 5 10 mg\ntwice\ndaily")
        assert (details.email, details.phone) == ("rosa@example.org", "+13035550144")

    @pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u2800\u2800", "\u0301", "\t"])
    def test_name_without_visible_character_is_refused(self, visitor, name):
        assert errors_of(review(visitor, name=name)) == ["Please give your name, so we know who to ask for"]

    def test_notes_of_staff_keep_white_space(self, team, ann, request_call):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "note", note="Oxycodone\t5\x0b10 mg")
        assert "Oxycodone 5 10 mg" in page.words

    @pytest.mark.parametrize(
        ("field", "most"), [("name", 80), ("say", 80), ("assistance", 80), ("email", 254), ("message", 500)]
    )
    def test_too_long_text_is_counted_and_stays(self, visitor, field, most):
        typed = "ñ" * (most + 3)
        page = review(visitor, **{field: typed})
        assert f"{most} characters at most, and now there are {most + 3}" in errors_of(page)[0]
        assert page.typed(REVIEW)[field] == [typed]
        if field != "email":
            assert not errors_of(review(visitor, **{field: typed[:most]}))

    def test_too_long_text_of_staff_is_counted_and_stays(self, team, ann):
        for page, address, field, most in ((NEW, NEW, "name", 80), (SEARCH, SEARCH, "contact", 254)):
            shown = ann.send(ann.get(page), address, **{field: "x" * (most + 1)})
            assert any(f"now there are {most + 1}" in error for error in errors_of(shown))
            assert shown.typed(address)[field] == ["x" * (most + 1)]

    def test_long_name_is_shown_whole(self, team, clock, request_call):
        page = request_call(Visitor(team.site), name=LONG_NAME, say="")
        assert f"ask for {LONG_NAME}" in page.words
        clock.forward(DAY)
        ann = team.sign_in("ann", "callbacks")
        assert names_in(ann.get("/staff/callbacks")) == [LONG_NAME]
        for address in ("/staff/callbacks/today", "/staff/callbacks/print"):
            assert LONG_NAME in ann.get(address).words

    def test_typed_text_has_its_own_direction(self, team, clock, request_call):
        visitor, typed = Visitor(team.site), {"name": "שרה zentinel", "say": "", "message": "שלום zentinel"}
        for page in (review(visitor, **typed), visitor.get(FORM_PAGE), request_call(visitor, **typed)):
            assert own_direction(page, "zentinel"), page.address
        clock.forward(DAY)
        ann = team.sign_in("ann", "callbacks")
        assert own_direction(open_request(ann, typed["name"]), "zentinel")
        for address in ("/staff/callbacks", "/staff/callbacks/today", "/staff/callbacks/print"):
            assert own_direction(ann.get(address), "zentinel"), address
        request_call(visitor, **typed)
        assert own_direction(ann.send(ann.get(SEARCH), SEARCH, contact=FORM["email"]), "zentinel")


def own_direction(page, typed):
    """Return whether a page shows a text, in main, and everywhere in an element with its own direction."""
    texts = [string.parent for string in page.main.find_all(string=lambda string: typed in string)]
    inputs = [field for field in page.main.find_all("input", type="text") if typed in field.get("value", "")]
    isolated = [
        any(each.name == "bdi" or each.get("dir") == "auto" for each in (element, *element.parents))
        for element in texts + inputs
    ]
    return bool(isolated) and all(isolated)


class TestReference:
    def look_up(self, site, typed):
        visitor = Visitor(site)
        return visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=typed)

    def test_reference_is_found_in_other_text(self, visitor, site, request_call):
        reference = reference_on(request_call(visitor))
        for typed in (
            f"my ref is {reference}.",
            f"Your reference\t{reference.lower()}\u200b " + "Write it down. " * 20,
        ):
            assert reference_on(self.look_up(site, typed)) == reference

    def test_long_text_without_reference_is_counted_and_stays(self, site):
        page = self.look_up(site, "x" * 150)
        assert "100 characters at most, and now there are 150" in errors_of(page)[0]
        assert page.typed("/consultation/status")["reference"] == ["x" * 150]


def test_pages_truncate_nothing_that_is_pasted(visitor, team, ann, admin):
    pages = [visitor.get("/consultation/status"), ann.get(NEW), ann.get(SEARCH), admin.get("/staff/accounts/new")]
    for page in pages:
        assert page.soup.find("input", type=["text", "email"]) and not page.soup.find(attrs={"maxlength": True})
