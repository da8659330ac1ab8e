"""Run commands and servers as processes, with a defined environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from screening.config import ROOT
from tests.support.clock import SHIFT, SHIFTED_TIME

TEST_TIMEOUT = 600
"""Timeout in seconds for a process that never ends, so that its test fails; no result depends on it."""


def environment(**settings: Any) -> dict[str, str]:
    """Return pytest's environment with only these settings of the site, and the time of ``TEST_NOW``."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("SCREENING_", "FLASK_"))}
    if SHIFT:
        clean |= {"PYTHONPATH": str(SHIFTED_TIME), "TEST_TIME_SHIFT": str(SHIFT)}
    return clean | {name: str(value) for name, value in settings.items()}


def run(*command: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a program from the project's folder to its end, with its output captured."""
    return subprocess.run(
        command, cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=TEST_TIMEOUT
    )


def python(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run the project's Python with these arguments."""
    return run(sys.executable, *arguments, **settings)


def flask(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a ``flask`` command to its end."""
    return python("-m", "flask", *arguments, **settings)


def start_flask(*arguments: str, **settings: Any) -> subprocess.Popen[str]:
    """Start a ``flask`` command that keeps running."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
