"""The container file: linted, no secret in the build context. Its start script, run; the compose file, read.

``tests/long/test_container.py`` runs both in podman.
"""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml

from screening.config import ROOT, read_settings
from screening.crypto.keyring import PURPOSES
from tests.support.containerfile import SHIPPED, build_context, command, copies, only_instruction, steps
from tests.support.ports import HeldPort
from tests.support.processes import TEST_TIMEOUT, environment

INCLUDED = ("wsgi.py", "requirements.txt", "instance/.gitignore", "screening/web/crisis/en.toml", "templates/a/b.html")
EXCLUDED = (
    *("instance/keys/draft.toml", "instance/clinic.toml", "instance/site.sqlite", "instance/settings.toml"),
    *(".venv/bin/python", ".git/config", "screening/__pycache__/x.pyc", "static/src/app.scss", "tests/conftest.py"),
    *(".env", "backup.sqlite", "deploy/Containerfile"),
)


def test_containerfile_passes_hadolint(tmp_path):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, SHIPPED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    faulty = tmp_path / "Containerfile"
    faulty.write_text("FROM python\nRUN cd /app && sudo true\n")
    assert subprocess.run([hadolint, faulty], capture_output=True).returncode != 0, (
        "the control: hadolint reports a fault"
    )


def test_build_context_holds_only_the_listed_files(tmp_path):
    for name in (*INCLUDED, *EXCLUDED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(build_context(tmp_path)) == set(INCLUDED)


def test_copied_paths_are_tracked_and_in_the_build_context():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for source, target in copies():
        assert [name for name in tracked.splitlines() if name == source or name.startswith(f"{source}/")], source
        assert not target.startswith("/")
        assert source in (ROOT / ".dockerignore").read_text().replace("!", "").splitlines()


def test_containerfile_has_no_secret_and_a_non_root_user():
    assert {name for name, _ in steps()} == {
        "FROM",
        "ENV",
        "WORKDIR",
        "COPY",
        "RUN",
        "VOLUME",
        "USER",
        "EXPOSE",
        "CMD",
        "ARG",
        "HEALTHCHECK",
    }
    assert not re.search(r"SCREENING_|password|secret|token", SHIPPED.read_text(), re.IGNORECASE)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", only_instruction("USER"))
    after_user = [name for name, _ in steps()][[name for name, _ in steps()].index("USER") :]
    assert not {"COPY", "RUN"} & set(after_user), "only instance/ belongs to that user"


def test_container_starts_on_every_address_of_its_exposed_port():
    port = only_instruction("EXPOSE")
    assert command() == ["deploy/start", f"0.0.0.0:{port}"]
    assert f"http://127.0.0.1:{port}/healthz" in only_instruction("HEALTHCHECK")


def test_container_stands_on_debian_13_with_a_tested_python():
    assert only_instruction("ARG") == "PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie"
    assert only_instruction("FROM") == "${PYTHON_IMAGE}"


def test_start_script_makes_keys_migrates_and_serves(tmp_path):
    settings = {"KEYS_DIR": tmp_path / "keys", "CLINIC_FILE": tmp_path / "none.toml"}
    settings["DATABASE_URL"] = f"sqlite:///{tmp_path}/site.sqlite"
    given = environment(**{f"SCREENING_{name}": value for name, value in settings.items()}, GRANIAN_WORKERS="1")
    with HeldPort() as held:
        words = ["deploy/start", f"127.0.0.1:{held.number}"]
        with subprocess.Popen(words, cwd=ROOT, env=given, stderr=subprocess.PIPE) as running:
            try:
                assert running.stderr is not None
                assert any(b"The site is on" in line for line in running.stderr), "it ended before it served"
                assert ready(held.number) == b"database ok\nkeys ok\nmigrations ok\n"
            finally:
                running.terminate()
                status = running.wait(TEST_TIMEOUT)
    assert status == 0
    assert {file.stem for file in (tmp_path / "keys").iterdir()} == {
        name for names in PURPOSES.values() for name in names
    }


def ready(port: int) -> bytes:
    """Return what /readyz says, as soon as the server listens."""
    while True:
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=TEST_TIMEOUT)
        with suppress(ConnectionRefusedError), closing(asked):
            asked.request("GET", "/readyz")
            return asked.getresponse().read()


def compose() -> dict[str, Any]:
    """Return the services of the compose file."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    return services


def test_compose_site_may_do_no_more_than_its_units():
    site = compose()["site"]
    assert site["read_only"] and site["cap_drop"] == ["ALL"] and site["security_opt"] == ["no-new-privileges"]
    assert [port.partition(":")[0] for port in site["ports"]] == ["127.0.0.1"], "for nginx on this machine only"
    units = [
        (ROOT / "deploy" / "systemd" / name).read_text()
        for name in ("screening-web@.service", "screening-worker.service")
    ]
    tasks, gigabytes = (
        sum(int(re.findall(rf"^{limit}=(\d+)G?$", unit, re.M)[0]) for unit in units)
        for limit in ("TasksMax", "MemoryMax")
    )
    assert (site["pids_limit"], site["mem_limit"]) == (tasks, f"{gigabytes}g")


def test_compose_services_restart_and_store_no_rate_limits():
    services = compose()
    assert {service["restart"] for service in services.values()} == {"always"}
    assert "ports" not in services["database"] and "ports" not in services["valkey"]
    assert '--save "" --appendonly no' in services["valkey"]["command"] and "volumes" not in services["valkey"]
    assert "log_error_verbosity=terse" in services["database"]["command"]


def test_compose_settings_are_those_of_a_public_site():
    given = compose()["site"]["environment"]
    settings = read_settings(
        environ={name: re.sub(r"\$\{SITE[^}]*\}", "weir.test", text) for name, text in given.items()}
    )
    assert (settings["HTTPS"], settings["TRUSTED_PROXY_COUNT"], settings["SITE_URL"]) == (True, 1, "https://weir.test")
    assert "weir.test" in settings["ALLOWED_HOSTS"]


def test_compose_holds_no_password():
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    assert set(re.findall(r"PASSWORD: (.*)", text)) == {"${DATABASE_PASSWORD:?is missing in deploy/.env}"}
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()
