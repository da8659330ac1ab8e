"""gzip for large pages that are shown once (start, summary, consultation).

A question (6 kB) fits the first flight (14 kB, RFC 6928). Only for GET pages without attacker-chosen text, because the
size of a compressed page could reveal its form token (BREACH, https://breachattack.com).
"""

import gzip

from flask import Response, make_response
from werkzeug.datastructures import Accept

COMPRESSION_LEVEL = 5
"""Of gzip's 1 to 9: higher levels save next to nothing on our pages."""


def with_compression(page: str, accepted: Accept) -> Response:
    """Return a response with the page, compressed for a browser that accepts gzip (``Accept-Encoding``)."""
    response = make_response(page)
    response.vary.add("Accept-Encoding")
    if accepted["gzip"]:
        response.set_data(gzip.compress(response.get_data(), COMPRESSION_LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response
