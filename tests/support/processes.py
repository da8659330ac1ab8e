"""The environment of commands and servers that tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from screening.config import ROOT
from tests.support.clock import SHIFT, SHIFTED_TIME

HANGING = 600
"""Seconds after which a process that never ends is ended, so that its test fails; it decides nothing else."""


def environment(**settings: Any) -> dict[str, str]:
    """That of pytest, without settings of the site but these, with the time that ``TEST_NOW`` asks for."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("SCREENING_", "FLASK_"))}
    if SHIFT:
        clean |= {"PYTHONPATH": str(SHIFTED_TIME), "TEST_TIME_SHIFT": str(SHIFT)}
    return clean | {name: str(value) for name, value in settings.items()}


def run(*command: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a program from the project's folder until it ends, its output captured."""
    return subprocess.run(
        command, cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=HANGING
    )


def python(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run the project's Python with these arguments."""
    return run(sys.executable, *arguments, **settings)


def flask(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a ``flask`` command as a person does."""
    return python("-m", "flask", *arguments, **settings)


def start_flask(*arguments: str, **settings: Any) -> subprocess.Popen[str]:
    """Start a ``flask`` command that goes on by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
