"""The handbook's pages: known kinds of commands, links and paths that exist, and the commands of one page, run.

The long tests run every page.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from screening.config import ROOT
from screening.questionnaires.model import Choice, Question
from tests.support.handbook import AS_ROOT, CONTAINER_PAGE, DOCS, PAGES, SERVER_PAGES, Checkout, blocks

SMOKE = DOCS / "keys.md"

ELSEWHERE = "sh on-the-server"
"""The fence of commands that need another machine, or a running server that is set up otherwise: no test runs them."""

FENCES = ("sh", "text", "toml", AS_ROOT, ELSEWHERE)

MAX_README_LINES = 129

TOP_PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]

ALLOWED_ELSEWHERE = {
    *("cd", "deploy/nginx/around", "git", "make", "podman", "rsync", "scp", "ssh", "sudo", "systemctl")
}
"""Programs allowed in such a block; commands that can run here belong in a block of their own."""


def test_every_command_of_the_keys_page_succeeds(checkout):
    checkout.run(SMOKE)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```sh\necho one\n```\n\n```text\none\n```\n\n```sh\nfalse\necho never\n```\n", r"page\.md, box 2"),
        ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "'two' is not in"),
    ],
    ids=["failing command", "missing output"],
)
def test_failing_command_or_missing_output_is_detected(tmp_path, text, error):
    (tmp_path / "bare").mkdir()
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=error):
        Checkout(tmp_path / "bare", lambda: None).run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_blocks_use_known_fences_and_allowed_programs(page):
    for block in blocks(page):
        assert block.fence in FENCES, f"{page.name}: ```{block.fence}"
        assert block.fence != AS_ROOT or page in (*SERVER_PAGES, CONTAINER_PAGE), (
            f"{page.name}: no test runs its commands for root"
        )
        if block.fence == ELSEWHERE:
            for line in block.text.splitlines():
                assert line.split()[0] in ALLOWED_ELSEWHERE, f"{page.name}: {line}"
                assert not re.search(r"[;&|`]|\$\(", line), f"{page.name}: one command a line: {line}"


def test_index_lists_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == {page.name for page in PAGES}


def anchors(file: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts generate them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_is_a_short_front_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("file", [*TOP_PAGES, DOCS / "README.md", *PAGES], ids=lambda file: file.name)
def test_every_named_path_exists(file):
    """Paths in backticks below a folder of the repository; ``…`` and ``*`` are patterns, not paths."""
    named = re.findall(r"`((?:screening|templates|tests|static|docs)/[\w/.-]*)`", file.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("file", [*TOP_PAGES, DOCS / "README.md", *PAGES], ids=lambda file: file.name)
def test_every_name_stands_in_the_file_that_is_named_with_it(file):
    """`` `name` in `path` ``, for paths below a folder of the repository."""
    named = re.findall(
        r"`([A-Za-z_]\w*)` (?:in|of) `((?:screening|templates|tests)/[\w/.-]+)`", file.read_text("utf-8")
    )
    assert [pair for pair in named if not re.search(rf"\b{pair[0]}\b", (ROOT / pair[1]).read_text("utf-8"))] == []


def test_questionnaire_page_explains_every_field():
    page = (DOCS / "questionnaire.md").read_text(encoding="utf-8")
    questions, choices = re.split(r"^\| `\[\[questions\.choices", page, flags=re.MULTILINE)
    in_table = [set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]+) \|", part, re.MULTILINE))))
                for part in (questions, choices)]  # fmt: skip
    assert in_table[0] == {field.name for field in fields(Question)} | {"scale", "numbers", "declined"}
    assert in_table[1] == {field.name for field in fields(Choice)}


@pytest.mark.parametrize("file", [*TOP_PAGES, DOCS / "README.md", *PAGES], ids=lambda file: file.name)
def test_every_relative_link_has_a_target(file):
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            assert target.exists(), f"{file.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{file.name}: {link}"
