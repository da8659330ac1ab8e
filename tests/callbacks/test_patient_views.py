"""A call-back request, from the form to its due time, and every error on the way."""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from screening.callbacks import patient_service
from screening.callbacks.clinic_calendar import regular_calendar
from screening.callbacks.models import CallbackRequest
from screening.callbacks.reference_code import derive, parse
from screening.callbacks.workflow import NotAllowedError
from screening.crypto.keyring import CALLBACK, PURPOSES, Keyring, SettingsError
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.databases import pending_responses
from tests.support.sample_patient import FORM, NAME, PHONE, ROSA, SECRETS, reference_on
from tests.support.visitor import Visitor


def form_of(visitor):
    return visitor.get("/consultation")


def review(visitor, **fields):
    return visitor.fill(form_of(visitor), "/consultation/review", **{**FORM, **fields})


def spellings(reference):
    """Return a reference with and without its hyphens."""
    return reference, reference.replace("-", "")


@pytest.mark.each_database
@pytest.mark.usefixtures("monday_noon")
def test_submission_shows_due_time_and_stores_the_request(make_site, clock, stored):
    site = make_site()
    visitor = Visitor(site)
    page = form_of(visitor)
    assert page.title.startswith("Ask for a call back") and "by 5:00 PM on Tuesday, November 24" in page.words
    page = visitor.fill(page, "/consultation/review", **FORM)
    assert page.title.startswith("Check your request")
    for shown in (NAME, FORM["say"], PHONE, FORM["email"], "zentinelmessage words"):
        assert shown in page.words
    assert stored(site) == [], "nothing is stored before the review"
    clock.forward(60)
    page = visitor.fill(page, "/consultation/sent")
    assert (page.address, page.status) == ("/consultation/sent", 200)
    assert "by 5:00 PM on Tuesday, November 24" in page.words and "ends in 44" in page.words
    assert parse(reference_on(page)) == reference_on(page)
    [(request, details)] = stored(site)
    assert details == replace(ROSA, reach_by="phone"), "no answers, no voicemail, no news"
    assert (request.state, request.rank, request.language) == ("new", 1, "en")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": " "}, "Please give your name"),
        ({"name": "x" * 81}, "80 characters at most, and now there are 81"),
        ({"patient": "perhaps"}, "Please pick one of these"),
        ({"phone": "", "email": ""}, "Please give a phone number or an email address"),
        ({"phone": "12"}, "Check the phone number. It should look like (201) 555-0123"),
        ({"email": "rosa@"}, "Check the email address"),
        ({"reach_by": ""}, "Choose how we should get back to you"),
        ({"days": ["6"]}, "We are closed then"),
        ({"days": ["0"], "parts": ["night"]}, "We are closed then"),
        ({"message": "x" * 501}, "500 characters at most, and now there are 501"),
        ({"minor": "yes"}, "Please give the name of a parent or guardian"),
        ({"minor": "yes", "guardian": "Ana", "guardian_phone": "0"}, "Check the phone number"),
        ({"language": "xx"}, "Please pick one of these"),
        ({"voicemail": "perhaps"}, "Please pick one of these"),
        ({"reach_by": "drum"}, "Choose how we should get back to you"),
    ],
)
def test_validation_error_is_shown_and_preserves_typed_values(visitor, stored, site, fields, words):
    page = review(visitor, **fields)
    assert page.status == 200 and page.title.startswith("Error: ")
    assert words in page.soup.find(class_="nhsuk-error-summary").get_text()
    typed = page.typed("/consultation/review")
    for name, value in {**FORM, **fields}.items():
        entered = value if isinstance(value, list) else [value.strip()]
        choices = page.form("/consultation/review").find_all("input", {"name": name, "type": ["radio", "checkbox"]})
        if choices:
            entered = [each for each in entered if each in [str(choice["value"]) for choice in choices]]
        assert typed.get(name, []) == entered, name
    assert stored(site) == []


def test_foreign_number_and_extension_are_accepted(visitor, site, request_call, stored):
    page = review(visitor, phone="+34 612 34 56 78")
    assert "+34 612 34 56 78" in page.words
    request_call(visitor, phone="303-555-0144 ext. 12")
    assert stored(site)[0][1].phone == "+13035550144;ext=12"


def test_invisible_characters_are_stripped_from_fields(visitor, site, request_call, stored):
    request_call(visitor, name="Ro\u202esa\x00 \u0007", message="one\x00\r\ntwo\u2066")
    [(_, details)] = stored(site)
    assert (details.name, details.message) == ("Rosa", "one\ntwo")


@pytest.mark.usefixtures("monday_noon")
def test_chosen_days_and_parts_move_the_due_time(visitor, site, request_call, stored):
    page = request_call(visitor, days=["3"], parts=["morning"])
    assert "by 12:00 PM on Thursday, December 3" in page.words, "the Thursday before is Thanksgiving"
    assert stored(site)[0][1].days == (3,)


@pytest.mark.parametrize(
    ("fields", "reach_by", "way"),
    [
        ({"phone": ""}, "email", "An email"),
        ({"phone": "", "reach_by": ""}, "email", "An email"),
        ({"email": "", "reach_by": ""}, "phone", "A phone call"),
        ({"email": "", "reach_by": "email"}, "phone", "A phone call"),
        ({"reach_by": "email"}, "email", "An email"),
    ],
)
def test_way_to_reply_is_inferred_from_the_given_contact(visitor, site, request_call, stored, fields, reach_by, way):
    page = review(visitor, **fields)
    assert f"We get back to you by {way}" in page.words
    request_call(visitor, **fields)
    assert stored(site)[0][1].reach_by == reach_by


@pytest.mark.parametrize("contact", [{"phone": PHONE}, {"email": FORM["email"]}])
def test_name_and_one_contact_suffice(visitor, site, clock, stored, contact):
    page = visitor.fill(form_of(visitor), "/consultation/review", name=NAME, **contact)
    assert page.title.startswith("Check your request"), page.words
    clock.forward(10)
    assert "We got your request" in visitor.fill(page, "/consultation/sent").heading
    [(_, details)] = stored(site)
    assert (details.name, details.patient, details.language, details.voicemail) == (NAME, "", "en", False)


def test_form_preselects_no_way_language_or_patient_kind(visitor):
    form = form_of(visitor).form("/consultation/review")
    assert [field["name"] for field in form.find_all("input", checked=True)] == ["voicemail"]
    assert form.find("input", {"name": "voicemail", "checked": True})["value"] == "no"


def test_unchosen_language_follows_the_page(visitor, site, request_call, stored):
    visitor.get("/?lang=es")
    request_call(visitor)
    assert stored(site)[0][1].language == "es"


def test_voicemail_without_a_number_is_not_allowed(visitor, site, request_call, stored):
    page = review(visitor, phone="", voicemail="yes")
    assert "Voicemail" not in page.words
    assert visitor.fill(page, "/consultation").typed("/consultation/review")["voicemail"] == ["yes"], "it is not lost"
    request_call(visitor, phone="", voicemail="yes")
    assert stored(site)[0][1].voicemail is False


def folds(page):
    """Return the titles of the form's folded parts, with whether each is open, and what it says of itself."""
    parts = page.form("/consultation/review").find_all("details")
    return {part.b.get_text(): (part.has_attr("open"), part.summary.span.get_text()) for part in parts}


def test_empty_form_folds_what_is_optional(visitor):
    assert folds(form_of(visitor)) == {
        "Name, language, interpreter": (False, "Now: your name, English"),
        "Best days and times": (False, "Now: any day, any time"),
        "Message and news": (False, "Now: no message, no news"),
    }
    inside = {
        field["name"]
        for part in form_of(visitor).main.find_all("details")
        for field in part.find_all(True, {"name": True})
    }
    assert inside == {"say", "language", "assistance", "days", "parts", "message", "news"}


@pytest.mark.parametrize(
    ("fields", "title", "now"),
    [
        ({"say": "Ro"}, "Name, language, interpreter", "Now: as you filled it in"),
        ({"language": "es"}, "Name, language, interpreter", "Now: as you filled it in"),
        ({"assistance": "ASL"}, "Name, language, interpreter", "Now: as you filled it in"),
        ({"days": ["0"]}, "Best days and times", "Now: the days and times you chose"),
        ({"days": ["6"]}, "Best days and times", "Now: the days and times you chose"),
        ({"message": "Words"}, "Message and news", "Now: as you filled it in"),
        ({"news": "yes"}, "Message and news", "Now: as you filled it in"),
    ],
)
def test_fold_with_content_is_open_and_says_so(visitor, fields, title, now):
    page = visitor.fill(form_of(visitor), "/consultation/review", **fields)
    assert {name: fold for name, fold in folds(page).items() if fold[0]} == {title: (True, now)}


def test_error_summary_links_reach_open_folds(visitor):
    page = review(visitor, say="x" * 81, days=["6"], message="x" * 501, language="xx")
    links = [link["href"][1:] for link in page.main.find(class_="nhsuk-error-summary").find_all("a")]
    assert links == ["say", "language", "days", "message"]
    for link in links:
        assert page.soup.find(id=link).find_parent("details").has_attr("open")


def test_summary_to_share_is_in_an_open_fold(visitor):
    visitor.walk()
    visitor.disagree()
    assert folds(form_of(visitor))["Your summary"] == (True, "Now: it is not shared")


def test_fields_in_error_are_marked_invalid(visitor):
    page = visitor.fill(form_of(visitor), "/consultation/review", minor="yes", language="xx", days=["6"])
    invalid = {
        tag.get("name") or tag.find("input")["name"] for tag in page.main.find_all(attrs={"aria-invalid": "true"})
    }
    assert invalid == {"name", "guardian", "guardian_phone", "language", "days"}
    assert not form_of(Visitor(visitor.site)).main.find_all(attrs={"aria-invalid": True})


def test_text_fields_have_no_maximum_length(visitor):
    for page in (form_of(visitor), visitor.get("/consultation/status")):
        assert not page.soup.find_all(attrs={"maxlength": True})


def test_form_and_review_link_the_privacy_notice(visitor):
    for page in (form_of(visitor), review(visitor)):
        assert page.main.find("a", href="/privacy")


@pytest.mark.parametrize(("patient", "free"), [("new", True), ("existing", False), ("", False)])
def test_free_consultation_is_promised_to_new_patients_only(visitor, request_call, patient, free):
    assert ("free" in request_call(visitor, patient=patient).words) == free


@pytest.mark.usefixtures("monday_noon")
def test_confirmation_leads_with_thanks_when_closed_or_urgent(visitor, clock, request_call):
    clock.forward(12 * 60 * 60)
    page = request_call(visitor)
    assert page.words.startswith("Thank you. We got your request.")
    assert page.words.index("Your reference") < page.words.index("We are closed right now")
    visitor.walk(hopelessness="3")
    page = visitor.get("/consultation/sent")
    assert page.words.startswith("Thank you. We got your request.") and page.main.find(class_="app-care")


@pytest.mark.usefixtures("monday_noon")
def test_form_outside_business_hours_leads_with_crisis_help(visitor, clock):
    assert "We are closed." not in form_of(visitor).words
    clock.forward(12 * 60 * 60)
    page = form_of(visitor)
    assert page.words.startswith("We are closed. Call 988 · Call 911")
    assert page.main.find("a", href="tel:988") and page.main.find("a", href="tel:911")


def test_urgent_answer_shows_crisis_help_on_all_request_pages(visitor, request_call):
    visitor.walk(hopelessness="3")
    for page in (form_of(visitor), review(visitor), request_call(visitor)):
        care = page.main.find(class_="app-care")
        assert care is not None and care.find("a", href="tel:988")


@pytest.mark.each_database
@pytest.mark.parametrize("twice", ["at once", "after a while"])
def test_repeated_submission_stores_a_single_request(make_site, clock, stored, twice):
    site = make_site()
    visitor = Visitor(site)
    page = review(visitor)
    clock.forward(10)
    first = visitor.fill(page, "/consultation/sent")
    if twice == "after a while":
        clock.forward(20 * 60)
    second = visitor.fill(page, "/consultation/sent")
    assert reference_on(first) == reference_on(second)
    [(request, _)] = stored(site)
    assert request.changed_at is None


def test_resubmission_with_other_values_updates_the_request(visitor, site, clock, stored):
    page = review(visitor)
    clock.forward(10)
    first = visitor.fill(page, "/consultation/sent")
    second = visitor.fill(page, "/consultation/sent", phone="303 555 0177")
    assert reference_on(first) == reference_on(second)
    [(request, details)] = stored(site)
    assert details.phone == "+13035550177" and request.changed_at


def test_expired_draft_on_send_preserves_form_and_retry_works(visitor, site, clock, stored):
    page = review(visitor)
    clock.forward(3 * 60 * 60)
    page = visitor.fill(page, "/consultation/sent")
    assert page.status == 200 and "What you typed is still here" in page.words and NAME in page.words
    page = visitor.fill(page, "/consultation/sent")
    assert "We got your request" in page.heading
    assert len(stored(site)) == 1


def test_expired_draft_on_review_preserves_typed_values(visitor, clock):
    page = form_of(visitor)
    clock.forward(3 * 60 * 60)
    page = visitor.fill(page, "/consultation/review", **FORM)
    assert page.address == "/consultation" and page.typed("/consultation/review")["message"] == [FORM["message"]]
    assert visitor.fill(page, "/consultation/review").title.startswith("Check your request")


@pytest.mark.each_database
def test_database_error_on_send_preserves_form_and_retry_works(make_site, clock, stored):
    site = make_site()
    visitor = Visitor(site)
    page = review(visitor)
    clock.forward(10)
    with site.app_context():
        db.session.execute(text("ALTER TABLE callback_request RENAME TO callback_away"))
        db.session.commit()
    page = visitor.fill(page, "/consultation/sent")
    assert page.status == 503 and "may not have reached us" in page.words and NAME in page.words
    assert page.soup.find("a", href="tel:+13035550100")
    with site.app_context():
        db.session.execute(text("ALTER TABLE callback_away RENAME TO callback_request"))
        db.session.commit()
    page = visitor.fill(page, "/consultation/sent")
    assert "We got your request" in page.heading and len(stored(site)) == 1


def test_unreachable_database_shows_form_without_due_hour(make_site, clock):
    visitor = Visitor(make_site(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))
    page = form_of(visitor)
    assert page.status == 200 and "by the end of our next business day" in page.words
    page = visitor.fill(page, "/consultation/review", **FORM)
    clock.forward(10)
    assert visitor.fill(page, "/consultation/sent").status == 503
    assert visitor.get("/consultation/status").status == 200
    for reference, status in ((derive("0" * 32), 503), ("ZSD2-8JEKJ-HUP89", 200)):
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
        assert page.status == status and page.typed("/consultation/status")["reference"] == [reference]


def test_missing_public_key_returns_503_and_stores_nothing(visitor, site, clock, stored):
    page = review(visitor)
    clock.forward(10)
    with site.app_context():
        db.session.execute(text("DELETE FROM callback_key"))
        db.session.commit()
    page = visitor.fill(page, "/consultation/sent")
    assert page.status == 503 and NAME in page.words and stored(site) == []


def test_language_switch_preserves_typed_values(visitor):
    page = form_of(visitor)
    button = page.soup.find("button", attrs={"formaction": re.compile("lang=es")})
    page = visitor.post(str(button["formaction"]), {**page.typed("/consultation/review"), **FORM})
    assert page.soup.html["lang"] == "es" and page.status == 200
    typed = page.typed("/consultation/review")
    assert typed["name"] == [NAME] and typed["patient"] == ["new"]


def test_return_to_form_from_review_shows_typed_values(visitor):
    page = review(visitor, days=["0", "2"], news="yes")
    for form in (visitor.fill(page, "/consultation"), form_of(visitor)):
        typed = form.typed("/consultation/review")
        assert typed["message"] == [FORM["message"]] and typed["days"] == ["0", "2"] and typed["news"] == ["yes"]


def test_message_of_maximum_length_survives_change_and_send(visitor, site, clock, stored):
    long = "ñ" * 500
    page = review(visitor, message=long)
    clock.forward(10)
    assert visitor.fill(page, "/consultation").typed("/consultation/review")["message"] == [long]
    visitor.fill(page, "/consultation/sent")
    assert stored(site)[0][1].message == long


def test_leave_deletes_typed_values(visitor):
    review(visitor)
    visitor.post("/leave", {}, follow=False)
    assert form_of(visitor).typed("/consultation/review")["name"] == [""]


class TestSharedSummary:
    def test_shared_summary_stores_the_previewed_answers(self, visitor, site, request_call, stored):
        visitor.walk(sadness="2", hopelessness="1", appetite="declined", pain="3")
        visitor.disagree()
        page = form_of(visitor)
        assert page.soup.find(id="share") is not None and "share" not in page.typed("/consultation/review")
        preview = [item.get_text() for item in page.main.find(class_="app-preview").find_all("li")]
        page = review(visitor, share="yes")
        assert [item.get_text() for item in page.main.find(class_="app-preview").find_all("li")] == preview
        request_call(visitor, share="yes")
        [(request, details)] = stored(site)
        assert details.answers == {
            **dict.fromkeys(("sleep", "interest", "motivation"), "0"),
            "sadness": "2",
            "hopelessness": "1",
            "appetite": "declined",
            "pain": "3",
            "pain_duration": "over_a_year",
            "pain_average": "6",
        }
        assert request.rank == 1

    def test_unshared_summary_stores_no_answers(self, visitor, site, request_call, stored):
        visitor.walk(hopelessness="3")
        visitor.disagree()
        request_call(visitor)
        [(request, details)] = stored(site)
        assert details.answers is None and request.rank == 1

    def test_shared_urgent_answer_ranks_request_first(self, visitor, site, request_call, stored):
        visitor.walk(hopelessness="3")
        visitor.disagree()
        request_call(visitor, share="yes")
        assert stored(site)[0][0].rank == 0

    def test_sharing_withdraws_pending_response_and_refuses_another(self, visitor, sqlite_url, request_call):
        visitor.walk()
        visitor.agree()
        assert len(pending_responses(sqlite_url)) == 1
        page = request_call(visitor, share="yes")
        assert pending_responses(sqlite_url) == []
        page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
        assert pending_responses(sqlite_url) == [] and "no anonymous copy of it is kept" in page.words

    def test_request_without_summary_leaves_pending_response(self, visitor, sqlite_url, request_call):
        visitor.walk()
        visitor.agree()
        request_call(visitor)
        assert len(pending_responses(sqlite_url)) == 1

    def test_failed_response_withdrawal_stores_no_request(self, visitor, site, clock, stored):
        visitor.walk()
        visitor.agree()
        page = review(visitor, share="yes")
        clock.forward(10)
        with site.app_context(), db.engines["pending"].begin() as connection:
            connection.execute(text("ALTER TABLE pending_response RENAME TO pending_away"))
        page = visitor.fill(page, "/consultation/sent")
        assert page.status == 503 and "nothing was sent" in page.words and stored(site) == []

    def test_expired_answers_refuse_sharing_and_preserve_the_form(self, visitor, site, clock, stored):
        visitor.walk()
        visitor.disagree()
        page = review(visitor, share="yes")
        clock.forward(3 * 60 * 60)
        page = visitor.fill(page, "/consultation/sent")
        assert page.status == 200 and "there is no summary to share" in page.words and stored(site) == []
        page = visitor.fill(page, "/consultation/review")
        assert page.title.startswith("Check your request") and NAME in page.words
        page = visitor.fill(page, "/consultation/sent", share="yes")
        assert page.status == 200 and "there is no summary to share" in page.words and stored(site) == []

    def test_incomplete_walk_offers_no_summary_to_share(self, visitor):
        visitor.answer("sadness", "1")
        assert form_of(visitor).soup.find(id="share") is None


def test_patient_under_18_is_reached_through_the_guardian(visitor, site, request_call, stored):
    visitor.walk()
    visitor.agree(age="under_18")
    page = form_of(visitor)
    assert page.typed("/consultation/review")["minor"] == ["yes"]
    request_call(visitor, minor="yes", guardian="Ana", guardian_phone="303 555 0199", phone="", email="")
    details = stored(site)[0][1]
    assert (details.call, details.ask_for) == ("+13035550199", "Ana")


def test_patient_under_18_is_offered_no_summary_sharing(visitor, site, request_call, stored):
    visitor.walk(hopelessness="3")
    visitor.agree(age="under_18")
    assert form_of(visitor).soup.find(id="share") is None
    minor = {"minor": "yes", "guardian": "Ana", "guardian_phone": "303 555 0199", "share": "yes"}
    page = review(visitor, **minor)
    assert "We leave your summary out" in page.words and "Your summary goes along" not in page.words
    request_call(visitor, **minor)
    assert stored(site)[0][1].answers is None


def test_adult_form_of_a_walk_under_18_shares_no_summary(visitor, site, request_call, stored):
    visitor.walk()
    visitor.agree(age="under_18")
    page = review(visitor, minor="", share="yes")
    assert "there is no summary to share" in page.words and stored(site) == []


def test_change_by_a_patient_under_18_removes_the_shared_summary(visitor, site, clock, request_call, stored):
    visitor.walk(hopelessness="3")
    visitor.disagree()
    request_call(visitor, share="yes")
    assert stored(site)[0][1].answers is not None, "the control: it was shared"
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    minor = {"minor": "yes", "guardian": "Ana", "guardian_phone": "303 555 0199"}
    page = visitor.fill(page, "/consultation/review", **{**FORM, **minor})
    clock.forward(10)
    visitor.fill(page, "/consultation/sent")
    [(request, details)] = stored(site)
    assert details.answers is None and request.rank == 0, "the request is still called first"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_patient_under_18_reads_what_parents_see_before_sending(visitor, lang):
    visitor.get(f"/?lang={lang}")
    page = review(visitor, minor="yes", guardian="Ana", guardian_phone="303 555 0199")
    for shown in (form_of(visitor), page):
        notes = shown.main.find(class_="app-reveal__more") or shown.main.find(
            "section", {"aria-labelledby": "minor-note"}
        )
        assert {"tel:988", "tel:911", "tel:+18004224453"} <= {link["href"] for link in notes.find_all("a")}
        told = {
            "en": ("parent or guardian", "often see what we note", "needs permission"),
            "es": ("padre, madre o tutor", "pueden ver lo que anotamos", "necesita permiso"),
        }[lang]
        assert all(words in " ".join(notes.get_text(" ").split()) for words in told)


class TestSpamProtection:
    def test_filled_honeypot_field_refuses_the_form(self, visitor, site, clock, stored):
        page = review(visitor, website="https://spam.example")
        assert page.status == 200 and page.typed("/consultation/review")["website"] == [""]
        assert visitor.fill(page, "/consultation/review").title.startswith("Check your request")
        good = review(visitor)
        clock.forward(10)
        page = visitor.fill(good, "/consultation/sent", website="x")
        assert "press the button once more" in page.words and stored(site) == []

    def test_too_fast_submission_is_refused_until_retry(self, visitor, site, clock, stored):
        page = review(visitor)
        page = visitor.fill(page, "/consultation/sent")
        assert page.status == 200 and "press the button once more" in page.words and stored(site) == []
        clock.forward(5)
        assert "We got your request" in visitor.fill(page, "/consultation/sent").heading

    def test_request_rate_limit_returns_429_and_preserves_fields(self, make_site, clock, stored):
        site = make_site(RATE_LIMIT_REQUESTS="2 per hour")
        for name in ("One", "Two"):
            visitor = Visitor(site)
            page = review(visitor, name=name)
            clock.forward(10)
            assert "We got your request" in visitor.fill(page, "/consultation/sent").heading
        visitor = Visitor(site)
        page = review(visitor)
        clock.forward(10)
        page = visitor.fill(page, "/consultation/sent")
        assert page.status == 429 and NAME in page.words and len(stored(site)) == 2
        wait = int(page.response.headers["Retry-After"])
        assert wait < 60 * 60 and f"Try again in {-(-wait // 60)} minutes" in page.words

    def test_form_rate_limit_returns_429_and_preserves_fields(self, make_site):
        visitor = Visitor(make_site(RATE_LIMIT_FORMS="1 per minute"))
        review(visitor)
        page = review(visitor)
        assert page.status == 429 and page.typed("/consultation/review")["name"] == [NAME]
        assert "Try again in 1 minute" in page.words and page.response.headers["Retry-After"] == "60"


class TestStatus:
    def find_request(self, site, reference):
        other = Visitor(site)
        return other, other.send(other.get("/consultation/status"), "/consultation/status", reference=reference)

    @pytest.mark.each_database
    def test_reference_lookup_shows_status_without_contact_details(self, make_site, request_call):
        site = make_site()
        reference = reference_on(request_call(Visitor(site)))
        _, page = self.find_request(site, reference.lower().replace("-", " "))
        assert "We have your request" in page.words and reference_on(page) == reference
        assert_absent(SECRETS, page.text)

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("", "Check the reference for a typing mistake"),
            ("ZSD2-8JEKJ-HUP89", "Check the reference for a typing mistake"),
            ("<b>x</b>", "Check the reference for a typing mistake"),
            ("2222-22222-22222", "We can’t find a request with this reference"),
        ],
    )
    def test_unmatched_reference_is_refused_with_its_reason(self, site, typed, words):
        _, page = self.find_request(site, typed)
        assert page.address == "/consultation/status" and words in page.words and page.title.startswith("Error: ")
        assert page.typed("/consultation/status")["reference"] == [typed]

    def test_lookup_rate_limit_returns_429(self, make_site):
        site = make_site(RATE_LIMIT_LOOKUPS="2 per hour")
        pages = [self.find_request(site, "2222-22222-22222")[1] for _ in range(3)]
        assert [page.status for page in pages] == [200, 200, 429] and "Try again in 60 minutes" in pages[-1].words
        assert pages[-1].response.headers["Retry-After"] == "3600"

    @pytest.mark.each_database
    def test_withdrawal_deletes_details_and_reference(self, make_site, request_call, stored):
        site = make_site()
        visitor = Visitor(site)
        reference = reference_on(request_call(visitor))
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
        assert "Your request is canceled" in page.words
        [(request, details)] = stored(site)
        assert (request.state, request.ciphertext, request.reference, details) == ("withdrawn", None, None, None)
        assert "We can’t find a request" in self.find_request(site, reference)[1].words

    @pytest.mark.usefixtures("monday_noon")
    def test_change_replaces_the_earlier_request(self, visitor, site, clock, request_call, stored):
        reference = reference_on(request_call(visitor))
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        assert "takes the place of your earlier request" in page.words
        assert page.typed("/consultation/review")["name"] == [""], "only staff can read a sent request"
        page = visitor.fill(page, "/consultation/review", **{**FORM, "phone": "303 555 0188", "days": ["4"]})
        clock.forward(10)
        page = visitor.fill(page, "/consultation/sent")
        assert reference_on(page) == reference and "Friday, November 27" in page.words
        [(request, details)] = stored(site)
        assert details.phone == "+13035550188" and request.changed_at

    def test_resubmission_after_withdrawal_shows_the_reason(self, visitor, site, clock, stored):
        old = review(visitor)
        clock.forward(10)
        visitor.fill(old, "/consultation/sent")
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
        page = visitor.fill(old, "/consultation/sent")
        assert page.address == "/consultation" and "You canceled this request" in page.words
        page = visitor.fill(page, "/consultation/review")
        assert "We got your request" in visitor.fill(page, "/consultation/sent").heading
        assert [request.state for request, _ in stored(site)] == ["withdrawn", "new"]

    def test_overdue_status_shows_apology_and_phone_number(self, visitor, site, clock, request_call, stored):
        reference = reference_on(request_call(visitor))
        clock.now = stored(site)[0][0].due_at + 60
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
        assert "We are late, and we are sorry" in page.words and page.main.find("a", href="tel:+13035550100")

    def test_forget_removes_reference_and_leaves_request(self, visitor, site, request_call, stored):
        request_call(visitor)
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/forget")
        assert page.soup.find(id="reference") is not None and stored(site)[0][0].state == "new"
        assert visitor.get("/consultation/sent").address == "/consultation/status"

    def test_withdraw_or_change_without_reference_has_no_effect(self, visitor, site, request_call, stored):
        request_call(Visitor(site))
        token = visitor.get("/consultation").token
        page = visitor.post("/consultation/status/withdraw", {"csrf_token": token})
        assert "Please give your reference" in page.words
        page = visitor.post("/consultation/status/change", {"csrf_token": token})
        assert "takes the place of your earlier request" not in page.words
        assert [request.state for request, _ in stored(site)] == ["new"]


def test_personal_data_is_absent_from_urls_logs_and_titles(visitor, site, clock, request_call, caplog):
    caplog.set_level(logging.DEBUG)
    seen = []
    site.after_request(lambda response: seen.append(response.headers.get("Location", "")) or response)
    sent = request_call(visitor, share="")
    reference = reference_on(sent)
    pages = [sent, visitor.get("/consultation/status"), review(visitor), form_of(visitor)]
    with site.app_context():
        db.session.execute(text("DELETE FROM callback_key"))
        db.session.commit()
    checked = review(visitor)
    clock.forward(10)
    pages.append(visitor.fill(checked, "/consultation/sent"))
    assert pages[-1].status == 503
    assert "/consultation/sent" in seen and "cannot be stored" in caplog.text
    addresses = (page.response.request.url + page.title for page in pages)
    assert_absent([*SECRETS, *spellings(reference)], *seen, *addresses, caplog.text)


@pytest.mark.each_database
def test_database_holds_no_personal_data_in_plaintext(make_site, database_url, request, tmp_path, request_call, stored):
    site = make_site()
    visitor = Visitor(site)
    visitor.walk(hopelessness="3")
    visitor.disagree()
    reference = reference_on(request_call(visitor, share="yes"))
    if database_url.startswith("sqlite"):
        dump = b"".join(file.read_bytes() for file in tmp_path.glob("*.sqlite*"))
    else:
        dump = request.getfixturevalue("cluster").dump(database_url)
    [(_, details)] = stored(site)
    assert b"callback_request" in dump and details.name == NAME, "the control: the dump contains the request"
    assert_absent([*SECRETS, *spellings(reference)], dump)


def test_visitor_only_node_cannot_decrypt_stored_requests(make_site, keys, tmp_path, request_call, stored):
    own = tmp_path / "visitor-keys"
    own.mkdir(mode=0o700)
    for purpose in PURPOSES["visitor"]:
        shutil.copy(keys / f"{purpose}.toml", own)
    site = make_site(KEYS_DIR=own, SERVE=("visitor",))
    request_call(Visitor(site))
    [(_, details)] = stored(site)
    assert details.name == NAME, "the control: a node with the keys decrypts it"
    with pytest.raises(SettingsError):
        Keyring(own, (CALLBACK,))


def test_ciphertext_moved_between_requests_is_not_decrypted(site, request_call, stored):
    request_call(Visitor(site))
    request_call(Visitor(site), name="Another Person", phone="303 555 0111")
    with site.app_context():
        rows = db.session.execute(text("SELECT id, ciphertext FROM callback_request")).all()
        for (id_, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
            db.session.execute(
                text("UPDATE callback_request SET ciphertext = :s WHERE id = :i"), {"s": sealed, "i": id_}
            )
        db.session.commit()
    assert [details for _, details in stored(site)] == [None, None]


class TestRequestChange:
    """A change of a request: the form itself names the request that it replaces."""

    def changing(self, visitor, **fields):
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        return visitor.fill(page, "/consultation/review", **{**FORM, "phone": "303 555 0188", **fields})

    def test_repeated_change_submission_updates_a_single_request(self, visitor, site, clock, request_call, stored):
        reference = reference_on(request_call(visitor))
        page = self.changing(visitor)
        clock.forward(10)
        assert reference_on(visitor.fill(page, "/consultation/sent")) == reference
        assert reference_on(visitor.fill(page, "/consultation/sent")) == reference
        [(_, details)] = stored(site)
        assert details.phone == "+13035550188"

    def test_expired_draft_during_change_becomes_a_new_request(self, visitor, site, clock, request_call, stored):
        request_call(visitor)
        page = self.changing(visitor)
        clock.forward(3 * 60 * 60)
        page = visitor.fill(page, "/consultation/sent")
        assert page.address == "/consultation" and "no longer know which request it changes" in page.words
        assert page.typed("/consultation/review")["phone"] == ["303 555 0188"] and len(stored(site)) == 1
        visitor.fill(visitor.fill(page, "/consultation/review"), "/consultation/sent")
        assert [details.phone for _, details in stored(site)] == [ROSA.phone, "+13035550188"]

    def test_forgotten_reference_cancels_the_change_in_progress(self, visitor, site, clock, request_call, stored):
        other = reference_on(request_call(Visitor(site), name="Another Person"))
        request_call(visitor)
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/forget")
        visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=other)
        assert "takes the place" not in visitor.get("/consultation").words
        request_call(visitor, name="Third Person", phone="303 555 0188")
        phones = {details.name: details.phone for _, details in stored(site)}
        assert phones == {"Another Person": ROSA.phone, NAME: ROSA.phone, "Third Person": "+13035550188"}

    def test_forged_replaces_field_does_not_affect_other_request(self, visitor, site, clock, request_call, stored):
        other = reference_on(request_call(Visitor(site), name="Another Person"))
        page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **FORM, form_state=other)
        clock.forward(10)
        page = visitor.fill(page, "/consultation/sent", form_state=other, replaces=other)
        clock.forward(10)
        visitor.fill(page, "/consultation/sent")
        assert {details.name for _, details in stored(site)} == {"Another Person", NAME}

    def test_change_preserves_shared_summary_and_rank(self, visitor, site, clock, request_call, stored):
        visitor.walk(hopelessness="3")
        visitor.disagree()
        reference = reference_on(request_call(visitor, share="yes"))
        other = Visitor(site)
        other.send(other.get("/consultation/status"), "/consultation/status", reference=reference)
        page = self.changing(other)
        clock.forward(10)
        other.fill(page, "/consultation/sent")
        [(request, details)] = stored(site)
        assert request.rank == 0 and details.answers["hopelessness"] == "3" and details.phone == "+13035550188"

    def test_resubmission_without_summary_preserves_shared_summary(self, visitor, site, clock, stored):
        visitor.walk(hopelessness="3")
        visitor.disagree()
        page = review(visitor, share="yes")
        clock.forward(10)
        visitor.fill(page, "/consultation/sent")
        visitor.fill(page, "/consultation/sent", share=[], phone="303 555 0188")
        [(request, details)] = stored(site)
        assert details.phone == "+13035550188"
        assert request.rank == 0 and details.answers is not None

    @pytest.mark.usefixtures("monday_noon")
    def test_changed_request_shows_the_same_due_time_after_sending(self, visitor, site, clock, request_call, stored):
        request_call(visitor)
        clock.forward(60 * 20)
        page = self.changing(visitor, days=["3"])
        assert "Thursday, December 3" in page.words
        clock.forward(10)
        assert "by 5:00 PM on Thursday, December 3" in visitor.fill(page, "/consultation/sent").words
        [(request, _)] = stored(site)
        assert request.due_at == datetime(2026, 12, 3, 17, tzinfo=ZoneInfo("America/Denver")).timestamp()

    def test_change_of_overdue_request_preserves_due_time(self, visitor, site, clock, request_call, stored):
        reference = reference_on(request_call(visitor))
        due = stored(site)[0][0].due_at
        clock.now = due + 60
        other = Visitor(site)
        other.send(other.get("/consultation/status"), "/consultation/status", reference=reference)
        page = self.changing(other)
        assert "We are late, and we are sorry" in page.words and "we get back to you by" not in page.words
        clock.forward(10)
        page = other.fill(page, "/consultation/sent")
        assert "We are late, and we are sorry" in page.words and stored(site)[0][0].due_at == due


def test_cross_site_form_post_is_refused_without_echo(visitor):
    visitor.walk()
    before = visitor.client.get_cookie("draft").value
    response = visitor.client.post(
        "/consultation/review",
        data={**FORM, "form_state": "zentinelcarriedvalue"},
        base_url="http://localhost",
        headers={"Origin": "https://evil.example"},
    )
    assert response.status_code == 400
    assert_absent(["zentinelcarriedvalue", *SECRETS], response.get_data())
    assert visitor.client.get_cookie("draft").value == before


def test_submission_without_opening_the_form_is_refused(site, stored):
    bot = Visitor(site)
    token = bot.get("/consultation/status").token
    page = bot.post(
        "/consultation/sent", {**FORM, "csrf_token": token, "language": "en", "reach_by": "phone", "voicemail": "no"}
    )
    assert page.title.startswith("Error: ") and stored(site) == []


def test_long_form_with_full_draft_preserves_answers(visitor, request_call):
    visitor.walk(stress=("work", "money", "family", "health", "sleep", "expectations", "running_late"), pain="3")
    visitor.disagree()
    for page in (
        review(visitor, name="🙂" * 80, say="🙂" * 40, message="🙂" * 120),
        request_call(visitor, say="🙂" * 40),
    ):
        assert page.status == 200
        assert len(visitor.client.get_cookie("draft").value) < 3000
        assert "Your summary" in visitor.get("/summary").title


@pytest.mark.each_database
@pytest.mark.parametrize("operation", ["withdraw", "erase", "change"])
def test_concurrent_update_refuses_all_but_withdrawal(make_site, request_call, stored, operation):
    """Another transaction stores the request after it was read here, and before it is written."""
    site = make_site()
    made = reference_on(request_call(Visitor(site)))
    [(_, details)] = stored(site)
    updates = []

    def update_meanwhile(session, context, instances):
        if not updates:
            with db.engines[None].begin() as another:
                updates.append(another.execute(text("UPDATE callback_request SET version = version + 1")))

    with site.app_context():
        event.listen(db.session, "before_flush", update_meanwhile)
        try:
            if operation == "withdraw":
                patient_service.withdraw(made, 0)
            else:
                with pytest.raises(NotAllowedError, match="changed"):
                    if operation == "erase":
                        patient_service.erase(patient_service.find_by_reference(made), 0, "another")
                    else:
                        calendar = regular_calendar(site.extensions["clinic"])
                        patient_service.change(made, details, calendar, 0, False, "f" * 32, mails=False)
        finally:
            event.remove(db.session, "before_flush", update_meanwhile)
        assert updates
        state = db.session.query(CallbackRequest).one().state
    assert state == ("withdrawn" if operation == "withdraw" else "new")
