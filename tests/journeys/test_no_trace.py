"""A walk with sentinel values leaves them nowhere but on the visitor's own pages."""

from __future__ import annotations

import pytest

from screening.questionnaires.loader import LIBRARY
from screening.releases.hierarchies import QUASI_IDENTIFIERS
from tests.support.absence import assert_absent
from tests.support.live_server import LiveServer
from tests.support.pending import opened_responses
from tests.support.remote_site import RemoteSite
from tests.support.visitor import SIGNS, Visitor

SENTINEL = "zentinelcode"
CODES = ["0", "1", "2", "3", "declined"]
BROWSER = "SentinelBrowser/7391"


def sentinel_code(code):
    """Return a searchable code within the 20 letters that a code may have."""
    return f"{SENTINEL}_{code[:7]}"


@pytest.fixture(scope="module")
def sentinel_server(tmp_path_factory):
    """The site with a questionnaire in which every frequency has a searchable code."""
    folder = tmp_path_factory.mktemp("marked")
    text = (LIBRARY / "warning_signs.toml").read_text(encoding="utf-8")
    for code in CODES[:-1]:
        text = text.replace(f'code = "{code}"', f'code = "{SENTINEL}{code}"')
    text = text.replace('urgent = ["3"]', f'urgent = ["{SENTINEL}3"]')
    text = text.replace('support = ["1", "2", "declined"]', f'support = ["{SENTINEL}1", "{SENTINEL}2", "declined"]')
    for code in ("over_a_year", "45_to_54", "money", "work"):
        text = text.replace(f'"{code}"', f'"{sentinel_code(code)}"')
    file = folder / "marked.toml"
    file.write_text(text, encoding="utf-8")
    ladders = folder / "ladders.toml"
    ladders.write_text("".join(f"[{detail}]\nweight = 1\n" for detail in QUASI_IDENTIFIERS))
    settings = {"SCREENING_QUESTIONNAIRE_FILE": str(file), "SCREENING_HIERARCHIES_FILE": str(ladders)}
    with LiveServer(folder, "--log-level", "debug", **settings) as running:
        yield running


def test_walk_leaves_no_answers_in_logs_headers_or_database(browser_visitor, sentinel_server):
    visitor = browser_visitor(sentinel_server.address, user_agent=BROWSER)
    heads: list[str] = []
    tokens: set[str] = set()

    def note(response) -> None:
        heads.append(f"{response.url} {response.all_headers()}")

    visitor.context.on("requestfinished", lambda request: note(request.response()))
    visitor.open("/")
    for sign in ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"):
        visitor.open(f"/check/{sign}")
        tokens.add(visitor.page.locator("main input[name=csrf_token]").first.get_attribute("value"))
        visitor.choose(sign, f"{SENTINEL}3")
        if sign == "hopelessness":
            visitor.press()
    visitor.choose("pain_duration", sentinel_code("over_a_year"))
    visitor.choose("pain_average", "6")
    visitor.press()  # an invalid submission
    visitor.choose("stress", sentinel_code("money"), sentinel_code("work"))
    visitor.choose("consent", "yes")
    visitor.choose("age", sentinel_code("45_to_54"))
    assert visitor.path == "/summary" and "7 of 7" in visitor.page.locator("main").inner_text()
    cookies = {cookie["value"] for cookie in visitor.context.cookies()}

    errors = visitor.page.request
    for path in (f"/check/{SENTINEL}", f"/{SENTINEL}?{SENTINEL}={SENTINEL}"):
        assert errors.get(sentinel_server.address + path).status == 404
    assert errors.post(f"{sentinel_server.address}/check/sleep", form={"sleep": f"{SENTINEL}2"}).status == 200
    assert errors.post(f"{sentinel_server.address}/leave/x", form={"sleep": f"{SENTINEL}2"}).status == 404
    assert_absent([SENTINEL], errors.get(f"{sentinel_server.address}/{SENTINEL}").text())

    (row,) = opened_responses(sentinel_server.database, sentinel_server.folder / "keys")
    assert f"{SENTINEL}3" in str(row), "the stored response has the answers"
    everything = {"log": sentinel_server.log.read_text(), "headers and addresses": "\n".join(heads[:])}
    for file in sentinel_server.folder.glob("site*.sqlite*"):
        everything[file.name] = file.read_bytes().decode("latin-1")
    for place, text in everything.items():
        assert_absent((SENTINEL, BROWSER, *tokens), text)
        if place != "headers and addresses":
            assert_absent(cookies, text)
    for word in ("/check", "/summary", "/help-now", "127.0.0.1 -", "hopelessness"):
        assert word not in everything["log"], word


def test_walks_with_different_answers_log_nothing(live_server):
    """Neither the application nor the server logs a line, so log times reveal nothing, either."""

    def new_lines(answer: str) -> list[str]:
        before = len(live_server.log.read_text())
        visitor = Visitor(RemoteSite.at(live_server.port))
        visitor.walk(**dict.fromkeys(SIGNS, answer))
        visitor.agree()
        return live_server.log.read_text()[before:].splitlines()

    assert new_lines("0") == new_lines("3") == []


def test_unreachable_response_database_is_logged(tmp_path):
    """The control: the log does record errors."""
    with LiveServer(tmp_path) as live_server:
        visitor = Visitor(RemoteSite.at(live_server.port))
        visitor.walk()
        for file in tmp_path.glob("site-pending.sqlite*"):
            file.unlink()
        (tmp_path / "site-pending.sqlite").mkdir()
        visitor.agree()
        assert "pending responses cannot be reached: OperationalError" in live_server.log.read_text()
