"""The container file: linted, no secret in the build context, and the command ``flask serve``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from screening.config import ROOT
from tests.support.containerfile import SHIPPED, build_context, command, copies, only_instruction, steps

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
    assert {name for name, _ in steps()} == {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "VOLUME", "USER", "EXPOSE", "CMD"}
    assert not re.search(r"SCREENING_|password|secret|token", SHIPPED.read_text(), re.IGNORECASE)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", only_instruction("USER"))
    after_user = [name for name, _ in steps()][[name for name, _ in steps()].index("USER") :]
    assert not {"COPY", "RUN"} & set(after_user), "only instance/ belongs to that user"


def test_container_serves_its_exposed_port_on_every_address():
    assert command() == [".venv/bin/flask", "serve", f"0.0.0.0:{only_instruction('EXPOSE')}"]
