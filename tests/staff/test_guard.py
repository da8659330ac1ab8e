"""Who may open what: every address, for everybody."""

from __future__ import annotations

import pytest
from flask import Response

from screening.staff import guard, nav, roles
from screening.staff.guard import needs, requirement_of
from tests.staff.clerk import Office
from tests.visitor import Page, Visitor, check_page

ADDRESSES = """
/ GET signed in
/accounts GET admin
/accounts/<account_id> GET admin
/accounts/<account_id>/disable POST admin
/accounts/<account_id>/enable POST admin
/accounts/<account_id>/reset POST admin
/accounts/<account_id>/roles POST admin
/accounts/new GET POST admin
/audit GET admin
/mail GET admin callbacks
/mail/<mail_id>/retry POST admin callbacks
/mail/retry POST admin callbacks
/password GET POST signed in, or on the way
/recovery GET POST signed in, or on the way
/recovery-codes GET POST signed in, fresh
/second-factor GET POST signed in, or on the way
/set-up GET POST signed in, or on the way, fresh
/sign-in GET POST everybody
/sign-out POST everybody
/you GET signed in
"""
"""Every staff address of this wing, reviewed here before it exists, with who may open it."""

OF_THIS_WING = ("sign_in.", "accounts.", "audit.", "mail.")


def told(requirement):
    if requirement.strangers:
        return "everybody"
    if requirement.roles is not None:
        return " ".join(sorted(requirement.roles))
    return "signed in" + ", or on the way" * bool(requirement.step) + ", fresh" * requirement.fresh


def rules(office):
    return sorted(office.app.url_map.iter_rules(), key=lambda rule: rule.rule)


def address_of(rule):
    """An address of a rule, with any text where a rule has a variable."""
    return "/staff" + rule.build(dict.fromkeys(rule.arguments, "1"), append_unknown=False)[1]


def test_the_addresses_are_the_reviewed_ones(office):
    found = {
        f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))} {told(requirement_of(office.app, rule.endpoint))}"
        for rule in rules(office)
        if rule.endpoint.startswith(OF_THIS_WING)
    }
    assert found == set(ADDRESSES.strip().splitlines())


def test_every_view_says_who_may_open_it(office):
    for rule in rules(office):
        requirement = requirement_of(office.app, rule.endpoint)
        assert requirement is not None, rule.rule
        assert requirement.roles is None or requirement.roles <= set(roles.MEANINGS), rule.rule


def test_a_stranger_is_refused_everywhere_by_every_method(office):
    client = office.site.test_client()
    open_ = 0
    for rule in rules(office):
        if requirement_of(office.app, rule.endpoint).strangers:
            open_ += 1
            continue
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            response = client.open(address_of(rule), method=method)
            assert response.status_code == 303, f"{method} {rule.rule}"
            assert response.headers["Location"].split("?")[0] == "/staff/sign-in"
    assert open_ == 2
    for address in ("/staff/nothing", "/staff/callbacks/1", "/staff/login", "/staff/register", "/staff/reset"):
        assert client.get(address).status_code == 303, "what does not exist cannot be told from what does"


@pytest.mark.parametrize("role", [None, *roles.MEANINGS])
def test_a_wrong_role_is_refused_everywhere(office, role):
    clerk = office.hire("dana", *([role] if role else []))
    clerk.sign_in()
    token = clerk.get("/staff/you").token
    refused = 0
    for rule in rules(office):
        needed = requirement_of(office.app, rule.endpoint).roles
        if needed is None or role in needed:
            continue
        for method in rule.methods - {"OPTIONS"}:
            response = clerk.client.open(address_of(rule), method=method, data={"csrf_token": token})
            assert response.status_code == 403, f"{method} {rule.rule}"
            refused += 1
    assert refused > 10 or role == "admin"
    assert clerk.get("/staff/nothing").status == 404


def test_who_is_refused_a_page_is_noted_by_account_and_page(office_on_each):
    clerk, ada = office_on_each.hire("dana", "responses"), office_on_each.hire("ada", "admin")
    clerk.sign_in()
    assert clerk.get("/staff/accounts").status == 403
    assert clerk.get("/staff/callbacks/today").status == 403
    assert clerk.get("/staff/nothing").status == 404
    events = office_on_each.events("page.refused")
    assert [(event.actor, event.detail) for event in events] == [
        (office_on_each.id_of(clerk), {"page": "accounts.everyone"}),
        (office_on_each.id_of(clerk), {"page": "today.show"}),
    ]
    ada.sign_in()
    assert "Page refused" in ada.get("/staff/audit").words


@pytest.mark.parametrize("roles", [("responses", "rows", "admin"), ("callbacks", "responses", "admin")])
def test_every_form_needs_its_token(office, roles):
    clerk = office.hire("dana", *roles)
    clerk.sign_in()
    for rule in rules(office):
        needed = requirement_of(office.app, rule.endpoint).roles
        if "POST" in rule.methods and (needed is None or needed & set(roles)):
            assert clerk.client.post(address_of(rule)).status_code == 400, rule.rule


def test_a_form_from_another_site_is_refused(office):
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    token = clerk.get("/staff/you").token
    headers = {"Origin": "https://evil.example"}
    assert clerk.client.post("/staff/sign-out", data={"csrf_token": token}, headers=headers).status_code == 400
    assert clerk.is_in()


def test_a_view_that_says_nothing_is_closed_to_all(office):
    office.app.add_url_rule("/oversight", "oversight", lambda: "open")
    clerk = office.hire("dana", "responses", "rows", "admin")
    clerk.sign_in()
    page = clerk.get("/staff/oversight")
    assert page.status == 403 and clerk.get("/staff/you").status == 200


def test_a_wing_adds_a_page_and_those_who_may_see_it_land_there(office):
    @needs("callbacks", "responses")
    def queue():
        return Response(f"for {guard.current_account().name}", mimetype="text/plain")

    office.app.add_url_rule("/queue", "queue.show", queue)
    nav.add(office.app, "queue.show", "Queue", "callbacks", "responses", place=1)
    labels = {}
    for name, given in (("cal", ["callbacks"]), ("res", ["responses", "admin"]), ("row", ["rows"])):
        clerk = office.hire(name, *given)
        clerk.sign_in()
        home = clerk.client.get("/staff/").headers["Location"]
        labels[name] = (home, [a.get_text() for a in clerk.get("/staff/you").soup.select(".app-staffnav a")])
        assert clerk.client.get("/staff/queue").status_code == (403 if name == "row" else 200)
    assert labels == {
        "cal": ("/staff/queue", ["Queue", "Today", "Call-backs"]),
        "res": ("/staff/queue", ["Queue", "Releases", "Trends", "Audit", "Accounts", "Clinic"]),
        "row": ("/staff/releases", ["Releases", "Trends"]),
    }


def test_the_page_shown_is_marked_in_the_list(admin):
    marked = admin.get("/staff/accounts/new").soup.select("[aria-current=page]")
    assert [tag.get_text() for tag in marked] == ["Accounts"]


def test_with_the_staff_side_off_nothing_of_it_exists(make_site, office):
    site = make_site(SURFACES=("visitor",))
    for rule in rules(office):
        for method in rule.methods:
            response = site.test_client().open(address_of(rule), method=method)
            assert response.status_code in (404, 405 if method == "OPTIONS" else 404), rule.rule
    assert not [rule for rule in site.url_map.iter_rules() if rule.rule.startswith("/staff")]


def test_signing_out_is_in_sight_on_every_page_that_asks_for_a_sign_in(office):
    clerk = office.hire("dana", *(name for name in roles.MEANINGS if name != "rows"))
    clerk.sign_in()
    seen = 0
    for rule in rules(office):
        page = clerk.get(address_of(rule)) if "GET" in rule.methods else None
        if page is not None and page.response.mimetype == "text/html" and page.status in (200, 403, 404):
            seen += 1
            assert page.soup.select_one("header form[action='/staff/sign-out'] button"), rule.rule
    assert seen > 20


def test_every_answer_forbids_storing(admin):
    for address in ("/staff/", "/staff/sign-in", "/staff/accounts", "/staff/nothing"):
        assert admin.client.get(address).headers["Cache-Control"] == "no-store", address


def test_the_limit_counts_forms_of_staff_too(make_site):
    office = Office(make_site(LIMIT="2 per minute"))
    clerk = office.hire("dana")
    page = clerk.get("/staff/sign-in")
    fields = {"email": clerk.email, "password": "wrong"}
    assert [clerk.send(page, "/staff/sign-in", **fields).status for _ in range(3)] == [200, 200, 429]


def test_error_pages_are_whole_for_strangers_and_where_only_staff_are_served(make_site):
    site = make_site(SURFACES=("staff",))
    page = Page(site.test_client().get("/nothing"))
    assert page.status == 404
    check_page(page, staff=True)
    refused = Visitor(site).post("/staff/sign-in", {})
    assert refused.status == 400 and "Staff" in refused.title
