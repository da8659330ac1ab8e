"""The WSGI application with sign-ins in the places of visitors and unbounded hashing, for controls."""

from __future__ import annotations

from screening.staff import passwords
from screening.web.bulkhead import Bulkhead
from screening.web.middleware import load_shedding

load_shedding.HASHES_PASSWORDS = ()
passwords.HASHING = Bulkhead(at_once=1000, waiting=0, longest_wait=0)

from wsgi import app  # noqa: E402  after the changes

__all__ = ["app"]
