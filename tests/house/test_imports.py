"""Who may import whom: the wings stay apart, and the ground floor stands alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from screening.config import ROOT

PACKAGE = ROOT / "screening"
SHARED = {"questionnaire", "web", "keyring", "clinic", "config", "extensions", "audit", "command", "outbox"}
SHARED |= {"erasing", "patience"}
WINGS = {"visit", "callback", "responses", "staff"}
GROUND_FLOOR = {"questionnaire", "callback.promise", "responses.anonymise"}
DOORS = {("visit", "responses"), ("callback", "responses")}
"""Through a door only the names the wing itself hands out may be used."""

HOUSE = {"", "cli", "operations", "migrations"}
"""The factory, the commands and operations may import all."""

STAFF_GUARDS = {"callback", "responses"}


def modules() -> dict[str, Path]:
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


def imports(file: Path) -> set[str]:
    """What a file imports of ours, as dotted names below ``screening``; ``""`` is the package itself."""
    ours = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [
                n if (PACKAGE.parent / Path(*n.split("."))).exists() or is_module(n) else str(node.module)
                for n in inside
            ]
        else:
            continue
        ours |= {name.removeprefix("screening").lstrip(".") for name in names if name.split(".")[0] == "screening"}
    return ours


def is_module(name: str) -> bool:
    return (PACKAGE.parent / Path(*name.split("."))).with_suffix(".py").exists()


def wing(module: str) -> str:
    return module.split(".")[0]


def complaints(module: str, imported: set[str]) -> list[str]:
    found = []
    for other in imported:
        here, there = wing(module), wing(other)
        if here == there and module not in GROUND_FLOOR:
            continue
        ground = module in GROUND_FLOOR or here in GROUND_FLOOR
        if ground and there != here:
            found.append(f"{module} is ground floor and imports {other}")
        elif here in WINGS and there not in SHARED:
            door = (here, other) in DOORS or (there == "staff" and here in STAFF_GUARDS)
            if not door:
                found.append(f"{module} imports {other}, another wing's")
        elif here in SHARED and there not in SHARED:
            found.append(f"{module} is shared and imports {other}")
    return found


@pytest.mark.parametrize("module", sorted(modules()))
def test_packages_import_only_what_the_rule_allows(module):
    if wing(module) in HOUSE:
        return
    assert complaints(module, imports(modules()[module])) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("questionnaire.path", "clinic"),
        ("visit.views", "responses.models"),
        ("visit.views", "staff"),
        ("responses.inbox", "visit.forms"),
        ("web.site", "visit.views"),
        ("keyring", "visit.views"),
        ("responses.anonymise", "extensions"),
    ],
)
def test_import_rule_detects_a_violation(module, imported):
    assert complaints(module, {imported})


def test_import_rule_allows_public_interfaces():
    assert not complaints("visit.views", {"responses", "web.drafts", "questionnaire", "clinic"})
    assert not complaints("responses.inbox", {"questionnaire.path", "extensions", "responses.models"})


@pytest.mark.parametrize("module", [m for m in sorted(modules()) if wing(m) == "questionnaire"])
def test_questionnaire_core_imports_only_the_standard_library(module):
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for name in names:
            top = name.split(".")[0]
            assert top == "screening" or top in sys.stdlib_module_names, f"{module} imports {name}"
            assert top not in ("time", "datetime", "random"), f"{module} reads a clock or throws dice"


VERIFIER = "responses.verify"


def of_verifier(module: str) -> bool:
    return module == VERIFIER or module.startswith(f"{VERIFIER}.")


@pytest.mark.parametrize("module", [m for m in sorted(modules()) if of_verifier(m)])
def test_verifier_imports_no_other_package(module):
    assert [name for name in imports(modules()[module]) if not of_verifier(name)] == []
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            tops = {n.name for n in node.names} if isinstance(node, ast.Import) else {str(node.module)}
            assert all(top.split(".")[0] in (*sys.stdlib_module_names, "screening") for top in tops)
            assert not tops & {"importlib", "runpy"}, f"{module} imports by a name nobody can read here"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from screening.responses import anonymise", "responses.anonymise"),
        ("from screening.responses.ladders import Ladders", "responses.ladders"),
        ("import screening.responses.files", "responses.files"),
    ],
)
def test_import_of_release_code_by_the_verifier_is_detected(tmp_path, text, found):
    file = tmp_path / "verify.py"
    file.write_text(text)
    assert [name for name in imports(file) if not of_verifier(name)] == [found]


def test_visitor_process_never_loads_staff_code():
    import subprocess

    code = (
        "import sys; from tests.support.bare_site import site; site(('visitor',)); "
        "assert not [m for m in sys.modules if m.startswith('screening.staff')]; "
        "site(('visitor', 'staff')); assert 'screening.staff' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
