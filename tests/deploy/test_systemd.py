"""The systemd units: valid by systemd's own check, and hardened."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.operations import server

SHIPPED = ROOT / "deploy" / "systemd"
UNITS = (
    "screening-web@8001.service",
    "screening-worker.service",
    "screening-backup.service",
    "screening-doctor.service",
)
MAX_EXPOSURE = 1.5
"""Maximum exposure, of 10, by systemd's own measure. A unit without hardening has over 9."""


@pytest.fixture
def unit_root(tmp_path: Path) -> Path:
    """A root folder with the units where the README installs them; the site is at its present path."""
    units = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(SHIPPED, units)
    for file in (file for file in units.rglob("*") if file.is_file()):
        text = file.read_text().replace("/srv/screening/.venv/bin", str(Path(sys.executable).parent))
        file.write_text(text.replace("/srv/screening", str(ROOT)))
    return tmp_path


def analyze(*arguments: str, **environment: str) -> str:
    """Return the output of ``systemd-analyze``, of both streams."""
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: make test installs it, or prints how"
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )
    return done.stdout + done.stderr


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(SHIPPED / name)
    return parsed


def test_units_pass_systemd_analyze_verify(unit_root):
    units = unit_root / "etc" / "systemd" / "system"
    files = [units / name for name in (*UNITS, "screening-backup.timer", "screening-doctor.timer")]
    assert analyze("verify", *map(str, files), SYSTEMD_UNIT_PATH=f"{units}:") == ""
    web = units / "screening-web@.service"
    web.write_text(web.read_text().replace("Restart=", "Restrat="))
    assert "Unknown key 'Restrat'" in analyze("verify", str(files[0]), SYSTEMD_UNIT_PATH=f"{units}:"), (
        "the control: a faulty unit is reported"
    )


@pytest.mark.parametrize("name", UNITS)
def test_unit_exposure_stays_under_the_limit(unit_root, name):
    found = re.search(
        r"exposure level for \S+ ([\d.]+)", analyze("security", "--offline=true", f"--root={unit_root}", name)
    )
    assert found and float(found[1]) <= MAX_EXPOSURE
    shutil.rmtree(unit_root / "etc" / "systemd" / "system" / "screening-.service.d")
    bare = re.search(
        r"exposure level for \S+ ([\d.]+)", analyze("security", "--offline=true", f"--root={unit_root}", name)
    )
    assert bare and float(bare[1]) > 9, "the drop-in is necessary"


def test_web_unit_permits_the_threads_of_its_worker_processes():
    service = (SHIPPED / "screening-web@.service").read_text()
    workers, tasks = (
        int(found) for found in re.findall(r"^(?:Environment=GRANIAN_WORKERS|TasksMax)=(\d+)$", service, re.M)
    )
    threads = int(server.FLAGS[server.FLAGS.index("--blocking-threads") + 1])
    assert tasks >= workers * (threads + 12) + 40, "a server that may not start a thread ends"


def test_only_the_web_unit_has_read_only_keys():
    for file in SHIPPED.glob("*.service"):
        read_only = unit(file.name)["Service"].get("ReadOnlyPaths", "")
        assert (read_only == "-/srv/screening/instance/keys") == (file.name == "screening-web@.service")


def test_unit_commands_exist_in_the_cli():
    command_names = [
        re.search(r"bin/flask ([a-z]+)", unit(name.replace("8001", ""))["Service"]["ExecStart"]) for name in UNITS
    ]
    assert [found and found[1] for found in command_names] == ["serve", "worker", "backup", "doctor"]
    assert {"serve", "worker", "backup", "doctor"} <= set(create_commands_app().cli.commands)
