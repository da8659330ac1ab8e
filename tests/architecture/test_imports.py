"""Import rules beside those of import-linter (pyproject.toml): pure modules, the verifier, the visitor process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from screening.config import ROOT

PACKAGE = ROOT / "screening"
PURE = (
    *sorted((PACKAGE / "questionnaires").glob("*.py")),
    *(PACKAGE / "callbacks" / name for name in ("business_hours.py", "workflow.py")),
    *(PACKAGE / "releases" / "anonymise.py", PACKAGE / "crypto" / "sealed_box.py"),
)
VERIFIER = sorted((PACKAGE / "releases" / "verify").glob("*.py"))
CLOCKS = ("time", "random", "secrets")
THIRD_PARTY = {"sealed_box.py": ("nacl",)}
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
    assert foreign(names, "screening.questionnaires", "screening.crypto", *THIRD_PARTY.get(file.name, ())) == []
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


def test_visitor_process_never_loads_staff_code() -> None:
    code = (
        "import sys; from tests.support.bare_site import site; site(('visitor',)); "
        "assert not [m for m in sys.modules if m.startswith('screening.staff')]; "
        "site(('visitor', 'staff')); assert 'screening.staff' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
