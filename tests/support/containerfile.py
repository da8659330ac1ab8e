"""The container file as a list of steps, and the files of the checkout that are in its build context."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from screening.config import ROOT

SHIPPED = ROOT / "deploy" / "Containerfile"
IGNORE = ROOT / ".dockerignore"


def steps() -> list[tuple[str, str]]:
    """Return each instruction with its arguments, continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", SHIPPED.read_text(), flags=re.MULTILINE))
    return [(line.split()[0], line.partition(" ")[2]) for line in text.splitlines() if line.strip()]


def only_instruction(instruction: str) -> str:
    """Return the arguments of an instruction that occurs exactly once."""
    (found,) = [rest for name, rest in steps() if name == instruction]
    return found


def command() -> list[str]:
    """Return the command that a container runs."""
    words: list[str] = json.loads(only_instruction("CMD"))
    return words


def copies() -> Iterator[tuple[str, str]]:
    """Return the source and target of each COPY."""
    for name, rest in steps():
        if name == "COPY":
            source, target = [word for word in shlex.split(rest) if not word.startswith("--")]
            yield source, target


def build_context(root: Path) -> Iterator[str]:
    """Return the files in the build context: of the ignore file's rules, the last that matches a path decides."""
    rules = [line for line in IGNORE.read_text().splitlines() if line and not line.startswith("#")]
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        path = file.relative_to(root)
        ancestors = [str(ancestor) for ancestor in (path, *path.parents)][:-1]
        seen = True
        for rule in rules:
            pattern = rule.removeprefix("!")
            if any(fnmatch.fnmatch(ancestor, pattern) for ancestor in ancestors):
                seen = rule.startswith("!")
        if seen:
            yield str(path)
