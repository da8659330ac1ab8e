"""The network that limits count instead of a client's address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.web.client_network import UNKNOWN, client_network, client_site

SIX = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address).filter(lambda address: address.ipv4_mapped is None)
FOUR = st.ip_addresses(v=4)
LOW_64 = st.integers(0, 2**64 - 1)


@given(SIX, LOW_64)
def test_addresses_of_one_64_are_one_network(address, other):
    neighbor = ipaddress.IPv6Address(int(address) >> 64 << 64 | other)
    if neighbor.ipv4_mapped is None:
        assert client_network(str(address)) == client_network(str(neighbor)) != UNKNOWN


@given(SIX, st.integers(64, 127))
def test_addresses_of_different_64_are_different_networks(address, bit):
    other = ipaddress.IPv6Address(int(address) ^ 1 << bit)
    assert client_network(str(address)) != client_network(str(other))
    assert (client_site(str(address)) == client_site(str(other))) == (bit < 80)


@given(FOUR, FOUR)
def test_each_ipv4_address_is_a_network_in_every_spelling(address, other):
    spellings = [str(address), f"{address}:443", f"::ffff:{address}", f"[::ffff:{address}]:80", f" {address} "]
    assert {client_network(text) for text in spellings} | {client_site(text) for text in spellings} == {str(address)}
    assert (client_network(str(address)) == client_network(f"::FFFF:{other}")) == (address == other)


@given(SIX)
def test_port_zone_and_spelling_do_not_change_a_network(address):
    spellings = [str(address), address.exploded.upper(), f"[{address}]", f"[{address}]:8443", f"{address}%eth0"]
    assert {client_network(text) for text in spellings} == {str(ipaddress.ip_network((address, 64), strict=False))}


@given(st.text(st.characters(exclude_characters="0123456789:")))
def test_text_without_digits_shares_the_unknown_network(text):
    assert client_network(text) == client_site(text) == UNKNOWN


@pytest.mark.parametrize("text", ["", "unix:", "1.2.3", "01.2.3.4", "1.2.3.4.5:6", "[]:80", "[1.2", ":::", "_hidden"])
def test_malformed_address_shares_the_unknown_network(text):
    assert client_network(text) == client_site(text) == UNKNOWN
