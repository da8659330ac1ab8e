"""A shared rate limit storage that fails: nothing is limited, and only the first request waits for it."""

from __future__ import annotations

import socket

import limits
import pytest

from screening.config import SETTINGS, SettingsError
from screening.web.rate_limits import RECONNECT_SECONDS, SITE_FACTOR, Storage
from screening.web.repeated_line import THINNED_SECONDS
from tests.support.clock import Clock
from tests.support.visitor import Visitor

ONCE_AN_HOUR = limits.parse_many("1 per hour")


@pytest.fixture
def silent():
    """A store that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


def connections_to(listening):
    """Return how many connections arrived since the last call."""
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_silent_rate_limit_storage_times_out_only_once(silent, scheme, caplog):
    stopwatch = Clock(0)
    storage = Storage(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", stopwatch=stopwatch)
    assert all(not storage.wait_for(ONCE_AN_HOUR, "forms", "visitor") for _ in range(200))
    assert connections_to(silent) == 1, "the first call times out, the others do not connect"
    assert [record.getMessage() for record in caplog.records] == ["the limits cannot be counted: TimeoutError"]
    stopwatch.forward(RECONNECT_SECONDS - 0.1)
    assert not storage.wait_for(ONCE_AN_HOUR, "forms", "visitor") and connections_to(silent) == 0
    stopwatch.forward(0.1)
    assert not storage.wait_for(ONCE_AN_HOUR, "forms", "visitor") and connections_to(silent) == 1
    assert len(caplog.records) == 1, "the line repeats"
    stopwatch.forward(THINNED_SECONDS)
    assert not storage.wait_for(ONCE_AN_HOUR, "forms", "visitor")
    assert caplog.records[-1].getMessage() == "the limits cannot be counted: TimeoutError (repeated 1 times)"


def test_unreachable_rate_limit_storage_allows_all_requests(silent):
    port = silent.getsockname()[1]
    silent.close()
    storage = Storage(f"redis://127.0.0.1:{port}")
    assert all(not storage.wait_for(ONCE_AN_HOUR, "forms", "somebody") for _ in range(3))


def test_in_memory_rate_limit_counts_each_address():
    storage = Storage("memory://")
    assert [not storage.wait_for(ONCE_AN_HOUR, "forms", client) for client in ("ann", "ann", "ben")] == [
        True,
        False,
        True,
    ]


def statuses(site, path, addresses):
    """Post to a path from each address in turn; return the statuses."""
    clients = [(site.test_client(), {"REMOTE_ADDR": address}) for address in addresses]
    return [client.post(path, environ_base=environ).status_code for client, environ in clients]


def test_addresses_of_one_ipv6_network_share_the_form_limit(make_site):
    site = make_site(RATE_LIMIT_FORMS="2 per minute")
    one_network = [f"2001:db8:7:7:{n:x}::{n:x}" for n in range(1, 5)]
    assert statuses(site, "/more-time", one_network) == [400, 400, 429, 429]
    assert statuses(site, "/more-time", ["2001:db8:7:8::1", "192.0.2.1"]) == [400, 400], "the control: others pass"


def test_networks_of_one_ipv6_site_share_a_wider_limit(make_site):
    site = make_site(RATE_LIMIT_FORMS="2 per minute")
    found = statuses(site, "/more-time", [f"2001:db8:7:{n:x}::1" for n in range(2 * SITE_FACTOR + 2)])
    assert found == [400] * 2 * SITE_FACTOR + [429] * 2
    assert statuses(site, "/more-time", ["2001:db8:8::1"]) == [400]


def test_ipv4_address_within_ipv6_is_counted_as_itself(make_site):
    site = make_site(RATE_LIMIT_FORMS="1 per minute")
    assert statuses(site, "/more-time", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"]) == [400, 429, 400]


def test_refused_network_does_not_use_up_the_limit_of_its_site(make_site):
    site = make_site(RATE_LIMIT_FORMS="1 per minute")
    assert statuses(site, "/more-time", ["2001:db8:7:1::1"] * 20) == [400] + [429] * 19
    assert statuses(site, "/more-time", ["2001:db8:7:2::1"]) == [400]


def test_refusal_states_the_seconds_until_the_window_ends(make_site, clock):
    site = make_site(RATE_LIMIT_FORMS="1 per 3 minutes")
    client = site.test_client()
    client.post("/more-time")
    clock.forward(50)
    assert client.post("/more-time").headers["Retry-After"] == "130"
    clock.forward(129)
    assert client.post("/more-time").headers["Retry-After"] == "1"
    clock.forward(1)
    assert client.post("/more-time").status_code == 400


@pytest.mark.parametrize(("lang", "waits"), [("en", ["3 minutes", "1 second,"]), ("es", ["3 minutos", "1 segundo,"])])
def test_refusal_page_states_the_wait_of_its_header(make_site, clock, lang, waits):
    visitor = Visitor(make_site(RATE_LIMIT_FORMS="1 per 3 minutes"))
    visitor.get(f"/?lang={lang}")
    visitor.answer("sadness", "1")
    for passed, seconds, words in zip((50, 129), ("130", "1"), waits, strict=True):
        clock.forward(passed)
        page = visitor.send(visitor.get("/check/sleep"), "/check/sleep", follow=False, sleep="1")
        assert page.status == 429 and page.response.headers["Retry-After"] == seconds
        assert f"{'Wait' if lang == 'en' else 'Espere'} {words}" in page.words


@pytest.mark.parametrize("name", ["FORMS", "REQUESTS", "LOOKUPS", "SIGN_INS"])
def test_default_limits_of_a_network_end_within_minutes(name):
    """A hospital's visitors share an address: they are slowed down, not locked out."""
    [default] = [setting.default for setting in SETTINGS if setting.name == f"RATE_LIMIT_{name}"]
    assert all(rate.get_expiry() <= 5 * 60 for rate in limits.parse_many(default))


def test_unknown_rate_limit_storage_scheme_is_refused():
    with pytest.raises(SettingsError, match="SCREENING_RATE_LIMIT_STORAGE_URL: unknown storage scheme"):
        Storage("radish://localhost")
