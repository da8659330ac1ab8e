"""``THIRD-PARTY-NOTICES`` names each production package with an allowed license, and what the style sheets contain."""

from __future__ import annotations

import json
import re
from email.message import Message
from importlib.metadata import distributions
from types import SimpleNamespace

import pytest

from screening.config import ROOT
from tests.support import third_party_notices as notices

NOTICES = notices.NOTICES.read_text(encoding="utf-8")
REQUIRED = notices.REQUIREMENTS.read_text(encoding="utf-8")
COPYRIGHT = re.findall(r"^Copyright .+", NOTICES, re.MULTILINE)


def package(name="Some_Package", **fields):
    """A distribution that has metadata and no files; a field is a value or a list of values."""
    metadata = Message()
    for field, values in {"Name": name, **fields}.items():
        for value in [values] if isinstance(values, str) else values:
            metadata[field.replace("_", "-")] = value
    return SimpleNamespace(metadata=metadata, files=None)


def test_required_packages_are_listed_with_allowed_licenses():
    pinned = [line for line in REQUIRED.splitlines() if line and line[0] not in " #"]
    assert len(list(notices.requirements(REQUIRED))) == len(pinned) > 40
    assert notices.problems(REQUIRED, NOTICES) == [], "run make requirements"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("flask 3.1.3: BSD-3-Clause", []),
        ("", ["flask 3.1.3 is missing"]),
        ("flask 3.1.2: BSD-3-Clause", ["flask 3.1.3 is missing", "flask 3.1.2 is not required"]),
        ("flask 3.1.3: GPL-3.0-only", ["flask: GPL-3.0-only is not allowed"]),
        ("flask 3.1.3: unknown", ["flask: unknown is not allowed"]),
    ],
)
def test_wrong_notices_are_refused(row, problem):
    required = "# made\nflask==3.1.3 ; python_version > '3' \\\n    --hash=sha256:0\n"
    assert notices.problems(required, f"flask 3: X\n{notices.HEADING}\n{row}\n    flask/LICENSE\n") == problem


def test_listed_packages_match_their_metadata():
    here = [
        (name, version)
        for name, version in notices.listed(NOTICES)
        if any(found.version == version for found in distributions(name=name))
    ]
    assert len(here) > 40
    for name, version in here:
        assert notices.entry(name, version) in NOTICES, "run make requirements"


@pytest.mark.parametrize("name", ["flask", "no-such-package"])
def test_package_that_is_not_installed_is_refused(name):
    with pytest.raises(SystemExit, match=r"0\.0\.1 is not installed"):
        notices.entry(name, "0.0.1")


def test_main_replaces_the_list_and_keeps_what_is_above(tmp_path, monkeypatch):
    copy = tmp_path / "notices"
    copy.write_text(NOTICES.replace(": MIT\n", ": GPL\n"), encoding="utf-8")
    monkeypatch.setattr(notices, "NOTICES", copy)
    notices.main()
    assert copy.read_text(encoding="utf-8") == NOTICES
    monkeypatch.setattr(notices, "ALLOWED", notices.ALLOWED - {"ISC"})
    with pytest.raises(SystemExit, match="ISC is not allowed"):
        notices.main()


@pytest.mark.parametrize(
    ("fields", "license_"),
    [
        ({"License_Expression": "MIT OR X", "License": "ISC"}, "MIT OR X"),
        ({"License": "ISC"}, "ISC"),
        ({"License": "see file", "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"name": "Flask_WTF", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD-3-Clause"),
        ({"name": "flask-wtf", "Classifier": "License :: OSI Approved :: GPL"}, "GPL"),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, "BSD License"),
        ({"Classifier": ["Framework :: Flask", "License :: A :: MIT License", "License :: Other"]}, "MIT AND Other"),
        ({"License": "Proprietary"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_license_is_read_from_metadata(fields, license_):
    assert notices.license_of(package(**fields)) == license_


@pytest.mark.parametrize(
    ("license_", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR AGPL-3.0-only", False),
        ("MIT AND (MIT OR ISC)", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_license_expression_is_allowed_or_refused(license_, allowed):
    assert notices.is_allowed(license_) is allowed


def test_style_sheets_state_the_copyright_of_their_parts():
    manifest = json.loads((ROOT / "static" / "dist" / "manifest.json").read_text())
    for name in ("visitor.css", "summary.css", "consultation.css", "staff.css"):
        comment = (ROOT / "static" / "dist" / manifest[name]).read_text(encoding="utf-8").partition("*/")[0]
        assert comment.startswith("/*!") and "MIT" in comment
        assert len(COPYRIGHT) == 2 and all(line in comment for line in COPYRIGHT)


def test_notices_name_the_version_of_nhsuk_frontend():
    packages = json.loads((ROOT / "static" / "src" / "package.json").read_text())["devDependencies"]
    assert f"nhsuk-frontend {packages['nhsuk-frontend']} " in NOTICES


def test_notices_name_the_version_of_the_screen_reader():
    folder = ROOT / "tests" / "support" / "virtual_screen_reader"
    packages = json.loads((folder / "package.json").read_text())["devDependencies"]
    assert [f"{name} {version} " in NOTICES for name, version in packages.items()] == [True]
    texts = (folder / "LICENSES").read_text(encoding="utf-8")
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert [name for name in locked if name and f"==> ./{name.removeprefix('node_modules/')}/" not in texts] == []


@pytest.mark.parametrize("name", ["LICENSE", "THIRD-PARTY-NOTICES"])
def test_container_image_and_distribution_contain(name):
    assert re.search(rf"^COPY .*\b{name}\b", (ROOT / "deploy" / "Containerfile").read_text(), re.MULTILINE)
    assert re.search(rf"^license_files =(\n? +\S+)*\n? +{name}$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
