"""Rate limits counted in a real Redis: shared by every process and node, with no address stored."""

from __future__ import annotations

import re
import time

import pytest

from screening.web.rate_limits import RECONNECT_SECONDS, SHARED_SECONDS
from tests.support.redis_server import Redis
from tests.support.visitor import Visitor

FEW = 5


@pytest.fixture
def store(tmp_path):
    with Redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def nodes(make_site, store):
    """Two sites with one store, as on two nodes."""
    scheme = store.url.replace("redis:", "valkey:")
    return [make_site(RATE_LIMIT_FORMS=f"{FEW} per hour", RATE_LIMIT_STORAGE_URL=url) for url in (store.url, scheme)]


def send(node, address="192.0.2.7"):
    """Send a form to a node from an address; return the status."""
    visitor = Visitor(node)
    page = visitor.get("/check/sadness")
    form = page.form("/check/sadness")
    token = form.find("input", attrs={"name": "csrf_token"})["value"]
    fields, to_address = {"csrf_token": token, "sadness": "1"}, {"REMOTE_ADDR": address}
    return visitor.post("/check/sadness", fields, follow=False, environ_overrides=to_address).status


def test_nodes_share_rate_limits_without_storing_addresses(nodes, store, report):
    statuses = [send(nodes[number % 2]) for number in range(FEW + 3)]
    assert statuses == [303] * FEW + [429] * 3
    assert [send(node, "2001:db8::77") for node in nodes] == [303, 303], "each address is counted separately"
    held = store.holds()
    assert sorted(held.values()) == ["2", str(FEW + 3)]
    for key in held:
        assert re.fullmatch(rf"LIMITS:LIMITER/forms/[0-9a-f]{{32}}/{FEW}/1/hour", key), key
        assert "192.0.2.7" not in key and "2001:db8" not in key and "c0000207" not in key
    report(f"two nodes, one count: {FEW} forms pass, the next are refused at both; the store holds {sorted(held)}")


def test_start_without_the_store_takes_limits_up_when_it_comes(make_site, store):
    store.kill()
    site = make_site(RATE_LIMIT_FORMS=f"{FEW} per hour", RATE_LIMIT_STORAGE_URL=store.url)
    assert [send(site) for _ in range(2 * FEW)] == [303] * 2 * FEW
    store.start()
    late = time.monotonic() + 3 * RECONNECT_SECONDS
    while send(site) == 303:
        assert time.monotonic() < late, "limits apply"
    assert sorted(store.holds().values()) == [str(FEW + 1)]


@pytest.mark.parametrize("how", ["killed", "halted"])
def test_unavailable_rate_limit_storage_refuses_no_form(nodes, store, how, report):
    while send(nodes[0]) == 303:
        continue
    store.kill() if how == "killed" else store.halt()
    began = time.perf_counter()
    assert [send(nodes[0]) for _ in range(30)] == [303] * 30
    took = time.perf_counter() - began
    store.start() if how == "killed" else store.go_on()
    began = time.perf_counter()
    assert [send(nodes[0]) for _ in range(30)] == [303] * 30, "the circuit is still open"
    delay = took - (time.perf_counter() - began)
    report(f"{how}: 30 forms took {took:.2f} s, {max(0.0, delay):.2f} s longer than 30 without the store")
    assert delay < 8 * SHARED_SECONDS, "not one wait for each form, which would be 30"
    late = time.monotonic() + 3 * RECONNECT_SECONDS
    while send(nodes[0]) == 303:
        assert time.monotonic() < late, "limits apply again"
