"""The reviewed list of every address of the visitor application, and of the release and call-back pages."""

from __future__ import annotations

import json

import pytest

from screening.crypto.keyring import DRAFT
from tests.support.sample_patient import FORM
from tests.support.visitor import Visitor

ADDRESSES = """
/ GET
/.well-known/security.txt GET
/about GET
/accessibility GET
/brand.css GET
/check/<question_id> GET
/check/<question_id> POST
/check/review GET
/check/review POST
/consultation GET
/consultation POST
/consultation/review GET
/consultation/review POST
/consultation/sent GET
/consultation/sent POST
/consultation/status GET
/consultation/status POST
/consultation/status/appointment.ics GET
/consultation/status/change POST
/consultation/status/forget POST
/consultation/status/withdraw POST
/healthz GET
/help-now GET
/leave POST
/more-time POST
/privacy GET
/readyz GET
/start-again POST
/summary GET
/summary/doctor GET
/worried GET
"""


ON_RELEASES = """
/releases GET
/releases POST
/releases/<int(max=2147483647):release_id> GET
/releases/<int(max=2147483647):release_id>/<file> GET
/releases/<int(max=2147483647):release_id>/check POST
/trends GET
"""
"""The release pages; all are for the roles ``responses`` and ``rows``."""


ON_CALLBACKS = """
/callbacks GET
/callbacks/<id_> GET
/callbacks/<id_>/appointment.ics GET
/callbacks/<id_>/call POST
/callbacks/<id_>/claim POST
/callbacks/<id_>/close POST
/callbacks/<id_>/erase POST
/callbacks/<id_>/hand POST
/callbacks/<id_>/note POST
/callbacks/<id_>/put-back POST
/callbacks/<id_>/reopen POST
/callbacks/<id_>/take-over POST
/callbacks/<id_>/undo POST
/callbacks/arrivals GET
/callbacks/closed-days GET POST
/callbacks/closed-days/<day>/remove POST
/callbacks/new GET POST
/callbacks/next POST
/callbacks/print GET
/callbacks/search GET
/callbacks/search POST
/callbacks/selected POST
/callbacks/today GET
"""
"""The call-back pages; all are for the role ``callbacks``."""


def test_visitor_routes_match_the_reviewed_list(site):
    found = {
        f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))}" for rule in site.url_map.iter_rules()
    }
    assert found == set(ADDRESSES.strip().splitlines())


def test_staff_only_process_serves_three_outer_routes(make_site):
    found = {str(rule.rule) for rule in make_site(SERVE=("staff",)).url_map.iter_rules()}
    assert found == {"/healthz", "/readyz", "/.well-known/security.txt"}


def test_release_routes_match_the_reviewed_list(site):
    from screening.staff.access import requirement_of

    staff, found = site.extensions["staff"], set()
    for rule in staff.url_map.iter_rules():
        if rule.endpoint.startswith(("releases.", "trends.")):
            found.add(f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))}")
            assert requirement_of(staff, rule.endpoint).roles == {"responses", "rows"}
    assert found == set(ON_RELEASES.strip().splitlines())


def test_callback_routes_match_the_reviewed_list(site):
    from screening.staff.access import requirement_of

    staff, found = site.extensions["staff"], set()
    for rule in staff.url_map.iter_rules():
        if rule.endpoint.startswith(("staff_callbacks.", "dashboard.")):
            found.add(f"{rule.rule} {' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))}")
            assert requirement_of(staff, rule.endpoint).roles == {"callbacks"}
    assert found == set(ON_CALLBACKS.strip().splitlines())


def posts(site):
    """Return every address of the visitor application that accepts POST."""
    rules = (rule for rule in site.url_map.iter_rules() if "POST" in rule.methods)
    return [rule.rule.replace("<question_id>", "sadness") for rule in rules]


def test_only_leave_accepts_a_post_without_token(site):
    client = site.test_client(use_cookies=False)
    for address in posts(site):
        assert client.post(address).status_code == (303 if address == "/leave" else 400), address


def test_post_without_token_changes_no_draft(site, request_call):
    visitor = Visitor(site)
    visitor.walk()
    visitor.disagree()
    request_call(visitor)
    token = visitor.get("/summary").token
    before = answers(visitor), visitor.get("/consultation/status").words
    fields = {"sadness": "3", "consent": "yes", "reference": "2222-22222-22222", **FORM}
    for address in set(posts(site)) - {"/leave"}:
        for sent in (fields, {**fields, "csrf_token": token[::-1]}):
            assert visitor.post(address, sent).status == 200, address
            assert answers(visitor) == before[0], address
    assert visitor.get("/consultation/status").words == before[1]
    visitor.send(visitor.get("/check/sadness"), "/check/sadness", sadness="3")
    assert answers(visitor) != before[0], "with its token the same form counts"


def answers(visitor):
    """The answers in a visitor's draft."""
    cookie = visitor.client.get_cookie("draft").value
    return json.loads(visitor.site.extensions["keyring"].decrypt(DRAFT, cookie, b"draft"))["answers"]


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}], ids=["no origin", "sandboxed frame"])
def test_leave_is_refused_from_another_site(visitor, origin):
    visitor.walk()
    headers = {"Sec-Fetch-Site": "cross-site", **origin}
    response = visitor.client.post("/leave", base_url=visitor.base, headers=headers)
    assert response.status_code == 400
    assert visitor.get("/check/review").address == "/check/review", "nothing was deleted"


def test_urgent_help_for_a_form_from_another_site_sets_no_cookie(visitor):
    fields, headers = {"hopelessness": "3"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    response = visitor.client.post("/check/hopelessness", data=fields, base_url=visitor.base, headers=headers)
    assert "tel:988" in response.text and "Set-Cookie" not in response.headers
    response = visitor.client.post("/check/hopelessness", data=fields, base_url=visitor.base)
    assert "Set-Cookie" in response.headers, "the control: a form of the site's own begins a draft"
