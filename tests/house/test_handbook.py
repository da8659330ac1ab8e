"""The handbook does what it says: every command in it is run, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from screening.config import ROOT
from tests.support.staff_client import Team

DOCS = ROOT / "docs"
PAGES = sorted(file for file in DOCS.glob("*.md") if file.name != "README.md")

ELSEWHERE = "sh on-the-server"
"""The fence of commands that need root or another machine: they are only read."""

FENCES = ("sh", "text", "toml", ELSEWHERE)

ALLOWED_ELSEWHERE = {
    *("apt-get", "certbot", "chown", "git", "make", "nginx", "rsync", "scp", "ssh", "systemctl", "useradd"),
}
"""What may stand there: nothing that could as well be run here."""

BEFORE_ANYTHING = ("install",)
"""Pages that begin with a bare checkout; the others are read where a site is set up."""

COPIED = ("screening", "templates", "static/dist", "wsgi.py")


@dataclass
class Block:
    """A box of a page: what its fence says, and the lines in it."""

    fence: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The boxes of a page in their order, without what they are moved in by."""
    found, fence, lines, indent = [], None, [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        mark = re.match(r"( *)```(.*)$", line)
        if mark and fence is None:
            indent, fence, lines = mark[1], mark[2].strip(), []
        elif mark:
            found.append(Block(fence or "", "\n".join(lines)))
            fence = None
        elif fence is not None:
            lines.append(line.removeprefix(indent))
    assert fence is None, f"{page.name}: a box without end"
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what runs, with an instance folder of its own."""
    folder = tmp_path / "checkout"
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / "instance").mkdir(mode=0o700)
    return folder


@pytest.fixture
def set_up(checkout: Path, keys: Path, sqlite_template: Path, make_site: Callable[..., Flask]) -> Callable[[], None]:
    """Lays keys, a migrated database and two accounts into the copy, as the page on installing would."""

    def lay() -> None:
        instance = checkout / "instance"
        shutil.copytree(keys, instance / "keys")
        for end in (".sqlite", "-inbox.sqlite"):
            shutil.copy(sqlite_template / f"site{end}", instance / f"screening{end}")
        team = Team(make_site(KEYS=instance / "keys", DATABASE_URL=f"sqlite:///{instance}/screening.sqlite"))
        team.add("admin", "admin")
        team.add("dana", "callbacks")
        (instance / "screening-inbox.sqlite").rename(instance / "inbox.sqlite")

    return lay


def script_of(page: Path, told: Path) -> tuple[str, list[tuple[int, str]]]:
    """The page as one script, which writes what each box says into a file; and what a page says of which box."""
    lines, expected, number = ["set -euo pipefail"], [], -1
    for before, block in zip([None, *blocks(page)], blocks(page), strict=False):
        if block.fence == "sh":
            number += 1
            lines += ["{", block.text, f"}} >{told}/{number} 2>&1"]
        elif block.fence == "text":
            assert before is not None and before.fence == "sh", f"{page.name}: an answer belongs below its commands"
            expected.append((number, block.text))
    return "\n".join(lines), expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_succeeds(page, checkout, set_up, tmp_path):
    if page.stem not in BEFORE_ANYTHING:
        set_up()
    told = tmp_path / "told"
    told.mkdir()
    script, expected = script_of(page, told)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SCREENING_", "FLASK_"))}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = {int(file.name): file.read_text() for file in told.iterdir()}
    last = said.get(max(said, default=0), "")
    assert done.returncode == 0, f"{page.name}, box {max(said, default=0) + 1}: {last}{done.stderr}"
    assert "Traceback" not in "".join(said.values())
    for number, text in expected:
        for line in text.splitlines():
            wanted = r"\s+".join(re.escape(word).replace("…", ".*") for word in line.split())
            assert re.search(wanted, said[number]), f"{page.name}: {line!r} is not in {said[number]!r}"


def test_failing_command_or_missing_output_is_detected(checkout, tmp_path, set_up):
    """The control: a box that fails stops the page, and so does an answer that does not come."""
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one\n```\n\n```text\none\n```\n\n```sh\nfalse\necho never\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, box 2"):
        test_every_command_of_a_page_succeeds(page, checkout, set_up, tmp_path)
    page.write_text("```sh\necho one\n```\n\n```text\ntwo\n```\n")
    shutil.rmtree(tmp_path / "told")
    shutil.rmtree(checkout / "instance")
    (checkout / "instance").mkdir()
    with pytest.raises(AssertionError, match="'two' is not in"):
        test_every_command_of_a_page_succeeds(page, checkout, set_up, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_blocks_use_known_fences_and_allowed_programs(page):
    for block in blocks(page):
        assert block.fence in FENCES, f"{page.name}: ```{block.fence}"
        if block.fence == ELSEWHERE:
            for line in block.text.splitlines():
                words = [word for word in line.split() if word != "sudo"]
                program = words[2] if line.startswith("sudo -u ") else words[0]
                assert program in ALLOWED_ELSEWHERE, f"{page.name}: {line}"
                assert not re.search(r"[;&|`]|\$\(", line), f"{page.name}: one command a line: {line}"


def test_index_lists_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == {page.name for page in PAGES}


def anchors(file: Path) -> set[str]:
    """The places of a page that can be linked to, as code hosts name them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", ROOT / "SECURITY.md", DOCS / "README.md", *PAGES], ids=lambda file: file.name
)
def test_every_relative_link_has_a_target(file):
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            assert target.exists(), f"{file.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{file.name}: {link}"
