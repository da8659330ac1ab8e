"""Settings: where they come from, and that a mistake is told."""

from __future__ import annotations

import re

import pytest

from screening import config
from screening.config import ROOT, SETTINGS, SettingsError, read


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "settings.toml").write_text(
        'secure = true\nproxies = 1\nhosts = ["a.example", "b.example"]'
    )
    values = read(environ={"SCREENING_PROXIES": "2"})
    assert (values["SECURE"], values["PROXIES"], values["HOSTS"]) == (True, 2, ("a.example", "b.example"))
    assert values["SURFACES"] == ("visitor", "staff")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SCREENING_HOST", "a", r"SCREENING_HOST is not a setting; did you mean SCREENING_HOSTS\?"),
        ("SCREENING_SECURE", "maybe", r"SCREENING_SECURE is 'maybe', but it takes true or false"),
        ("SCREENING_PROXIES", "-1", r"SCREENING_PROXIES is '-1', but it takes a whole number"),
        ("SCREENING_LIMIT", "lots", r"SCREENING_LIMIT is 'lots', but it takes a rate such as 120 per minute"),
        ("SCREENING_K", "4", r"SCREENING_K is '4', but it must be at least 5"),
        ("SCREENING_SURFACES", "visitors", r"SCREENING_SURFACES is 'visitors', but it takes one or both"),
    ],
)
def test_a_mistake_is_told_in_one_line(name, value, message):
    with pytest.raises(SettingsError, match=message):
        read(environ={name: value})


def test_a_storage_of_limits_of_no_known_kind_stops_the_start(make_site):
    with pytest.raises(SettingsError, match="SCREENING_LIMIT_STORAGE: "):
        make_site(LIMIT_STORAGE="nowhere://127.0.0.1")


def test_a_database_that_cannot_be_meant_stops_the_start(make_site):
    with pytest.raises(SettingsError, match="must start with postgresql"):
        make_site(DATABASE_URL="mysql://somewhere/else")


def test_the_readme_lists_every_setting_with_its_default():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `SCREENING_(\w+)` \|", readme, re.MULTILINE))
    assert listed == {setting.name for setting in SETTINGS}
