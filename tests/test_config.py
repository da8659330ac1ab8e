"""Settings: their sources, and the report of errors."""

from __future__ import annotations

import re

import pytest

from screening import config
from screening.config import ROOT, SETTINGS, SettingsError, read_settings


def test_environment_overrides_file_and_file_overrides_default(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "settings.toml").write_text(
        'https = true\ntrusted_proxy_count = 1\nallowed_hosts = ["a.example", "b.example"]'
    )
    values = read_settings(environ={"SCREENING_TRUSTED_PROXY_COUNT": "2"})
    assert (values["HTTPS"], values["TRUSTED_PROXY_COUNT"], values["ALLOWED_HOSTS"]) == (
        True,
        2,
        ("a.example", "b.example"),
    )
    assert values["SERVE"] == ("visitor", "staff")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "SCREENING_ALLOWED_HOST",
            "a",
            r"SCREENING_ALLOWED_HOST is not a setting; did you mean SCREENING_ALLOWED_HOSTS\?",
        ),
        ("SCREENING_HTTPS", "maybe", r"SCREENING_HTTPS is 'maybe', but it takes true or false"),
        ("SCREENING_TRUSTED_PROXY_COUNT", "-1", r"SCREENING_TRUSTED_PROXY_COUNT is '-1', but it takes a whole number"),
        (
            "SCREENING_RATE_LIMIT_FORMS",
            "lots",
            r"SCREENING_RATE_LIMIT_FORMS is 'lots', but it takes a rate such as 120 per minute",
        ),
        ("SCREENING_MIN_GROUP_SIZE", "4", r"SCREENING_MIN_GROUP_SIZE is '4', but it must be at least 5"),
        ("SCREENING_SERVE", "visitors", r"SCREENING_SERVE is 'visitors', but it takes one or both"),
    ],
)
def test_invalid_setting_error_names_the_expected_value(name, value, message):
    with pytest.raises(SettingsError, match=message) as error:
        read_settings(environ={name: value})
    assert "\n" not in str(error.value)


def test_unknown_rate_limit_storage_stops_startup(make_site):
    with pytest.raises(SettingsError, match="SCREENING_RATE_LIMIT_STORAGE_URL: "):
        make_site(RATE_LIMIT_STORAGE_URL="nowhere://127.0.0.1")


def test_unsupported_database_url_stops_startup(make_site):
    with pytest.raises(SettingsError, match="must start with postgresql"):
        make_site(DATABASE_URL="mysql://somewhere/else")


def test_configuration_page_lists_every_setting_and_default():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `SCREENING_(\w+)` \| (.*?) \| \S.* \|$", page, re.MULTILINE))
    described = {
        "DATABASE_URL": "two SQLite files in `instance/`",
        "STAFF_URL": "`/staff` under `SCREENING_SITE_URL`",
        "MAIL_TO_LEAD": "`SCREENING_MAIL_TO_STAFF`",
        "MAIL_CA": "those the system trusts",
    }
    defaults = {setting.name: setting.default.removeprefix(f"{ROOT}/") for setting in SETTINGS}
    assert listed == {
        name: f"`{default}`" if default else described.get(name, "none") for name, default in defaults.items()
    }
