"""Entry point: ``app`` for a WSGI server (``granian --interface wsgi wsgi:app``) and for the ``flask`` command."""

import gc
import os
import sys

from screening.app import create_app
from screening.cli import error_line
from screening.cli.commands_app import create_commands_app
from screening.config import SettingsError
from screening.operations.metrics import exporter
from screening.questionnaires.table_reader import DefinitionError

try:
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        sys.excepthook = error_line.excepthook
        app = create_commands_app()
    else:
        app = create_app()
        exporter.start(app)
except (SettingsError, DefinitionError) as error:
    sys.exit("\n".join(f"The site cannot start: {line}" for line in str(error).splitlines()))

# Exclude the objects created at startup, which live as long as the process, from garbage collection.
gc.collect()
gc.freeze()
