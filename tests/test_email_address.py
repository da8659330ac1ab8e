"""E-mail addresses: every accepted one is a single recipient, in a header and in a link."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.email_address import normalize_email
from tests.support.queue_pages import open_request
from tests.support.sample_patient import FORM
from tests.support.visitor import Visitor

LETTERS = "abz09!#$%&'*+-/=?^_`{|}~."


@pytest.mark.parametrize(
    "text", ["=?utf-8?q?evil=40example.net?=@example.org", "a=?b@example.org", "a@b", "", "a b@c.de"]
)
def test_encoded_word_or_malformed_address_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        normalize_email(text)


def test_python_decodes_an_encoded_word_in_an_address():
    """The control: without the rule, the header names another recipient."""
    message = EmailMessage()
    message["To"] = "=?utf-8?q?evil=40example.net?=@example.org"
    assert "evil@example.net" in str(message["To"])


@given(st.text(LETTERS, min_size=1, max_size=20))
def test_accepted_address_is_the_only_recipient_of_the_header(local):
    try:
        address = normalize_email(f"{local}@example.org")
    except ValueError:
        return
    message = EmailMessage()
    message["To"] = address
    assert [found.addr_spec for found in message["To"].addresses] == [address]


def test_mailto_link_at_the_desk_holds_the_address_only(team, request_call):
    """In a link, ``?`` and ``&`` of an address would begin further header fields, such as a blind copy."""
    odd = "rosa?bcc=other%40example.net&x@example.org"
    request_call(Visitor(team.site), **{**FORM, "phone": "", "email": odd, "reach_by": "email"})
    ann = team.sign_in("ann", "callbacks")
    (link,) = {a["href"] for a in open_request(ann).main.select("a[href^='mailto:']")}
    assert urlsplit(link).query == "" and unquote(link.removeprefix("mailto:")) == odd
