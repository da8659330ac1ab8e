"""The address that an authenticator app reads: any name of a clinic gives one that it understands."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screening.staff.two_factor import Codes
from tests.support.mail_site import MailSite
from tests.support.visitor import Visitor

names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).map(str.strip).filter(bool)


@given(names)
@example("Clinic: Spine & Pain")
@example("::")
def test_any_clinic_name_gives_a_valid_app_address(name):
    codes = Codes(lambda: 0.0, name)
    address = urlsplit(codes.get_totp_uri("ann@clinic.example", codes.generate_totp_secret()))
    (issuer,) = parse_qs(address.query, strict_parsing=True)["issuer"]
    assert issuer == name.replace(":", " ") and address.scheme == "otpauth"
    label = unquote(address.path.removeprefix("/"))
    assert label.endswith("ann@clinic.example") and label.count(":") <= 1


@pytest.mark.parametrize("name", ["Clinic: Spine & Pain", 'Clínica "Ñ" <of> Tests, Inc.'])
def test_site_with_an_unusual_clinic_name_starts_and_sends_mail(
    make_mail_site, mail_server, clock, own_clinic, tmp_path, name
):
    file = tmp_path / "clinic.toml"
    text = re.sub(
        r"^(name|mail_name) = .*$", lambda found: f"{found[1]} = '{name}'", own_clinic.read_text(), flags=re.M
    )
    file.write_text(text)
    site = make_mail_site(mail_server.port, CLINIC_FILE=file)
    assert name in Visitor(site).get("/").title
    mail_site = MailSite(site, clock)
    mail_site.request_call()
    assert mail_site.deliver() == 2
    assert {mail["From"].addresses[0].display_name for mail in mail_server.arrived} == {name}
