"""Files and tests named in SECURITY.md exist, and the code uses none of the functions that it rules out."""

from __future__ import annotations

import ast
import re

import pytest

from screening.config import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
CODE = [*(ROOT / "screening").rglob("*.py"), ROOT / "wsgi.py"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/.-]+\.(?:py|md|html|toml))`", TEXT))))
def test_every_named_file_exists(name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]*::[^`]*)`", TEXT))))
def test_every_named_test_exists(name):
    file, _, test = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def rows(heading):
    """Return the cells of each row of the tables with this first cell in their heading."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


@pytest.mark.parametrize("row", rows("Requirement"), ids=lambda row: row[0])
def test_each_requirement_names_a_test_or_says_why_not(row):
    _, _, _, test, gap = row
    without = ("does not apply", "**gap**", "read, not tested")
    assert "::" in test or gap.startswith(without)


def test_defense_against_each_attacker_names_a_test():
    attackers = [(row[0], row[1]) for row in rows("Attacker")]
    defended, proven = attackers[: len(attackers) // 2], attackers[len(attackers) // 2 :]
    assert len(defended) == len(proven) > 5
    for (attacker, _), (named, tests) in zip(defended, proven, strict=True):
        assert attacker.startswith(named) and "::" in tests


def names_used(tree):
    """Generate the modules that a file imports, and the names that it calls."""
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
        named = [
            node.arg for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.keyword)
        ]
        assert "shell" not in named, file


def test_code_builds_no_page_from_a_string():
    assert users_of("render_template_string", "flask.render_template_string", "jinja2.Template") == {}
    calls = {name.rpartition(".")[2] for file in CODE for name in names_used(ast.parse(file.read_text("utf-8")))}
    assert "get_template" in calls, "the control: calls of methods are found"
    assert "from_string" not in calls


def test_code_uses_no_weak_hash_or_weak_random():
    assert users_of("hashlib.md5", "hashlib.sha1", "hashlib.new", "random.random", "random.choice") == {}


def test_only_the_mailer_uses_a_network_client():
    assert users_of("urllib.request", "http", "requests", "httpx", "ftplib", "telnetlib") == {}
    assert set(users_of("smtplib")) == {"screening/mail/smtp.py"}
