"""Pages that are compressed because it pays: those that a visitor meets once, and that are large.

A question has 6 kB. It fits what a server sends before the first word comes back (14 kB: RFC 6928), so compressing it
would cost a third of its time, twenty times a walk, and save no way there and back. The start page, the summary and the
consultation have 7 to 17 kB and are shown about once.

A compressed page whose size tells of its form token must not hold what an attacker chose (BREACH, https://breachattack.com).
So this is for pages that are looked at, never for one that shows what another site could have put into the request.
"""

from __future__ import annotations

import gzip

from flask import Response, make_response, request

LEVEL = 5
"""Of gzip's 1 to 9: from here on more work saves next to nothing on our pages."""


def packed(page: str) -> Response:
    """A page, compressed for a browser that takes gzip."""
    response = make_response(page)
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"]:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response
