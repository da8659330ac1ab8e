"""Run the handbook: its pages, their code blocks, and a checkout to run the commands in."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from screening.config import ROOT
from tests.support import processes
from tests.support.staff_client import Team

DOCS = ROOT / "docs"
PAGES = sorted(file for file in DOCS.glob("*.md") if file.name != "README.md")

AS_ROOT = "sh as-root"
"""The fence of commands for root on the server."""

SERVER_PAGES = [DOCS / f"{name}.md" for name in ("install", "upgrade", "backup")]
"""The pages of such commands, in the order in which they are run on one server (tests/long/test_installation.py)."""

CONTAINER_PAGE = DOCS / "container.md"
"""The page whose commands for root are run in containers (tests/long/test_container.py)."""

COPIED_PATHS = ("screening", "templates", "static/dist", "wsgi.py")


@dataclass
class Block:
    """A code block of a page: the language of its fence, and its text."""

    fence: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in order, without their indentation."""
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
    assert fence is None, f"{page.name}: a code block without end"
    return found


def check_output(page: Path, expected: str, printed: str) -> None:
    """Fail unless each expected line is in the output; … stands for any text."""
    for line in expected.splitlines():
        pattern = r"\s+".join(re.escape(word).replace("…", ".*") for word in line.split())
        assert re.search(pattern, printed), f"{page.name}: {line!r} is not in {printed!r}"


def script_of(page: Path, folder: Path) -> tuple[str, list[tuple[int, str]]]:
    """Return the page as a shell script that writes each block's output to a file, and the output the page expects."""
    lines, expected, number = ["set -euo pipefail"], [], -1
    for before, block in zip([None, *blocks(page)], blocks(page), strict=False):
        if block.fence == "sh":
            number += 1
            lines += ["{", block.text, f"}} >{folder}/{number} 2>&1"]
        elif block.fence == "text" and before is not None and before.fence != AS_ROOT:
            assert before.fence == "sh", f"{page.name}: expected output must follow its commands"
            expected.append((number, block.text))
    return "\n".join(lines), expected


@dataclass
class Checkout:
    """A copy of the checkout with its own instance folder. ``set_up`` creates keys, a database and two accounts."""

    folder: Path
    set_up: Callable[[], None]

    def run(self, page: Path) -> None:
        """Run every command of a page in order; fail if one fails or its output lacks what the page shows."""
        self.set_up()
        outputs = self.folder.parent / "outputs"
        outputs.mkdir()
        script, expected = script_of(page, outputs)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=processes.environment(HOME=self.folder.parent),
            capture_output=True,
            text=True,
            timeout=processes.TEST_TIMEOUT,
        )
        printed = {int(file.name): file.read_text() for file in outputs.iterdir()}
        last = printed.get(max(printed, default=0), "")
        assert done.returncode == 0, f"{page.name}, box {max(printed, default=0) + 1}: {last}{done.stderr}"
        assert "Traceback" not in "".join(printed.values())
        for number, text in expected:
            check_output(page, text, printed[number])


@pytest.fixture
def checkout(tmp_path: Path, keys: Path, sqlite_template: Path, make_site: Callable[..., Flask]) -> Checkout:
    folder = tmp_path / "checkout"
    for name in COPIED_PATHS:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / "instance").mkdir(mode=0o700)

    def set_up() -> None:
        instance = folder / "instance"
        shutil.copytree(keys, instance / "keys")
        for end in (".sqlite", "-pending.sqlite"):
            shutil.copy(sqlite_template / f"site{end}", instance / f"screening{end}")
        team = Team(make_site(KEYS_DIR=instance / "keys", DATABASE_URL=f"sqlite:///{instance}/screening.sqlite"))
        team.add("admin", "admin")
        team.add("dana", "callbacks")
        (instance / "screening-pending.sqlite").rename(instance / "pending.sqlite")

    return Checkout(folder, set_up)
