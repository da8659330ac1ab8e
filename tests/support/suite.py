"""Run the linters and every test, and print one last line: the result, the time, and the log file.

Run as ``python -m tests.support.suite``; arguments are passed to pytest. The log is ``instance/test.log``.
"""

from __future__ import annotations

import compileall
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from screening.config import ROOT

LOG = ROOT / "instance" / "test.log"
LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
    ("bandit", "--quiet", "--recursive", "screening", "wsgi.py"),
    ("djlint", "--lint", "--quiet", "templates"),
)
COMPILED = ("screening", "tests")
PYTEST = ("pytest", "-n", "2", "--dist", "worksteal")


def main(arguments: list[str]) -> int:
    """Run each step until one fails; return the exit status of the last."""
    began = time.monotonic()
    for folder in COMPILED:  # processes that tests start load the bytecode; their environment may forbid writing it
        compileall.compile_dir(ROOT / folder, quiet=2)
    with LOG.open("w", encoding="utf-8") as log:
        for step in LINTERS:
            status, _ = _run(step, log)
            if status:
                return _end(f"Failed: {' '.join(step)}", began, status)
        status, output = _run((*PYTEST, *arguments), log)
    counts = re.findall(r"^=* ?(.*\b(?:passed|failed|error)\b.*?) in [\d.]+s", output, re.MULTILINE)
    what = f"{len(LINTERS)} linters and pytest: {counts[-1] if counts else 'no result'}"
    return _end(f"{'Failed' if status else 'Passed'}: {what}", began, status)


def _run(words: tuple[str, ...], log: TextIO) -> tuple[int, str]:
    """Run a program of this environment; show and log its output; return exit status and output."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        log.write(line)
        lines.append(line)
    return process.wait(), "".join(lines)


def _end(result: str, began: float, status: int) -> int:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"{result}; {minutes} min {seconds} s; log: {LOG.relative_to(ROOT)}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
