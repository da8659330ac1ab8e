"""Prometheus metrics of a server with two processes: complete, and independent of answers."""

from __future__ import annotations

import re
from urllib.error import HTTPError
from urllib.request import urlopen as open_

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.live_server import LiveServer
from tests.support.ports import HeldPort
from tests.support.remote_site import RemoteSite
from tests.support.visitor import SIGNS, Visitor


@pytest.fixture(scope="module", params=["visitor,staff", "visitor"])
def server(request, tmp_path_factory):
    held = HeldPort()
    address = f"127.0.0.1:{held.number}"
    folder = tmp_path_factory.mktemp("server")
    settings = {"SCREENING_METRICS_ADDRESS": address, "SCREENING_SERVE": request.param}
    with held, LiveServer(folder, "--workers", "2", **settings) as running:
        yield running, f"http://{address}/metrics"


def metrics(address):
    """Return every metric by its name and labels, without timing values."""
    with open_(address) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_sum", "_created")):
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                # the age of the crisis files changes at midnight
                found[f"{sample.name}{{{labels}}}"] = 0 if sample.name.endswith("_age_days") else sample.value
    return found


def increase(before, after):
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def test_walks_with_different_answers_give_equal_metrics(server):
    live_server, address = server

    def walk_increase(answer):
        before = metrics(address)
        visitor = Visitor(RemoteSite.at(live_server.port))
        visitor.walk(**dict.fromkeys(SIGNS, answer))
        visitor.agree()
        return increase(before, metrics(address))

    zeros = walk_increase("0")
    assert zeros == walk_increase("3")
    walk = "screening_request_seconds_count{group=walk,status=2xx,surface=visitor}"
    assert zeros[walk] == 2 * (len(SIGNS) + 1) + 2, "each question and the page after it, then review and age"
    assert not [name for name in zeros if "walk" in name and name != walk]


def test_each_metrics_response_covers_all_worker_processes(server):
    live_server, address = server
    before = metrics(address)
    for _ in range(20):
        open_(f"{live_server.address}/about").close()
    seen = [increase(before, metrics(address)) for _ in range(10)]
    assert seen == [{"screening_request_seconds_count{group=about,status=2xx,surface=visitor}": 20}] * 10


def test_metric_names_and_labels_match_the_reviewed_list(server):
    _, address = server
    found = {re.sub(r"(group|status|surface)=[\w-]+", r"\1", name) for name in metrics(address)}
    assert found == {
        "screening_request_seconds_count{group,status,surface}",
        "screening_refused_total{}",
        "screening_crisis_file_age_days{language=en}",
        "screening_crisis_file_age_days{language=es}",
        "screening_database_up{}",
        "screening_outbox_mails{state=failed}",
        "screening_outbox_mails{state=waiting}",
        "screening_outbox_age_seconds{}",
        "screening_callbacks_waiting{}",
        "screening_callbacks_overdue{}",
        "screening_mails_capped_total{}",
    }


def test_metrics_are_not_served_on_the_site_port(server):
    live_server, _ = server
    with pytest.raises(HTTPError, match="404"):
        open_(f"{live_server.address}/metrics")
