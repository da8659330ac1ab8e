"""The release pages: permissions, previews that match the release, and no count under k on any page."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from flask import render_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from screening.app import create_app
from screening.extensions import db
from screening.releases import charts, service, verification
from screening.releases.models import Release, ReleaseFile
from screening.releases.row_format import RowFormat
from screening.responses.models import ShuffledResponse
from tests.support.absence import assert_absent
from tests.support.clock import NOON, START, Clock
from tests.support.databases import close
from tests.support.release_factory import tables
from tests.support.sample_responses import generate, store
from tests.support.staff_client import was_refused

YES = {"sure": "yes"}


@pytest.fixture
def monday_noon(clock):
    """Monday, 23 November 2026, for tests about dates; by ``usefixtures``, so that the site is created at that time."""
    clock.now = NOON


@pytest.fixture
def rita(team):
    """A staff member who may create releases and see trends."""
    return team.sign_in("rita", "responses")


@pytest.fixture
def rowan(team):
    """A staff member who may download single rows in full detail."""
    return team.sign_in("rowan", "rows")


@pytest.fixture
def store_responses(team):
    """Return a function that stores shuffled responses."""

    def store_responses(number, **options):
        with team.app.app_context():
            store(generate(number, **options))

    return store_responses


@pytest.fixture
def release(team, store_responses, clock):
    """Return a function that creates a release as a command does, and returns its number."""

    def make(number=600, **options):
        store_responses(number, **options)
        with team.app.test_request_context():
            seen = service.preview(team.app.extensions["release_policy"], clock())
            db.session.commit()
            return service.create(seen, clock(), "command", confirmed=True).id

    return make


@pytest.fixture
def limit(team):
    """Return a function that sets the share of rows of ``signs`` that may stand alone unconfirmed, in percent."""

    def set_limit(percent):
        policy = team.app.extensions["release_policy"]
        team.app.extensions["release_policy"] = replace(policy, max_alone=percent)

    return set_limit


def press(member, page, **fields):
    return member.send(page, "/staff/releases", **fields)


def manifest(team, number=1):
    with team.app.app_context():
        return json.loads(db.session.get_one(Release, number).manifest)


def count(team, table):
    with team.app.app_context():
        return db.session.scalar(select(func.count()).select_from(table))


def events(team, action):
    return [(e.action, e.actor, e.subject, e.detail) for e in team.events(re.escape(action))]


def numbers(words):
    return {int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", words)}


def shown_percent(words):
    return float(re.search(r"([\d.]+)%", words).group(1))


class TestCreation:
    @pytest.mark.each_database
    def test_created_release_matches_the_preview(self, team, rita, store_responses):
        store_responses(800)
        page = rita.get("/staff/releases")
        assert "Ready for the next release" in page.words and "No release was made yet" in page.words
        stats = page.main.find(id="next").parent.get_text(" ")
        rule = page.main.find(string=re.compile("^Rule:"))
        lost = re.search(r"[\d.]+%\s+of the detail is lost", stats).group()
        page = press(rita, page, **YES)
        assert page.address == "/staff/releases/1" and "The release is made" in page.words
        stated = manifest(team)
        assert {
            stated["rows"],
            stated["groups"]["number"],
            stated["groups"]["smallest"],
            stated["masked_rows"],
        } <= numbers(stats)
        assert stated["rows"] == 800 and shown_percent(lost) == pytest.approx(100 * stated["ncp"], abs=0.06)
        assert "at least 11 rows" in rule and "at least 2 different answers to “Hopelessness”" in rule and "50%" in rule
        assert count(team, ShuffledResponse) == 0
        assert events(team, "release.made") == [("release.made", team.id_of(rita), "R-0001", {"rows": "800"})]

    @pytest.mark.usefixtures("monday_noon")
    def test_release_list_shows_the_day_and_the_author(self, team, rita, release):
        release(500)
        row = rita.get("/staff/releases").main.select("tbody tr")[-1].get_text(" ", strip=True)
        assert row.startswith("R-0001 2026 500 Nov 23, 2026 A command on the server")
        page = rita.get("/staff/releases/1")
        assert "by A command on the server" in page.words

    def test_unticked_confirmation_returns_an_error_and_no_release(self, team, rita, store_responses):
        store_responses(500)
        page = press(rita, rita.get("/staff/releases"))
        assert was_refused(page) and page.title.startswith("Error: ")
        assert page.main.find("a", href="#sure").get_text() == "Check the box if you want to make the release"
        assert count(team, Release) == 0 and count(team, ShuffledResponse) == 500
        assert press(rita, page, **YES).address == "/staff/releases/1", "the control: with the box ticked it is created"

    @pytest.mark.each_database
    def test_responses_added_after_the_preview_give_a_new_preview(self, team, rita, store_responses):
        store_responses(500)
        page = rita.get("/staff/releases")
        store_responses(100, seed=2)
        with team.app.app_context():
            db.session.execute(text("INSERT INTO shuffled_batch VALUES ('another', 0, 50, 'accepted')"))
            db.session.commit()
        page = press(rita, page, **YES)
        assert was_refused(page) and "Nothing was made" in page.words and "600 rows would go in" in page.words
        assert count(team, Release) == 0 and count(team, ShuffledResponse) == 600
        assert not page.chosen(), "the confirmation does not carry over"
        assert press(rita, page, **YES).status == 200 and manifest(team)["rows"] == 600

    @pytest.mark.usefixtures("monday_noon")
    def test_month_sealed_after_the_preview_gives_a_conflict(self, team, rita, store_responses, clock):
        store_responses(500)
        store_responses(200, seed=2, months=("2026-11",))
        page = rita.get("/staff/releases")
        clock.now = NOON + 9 * 24 * 3600
        member = team.sign_in("later", "responses")
        fields = {**page.typed("/staff/releases"), **YES, "csrf_token": member.get("/staff/you").token}
        answer = member.post("/staff/releases", fields)
        assert was_refused(answer) and "700 rows would go in" in answer.words and count(team, Release) == 0

    def test_second_submission_gives_a_conflict(self, team, rita, rowan, store_responses):
        store_responses(500)
        first, second = rita.get("/staff/releases"), rowan.get("/staff/releases")
        assert press(rita, first, **YES).address == "/staff/releases/1"
        page = press(rowan, second, **YES)
        assert was_refused(page) and "Nothing was made" in page.words and "R-0001" in page.words
        assert count(team, Release) == 1

    @pytest.mark.each_database
    def test_concurrent_submission_gives_a_conflict(self, team, rita, store_responses, monkeypatch):
        """Another release is stored between the second preview and the creation."""
        store_responses(500)
        page = rita.get("/staff/releases")
        create, others = service.create, []

        def create_late(seen, now, actor, **options):
            others.append(create(seen, now, "command"))
            db.session.commit()
            return create(seen, now, actor, **options)

        monkeypatch.setattr(service, "create", create_late)
        page = press(rita, page, **YES)
        assert others and was_refused(page) and "Nothing was made" in page.words
        assert count(team, Release) == 1 and manifest(team)["rows"] == 500

    def test_release_that_fails_the_check_says_so(self, team, rita, store_responses, monkeypatch):
        store_responses(500)
        page = rita.get("/staff/releases")
        with monkeypatch.context() as patch:
            patch.setattr(verification, "check_made", lambda *arguments: ["zentinelafinding"])
            page = press(rita, page, **YES)
        assert was_refused(page) and "did not pass the check" in page.words and "500 rows would go in" in page.words
        assert count(team, Release) == 0 and count(team, ShuffledResponse) == 500
        assert press(rita, page, **YES).address == "/staff/releases/1", "the control: without the fault it is created"


class TestRefusals:
    @pytest.mark.usefixtures("monday_noon")
    def test_too_few_responses_show_the_next_date_without_a_count(self, rita, store_responses):
        store_responses(10)
        page = rita.get("/staff/releases")
        assert "There are not enough copies for a release yet. Next try on Dec 2, 2026." in page.words
        assert not re.search(r"\b10\b", page.words) and page.main.find("button") is None

    def test_held_back_period_is_named_without_its_count(self, rita, store_responses):
        store_responses(400)
        store_responses(7, seed=2, months=("2025-12",))
        page = rita.get("/staff/releases")
        assert "so they wait: 2025." in page.words and "400 rows would go in" in page.words
        assert 7 not in numbers(page.words)

    def test_current_version_can_be_chosen_among_several(self, team, rita, store_responses):
        store_responses(300)
        store_responses(200, seed=2, version=2)
        page = rita.get("/staff/releases")
        assert "Copies of several versions wait" in page.words and "flask release create" in page.words
        page = rita.get("/staff/releases", query_string=page.typed("/staff/releases"))
        assert "300 rows would go in" in page.words
        assert press(rita, page, **YES).address == "/staff/releases/1"
        assert count(team, ShuffledResponse) == 200
        page = rita.get("/staff/releases")
        assert "give its definition" in page.words and "flask release create" in page.words

    @pytest.mark.parametrize("version", ["2", "x", "", "99999999999999999999", "%00"])
    def test_version_parameter_never_causes_a_server_error(self, rita, store_responses, version):
        store_responses(300)
        assert rita.client.get(f"/staff/releases?version={version}").status_code in (200, 400)


class TestMeasuredAttack:
    def test_page_states_the_figures_before_and_after_making(self, team, rita, store_responses):
        store_responses(800)
        before = rita.get("/staff/releases")
        after = press(rita, before, **YES)
        for detail, found in manifest(team)["measured_attack"].items():
            sentence = f"In “{detail}”, {found['mean_percent']}% of the rows are then the only match"
            assert sentence in before.words and sentence in after.words
            assert f"it is {found['worst_percent']}%." in before.words
        assert "limit of 20%" not in before.words

    def test_figures_follow_the_next_copies(self, rita, store_responses):
        store_responses(60)
        page = press(rita, rita.get("/staff/releases"), **YES)
        few = page.main.find(id="safe").parent.get_text(" ")
        store_responses(3000, seed=2)
        assert re.search(r"In “signs”, \d+%", few).group() not in rita.get("/staff/releases").words

    def test_release_above_the_limit_needs_a_recorded_confirmation(self, team, rita, rowan, store_responses, limit):
        limit(1)
        store_responses(600)
        page = rita.get("/staff/releases")
        assert "above your clinic’s limit of 1%" in page.words
        page = press(rita, page, **YES)
        assert "Check the box if you accept this share of rows" in page.words and count(team, Release) == 0
        page = press(rita, page, **YES, alone="yes")
        assert "The release is made" in page.words and "Withheld when the release was made" in page.words
        stated = manifest(team)
        mean = stated["measured_attack"]["signs"]["mean_percent"]
        assert [detail["confirmed"] for *_, detail in events(team, "release.made")] == [f"{mean}%"]
        assert list(stated["files"]) == ["signs.csv"]
        for ending in ("csv", "xlsx", "zip", "README.md"):
            assert rowan.client.get(f"/staff/releases/1/full.{ending}").status_code == 404
            assert rowan.client.get(f"/staff/releases/1/signs.{ending}").status_code == 200
        page = rita.send(page, "/staff/releases/1/check")
        assert "Nothing found" in page.words

    def test_release_at_the_limit_asks_nothing_and_has_full(self, team, rita, rowan, store_responses, limit):
        store_responses(600)
        with team.app.test_request_context():
            limit(
                service.measure(service.preview(team.app.extensions["release_policy"], START))["signs"]["mean_percent"]
            )
        page = press(rita, rita.get("/staff/releases"), **YES)
        assert "The release is made" in page.words
        assert [detail for *_, detail in events(team, "release.made")] == [{"rows": "600"}]
        assert rowan.client.get("/staff/releases/1/full.csv").status_code == 200

    def test_limit_is_among_the_recorded_terms(self, team, rita, store_responses):
        store_responses(600)
        press(rita, rita.get("/staff/releases"), **YES)
        assert events(team, "release.terms")[0][3]["most alone"] == "20%"

    def test_release_of_an_earlier_version_has_no_figures(self, team, rita, release):
        release(600)
        with team.app.app_context():
            made = db.session.get_one(Release, 1)
            stated = json.loads(made.manifest)
            del stated["measured_attack"]
            made.manifest = json.dumps(stated, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
            db.session.commit()
        page = rita.get("/staff/releases/1")
        assert "other rows. Storage order" in page.words and "are then the only match" not in page.words
        assert "Nothing found" in rita.send(page, "/staff/releases/1/check").words

    def test_check_reports_a_changed_figure(self, team, rita, release):
        release(600)
        with team.app.app_context():
            made = db.session.get_one(Release, 1)
            stated = json.loads(made.manifest)
            stated["measured_attack"]["signs"]["mean_percent"] += 1
            made.manifest = json.dumps(stated, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
            db.session.commit()
        page = rita.send(rita.get("/staff/releases/1"), "/staff/releases/1/check")
        assert "manifest measured_attack.signs: not that of the rows" in page.words


class TestPreviewedPlans:
    WARNING = "All these copies are from one month."

    @pytest.fixture
    def expert(self, team):
        """Allow months by an expert determination."""
        policy = team.app.extensions["release_policy"]
        team.app.extensions["release_policy"] = replace(policy, determination=date(2026, 10, 1))

    def compared(self, page):
        """Return the cells of the table that compares the plans, by the head of each row."""
        table = page.main.find(id="months").parent.table
        return {row.th.get_text(): [cell.get_text() for cell in row("td")] for row in table.tbody("tr")}

    @pytest.mark.usefixtures("expert")
    def test_months_that_change_nothing_are_said_to(self, rita, store_responses):
        store_responses(600)
        page = rita.get("/staff/releases")
        table = self.compared(page)
        assert table.pop("Period") == ["Year", "Year"] and all(one == two for one, two in table.values())
        assert list(table) == ["Age", "Length of pain", "Groups", "Masked rows", "Detail lost"]
        assert "It changes nothing yet." in page.words
        assert_absent(["Both losses are counted from months"], page.words)

    @pytest.mark.usefixtures("expert")
    def test_plans_stand_side_by_side(self, team, rita, store_responses):
        store_responses(6000)
        page = rita.get("/staff/releases")
        table = self.compared(page)
        assert table["Period"] == ["Year", "Month"] and table["Age"] == ["As it was asked"] * 2
        assert shown_percent(table["Detail lost"][1]) < 20 <= shown_percent(table["Detail lost"][0])
        assert_absent(["It changes nothing yet."], page.words)
        assert press(rita, page, **YES).address == "/staff/releases/1"
        assert [table["Groups"][1], table["Masked rows"][1]] == [
            str(manifest(team)["groups"]["number"]),
            str(manifest(team)["masked_rows"]),
        ]

    @pytest.mark.usefixtures("monday_noon")
    @pytest.mark.parametrize(("months", "warned"), [(("2026-10",), True), (("2026-09", "2026-10"), False)])
    def test_single_month_is_warned_of_without_a_determination(self, rita, store_responses, months, warned):
        store_responses(300, months=months)
        page = rita.get("/staff/releases")
        assert page.main.find(id="months") is None
        if warned:
            assert self.WARNING in page.words and "look again on Dec 2, 2026" in page.words
        else:
            assert_absent([self.WARNING], page.words)

    @pytest.mark.usefixtures("expert")
    def test_single_month_is_no_risk_with_a_determination(self, rita, store_responses):
        store_responses(300, months=("2026-10",))
        page = rita.get("/staff/releases")
        assert page.main.find(id="months")
        assert_absent([self.WARNING], page.words)


class TestReleasePage:
    def test_release_page_states_the_manifest_values(self, team, rita, release):
        release(900)
        page, stated = rita.get("/staff/releases/1"), manifest(team)
        generalized = page.text + page.words
        for key in ("rows_are", "self_selected", "ladders"):
            assert stated[key] in generalized, key
        assert stated["limits"].replace("'", "’") in generalized
        assert f"with at least {stated['k']['reached'] - 1} other rows." in page.words
        patterns = [
            stated["unique_patterns"][detail][kind] for detail in ("signs", "full") for kind in ("patterns", "unique")
        ]
        sums = [file["bytes"] for file in stated["files"].values()]
        assert {stated["rows"], stated["k"]["asked"], stated["k"]["reached"], *patterns, *sums} <= numbers(page.words)
        for file in stated["files"].values():
            assert file["sha256"] in generalized
        assert "permission “Rows”" in page.words

    @pytest.mark.usefixtures("monday_noon")
    def test_release_page_shows_no_number_outside_the_manifest(self, team, rita, release):
        release(900)
        stated = json.dumps(manifest(team))
        words = re.sub(r"[0-9a-f]{64}|[\d.]+%", "", rita.get("/staff/releases/1").words)
        ages_and_lengths = {18, 24, 25, 34, 35, 44, 45, 54, 55, 64, 65, 74, 75, 84, 85, 3, 12}
        made_on, sha_256, k_less_1 = 23, 256, 1
        known = numbers(stated.replace(",", " ")) | ages_and_lengths | {made_on, sha_256, k_less_1}
        assert numbers(words) <= known

    @pytest.mark.each_database
    def test_check_passes_a_sound_release_and_reports_tampering(self, team, rita, release):
        release(300)
        page = rita.send(rita.get("/staff/releases/1"), "/staff/releases/1/check")
        assert page.status == 200 and "Nothing found" in page.words
        with team.app.app_context():
            db.session.execute(
                text(
                    "UPDATE release_chunk SET data = (SELECT data FROM release_chunk WHERE name = 'full.csv') WHERE name = 'signs.csv'"
                )
            )
            db.session.commit()
        page = rita.send(page, "/staff/releases/1/check")
        assert "Nothing found" not in page.words and page.main.find(role="alert")
        query = page.response.request.query_string.decode()
        again = rita.get(f"/staff/releases/1?{query}")
        assert again.main.find(role="alert").get_text() == page.main.find(role="alert").get_text()
        assert rita.get("/staff/releases/1").main.find(role="alert") is None
        assert [(subject, detail["findings"] == "0") for _, _, subject, detail in events(team, "release.checked")] == [
            ("R-0001", True),
            ("R-0001", False),
        ]


class TestDownloads:
    @pytest.mark.each_database
    def test_download_is_complete_and_audited(self, team, rita, release):
        release(700)
        names = ("signs.csv", "signs.xlsx", "signs.zip", "signs.README.md", "manifest.json")
        for name in names:
            answer = rita.client.get(f"/staff/releases/1/{name}")
            assert answer.status_code == 200 and len(answer.data) == answer.content_length
            assert f"R-0001-{name}" in answer.headers["Content-Disposition"]
            if name == "manifest.json":
                assert json.loads(answer.data) == manifest(team)
            elif name == "signs.README.md":
                assert answer.data.startswith(b"# R-0001, signs\n")
            elif name == "signs.csv":
                assert hashlib.sha256(answer.data).hexdigest() == manifest(team)["files"][name]["sha256"]
            else:
                assert zipfile.ZipFile(io.BytesIO(answer.data)).testzip() is None
            assert rita.client.get(f"/staff/releases/1/{name}").data == answer.data
        assert [
            (actor, subject, detail["file"]) for _, actor, subject, detail in events(team, "release.downloaded")
        ] == [(team.id_of(rita), "R-0001", name) for name in names for _ in range(2)]

    def test_download_is_audited_before_the_first_byte(self, team, rita, release):
        release(300)
        answer = rita.client.get("/staff/releases/1/signs.csv", buffered=False)
        assert len(events(team, "release.downloaded")) == 1
        answer.close()

    def test_full_detail_requires_the_rows_permission(self, team, rita, rowan, release):
        release(300)
        for name in ("full.csv", "full.xlsx", "full.zip", "full.README.md"):
            assert rita.client.get(f"/staff/releases/1/{name}").status_code == 403
        assert events(team, "release.downloaded") == [] and len(events(team, "page.refused")) == 4
        answer = rowan.client.get("/staff/releases/1/full.csv")
        assert hashlib.sha256(answer.data).hexdigest() == manifest(team)["files"]["full.csv"]["sha256"]
        assert events(team, "release.downloaded")[0][3] == {"file": "full.csv"}
        assert "permission “Rows”" not in rowan.get("/staff/releases/1").words

    def test_head_request_is_not_audited_as_a_download(self, team, rita, release):
        release(300)
        answer = rita.client.head("/staff/releases/1/signs.csv")
        assert answer.status_code == 200 and answer.content_length > 0 and not answer.data
        assert events(team, "release.downloaded") == []

    @pytest.mark.parametrize(
        "path",
        ["1/other.csv", "1/check", "1/signs", "1/signs.csv.gz", "2", "2/signs.csv", "99999999999999999999", "0", "x"],
    )
    def test_unknown_release_or_file_returns_404(self, team, rita, release, path):
        release(300)
        assert rita.client.get(f"/staff/releases/{path}").status_code == 404
        assert events(team, "release.downloaded") == []

    def test_missing_stored_file_returns_404_without_an_audit_event(self, team, rita, release):
        release(300)
        with team.app.app_context():
            db.session.query(ReleaseFile).filter_by(name="signs.csv").delete()
            db.session.commit()
        assert rita.client.get("/staff/releases/1/signs.csv").status_code == 404
        assert events(team, "release.downloaded") == []


def test_callbacks_and_admin_roles_cannot_open_release_pages(team, release):
    release(300)
    member = team.sign_in("cal", "callbacks", "admin")
    for address in ("/staff/releases", "/staff/releases/1", "/staff/releases/1/signs.csv", "/staff/trends"):
        assert member.client.get(address).status_code == 403, address
    assert "Releases" not in member.get("/staff/you").text


def test_audit_page_describes_release_events(rita, admin, release):
    release(300)
    rita.client.get("/staff/releases/1/signs.csv")
    words = admin.get("/staff/audit").words
    for generalized in (
        "Release made R-0001",
        "Terms of releases changed",
        "File of a release downloaded R-0001 File: signs.csv",
    ):
        assert generalized in words


@pytest.mark.parametrize("path", ["releases", "releases/1", "trends", "trends?release=1&and=2"])
def test_every_release_page_is_shown_in_both_languages(rita, release, path):
    release(600, months=("2025-10", "2026-10"))
    release(300, seed=2)
    english, spanish = (rita.get(f"/staff/{path}{'&' if '?' in path else '?'}lang={lang}") for lang in ("en", "es"))
    assert english.status == spanish.status == 200
    assert spanish.soup.html["lang"] == "es" and spanish.words != english.words
    for word in ("Rows", "rows", "release", "hidden", "Download"):
        assert not re.search(rf"\b{word}\b(?!”)", spanish.words), word


class TestTrends:
    def test_trends_without_a_release_show_a_notice(self, rita):
        assert "There is no release yet" in rita.get("/staff/trends").words

    @pytest.mark.each_database
    def test_newest_release_is_shown_unless_another_is_selected(self, rita, release):
        release(700)
        release(400, seed=2)
        page = rita.get("/staff/trends")
        assert "R-0002: 400 rows" in page.words and "R-0001: 700" not in page.words
        page = rita.get("/staff/trends?release=1")
        assert "R-0001: 700 rows" in page.words and "R-0002: 400" not in page.words
        page = rita.get("/staff/trends?release=1&and=2")
        assert "R-0001: 700 rows" in page.words and "R-0002: 400 rows" in page.words and "1,100" not in page.words
        assert rita.get("/staff/trends?release=1&and=1").main.select(".app-beside") == []

    @pytest.mark.parametrize("query", ["release=9", "release=x", "and=9", "release=99999999999999999999"])
    def test_unknown_release_returns_404(self, rita, release, query):
        release(300)
        assert rita.get(f"/staff/trends?{query}").status == 404

    def test_every_chart_has_a_description_and_a_table(self, team, rita, release):
        release(3000, months=("2025-10", "2026-10"))
        page = rita.get("/staff/trends")
        pictures = page.main.find_all("svg", role="img")
        assert len(pictures) == 3 and all(p.title.get_text() and p.desc.get_text() for p in pictures)
        assert len(page.main.find_all("table")) == 4
        with team.app.app_context():
            generalized = db.session.get_one(Release, 1).tables
        cells = [cell.get_text() for cell in page.main.select("#often ~ div tbody tr:nth-of-type(2) td")]
        assert [cell.replace(",", "") for cell in cells][:5] == [
            str(n) if n else "hidden" for n in generalized["signs"]["sleep"].values()
        ]
        rows = {row.th.get_text(): row.td.get_text() for row in page.main.select("#cycle ~ div tbody tr")}
        assert rows["Pain and mood"].replace(",", "") == str(generalized["cycle"]["both"])

    def test_small_release_shows_a_too_few_rows_notice(self, rita, release):
        release(30, months=("2026-10",))
        page = rita.get("/staff/trends")
        assert "There are too few rows to show any of these counts" in page.words


K = 11
some_rows = st.lists(
    st.tuples(
        st.sampled_from(["2025", "2026", "masked"]),
        st.lists(st.sampled_from(["0", "1", "2", "3", "declined", "not_answered"]), min_size=7, max_size=7),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def application(tmp_path_factory, keys, sqlite_template):
    """A staff application of its own to render pages with; nothing is stored in it."""
    site = create_app({"KEYS_DIR": keys, "CLOCK": Clock(), "DATABASE_URL": f"sqlite:///{sqlite_template}/site.sqlite"})
    yield site.extensions["staff"]
    close(site)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_rows)
def test_trends_page_shows_no_count_under_k(application, questionnaire, found):
    shape = RowFormat(questionnaire)
    rows = [((period, "any", "pain", *answers, "5"), number) for period, answers, number in found]
    generalized = json.loads(json.dumps(tables(rows, shape, K)))
    release = SimpleNamespace(id=1, number="R-0001", tables=generalized)
    stated = {"rows": generalized["rows"], "periods": ["2025", "2026"], "k": {"asked": K}}
    with application.test_request_context("/trends?lang=en"):
        drawn = charts.build_charts(generalized, questionnaire)
        page = render_template(
            "releases/trends.html", everyone=[(release, stated)], first=release, second=None,
            shown=[(release, stated, drawn)], mood=charts.mood(questionnaire),
        )  # fmt: skip
    soup = BeautifulSoup(page, "html.parser")
    cells = [cell.get_text(" ", strip=True) for cell in soup.select("main td")]
    counts = [int(cell.split()[0].replace(",", "")) for cell in cells if cell[0].isdigit()]
    rows_of_periods = {period["rows"] for period in generalized["periods"].values()}
    assert all(count >= K or count in rows_of_periods for count in counts)
    assert {cell for cell in cells if not cell[0].isdigit()} <= {"hidden", "–"}
    for bar in drawn.shares.bars:
        shown = sum(count for code, count in bar.counts.items() if count and code in ("0", "1", "2", "3", "masked"))
        assert {block.fill for block in bar.blocks} <= {0, 1, 2, 3, "rest", "hidden", "masked"}
        for block in bar.blocks:
            known = [count / generalized["rows"] for count in bar.counts.values() if count]
            assert block.share in known or block.share == pytest.approx(1 - shown / generalized["rows"])
        assert sum(block.width for block in bar.blocks) + 2 * (len(bar.blocks) - 1) == pytest.approx(300, abs=0.5)
    heights = {rect["height"] for rect in soup.select("[aria-labelledby^=many] rect.app-chart__hid")}
    assert heights <= {"14"}, "suppressed counts look the same whatever their value"
    drawn_words = " ".join(tag.get_text(" ") for tag in soup.select("svg[role=img] text, svg[role=img] desc"))
    shown_numbers = {int(n.replace(",", "")) for n in re.findall(r"(?<![\d,])(\d[\d,]*)(?!\d|,\d|%)", drawn_words)}
    assert shown_numbers <= set(counts) | set(range(8)) | {7}


def test_suppressed_counts_are_drawn_as_a_single_block(application, questionnaire):
    cells = {"0": None, "1": 60, "2": 20, "3": 15, "declined": None}
    generalized = {
        "rows": 120, "signs": {"sleep": cells}, "noticed": {"0": None, "open": None},
        "cycle": dict.fromkeys(charts.CYCLE), "periods": {},
    }  # fmt: skip
    with application.test_request_context("/trends?lang=en"):
        blocks = charts.build_charts(generalized, questionnaire).shares.bars[0].blocks
    assert [(block.fill, round(block.share, 3)) for block in blocks] == [
        (1, 0.5), (2, 0.167), (3, 0.125), ("hidden", 0.208),
    ]  # fmt: skip


def test_suppressed_rows_are_a_part_of_the_pain_bar(application, questionnaire):
    cells = {"0": 500, "1": 200, "2": 140, "3": 100, "declined": 39, "masked": 21}
    tables = {
        "rows": 1000, "signs": {"pain": cells}, "noticed": {"0": 1000, "open": None},
        "cycle": dict.fromkeys(charts.CYCLE), "periods": {},
    }  # fmt: skip
    with application.test_request_context("/trends?lang=en"):
        drawn = charts.build_charts(tables, questionnaire)
        stated = {"rows": 1000, "periods": ["2026"], "k": {"asked": K}}
        release = SimpleNamespace(id=1, number="R-0001", tables=tables)
        page = render_template(
            "releases/trends.html", everyone=[(release, stated)], first=release, second=None,
            shown=[(release, stated, drawn)], mood=[],
        )  # fmt: skip
    assert [(block.fill, block.share) for block in drawn.shares.bars[0].blocks][-2:] == [
        ("rest", 0.039), ("masked", 0.021),
    ]  # fmt: skip
    soup = BeautifulSoup(page, "html.parser")
    chart = soup.select_one("svg[role=img]")
    assert "not answered 4%, masked 2%" in chart.desc.get_text()
    assert {"Not answered", "Masked"} <= {text.get_text() for text in chart.find_all("text")}
    assert "Shares are rounded" in soup.select_one("main .app-aside").get_text()


def test_sign_of_an_older_definition_is_labeled_by_its_id(application, questionnaire):
    generalized = {
        "rows": 100, "signs": {"dizziness": {"0": 40, "1": 60}}, "noticed": {"0": 40, "1": 60, "open": None},
        "cycle": dict.fromkeys(charts.CYCLE), "periods": {},
    }  # fmt: skip
    with application.test_request_context("/trends?lang=en"):
        drawn = charts.build_charts(generalized, questionnaire).shares
    assert drawn.bars[0].label == "dizziness" and [block.fill for block in drawn.bars[0].blocks] == [0, 1]
