"""Access control: every staff address, for every role."""

from __future__ import annotations

import pytest
from flask import Response

from screening.staff import nav, roles
from screening.staff.access import require_role, requirement_of
from screening.staff.current_account import current_account
from tests.support.staff_client import Team
from tests.support.visitor import Page, check_page

ADDRESSES = """
/ GET signed in
/accounts GET admin
/accounts/<account_id> GET admin
/accounts/<account_id>/details POST admin
/accounts/<account_id>/disable POST admin
/accounts/<account_id>/enable POST admin
/accounts/<account_id>/reset POST admin
/accounts/<account_id>/roles POST admin
/accounts/<account_id>/unlock POST admin
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
"""Every staff address of this package and its access requirement: the reviewed list."""

THIS_PACKAGE = ("authentication.", "accounts.", "audit.", "mail.")


def description_of(requirement):
    if requirement.public:
        return "everybody"
    if requirement.roles is not None:
        return " ".join(sorted(requirement.roles))
    return "signed in" + ", or on the way" * bool(requirement.step) + ", fresh" * requirement.fresh


def rules(team):
    return sorted(team.app.url_map.iter_rules(), key=lambda rule: rule.rule)


def address_of(rule):
    """Return an address of a rule, with placeholder text for its variables."""
    return "/staff" + rule.build(dict.fromkeys(rule.arguments, "1"), append_unknown=False)[1]


def test_url_map_matches_the_reviewed_addresses(team):
    found = {
        f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))} {description_of(requirement_of(team.app, rule.endpoint))}"
        for rule in rules(team)
        if rule.endpoint.startswith(THIS_PACKAGE)
    }
    assert found == set(ADDRESSES.strip().splitlines())


def test_every_view_declares_its_access_requirement(team):
    for rule in rules(team):
        requirement = requirement_of(team.app, rule.endpoint)
        assert requirement is not None, rule.rule
        assert requirement.roles is None or requirement.roles <= set(roles.MEANINGS), rule.rule


def test_unauthenticated_request_redirects_to_sign_in(team):
    client = team.site.test_client()
    open_ = 0
    for rule in rules(team):
        if requirement_of(team.app, rule.endpoint).public:
            open_ += 1
            continue
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            response = client.open(address_of(rule), method=method)
            assert response.status_code == 303, f"{method} {rule.rule}"
            assert response.headers["Location"].split("?")[0] == "/staff/sign-in"
    assert open_ == 2
    for address in ("/staff/nothing", "/staff/callbacks/1", "/staff/login", "/staff/register", "/staff/reset"):
        assert client.get(address).status_code == 303, "unknown and existing addresses are indistinguishable"


@pytest.mark.parametrize("role", [None, *roles.MEANINGS])
def test_missing_role_is_refused_on_every_view(team, role):
    member = team.add("dana", *([role] if role else []))
    member.sign_in()
    token = member.get("/staff/you").token
    refused = 0
    for rule in rules(team):
        needed = requirement_of(team.app, rule.endpoint).roles
        if needed is None or role in needed:
            continue
        for method in rule.methods - {"OPTIONS"}:
            response = member.client.open(address_of(rule), method=method, data={"csrf_token": token})
            assert response.status_code == 403, f"{method} {rule.rule}"
            refused += 1
    assert refused > 10 or role == "admin"
    assert member.get("/staff/nothing").status == 404


def test_refused_page_is_audited_with_account_and_endpoint(team):
    member, ada = team.add("dana", "responses"), team.add("ada", "admin")
    member.sign_in()
    assert member.get("/staff/accounts").status == 403
    assert member.get("/staff/callbacks/today").status == 403
    assert member.get("/staff/nothing").status == 404
    events = team.events("page.refused")
    assert [(event.actor, event.detail) for event in events] == [
        (team.id_of(member), {"page": "accounts.index"}),
        (team.id_of(member), {"page": "dashboard.show"}),
    ]
    ada.sign_in()
    assert "Page refused" in ada.get("/staff/audit").words


@pytest.mark.parametrize("roles", [("responses", "rows", "admin"), ("callbacks", "responses", "admin")])
def test_post_without_csrf_token_is_refused(team, roles):
    member = team.add("dana", *roles)
    member.sign_in()
    before = team.events()
    for rule in rules(team):
        needed = requirement_of(team.app, rule.endpoint).roles
        if "POST" in rule.methods and (needed is None or needed & set(roles)):
            response = member.client.post(address_of(rule))
            assert response.status_code == 303 and "?sent=" in response.location, rule.rule
    assert [event.id for event in team.events()] == [event.id for event in before] and member.is_signed_in()


def test_cross_origin_post_is_refused(team):
    member = team.add("dana", "admin")
    member.sign_in()
    token = member.get("/staff/you").token
    headers = {"Origin": "https://evil.example"}
    assert member.client.post("/staff/sign-out", data={"csrf_token": token}, headers=headers).status_code == 400
    assert member.is_signed_in()


def test_view_without_declared_access_is_refused(team):
    team.app.add_url_rule("/oversight", "oversight", lambda: "open")
    member = team.add("dana", "responses", "rows", "admin")
    member.sign_in()
    page = member.get("/staff/oversight")
    assert page.status == 403 and member.get("/staff/you").status == 200


def test_registered_page_becomes_home_for_its_roles(team):
    @require_role("callbacks", "responses")
    def queue():
        return Response(f"for {current_account().name}", mimetype="text/plain")

    team.app.add_url_rule("/queue", "queue.show", queue)
    nav.add(team.app, "queue.show", "Queue", "callbacks", "responses", place=1)
    labels = {}
    for name, given in (("cal", ["callbacks"]), ("res", ["responses", "admin"]), ("row", ["rows"])):
        member = team.add(name, *given)
        member.sign_in()
        home = member.client.get("/staff/").headers["Location"]
        labels[name] = (home, [a.get_text() for a in member.get("/staff/you").soup.select(".app-staffnav a")])
        assert member.client.get("/staff/queue").status_code == (403 if name == "row" else 200)
    assert labels == {
        "cal": ("/staff/queue", ["Queue", "Today", "Call-backs", "Figures", "Clinic"]),
        "res": (
            "/staff/queue",
            ["Queue", "Releases", "Trends", "Figures", "Clinic", "Audit", "Accounts", "System status"],
        ),
        "row": ("/staff/releases", ["Releases", "Trends"]),
    }


def test_current_page_is_marked_in_navigation(admin):
    highlighted = admin.get("/staff/accounts/new").soup.select("[aria-current=page]")
    assert [tag.get_text() for tag in highlighted] == ["Accounts"]


def test_visitor_only_node_has_no_staff_addresses(make_site, team):
    site = make_site(SERVE=("visitor",))
    for rule in rules(team):
        for method in rule.methods:
            response = site.test_client().open(address_of(rule), method=method)
            assert response.status_code in (404, 405 if method == "OPTIONS" else 404), rule.rule
    assert not [rule for rule in site.url_map.iter_rules() if rule.rule.startswith("/staff")]


def test_every_signed_in_page_shows_the_sign_out_button(team):
    member = team.add("dana", *(name for name in roles.MEANINGS if name != "rows"))
    member.sign_in()
    seen = 0
    for rule in rules(team):
        page = member.get(address_of(rule)) if "GET" in rule.methods else None
        if page is not None and page.response.mimetype == "text/html" and page.status in (200, 403, 404):
            seen += 1
            assert page.soup.select_one("header form[action='/staff/sign-out'] button"), rule.rule
    assert seen > 20


def test_every_response_forbids_storing(admin):
    for address in ("/staff/", "/staff/sign-in", "/staff/accounts", "/staff/nothing"):
        assert admin.client.get(address).headers["Cache-Control"] == "no-store", address


def test_form_rate_limit_applies_to_staff_forms(make_site):
    team = Team(make_site(RATE_LIMIT_FORMS="2 per minute"))
    member = team.add("dana")
    page = member.get("/staff/sign-in")
    fields = {"email": member.email, "password": "wrong"}
    assert [member.send(page, "/staff/sign-in", **fields).status for _ in range(3)] == [200, 200, 429]


def test_staff_only_node_renders_complete_error_pages(make_site):
    site = make_site(SERVE=("staff",))
    page = Page(site.test_client().get("/nothing"))
    assert page.status == 404
    check_page(page, staff=True)
    refused = Page(site.test_client().post("/staff/sign-in", headers={"Origin": "https://evil.example"}))
    assert refused.status == 400 and "Staff" in refused.title
