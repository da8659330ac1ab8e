"""Rules for the files of the repository: pinned packages, built assets, and forbidden content."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess

import brotli
import pytest

from screening.config import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_tracked_files_name_no_package_registry():
    hosts = re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)", "--(extra-)?index" + "-url"])
    )
    for name in TRACKED:
        if name.endswith((".br", ".gz", ".png", ".mo")) or name == "tests/architecture/test_tree.py":
            continue
        text = (ROOT / name).read_text(encoding="utf-8").replace("--no-emit-index-url", "")
        assert not hosts.search(text), name


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_every_package_is_pinned_with_hashes(name):
    text = (ROOT / name).read_text()
    packages = re.split(r"\n(?=[a-z])", text)[1:]
    assert len(packages) > 20
    for package in packages:
        assert re.match(r"[a-z0-9._\[\]-]+==\S+", package) and "--hash=sha256:" in package, package[:60]


def test_every_package_of_setup_cfg_is_pinned():
    text = (ROOT / "setup.cfg").read_text()
    wanted = re.search(r"install_requires =\n((?:    .+\n)+)", text)
    assert wanted is not None
    pinned = (ROOT / "requirements.txt").read_text()
    for package in wanted[1].split():
        assert re.search(rf"^{package.split('[')[0]}==", pinned, re.MULTILINE), package


def test_built_files_match_their_hash_and_compressed_forms():
    folder = ROOT / "static" / "dist"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {
        "visitor.css",
        "summary.css",
        "consultation.css",
        "staff.css",
        "staff.js",
        "visitor.js",
        "icon.svg",
    }
    for file in manifest.values():
        data = (folder / file).read_bytes()
        assert hashlib.sha256(data).hexdigest()[:10] == file.split(".")[1]
        assert brotli.decompress((folder / f"{file}.br").read_bytes()) == data
    expected = {f"{file}{end}" for file in manifest.values() for end in ("", ".br", ".gz")} | {"manifest.json"}
    assert {file.name for file in folder.iterdir()} == expected


def test_built_script_and_icon_match_their_source():
    manifest = json.loads((ROOT / "static" / "dist" / "manifest.json").read_text())
    for name in ("visitor.js", "staff.js", "icon.svg"):
        built = (ROOT / "static" / "dist" / manifest[name]).read_bytes()
        assert built == (ROOT / "static" / "src" / name).read_bytes(), "run make css"


def test_nosec_comments_name_the_rule_and_the_reason():
    nosec_lines = []
    for name in TRACKED:
        if name.endswith(".py") and not name.startswith("tests/"):
            for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
                if re.search(r"#\s*nosec", line):
                    nosec_lines.append(name)
                    assert re.search(r"# nosec B\d{3}  # \w[^#]{10,}$", line), f"{name}: {line.strip()}"
    assert nosec_lines
