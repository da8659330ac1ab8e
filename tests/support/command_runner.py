"""Runs commands in one process, which a test puts under a fault: reads them from stdin, prints their results as JSON."""

from __future__ import annotations

import json
import resource
import sys

from screening.cli import error_line
from screening.cli.commands_app import create_commands_app
from screening.config import SettingsError
from tests.support.databases import close


def run(arguments: list[str]) -> dict[str, object]:
    """Run a command as ``wsgi.py`` does; return its exit code, stdout and stderr."""
    try:
        app = create_commands_app()
    except SettingsError as error:
        return {"code": 1, "stdout": "", "stderr": f"{error}\n"}
    done = app.test_cli_runner().invoke(args=arguments)
    close(app)
    stderr = done.stderr
    if isinstance(done.exception, Exception):  # reaches ``error_line.excepthook``
        stderr += f"{error_line.line_of(done.exception)}\n"
    return {"code": done.exit_code, "stdout": done.stdout, "stderr": stderr}


if __name__ == "__main__":
    commands = json.load(sys.stdin)
    if "no-room" in sys.argv:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    results = [run(arguments) for arguments in commands]
    print(f"\n{json.dumps(results)}")  # after what alembic prints to the stdout of the process
