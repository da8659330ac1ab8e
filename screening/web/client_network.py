"""The network of a client's address, which limits count instead of the address. Pure: the standard library only.

One IPv6 client has a /64 with 2^64 addresses; a site has a /48 and may use each of its /64.
"""

import ipaddress
import re

UNKNOWN = "unknown"
"""The network of everything that is no IP address."""

_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::[0-9]*)?|(?P<four>[0-9.]+)(?::[0-9]*)?", re.ASCII)


def client_network(address: str) -> str:
    """Return the address for IPv4, also within IPv6 (``::ffff:…``), and the /64 for IPv6. Ports and zones are cut."""
    return _prefix(address, 64)


def client_site(address: str) -> str:
    """Return the wider network: the /48 for IPv6, and for IPv4 the address."""
    return _prefix(address, 48)


def _prefix(address: str, bits: int) -> str:
    text = address.strip()
    with_port = _PORT.fullmatch(text)
    if with_port:
        text = with_port["six"] or with_port["four"] or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(found) >> 128 - bits << 128 - bits, bits)))
        found = found.ipv4_mapped
    return str(found)
