"""Rules against flaky tests: no wall clock, one way to assert absence, no imports between test modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening.config import ROOT

TESTS = ROOT / "tests"
MODULES = [
    file
    for file in sorted(TESTS.rglob("*.py"))
    if file.relative_to(TESTS).parts[0] not in ("bench", "long", "support") and file != Path(__file__)
]
CLOCKS = {"perf_counter", "monotonic", "sleep", "time.time", "datetime.now", "date.today", "utcnow"}
LOGS = ("caplog", "read_text", "read_bytes", "stderr", "stdout", "capsys", "dump")
SECRET_WORDS = ("zentin", "secret", "password", "token", "reference", "code")
LONGEST_NAME = 60


def calls(tree: ast.AST) -> Iterator[str]:
    """Generate the attributes and imported names of a module, dotted and plain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ".".join(ast.unparse(node).split(".")[-2:])
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def wall_clocks(tree: ast.AST) -> set[str]:
    """Return the clock functions that a module uses."""
    return CLOCKS & set(calls(tree))


def unguarded(tree: ast.AST) -> list[str]:
    """Return comparisons that search logs, output or files without ``assert_absent``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn):
            needle, haystack = ast.unparse(node.left).lower(), ast.unparse(node.comparators[0])
            in_log = any(word in haystack for word in LOGS) and needle not in ("'traceback'", '"traceback"')
            in_page = haystack.endswith((".text", ".data")) and any(word in needle for word in SECRET_WORDS)
            if in_log or in_page:
                found.append(ast.unparse(node))
    return found


def imported_modules(tree: ast.AST) -> list[str]:
    """Return the test modules that a module imports, except those of ``tests.support`` and ``tests.bench``."""
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return [
        name for name in named if name.startswith("tests.") and not name.startswith(("tests.support", "tests.bench"))
    ]


def parsed(file: Path) -> ast.AST:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("check", [wall_clocks, unguarded, imported_modules])
def test_test_modules_violate_no_rule(check):
    files = [*MODULES, *(TESTS / "long").rglob("*.py")] if check is imported_modules else MODULES
    found = {str(file.relative_to(ROOT)): check(parsed(file)) for file in files}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (wall_clocks, "began = time.perf_counter()"),
        (wall_clocks, "from time import sleep"),
        (wall_clocks, "now = datetime.now(UTC)"),
        (unguarded, "assert name not in caplog.text"),
        (unguarded, "assert 'zentinela' not in page.text"),
        (imported_modules, "from tests.staff.test_authentication_views import rows"),
        (imported_modules, "import tests.conftest"),
    ],
)
def test_rule_violation_is_detected(check, line):
    assert check(ast.parse(line))


def test_names_of_tests_are_short():
    long = [
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > LONGEST_NAME
    ]
    assert long == []
