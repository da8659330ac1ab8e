"""Import rules beside those of import-linter (pyproject.toml): pure modules, the verifier, the visitor process."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from screening.config import ROOT

PACKAGE = ROOT / "screening"
PURE = (
    *sorted((PACKAGE / "questionnaires").glob("*.py")),
    *(PACKAGE / "callbacks" / name for name in ("business_hours.py", "phone_numbers.py", "workflow.py")),
    *(PACKAGE / "callbacks" / "reference_code.py", PACKAGE / "web" / "typed_text.py"),
    *(PACKAGE / "releases" / "anonymise.py", PACKAGE / "crypto" / "sealed_box.py"),
)
VERIFIER = sorted((PACKAGE / "releases" / "verify").glob("*.py"))
CLOCKS = ("time", "random", "secrets")
THIRD_PARTY = {"sealed_box.py": ("nacl",), "phone_numbers.py": ("phonenumbers",)}
"""What a pure module may import beside the standard library."""


def imported(text: str) -> list[str]:
    """Return the dotted name of each module that a source text imports; relative imports are refused."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            names.append(str(node.module))
    return names


def foreign(names: list[str], *allowed: str) -> list[str]:
    """Return the modules that are neither in the standard library nor in one of these packages."""
    inside = (*allowed, *(f"{name}." for name in allowed))
    return [
        name
        for name in names
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(inside) and name not in allowed
    ]


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_pure_module_imports_only_models_and_standard_library(file: Path) -> None:
    names = imported(file.read_text(encoding="utf-8"))
    assert (
        foreign(
            names,
            "screening.questionnaires",
            "screening.crypto",
            "screening.web.client_network",
            "screening.web.typed_text",
            *THIRD_PARTY.get(file.name, ()),
        )
        == []
    )
    if file.parent.name != "crypto":
        assert not {name.split(".")[0] for name in names} & set(CLOCKS), (
            "a pure module reads no clock and no random numbers"
        )


@pytest.mark.parametrize("file", VERIFIER, ids=lambda file: file.name)
def test_verifier_imports_no_other_package(file: Path) -> None:
    names = imported(file.read_text(encoding="utf-8"))
    assert foreign(names, "screening.releases.verify") == []
    assert not set(names) & {"importlib", "runpy"}, "a dynamic import cannot be checked"


@pytest.mark.parametrize(
    "text",
    [
        "from screening.releases import anonymise",
        "from screening.releases.hierarchies import Hierarchies",
        "import screening.releases.exporters",
        "import flask",
    ],
)
def test_import_of_another_package_is_detected(text: str) -> None:
    assert foreign(imported(text), "screening.releases.verify")


def test_measured_attack_imports_nothing_of_the_package() -> None:
    text = (ROOT / "screening/releases/attack.py").read_text(encoding="utf-8")
    assert not [name for name in imported(text) if name.split(".")[0] == "screening"]


def test_visitor_process_never_loads_staff_code() -> None:
    code = (
        "import sys; from tests.support.bare_site import site; site(('visitor',)); "
        "assert not [m for m in sys.modules if m.startswith('screening.staff')]; "
        "site(('visitor', 'staff')); assert 'screening.staff' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def missing_names(text: str) -> list[str]:
    """Return what a file imports from the project by a name that does not exist there."""
    missing = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in ("screening", "tests"):
            module = importlib.import_module(str(node.module))
            for name in (alias.name for alias in node.names if not hasattr(module, alias.name)):
                is_package = hasattr(module, "__path__")
                if not is_package or importlib.util.find_spec(f"{node.module}.{name}") is None:
                    missing.append(f"{node.module}.{name}")
    return missing


def test_long_tests_and_bench_import_names_that_exist():
    """``make test`` does not run them, so a rename could leave them behind."""
    files = [file for folder in ("long", "bench", "support") for file in (ROOT / "tests" / folder).rglob("*.py")]
    found = {file.name: missing_names(file.read_text(encoding="utf-8")) for file in files if file.name != "uncached.py"}
    assert {name: names for name, names in found.items() if names} == {}
    assert missing_names("from tests.support.processes import HANGING") == ["tests.support.processes.HANGING"]
