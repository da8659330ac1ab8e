"""A patient whose every value is a sentinel: it occurs nowhere else, so finding it shows a leak."""

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
    "reach_by": "phone",
    "message": "zentinelmessage words, on two\nlines",
}
"""The values of the call-back form."""

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
"""The same values as the site stores them; the patient prefers email."""

SECRETS = ("Zentinelarosa", "Rosazentinelita", PHONE, "zentinelapatient", "zentinelmessage")
"""Texts that only pages of the patient and of staff may show, for ``assert_absent``."""


def reference_on(page: Page) -> str:
    """Return the reference that a page shows."""
    shown = page.main.find("dl", class_="app-ref")
    assert shown is not None, page.words
    return shown.find("dd").get_text()  # type: ignore[union-attr]
