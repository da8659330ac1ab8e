"""SECURITY.md names what is there: files, tests, requirements; and what it says our code never does, it does not."""

from __future__ import annotations

import ast
import re

import pytest

from screening.config import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TABLE = TEXT.partition("## OWASP ASVS")[2]

SECTIONS = {
    1: {1: 2, 2: 9, 3: 11, 4: 3, 5: 2},
    2: {1: 3, 2: 3, 3: 4, 4: 1},
    6: {1: 3, 2: 12, 3: 4, 4: 4, 5: 5, 6: 3, 8: 4},
    7: {1: 3, 2: 4, 3: 2, 4: 5, 5: 2, 6: 2},
    8: {1: 2, 2: 3, 3: 1, 4: 1},
    11: {1: 2, 2: 3, 3: 3, 4: 4, 5: 1, 6: 1},
    16: {1: 1, 2: 5, 3: 4, 4: 3, 5: 3},
}
"""How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has: within a section they come first."""

CODE = [*(ROOT / "screening").rglob("*.py"), ROOT / "wsgi.py"]


def rows():
    """The lines of the requirements: id, what it asks, files, tests, gap."""
    lines = [line for line in TABLE.splitlines() if line.startswith("| v5")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(row) == 5 for row in found)
    return found


def test_table_lists_each_level_1_and_2_requirement_once():
    wanted = {
        f"v5.0.0-{chapter}.{section}.{number}"
        for chapter, sections in SECTIONS.items()
        for section, count in sections.items()
        for number in range(1, count + 1)
    }
    ids = [row[0] for row in rows()]
    assert len(ids) == len(set(ids))
    assert set(ids) == wanted


def test_each_row_names_tests_or_gives_a_reason():
    for id_, asks, where, tests, gap in rows():
        assert asks, id_
        if not tests:
            assert gap.startswith(("does not apply", "**gap**", "read, not tested: ")), id_
        assert where or not tests or "test_security_table.py" in tests, id_


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/.-]+\.(?:py|md|html|toml))`", TEXT))))
def test_every_named_file_exists(name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]*::[^`]*)`", TEXT))))
def test_every_named_test_exists(name):
    file, _, test = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def names_used(tree):
    """Modules that are imported, and names that are called, in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def users_of(*forbidden):
    found = {}
    for file in CODE:
        used = set(names_used(ast.parse(file.read_text(encoding="utf-8")))) & set(forbidden)
        if used:
            found[file.relative_to(ROOT).as_posix()] = used
    return found


def test_code_calls_no_eval_unsafe_loader_or_shell():
    assert users_of("eval", "exec", "compile", "os.system", "os.popen", "pickle", "marshal", "shelve", "yaml") == {}
    for file in CODE:
        assert "shell=True" not in file.read_text(encoding="utf-8"), file


def test_code_uses_no_weak_hash_or_weak_random():
    assert users_of("hashlib.md5", "hashlib.sha1", "hashlib.new", "random.random", "random.choice") == {}


def test_only_the_mailer_uses_a_network_client():
    assert users_of("urllib.request", "http", "requests", "httpx", "ftplib", "telnetlib") == {}
    assert set(users_of("smtplib")) == {"screening/outbox/smtp.py"}
