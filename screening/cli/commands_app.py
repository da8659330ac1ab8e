"""The application of the ``flask`` command line: settings, database and commands, no pages."""

import time
from collections.abc import Mapping
from typing import Any

from flask import Flask

from screening import config
from screening.cli.backup import backup, restore
from screening.cli.keys import keys
from screening.cli.nginx import nginx
from screening.cli.operations import demo, doctor, purge, serve, worker
from screening.cli.questionnaire import questionnaire
from screening.cli.responses import responses
from screening.database import engines
from screening.extensions import babel
from screening.web import logs


def create_commands_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Return the application of the ``flask`` command line: settings, database and commands, no pages.

    ``overrides`` as for ``create_app``, ``CLOCK`` included. It needs no key files, so that ``flask keys init`` can
    create them. Raises SettingsError.
    """
    overrides = dict(overrides or {})
    clock = overrides.pop("CLOCK", time.time)
    settings = config.read_settings(overrides)
    logs.configure(settings["LOG_FORMAT"])
    app = Flask("screening", root_path=str(config.ROOT), instance_path=str(config.ROOT / "instance"))
    app.config["SETTINGS"] = settings
    app.extensions["clock"] = clock
    engines.init_app(app, settings["DATABASE_URL"])
    babel.init_app(app, default_locale="en")
    for command in (serve, questionnaire, keys, responses, purge, doctor, nginx):
        app.cli.add_command(command)
    if "staff" in settings["SERVE"]:
        from screening.cli.releases import release
        from screening.cli.staff import staff  # slow to import: half a second

        for command in (staff, release, demo, worker, backup, restore):
            app.cli.add_command(command)
    return app
