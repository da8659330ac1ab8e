"""A patient whose every word is a sentinel: nothing else holds it, so finding it is finding a leak."""

from __future__ import annotations

from screening.callbacks.contact_details import ContactDetails
from tests.support.visitor import Page

NAME = "Zentinelarosa Ruiz"
PHONE = "(303) 555-0144"

FORM = {
    "name": NAME,
    "say": "Rosazentinelita",
    "patient": "new",
    "phone": PHONE,
    "email": "zentinelapatient@example.org",
    "message": "zentinelmessage words, on two\nlines",
}
"""What she types into the call-back form."""

ROSA = ContactDetails(
    name=NAME,
    say="Rosazentinelita",
    patient="new",
    language="en",
    assistance="",
    phone="+13035550144",
    email="zentinelapatient@example.org",
    reach_by="email",
    days=(),
    parts=(),
    voicemail=False,
    minor=False,
    guardian="",
    guardian_phone="",
    message="zentinelmessage words, on two\nlines",
    news=False,
)
"""The same as the site stores it; she prefers an email."""

SECRETS = ("Zentinelarosa", "Rosazentinelita", PHONE, "zentinelapatient", "zentinelmessage")
"""What nothing but the patient's own pages and the staff's may show, for ``assert_absent``."""


def reference_on(page: Page) -> str:
    """The reference that a page shows."""
    shown = page.main.find("dl", class_="app-ref")
    assert shown is not None, page.words
    return shown.find("dd").get_text()  # type: ignore[union-attr]
